"""What the tests of the stores share: identifiers, entries, deliveries and disks that fail or wait."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from cjsm.community.identifiers import BodyId, ConnectionId, DeliveryId, MailboxId
from cjsm.store.interfaces import (
    Delivery,
    Head,
    IAnchors,
    Outgoing,
    SpoolBatch,
    SpoolDelivery,
    SpoolEntry,
    Unavailable,
)
from cjsm.store.lmdb.anchored import HeadHashes
from cjsm.store.lmdb.bodies import FileBodyStore
from cjsm.store.lmdb.community import LmdbCommunityStore
from cjsm.store.lmdb.disk import Disk, InlineDisk
from cjsm.store.lmdb.leases import Leases
from cjsm.store.lmdb.mailboxes import LmdbMailStore
from cjsm.store.lmdb.space import Space
from cjsm.store.lmdb.spool import LmdbSpool
from cjsm.vault import heads

MAP = 1 << 26
HASHES = HeadHashes(leaf=heads.leaf, bucket=heads.bucket, shelf=heads.shelf, root=heads.root)
MAILBOX = MailboxId(b"mailbox one 0001")
OTHER = MailboxId(b"mailbox two 0002")
T = TypeVar("T")


def identifier(name: str, number: int) -> bytes:
    """Sixteen octets that a reader can tell."""
    made = f"{name} {number}".ljust(16, ".").encode()
    assert len(made) == 16
    return made


def result(deferred: "Deferred[T]") -> T:
    """What *deferred* fired with; it must have fired. A failure is raised."""
    found: list[Any] = []
    deferred.addBoth(found.append)
    assert found, "not fired yet"
    if isinstance(found[0], Failure):
        found[0].raiseException()
    answer: T = found[0]
    return answer


class HeldDisk(InlineDisk):
    """Work waits until the test lets it go."""

    def __init__(self) -> None:
        self.held: list[Callable[[], None]] = []

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        done: Deferred[T] = Deferred()

        def act() -> None:
            super(HeldDisk, self).run(work).addCallbacks(done.callback, done.errback)

        self.held.append(act)
        return done

    def release(self) -> None:
        """Do all the work there is, and what follows from it."""
        while self.held:
            self.held.pop(0)()


class FailingDisk(InlineDisk):
    """Fails the work with number *failing* (from 1); with *after*, only when it was done."""

    def __init__(self, failing: int, *, after: bool = False) -> None:
        self.runs = 0
        self._failing = failing
        self._after = after

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        self.runs += 1
        if self.runs != self._failing:
            return super().run(work)
        if self._after:
            super().run(work).addErrback(lambda _: None)
        return fail(Unavailable("the disk failed", maybe_committed=self._after))


class Clock:
    """Seconds that a test sets."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def entry(number: int, *mailboxes: MailboxId, body: bytes | None = b"sealed") -> SpoolEntry:
    """A spool entry of ten octets for each of *mailboxes*."""
    deliveries = tuple(
        SpoolDelivery(
            mailbox=mailbox,
            delivery_id=DeliveryId(identifier("delivery", number * 100 + place)),
            generation=1,
            octets=10,
            wrap=b"wrap",
        )
        for place, mailbox in enumerate(mailboxes or (MAILBOX,))
    )
    return SpoolEntry(
        id=identifier("entry", number),
        accepted=900 + number,
        body_id=BodyId(identifier("body", number)),
        sealed_octets=6,
        summary=b"summary",
        envelope=b"envelope",
        deliveries=deliveries,
        body=body,
    )


def alone(entry: SpoolEntry) -> SpoolBatch:
    """What the spool is asked to put for one entry."""
    return SpoolBatch(id=entry.id, hosted=(entry,))


def outgoing(number: int, connection: int = 1, *, recipients: int = 1, body: bytes | None = b"sealed") -> Outgoing:
    """A message for *recipients* behind the connection of that number."""
    return Outgoing(
        id=identifier("outgoing", number),
        connection=ConnectionId(identifier("connection", connection)),
        accepted=1000,
        body_id=BodyId(identifier("body", number)),
        sealed_octets=6,
        recipients=recipients,
        envelope=b"envelope",
        body=body,
    )


