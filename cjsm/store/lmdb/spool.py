"""``spool.mdb``: accepted, not yet delivered. What goes out over connections is in :mod:`~cjsm.store.lmdb.outgoing`."""

import fcntl
import heapq
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import lmdb
import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cjsm.community.identifiers import BodyId, DeliveryId, MailboxId
from cjsm.store.interfaces import (
    UNREADABLE,
    CannotOpen,
    Claimed,
    Damaged,
    DiskFull,
    IBodyStore,
    ISpool,
    Outgoing,
    SpoolBatch,
    SpoolEntry,
    SpoolStatus,
)
from cjsm.store.lmdb.disk import Disk
from cjsm.store.lmdb.environment import Environment, number
from cjsm.store.lmdb.groupcommit import GroupCommit
from cjsm.store.lmdb.outgoing import TABLES as OUTGOING_TABLES
from cjsm.store.lmdb.outgoing import LmdbOutgoing
from cjsm.store.lmdb.space import Space
from cjsm.store.lmdb.spoolbodies import TABLES as SHARED_TABLES
from cjsm.store.lmdb.spoolbodies import SpoolBodies

#: 2: messages on their way out.
_SCHEMA = 2
_ENTRIES = "entries"
_PROGRESS = "progress"
_WAITING = "waiting"
_SEQUENCE = b"sequence"
_NOTICE = b"notice"

_MOST_ATTEMPTED = 10_000
"""Entries in doubt that are remembered; nobody asks for one again after a few seconds."""


class _Progress(Struct, frozen=True, kw_only=True):
    """What is known of an entry beside itself; ``due`` in seconds."""

    attempts: int = 0
    due: int = 0
    reason: str = ""
    done: tuple[DeliveryId, ...] = ()


_entries = msgspec.msgpack.Decoder(SpoolEntry)
_progresses = msgspec.msgpack.Decoder(_Progress)


def _decode_entry(stored: bytes | memoryview) -> SpoolEntry:
    try:
        return _entries.decode(stored)
    except UNREADABLE as error:
        raise Damaged("an entry of the spool cannot be read") from error


def _decode_progress(stored: bytes | memoryview) -> _Progress:
    try:
        return _progresses.decode(stored)
    except UNREADABLE as error:
        raise Damaged("the progress of an entry of the spool cannot be read") from error


