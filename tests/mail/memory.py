"""Stores in memory: a disk that outlives its processes, and what one process sees of it through its weather."""

from collections.abc import Callable, Sequence

from msgspec import Struct, field
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from cjsm.community.identifiers import BodyId, DeliveryId, MailboxId
from cjsm.store.interfaces import (
    Claimed,
    Delivery,
    DiskFull,
    IBodyStore,
    IBodyWriter,
    ISpool,
    Missing,
    Outgoing,
    SpoolBatch,
    SpoolEntry,
    SpoolStatus,
)

from .memorymail import Mailbox, MemoryBodyReader, MemoryMail
from .weather import Weather


class File(Struct):
    """A spooled body."""

    made: float
    octets: bytearray = field(default_factory=bytearray)
    synced: bool = False


class Progress(Struct):
    """What the spool knows of an entry beside itself."""

    attempts: int = 0
    due: int = 0
    reason: str = ""
    done: set[DeliveryId] = field(default_factory=set)


class Platter(Struct):
    """What is on the disk; *archive* has every entry that ever was."""

    sequence: int = 0
    notice: int = 0
    known: dict[bytes, int] = field(default_factory=dict)
    archive: dict[bytes, SpoolEntry] = field(default_factory=dict)
    entries: dict[int, SpoolEntry] = field(default_factory=dict)
    progress: dict[int, Progress] = field(default_factory=dict)
    outgoing: dict[int, Outgoing] = field(default_factory=dict)
    files: dict[BodyId, File] = field(default_factory=dict)
    mailboxes: dict[MailboxId, Mailbox] = field(default_factory=dict)

    def mailbox(self, mailbox: MailboxId) -> Mailbox:
        """One mailbox, made when it is first asked for."""
        return self.mailboxes.setdefault(mailbox, Mailbox())


@implementer(ISpool)
class MemorySpool:
    """The spool of one process: claims are its own and end with it."""

    def __init__(self, platter: Platter, weather: Weather, clock: Callable[[], float]) -> None:
        self.platter = platter
        self.claims: dict[int, int] = {}
        self.room = 1 << 60
        self._weather = weather
        self._clock = clock
        self._listeners: list[Callable[[], object]] = []

    def put(self, batch: SpoolBatch) -> "Deferred[int]":
        def act() -> int:
            if batch.id not in self.platter.known:
                self._insert(batch)
            return self.platter.known[batch.id]

        return self._weather.run("put", act).addCallback(self._arrived)

    def _insert(self, batch: SpoolBatch) -> None:
        platter = self.platter
        platter.known[batch.id] = platter.sequence + 1
        if batch.notice:
            if batch.notice <= platter.notice:
                return
            platter.notice = batch.notice
        for entry in batch.hosted:
            platter.sequence += 1
            platter.entries[platter.sequence] = platter.archive[entry.id] = entry
            platter.progress[platter.sequence] = Progress()
        for outgoing in batch.outgoing:
            platter.sequence += 1
            platter.outgoing[platter.sequence] = outgoing

    def last_notice(self) -> int:
        return self.platter.notice

    def _arrived(self, sequence: int) -> int:
        for notify in self._listeners:
            notify()
        return sequence

    def claim(self, worker: str, limit: int, until: int) -> "Deferred[Sequence[Claimed]]":
        now = self._clock()

        def act() -> Sequence[Claimed]:
            due = [
                sequence
                for sequence in sorted(self.platter.entries)
                if self.claims.get(sequence, 0) <= now and self.platter.progress[sequence].due <= now
            ][:limit]
            self.claims.update((sequence, until) for sequence in due)
            return [self._claimed(sequence) for sequence in due]

        return self._weather.run("claim", act)

    def _claimed(self, sequence: int) -> Claimed:
        entry, progress = self.platter.entries[sequence], self.platter.progress[sequence]
        remaining = tuple(each.delivery_id for each in entry.deliveries if each.delivery_id not in progress.done)
        return Claimed(sequence=sequence, attempts=progress.attempts, entry=entry, remaining=remaining)

    def done(
        self, progress: Sequence[tuple[int, Sequence[DeliveryId]]], put: Sequence[SpoolBatch] = ()
    ) -> "Deferred[None]":
        def act() -> None:
            for sequence, made in progress:
                self._done(sequence, made)
            for batch in put:
                if batch.id not in self.platter.known:
                    self._insert(batch)

        return self._weather.run("done", act)

    def _done(self, sequence: int, made: Sequence[DeliveryId]) -> None:
        entry = self.platter.entries.get(sequence)
        if entry is None:
            return
        known = self.platter.progress[sequence]
        known.done.update(made)
        if all(each.delivery_id in known.done for each in entry.deliveries):
            del self.platter.entries[sequence], self.platter.progress[sequence]
            self.claims.pop(sequence, None)
            others = (*self.platter.entries.values(), *self.platter.outgoing.values())
            if all(other.body_id != entry.body_id for other in others):
                self.platter.files.pop(entry.body_id, None)

    def defer(self, sequence: int, until: int, reason: str) -> "Deferred[None]":
        def act() -> None:
            self.claims.pop(sequence, None)
            known = self.platter.progress.get(sequence)
            if known is not None:
                known.attempts, known.due, known.reason = known.attempts + 1, until, reason

        return self._weather.run("defer", act)

    def waiting(self, mailbox: MailboxId) -> int:
        return sum(
            each.octets
            for sequence, entry in self.platter.entries.items()
            for each in entry.deliveries
            if each.mailbox == mailbox and each.delivery_id not in self.platter.progress[sequence].done
        )

    def check_room(self, octets: int) -> None:
        if octets > self.room:
            raise DiskFull("below the floor")

    def low_water(self) -> int:
        return min(self.platter.entries, default=self.platter.sequence + 1)

    def named_bodies(self) -> "Deferred[frozenset[BodyId]]":
        return succeed(frozenset(entry.body_id for entry in self.platter.entries.values() if entry.body is None))

    def named_generations(self) -> "Deferred[frozenset[tuple[MailboxId, int]]]":
        entries = self.platter.entries.values()
        return succeed(frozenset((each.mailbox, each.generation) for entry in entries for each in entry.deliveries))

    def status(self) -> SpoolStatus:
        entries = self.platter.entries.values()
        return SpoolStatus(
            entries=len(entries),
            octets=sum(entry.sealed_octets for entry in entries),
            oldest=min((entry.accepted for entry in entries), default=0),
        )

    def on_arrival(self, notify: Callable[[], object]) -> None:
        self._listeners.append(notify)