def going(*each: Outgoing) -> SpoolBatch:
    """What the spool is asked to put for messages on their way out."""
    return SpoolBatch(id=each[0].id, outgoing=each)


def delivery(number: int, body: bytes | None = b"sealed", sequence: int | None = None) -> Delivery:
    """A delivery of ten octets."""
    return Delivery(
        delivery_id=DeliveryId(identifier("delivery", number)),
        spool_sequence=number if sequence is None else sequence,
        generation=1,
        octets=10,
        body_id=BodyId(identifier("body", number)),
        sealed_octets=6,
        wrap=b"wrap",
        summary=b"summary",
        body=body,
    )


def advance(chain: bytes, uid: int, octets: int, delivery_id: bytes, generation: int) -> bytes:
    """A running hash for tests."""
    return hashlib.sha256(chain + delivery_id + f"{uid} {octets} {generation}".encode()).digest()


def open_spool(directory: Path, disk: Disk | None = None, **changes: Any) -> LmdbSpool:
    """A spool in *directory*."""
    disk = disk or InlineDisk()
    settings: dict[str, Any] = {
        "map_size": MAP,
        "batch_entries": 512,
        "batch_octets": 1 << 24,
        "space": Space(directory, 0),
        "clock": Clock(),
    }
    bodies = FileBodyStore(directory / "spool" / "bodies", disk, Space(directory, 0))
    return LmdbSpool(directory, disk, bodies, **(settings | changes))


@implementer(IAnchors)
class MemoryAnchors:
    """Remembers heads as long as the test lasts."""

    def __init__(self) -> None:
        self.heads: dict[MailboxId, Head] = {}
        self.marked: set[MailboxId] = set()

    def anchor(self, mailbox: MailboxId, head: Head) -> None:
        self.heads[mailbox] = self.anchored(mailbox).newest(head)
        self.marked.add(mailbox)

    def anchored(self, mailbox: MailboxId) -> Head:
        return self.heads.get(mailbox, Head())

    def unanchored(self, limit: int) -> "Deferred[Sequence[tuple[MailboxId, Head]]]":
        return succeed([(mailbox, self.heads[mailbox]) for mailbox in sorted(self.marked)][:limit])

    def settled(self, heads: Sequence[tuple[MailboxId, Head]]) -> "Deferred[None]":
        self.marked -= {mailbox for mailbox, head in heads if self.heads[mailbox] == head}
        return succeed(None)


def open_community(directory: Path, disk: Disk | None = None) -> LmdbCommunityStore:
    """The community in *directory*."""
    return LmdbCommunityStore(
        directory,
        disk or InlineDisk(),
        suffix="cjsm.test",
        map_size=MAP,
        encode_entry=lambda entry, salts: b"entry",
        hashes=HASHES,
        clock=Clock(),
    )


def open_mailboxes(
    directory: Path,
    disk: Disk | None = None,
    anchors: IAnchors | None = None,
    most: int = 8,
    clock: Callable[[], float] = lambda: 1000.0,
) -> LmdbMailStore:
    """A mail store in *directory*."""
    disk = disk or InlineDisk()
    return LmdbMailStore(
        directory,
        disk,
        FileBodyStore(directory / "spool" / "bodies", disk, Space(directory, 0)),
        Leases(directory / "run"),
        map_size=MAP,
        open_mailboxes=most,
        advance=advance,
        anchors=anchors or MemoryAnchors(),
        clock=clock,
    )


def put_body(bodies: FileBodyStore, number: int, content: bytes = b"sealed") -> BodyId:
    """Write a whole body."""
    body_id = BodyId(identifier("body", number))
    writer = result(bodies.create(body_id))
    writer.write(content)
    result(writer.finish())
    return body_id