@implementer(ISpool)
class LmdbSpool:
    """See :class:`ISpool`.

    :param batch_entries: acts in one commit at most.
    :param batch_octets: octets in one commit at most.
    :param space: room on the disk, below whose floor nothing is taken.
    """

    _log = Logger()

    def __init__(
        self,
        directory: Path,
        disk: Disk,
        bodies: IBodyStore,
        *,
        map_size: int,
        batch_entries: int,
        batch_octets: int,
        space: Space,
        clock: Callable[[], float],
    ) -> None:
        self._environment = Environment(
            directory / "spool.mdb",
            tables=(_ENTRIES, _PROGRESS, _WAITING, *SHARED_TABLES, *OUTGOING_TABLES),
            schema=_SCHEMA,
            map_size=map_size,
            upgrade=self._upgrade,
        )
        self._directory = directory
        self._disk = disk
        self._body_store = bodies
        self._space = space
        self._clock = clock
        self._attempted: dict[bytes, int] = {}
        self._commits = GroupCommit(self._environment, disk, acts=batch_entries, octets=batch_octets)
        self._bodies = SpoolBodies(self._environment)
        self.outgoing = LmdbOutgoing(
            self._environment,
            disk,
            self._commits,
            bodies=self._bodies,
            release=bodies.release,
            insert=self._insert,
            put_ended=self._all_attempts_ended,
            arrived=self._announce,
            clock=clock,
        )
        self._listeners: list[Callable[[], object]] = []
        self._looked_at = 0
        self._claimed_up_to = 0
        self._claims: dict[int, int] = {}
        self._deferred: list[tuple[int, int]] = []
        self._owner: int | None = None

    def _upgrade(self, environment: Environment, transaction: lmdb.Transaction, _: int) -> None:
        """Schema 1 did not count who names a file: each entry whose body is not inside the spool did."""
        bodies = SpoolBodies(environment)
        for key, stored in transaction.cursor(db=environment.table(_ENTRIES)):
            sequence = int.from_bytes(bytes(key), "big")
            if bodies.inline(transaction, sequence) is None:
                bodies.keep(transaction, sequence, _decode_entry(stored).body_id, None)

    # Accepting

    def check_room(self, octets: int) -> None:
        """See :class:`ISpool`."""
        self._space.check(octets)

    def put(self, batch: SpoolBatch) -> "Deferred[int]":
        """See :class:`ISpool`."""
        try:
            self._space.check()
        except DiskFull as error:
            return fail(error)
        entries: tuple[SpoolEntry | Outgoing, ...] = (*batch.hosted, *batch.outgoing)
        octets = sum(len(entry.body or b"") + len(entry.envelope) for entry in entries)
        done = self._commits.write(lambda transaction: self._insert(transaction, batch), octets)
        done.addBoth(self._attempt_ended, batch.id)
        return done.addCallback(self._announce)

    def _insert(self, transaction: lmdb.Transaction, batch: SpoolBatch) -> int:
        """Put all of *batch*, unless it is there already; return its first sequence."""
        earlier = self._attempted.get(batch.id)
        if earlier is not None and self._is_at(transaction, earlier, batch):
            return earlier
        first = following = int.from_bytes(transaction.get(_SEQUENCE, db=self._environment.meta) or b"", "big") + 1
        if batch.notice:
            if batch.notice <= self._last_notice(transaction):
                return first - 1
            transaction.put(_NOTICE, number(batch.notice), db=self._environment.meta)
        self._attempted[batch.id] = first
        for entry in batch.hosted:
            self._insert_hosted(transaction, following, entry)
            following += 1
        for outgoing in batch.outgoing:
            self.outgoing.insert(transaction, following, outgoing)
            following += 1
        transaction.put(_SEQUENCE, number(following - 1), db=self._environment.meta)
        return first

    def _last_notice(self, transaction: lmdb.Transaction) -> int:
        return int.from_bytes(transaction.get(_NOTICE, db=self._environment.meta) or b"", "big")

    def last_notice(self) -> int:
        """See :class:`ISpool`."""
        return self._environment.read(self._last_notice)

    def _insert_hosted(self, transaction: lmdb.Transaction, sequence: int, entry: SpoolEntry) -> None:
        stored = msgspec.msgpack.encode(msgspec.structs.replace(entry, body=None))
        transaction.put(number(sequence), stored, db=self._table(_ENTRIES), append=True)
        self._bodies.keep(transaction, sequence, entry.body_id, entry.body)
        for delivery in entry.deliveries:
            self._add_waiting(transaction, delivery.mailbox, delivery.octets)

    def _is_at(self, transaction: lmdb.Transaction, sequence: int, batch: SpoolBatch) -> bool:
        if not batch.hosted:
            return self.outgoing.is_at(transaction, sequence, batch.outgoing[0].id)
        stored = transaction.get(number(sequence), db=self._table(_ENTRIES))
        return stored is not None and _decode_entry(stored).id == batch.hosted[0].id

    def _attempt_ended(self, result: Any, batch_id: bytes) -> Any:
        """Until it has worked it is remembered which sequence a commit would have given: one that fails plainly says
        nothing of an earlier one that nobody knows of.
        """
        if not isinstance(result, Failure):
            self._attempted.pop(batch_id, None)
        elif len(self._attempted) > _MOST_ATTEMPTED:
            del self._attempted[next(iter(self._attempted))]
        return result

    def _announce(self, first: int = 0) -> int:
        for notify in self._listeners:
            notify()
        return first

    def on_arrival(self, notify: Callable[[], object]) -> None:
        """See :class:`ISpool`."""
        self._listeners.append(notify)

    def look(self) -> None:
        """Announce what other processes put, if anything was written since the last look."""
        last = self._environment.last_commit()
        if last != self._looked_at:
            self._looked_at = last
            self._announce()

    def _add_waiting(self, transaction: lmdb.Transaction, mailbox: MailboxId, octets: int) -> None:
        table = self._table(_WAITING)
        waiting = int.from_bytes(transaction.get(mailbox, db=table) or b"", "big") + octets
        if waiting > 0:
            transaction.put(mailbox, number(waiting), db=table)
        else:
            transaction.delete(mailbox, db=table)

    # Delivering

    def own(self) -> None:
        """Become the delivery owner of this spool until the end of the process.

        :raises CannotOpen: while another process is.
        """
        descriptor = os.open(self._directory / "spool.owner", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise CannotOpen(
                "another process delivers from this spool", "stop it first, or start only the doors here"
            ) from error
        self._owner = descriptor
        with self._environment.reading() as transaction:
            for key, value in transaction.cursor(db=self._table(_PROGRESS)):
                # One that cannot be read is due, and told of, at once.
                with suppress(Damaged):
                    due = _decode_progress(value).due
                    heapq.heappush(self._deferred, (due, int.from_bytes(bytes(key), "big")))

    def claim(self, worker: str, limit: int, until: int) -> "Deferred[Sequence[Claimed]]":
        """See :class:`ISpool`. One process delivers, so claims are kept in memory: a crash frees them."""
        now = int(self._clock())

        def look() -> tuple[list[Claimed], int]:
            ended: list[tuple[int, int]] = []
            try:
                with self._environment.reading() as transaction:
                    return self._due(transaction, limit, now, ended)
            except BaseException:
                # They were not handed out: the next claim must find them.
                for each in ended:
                    heapq.heappush(self._deferred, each)
                raise

        def handed_out(found: tuple[list[Claimed], int]) -> list[Claimed]:
            claimed, self._claimed_up_to = found
            for entry in claimed:
                self._claims[entry.sequence] = until
            return claimed

        return self._disk.run(look).addCallback(handed_out)

    def _due(
        self, transaction: lmdb.Transaction, limit: int, now: int, ended: list[tuple[int, int]]
    ) -> tuple[list[Claimed], int]:
        """Return what is due and how far was looked; deferred entries whose time came go to *ended*."""
        claimed: dict[int, Claimed] = {}
        for sequence in sorted(sequence for sequence, until in list(self._claims.items()) if until <= now)[:limit]:
            self._hand_out(transaction, sequence, claimed)
        while self._deferred and self._deferred[0][0] <= now and len(claimed) < limit:
            ended.append(heapq.heappop(self._deferred))
            sequence = ended[-1][1]
            if sequence not in self._claims:
                self._hand_out(transaction, sequence, claimed)
        waiting = {sequence for _, sequence in self._deferred} | claimed.keys()
        up_to = self._claimed_up_to
        cursor = transaction.cursor(db=self._table(_ENTRIES))
        if cursor.set_range(number(up_to + 1)):
            for key in cursor.iternext(values=False):
                if len(claimed) >= limit:
                    break
                up_to = int.from_bytes(bytes(key), "big")
                if up_to not in waiting and up_to not in self._claims:
                    self._hand_out(transaction, up_to, claimed)
        return list(claimed.values()), up_to

    def _hand_out(self, transaction: lmdb.Transaction, sequence: int, claimed: dict[int, Claimed]) -> None:
        """Add an entry to *claimed*, if it is still there. One that cannot be read keeps nobody else's mail."""
        stored = transaction.get(number(sequence), db=self._table(_ENTRIES))
        if stored is None:
            return
        try:
            claimed[sequence] = self._claimed(transaction, sequence, bytes(stored))
        except Damaged as error:
            self._log.critical("entry {sequence} is not delivered: {error}", sequence=sequence, error=error)

    def _claimed(self, transaction: lmdb.Transaction, sequence: int, stored: bytes) -> Claimed:
        entry = _decode_entry(stored)
        progress = self._progress(transaction, sequence)
        done = set(progress.done)
        return Claimed(
            sequence=sequence,
            attempts=progress.attempts,
            entry=msgspec.structs.replace(entry, body=self._bodies.inline(transaction, sequence)),
            remaining=tuple(delivery.delivery_id for delivery in entry.deliveries if delivery.delivery_id not in done),
        )

    def _progress(self, transaction: lmdb.Transaction, sequence: int) -> _Progress:
        stored = transaction.get(number(sequence), db=self._table(_PROGRESS))
        return _decode_progress(stored) if stored is not None else _Progress()

    def done(
        self, progress: Sequence[tuple[int, Sequence[DeliveryId]]], put: Sequence[SpoolBatch] = ()
    ) -> "Deferred[None]":
        """See :class:`ISpool`."""

        def act(transaction: lmdb.Transaction) -> tuple[list[int], list[BodyId]]:
            left, released = [], []
            for sequence, deliveries in progress:
                body = self._done(transaction, sequence, set(deliveries))
                if body is not None:
                    released.append(body)
                if transaction.get(number(sequence), db=self._table(_ENTRIES)) is None:
                    left.append(sequence)
            for batch in put:
                self._insert(transaction, batch)
            return left, released

        def written(ended: tuple[list[int], list[BodyId]]) -> None:
            left, released = ended
            for sequence in left:
                self._claims.pop(sequence, None)
            for body_id in released:
                self._body_store.release(body_id)
            if put:
                self._announce()

        return self._commits.write(act, 0).addBoth(self._all_attempts_ended, put).addCallback(written)

    def _all_attempts_ended(self, result: Any, put: Sequence[SpoolBatch]) -> Any:
        for batch in put:
            self._attempt_ended(result, batch.id)
        return result

    def _done(self, transaction: lmdb.Transaction, sequence: int, made: set[DeliveryId]) -> BodyId | None:
        """Note deliveries; return the body to release when the entry left."""
        key = number(sequence)
        stored = transaction.get(key, db=self._table(_ENTRIES))
        if stored is None:
            return None
        entry = _decode_entry(stored)
        progress = self._progress(transaction, sequence)
        earlier = set(progress.done)
        for delivery in entry.deliveries:
            if delivery.delivery_id in made and delivery.delivery_id not in earlier:
                self._add_waiting(transaction, delivery.mailbox, -delivery.octets)
        finished = earlier | made
        if any(delivery.delivery_id not in finished for delivery in entry.deliveries):
            following = msgspec.structs.replace(progress, done=tuple(finished))
            transaction.put(key, msgspec.msgpack.encode(following), db=self._table(_PROGRESS))
            return None
        transaction.delete(key, db=self._table(_ENTRIES))
        transaction.delete(key, db=self._table(_PROGRESS))
        return self._bodies.leave(transaction, sequence, entry.body_id)

    def defer(self, sequence: int, until: int, reason: str) -> "Deferred[None]":
        """See :class:`ISpool`."""

        def act(transaction: lmdb.Transaction) -> None:
            known = self._progress(transaction, sequence)
            following = msgspec.structs.replace(known, attempts=known.attempts + 1, due=until, reason=reason)
            transaction.put(number(sequence), msgspec.msgpack.encode(following), db=self._table(_PROGRESS))

        def written(_: None) -> None:
            self._claims.pop(sequence, None)
            heapq.heappush(self._deferred, (until, sequence))

        # Even where the note cannot be written, the entry comes round again.
        return self._commits.write(act, 0).addBoth(written)

    # Looking

    def waiting(self, mailbox: MailboxId) -> int:
        """See :class:`ISpool`."""
        with self._environment.reading() as transaction:
            return int.from_bytes(transaction.get(mailbox, db=self._table(_WAITING)) or b"", "big")

    def low_water(self) -> int:
        """See :class:`ISpool`."""
        with self._environment.reading() as transaction:
            cursor = transaction.cursor(db=self._table(_ENTRIES))
            if cursor.first():
                return int.from_bytes(bytes(cursor.key()), "big")
            return int.from_bytes(transaction.get(_SEQUENCE, db=self._environment.meta) or b"", "big") + 1

    def named_bodies(self) -> "Deferred[frozenset[BodyId]]":
        """See :class:`ISpool`."""

        def look() -> frozenset[BodyId]:
            with self._environment.reading() as transaction:
                return self._bodies.named(transaction)

        return self._disk.run(look)

    def named_generations(self) -> "Deferred[frozenset[tuple[MailboxId, int]]]":
        """See :class:`ISpool`."""

        def look(transaction: lmdb.Transaction) -> frozenset[tuple[MailboxId, int]]:
            stored = transaction.cursor(db=self._table(_ENTRIES)).iternext(keys=False)
            entries = (_decode_entry(each) for each in stored)
            return frozenset((each.mailbox, each.generation) for entry in entries for each in entry.deliveries)

        return self._disk.run(lambda: self._environment.read(look))

    def status(self) -> SpoolStatus:
        """See :class:`ISpool`."""
        entries = octets = oldest = damaged = 0
        with self._environment.reading() as transaction:
            for _, stored in transaction.cursor(db=self._table(_ENTRIES)):
                entries += 1
                try:
                    entry = _decode_entry(stored)
                except Damaged:
                    damaged += 1
                    continue
                octets += entry.sealed_octets
                oldest = min(oldest or entry.accepted, entry.accepted)
        return SpoolStatus(entries=entries, octets=octets, oldest=oldest, damaged=damaged)

    def check_readers(self) -> None:
        """Clear what readers that died left."""
        self._environment.check_readers()

    def close(self) -> "Deferred[None]":
        """Close when what was gathered is written."""
        return self._commits.drained().addCallback(lambda _: self._end())

    def _end(self) -> None:
        self._environment.close()
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None

    def _table(self, name: str) -> "lmdb._Database":
        return self._environment.table(name)
