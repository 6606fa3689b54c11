"""Mailboxes in memory, as one process sees them through its weather; what is on the disk outlives it."""

import hashlib
from collections.abc import Callable, Sequence
from typing import BinaryIO, TypeVar

from msgspec import Struct, field, structs
from twisted.internet.defer import Deferred, execute, succeed
from zope.interface import implementer

from cjsm.community.identifiers import AccountId, DeliveryId, MailboxId
from cjsm.store.archive import BEGIN, MESSAGE, PIECE, VERSION, ArchiveReader, ArchiveWriter, Beginning, Exported
from cjsm.store.interfaces import (
    Damaged,
    Deleted,
    Delivery,
    Examine,
    Filling,
    Head,
    IBodyReader,
    ILease,
    IMailStore,
    LeaseLost,
    LeaseTaken,
    MailboxExists,
    MailboxList,
    MailboxStatus,
    Missing,
    Row,
    StoredMessage,
    Usage,
    Verified,
)

from .weather import Weather

T = TypeVar("T")


class Kept(Struct):
    """One message of a mailbox, until it is destroyed."""

    row: Row
    delivery: Delivery
    deleted: int | None = None


class Mailbox(Struct):
    """One mailbox on the disk.

    :ivar history: what was ever delivered to it, in order.
    :ivar delivered: the delivered ids it remembers.
    :ivar bodies: the sealed bodies it keeps.
    :ivar kept: its messages, deleted ones included, in order.
    """

    history: list[Delivery] = field(default_factory=list)
    delivered: dict[DeliveryId, int] = field(default_factory=dict)
    bodies: dict[DeliveryId, bytes] = field(default_factory=dict)
    kept: dict[DeliveryId, Kept] = field(default_factory=dict)
    hidden: dict[AccountId, set[int]] = field(default_factory=dict)
    head: Head = Head()
    full_since: int = 0

    @property
    def listed(self) -> list[Row]:
        """The rows of the list."""
        return [each.row for each in self.kept.values() if each.deleted is None]

    def append(self, delivery: Delivery, body: bytes) -> None:
        """Add one message."""
        uid = self.head.appended + 1
        self.head = structs.replace(self.head, appended=uid, chain=uid.to_bytes(32, "big"))
        row = Row(
            uid=uid,
            octets=delivery.octets,
            delivery_id=delivery.delivery_id,
            generation=delivery.generation,
            flags=0,
            chain=self.head.chain,
            imported_id=delivery.imported_id,
        )
        self.history.append(delivery)
        self.bodies[delivery.delivery_id] = body
        self.kept[delivery.delivery_id] = Kept(row, delivery)


def usage(rows: Sequence[Row]) -> Usage:
    """What *rows* hold."""
    return Usage(messages=len(rows), octets=sum(row.octets for row in rows))


@implementer(IBodyReader)
class MemoryBodyReader:
    """A body being read."""

    def __init__(self, sealed: bytes) -> None:
        self.octets = len(sealed)
        self._sealed = sealed

    def read(self, offset: int, length: int) -> "Deferred[bytes]":
        if offset + length > self.octets:
            return execute(_raise, Damaged("the body is shorter"))
        return succeed(self._sealed[offset : offset + length])

    def close(self) -> None:
        """Nothing to give back."""


def _raise(error: Exception) -> bytes:
    raise error


@implementer(ILease)
class MemoryLease:
    """One maildrop held."""

    def __init__(self, held: dict[bytes, int], maildrop: bytes) -> None:
        self.fence = held[maildrop]
        self._held = held
        self._maildrop = maildrop

    @property
    def held(self) -> bool:
        return self._held.get(self._maildrop) == self.fence

    def release(self) -> None:
        if self.held:
            del self._held[self._maildrop]