@implementer(IBodyWriter)
class MemoryBodyWriter:
    """A body being written."""

    def __init__(self, body_id: BodyId, platter: Platter, weather: Weather) -> None:
        self._body_id = body_id
        self._platter = platter
        self._weather = weather

    def write(self, sealed: bytes) -> "Deferred[None] | None":
        return self._weather.run("write", lambda: self._append(sealed))

    def _append(self, sealed: bytes) -> None:
        self._platter.files[self._body_id].octets += sealed

    def finish(self) -> "Deferred[None]":
        return self._weather.run("finish", self._sync)

    def _sync(self) -> None:
        self._platter.files[self._body_id].synced = True

    def abort(self) -> "Deferred[None]":
        return self._weather.run("abort", lambda: self._unlink())

    def _unlink(self) -> None:
        self._platter.files.pop(self._body_id, None)


@implementer(IBodyStore)
class MemoryBodies:
    """The body store of one process."""

    def __init__(self, platter: Platter, weather: Weather, clock: Callable[[], float]) -> None:
        self._platter = platter
        self._weather = weather
        self._clock = clock

    def create(self, body_id: BodyId) -> "Deferred[MemoryBodyWriter]":
        def act() -> MemoryBodyWriter:
            assert body_id not in self._platter.files
            self._platter.files[body_id] = File(self._clock())
            return MemoryBodyWriter(body_id, self._platter, self._weather)

        return self._weather.run("create", act)

    def open(self, body_id: BodyId) -> "Deferred[MemoryBodyReader]":
        def act() -> MemoryBodyReader:
            if body_id not in self._platter.files:
                raise Missing("there is no such body")
            return MemoryBodyReader(bytes(self._platter.files[body_id].octets))

        return self._weather.run("open", act)

    def release(self, body_id: BodyId) -> "Deferred[None]":
        return self._weather.run("release", lambda: self._unlink(body_id))

    def _unlink(self, body_id: BodyId) -> None:
        self._platter.files.pop(body_id, None)

    def sweep(self, known: Callable[[BodyId], bool], before: int) -> "Deferred[int]":
        def act() -> int:
            gone = [body for body, file in self._platter.files.items() if file.made < before and not known(body)]
            for body in gone:
                del self._platter.files[body]
            return len(gone)

        return self._weather.run("sweep", act)


def memory_mail(platter: Platter, weather: Weather, clock: Callable[[], float] = lambda: 0.0) -> MemoryMail:
    """The mailboxes of one process over *platter*."""

    def spooled(delivery: Delivery) -> bytes:
        file = platter.files.get(delivery.body_id)
        if file is None or not file.synced:
            raise Missing("a spooled body is not there")
        return bytes(file.octets)

    return MemoryMail(platter.mailboxes, spooled, weather, clock)