@implementer(IMailStore)
class MemoryMail:
    """See :class:`IMailStore`.

    :param disk: the mailboxes on the disk, which outlive this process.
    :param spooled: the octets of a spooled body, or raises Missing.
    :ivar batches: how many messages each write was asked for, with the mailbox.
    :ivar emptied: whether what comes is destroyed at once: only delivered ids keep it from coming again.
    """

    emptied = False

    def __init__(
        self,
        disk: dict[MailboxId, Mailbox],
        spooled: Callable[[Delivery], bytes],
        weather: Weather,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.batches: list[tuple[MailboxId, int]] = []
        self.low_waters: list[int] = []
        self._disk = disk
        self._spooled = spooled
        self._weather = weather
        self._clock = clock
        self._leases: dict[bytes, int] = {}
        self._fence = 0

    def _made(self, mailbox: MailboxId) -> Mailbox:
        return self._disk.setdefault(mailbox, Mailbox())

    def _look(self, name: str, mailbox: MailboxId, look: Callable[[Mailbox], T]) -> "Deferred[T]":
        return self._weather.run(name, lambda: look(self._disk.get(mailbox) or Mailbox()))

    def deliver(self, mailbox: MailboxId, batch: Sequence[Delivery], low_water: int) -> "Deferred[None]":
        self.batches.append((mailbox, len(batch)))
        self.low_waters.append(low_water)
        return self._weather.run("deliver", lambda: self._deliver(mailbox, batch, low_water))

    def _deliver(self, mailbox: MailboxId, batch: Sequence[Delivery], low_water: int) -> None:
        kept = self._made(mailbox)
        known = kept.delivered.keys() | kept.kept.keys()
        fresh = {each.delivery_id: each for each in batch if each.delivery_id not in known}
        bodies = {each.delivery_id: self._body(each) for each in fresh.values()}
        for each in fresh.values():
            kept.append(each, bodies[each.delivery_id])
            kept.delivered[each.delivery_id] = each.spool_sequence
        kept.delivered = {each: sequence for each, sequence in kept.delivered.items() if sequence >= low_water}
        if self.emptied:
            kept.kept.clear()

    def _body(self, delivery: Delivery) -> bytes:
        return delivery.body if delivery.body is not None else self._spooled(delivery)

    def import_messages(self, mailbox: MailboxId, batch: Sequence[Delivery]) -> "Deferred[int]":
        def act() -> int:
            kept = self._made(mailbox)
            if any(each.imported_id and not _is_unique_id(each.imported_id) for each in batch):
                raise ValueError("no unique-id")
            fresh: list[Delivery] = []
            for each in batch:
                taken = {*kept.kept, *(other.delivery_id for other in fresh)}
                names = {known.row.unique_id for known in kept.kept.values()} | {other.imported_id for other in fresh}
                if each.delivery_id not in taken and (not each.imported_id or each.imported_id not in names):
                    fresh.append(each)
            bodies = [self._body(each) for each in fresh]
            for each, body in zip(fresh, bodies, strict=True):
                kept.append(each, body)
            return len(fresh)

        return self._weather.run("import", act)

    def list(
        self, mailbox: MailboxId, member: AccountId | None = None, *, as_it_is: bool = False
    ) -> "Deferred[MailboxList]":
        def look(kept: Mailbox) -> MailboxList:
            hidden = kept.hidden.get(member, set()) if member is not None else set()
            rows = sorted((row for row in kept.listed if row.uid not in hidden), key=lambda row: row.uid)
            return MailboxList(rows=tuple(rows), head=kept.head)

        return self._look("list", mailbox, look)

    def accept(self, mailbox: MailboxId) -> "Deferred[int]":
        def act() -> int:
            kept = self._made(mailbox)
            kept.head = Head(
                edition=kept.head.edition + 1,
                appended=kept.head.appended,
                deleted=kept.head.appended - len(kept.listed),
                chain=kept.head.chain,
            )
            return len(kept.listed)

        return self._weather.run("accept", act)

    def open(self, mailbox: MailboxId, delivery_id: DeliveryId) -> "Deferred[StoredMessage]":
        def look(kept: Mailbox) -> StoredMessage:
            found = kept.kept.get(delivery_id)
            if found is None or found.deleted is not None:
                raise Missing("the message is not there")
            body = MemoryBodyReader(kept.bodies[delivery_id])
            return StoredMessage(row=found.row, wrap=found.delivery.wrap, summary=found.delivery.summary, body=body)

        return self._look("open", mailbox, look)

    def delete(
        self, mailbox: MailboxId, delivery_ids: Sequence[DeliveryId], lease: ILease | None = None
    ) -> "Deferred[None]":
        def act(kept: Mailbox) -> None:
            _check(lease)
            gone = [kept.kept[each] for each in dict.fromkeys(delivery_ids) if each in kept.kept]
            gone = [each for each in gone if each.deleted is None]
            for each in gone:
                each.deleted = int(self._clock())
            kept.head = structs.replace(kept.head, deleted=kept.head.deleted + len(gone))

        return self._look("delete", mailbox, act)

    def deleted(self, mailbox: MailboxId) -> "Deferred[Sequence[Deleted]]":
        def look(kept: Mailbox) -> Sequence[Deleted]:
            return [
                Deleted(row=each.row, moment=each.deleted) for each in kept.kept.values() if each.deleted is not None
            ]

        return self._look("deleted", mailbox, look)

    def undelete(self, mailbox: MailboxId, delivery_ids: Sequence[DeliveryId]) -> "Deferred[int]":
        def act(kept: Mailbox) -> int:
            back = [kept.kept[each] for each in delivery_ids if each in kept.kept]
            back = [each for each in back if each.deleted is not None]
            for each in back:
                each.deleted = None
            kept.head = structs.replace(kept.head, undeleted=kept.head.undeleted + len(back))
            return len(back)

        return self._look("undelete", mailbox, act)

    def hide(
        self, mailbox: MailboxId, member: AccountId, delivery_ids: Sequence[DeliveryId], lease: ILease | None = None
    ) -> "Deferred[None]":
        def act(kept: Mailbox) -> None:
            _check(lease)
            uids = {kept.kept[each].row.uid for each in delivery_ids if each in kept.kept}
            kept.hidden.setdefault(member, set()).update(uids)

        return self._look("hide", mailbox, act)

    def unhide(self, mailbox: MailboxId, member: AccountId) -> "Deferred[int]":
        def act(kept: Mailbox) -> int:
            hidden = kept.hidden.pop(member, set())
            return sum(row.uid in hidden for row in kept.listed)

        return self._look("unhide", mailbox, act)

    def purge(self, before: int) -> "Deferred[int]":
        def act() -> int:
            gone = 0
            for kept in self._disk.values():
                due = [
                    each for each, known in kept.kept.items() if known.deleted is not None and known.deleted < before
                ]
                for each in due:
                    del kept.kept[each], kept.bodies[each]
                gone += len(due)
            return gone

        return self._weather.run("purge", act)

    def usage(self, mailbox: MailboxId) -> "Deferred[Usage]":
        return self._look("usage", mailbox, lambda kept: usage(kept.listed))

    def filling(self, mailbox: MailboxId) -> "Deferred[Filling]":
        return self._look("filling", mailbox, lambda kept: Filling(usage(kept.listed).octets, kept.full_since))

    def full(self, mailbox: MailboxId, moment: int) -> "Deferred[int]":
        def act() -> int:
            if not moment and mailbox not in self._disk:
                return 0
            kept = self._made(mailbox)
            kept.full_since = (kept.full_since or moment) if moment else 0
            return kept.full_since

        return self._weather.run("full", act)

    def status(self, mailbox: MailboxId) -> "Deferred[MailboxStatus]":
        def look(kept: Mailbox) -> MailboxStatus:
            return MailboxStatus(
                usage=usage(kept.listed),
                deleted=usage([each.row for each in kept.kept.values() if each.deleted is not None]),
                full_since=kept.full_since,
                disk_octets=sum(map(len, kept.bodies.values())),
            )

        return self._look("status", mailbox, look)

    def mailboxes(self) -> "Deferred[Sequence[MailboxId]]":
        return self._weather.run("mailboxes", lambda: sorted(self._disk))

    def lease(self, mailbox: MailboxId, member: AccountId) -> "Deferred[MemoryLease]":
        def act() -> MemoryLease:
            maildrop = mailbox + member
            if maildrop in self._leases:
                raise LeaseTaken("another session has it")
            self._fence += 1
            self._leases[maildrop] = self._fence
            return MemoryLease(self._leases, maildrop)

        return self._weather.run("lease", act)

    def prune(self, low_water: int) -> "Deferred[int]":
        def act() -> int:
            for kept in self._disk.values():
                kept.delivered = {each: number for each, number in kept.delivered.items() if number >= low_water}
            return len(self._disk)

        return self._weather.run("prune", act)

    def destroy(self, mailbox: MailboxId) -> "Deferred[None]":
        def act() -> None:
            self._disk.pop(mailbox, None)

        return self._weather.run("destroy", act)

    def export(self, mailbox: MailboxId, to: BinaryIO) -> "Deferred[None]":
        def look(kept: Mailbox) -> None:
            archive = ArchiveWriter(to)
            beginning = Beginning(
                version=VERSION,
                mailbox=mailbox,
                head=kept.head,
                messages=len(kept.kept),
                full_since=kept.full_since,
                delivered=tuple((sequence, each) for each, sequence in kept.delivered.items()),
                hidden=tuple((member, tuple(uids)) for member, uids in kept.hidden.items()),
            )
            archive.record(BEGIN, beginning)
            for each in kept.kept.values():
                exported = Exported(
                    row=each.row,
                    body_id=each.delivery.body_id,
                    sealed_octets=len(kept.bodies[each.row.delivery_id]),
                    inline=each.delivery.body is not None,
                    wrap=each.delivery.wrap,
                    summary=each.delivery.summary,
                    deleted=each.deleted,
                )
                archive.record(MESSAGE, exported)
                archive.frame(PIECE, kept.bodies[each.row.delivery_id])
            archive.end()

        return self._look("export", mailbox, look)

    def restore(self, mailbox: MailboxId, source: BinaryIO, *, replace: bool = False) -> "Deferred[None]":
        def act() -> None:
            if mailbox in self._disk and not replace:
                raise MailboxExists("it is there")
            source.seek(0)
            self._disk[mailbox] = _restored(mailbox, source)

        return self._weather.run("restore", act)

    def verify(self, mailbox: MailboxId, examine: Examine) -> "Deferred[Verified]":
        def look(kept: Mailbox) -> Verified:
            problems = []
            for each in kept.kept.values():
                body = kept.bodies[each.row.delivery_id]
                problem = examine(each.row, each.delivery.wrap, len(body), hashlib.sha256(body).digest())
                problems += [f"message {each.row.delivery_id.hex()}: {problem}"] if problem else []
            listed = usage(kept.listed)
            deleted = len(kept.kept) - listed.messages
            return Verified(messages=listed.messages, deleted=deleted, octets=listed.octets, problems=tuple(problems))

        return self._look("verify", mailbox, look)


def _restored(mailbox: MailboxId, source: BinaryIO) -> Mailbox:
    archive = ArchiveReader(source)
    beginning = archive.beginning
    if beginning.mailbox != mailbox:
        raise Damaged("it is another's")
    kept = Mailbox(head=beginning.head, full_since=beginning.full_since)
    while (found := archive.message()) is not None:
        body = b""
        while len(body) < found.sealed_octets:
            body += archive.piece()
        row = found.row
        delivery = Delivery(
            delivery_id=row.delivery_id,
            spool_sequence=0,
            generation=row.generation,
            octets=row.octets,
            body_id=found.body_id,
            sealed_octets=found.sealed_octets,
            wrap=found.wrap,
            summary=found.summary,
            body=body if found.inline else None,
            imported_id=row.imported_id,
        )
        kept.kept[row.delivery_id] = Kept(row, delivery, found.deleted)
        kept.bodies[row.delivery_id] = body
    kept.delivered = {each: sequence for sequence, each in beginning.delivered}
    kept.hidden = {member: set(uids) for member, uids in beginning.hidden}
    return kept


def _check(lease: ILease | None) -> None:
    if lease is not None and not lease.held:
        raise LeaseLost("it is not held any more")


def _is_unique_id(text: str) -> bool:
    return 1 <= len(text) <= 70 and all("!" <= each <= "~" for each in text)
