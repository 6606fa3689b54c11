"""The part of ``spool.mdb`` that goes out: messages by sequence, how far each has come, and which is due when.

The index of what is due begins with the connection, so that a destination that takes nothing holds up nobody else
however much waits for it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import lmdb
import msgspec
from twisted.internet.defer import Deferred, execute
from twisted.logger import Logger
from zope.interface import implementer

from cjsm.community.identifiers import LENGTH, BodyId, ConnectionId
from cjsm.store.interfaces import (
    UNREADABLE,
    Attempted,
    Damaged,
    IOutgoingQueue,
    Missing,
    Outgoing,
    Queued,
    QueueState,
    QueueSummary,
    SpoolBatch,
)
from cjsm.store.lmdb.disk import Disk
from cjsm.store.lmdb.environment import Environment, number
from cjsm.store.lmdb.groupcommit import GroupCommit
from cjsm.store.lmdb.spoolbodies import SpoolBodies

_OUTGOING = "outgoing"
_STATE = "outgoing-state"
_DUE = "outgoing-due"
TABLES = (_OUTGOING, _STATE, _DUE)
_NEVER = (1 << 64) - 1

_messages = msgspec.msgpack.Decoder(Outgoing)
_states = msgspec.msgpack.Decoder(QueueState)


@implementer(IOutgoingQueue)
class LmdbOutgoing:
    """See :class:`IOutgoingQueue`.

    :param release: gives the file of a body back.
    :param insert: puts a batch of the spool in a transaction.
    :param put_ended: hears how a commit that put batches ended, and returns what it was told.
    :param arrived: says that something was put.
    """

    _log = Logger()

    def __init__(
        self,
        environment: Environment,
        disk: Disk,
        commits: GroupCommit,
        *,
        bodies: SpoolBodies,
        release: Callable[[BodyId], object],
        insert: Callable[[lmdb.Transaction, SpoolBatch], int],
        put_ended: Callable[[Any, Sequence[SpoolBatch]], Any],
        arrived: Callable[[], object],
        clock: Callable[[], float],
    ) -> None:
        self._environment = environment
        self._disk = disk
        self._commits = commits
        self._bodies = bodies
        self._release = release
        self._insert = insert
        self._put_ended = put_ended
        self._announce = arrived
        self._clock = clock
        self._claimed: set[int] = set()
        self._told_of: set[int] = set()

    # Inside the spool's transactions

    def insert(self, transaction: lmdb.Transaction, sequence: int, outgoing: Outgoing) -> None:
        """Put a message, due at once."""
        stored = msgspec.msgpack.encode(msgspec.structs.replace(outgoing, body=None))
        transaction.put(number(sequence), stored, db=self._table(_OUTGOING), append=True)
        self._bodies.keep(transaction, sequence, outgoing.body_id, outgoing.body)
        self._write_state(transaction, sequence, outgoing, QueueState(due=outgoing.accepted))

    def is_at(self, transaction: lmdb.Transaction, sequence: int, identifier: bytes) -> bool:
        """Whether the message with *identifier* has that sequence."""
        stored = transaction.get(number(sequence), db=self._table(_OUTGOING))
        return stored is not None and _decoded(_messages, stored).id == identifier

    # Sending

    def destinations(self) -> "Deferred[Sequence[ConnectionId]]":
        """See :class:`IOutgoingQueue`."""
        now = int(self._clock())

        def look() -> list[ConnectionId]:
            with self._environment.reading() as transaction:
                return [connection for connection, due in self._earliest(transaction) if due <= now]

        return self._disk.run(look)

    def _earliest(self, transaction: lmdb.Transaction) -> Iterator[tuple[ConnectionId, int]]:
        """Yield each connection with when its first message is due, without looking at the others."""
        cursor = transaction.cursor(db=self._table(_DUE))
        here = cursor.first()
        while here:
            key = bytes(cursor.key())
            connection = key[:LENGTH]
            yield ConnectionId(connection), int.from_bytes(key[LENGTH : LENGTH + 8], "big")
            here = cursor.set_range(connection + b"\xff" * 17)

    def claim(self, connection: ConnectionId, limit: int) -> "Deferred[Sequence[Queued]]":
        """See :class:`IOutgoingQueue`."""
        now = int(self._clock())

        def look() -> list[Queued]:
            with self._environment.reading() as transaction:
                return list(self._due(transaction, connection, limit, now))

        def taken(found: list[Queued]) -> list[Queued]:
            fresh = [each for each in found if each.sequence not in self._claimed]
            self._claimed.update(each.sequence for each in fresh)
            return fresh

        return self._disk.run(look).addCallback(taken)

    def _due(self, transaction: lmdb.Transaction, connection: ConnectionId, limit: int, now: int) -> Iterator[Queued]:
        cursor = transaction.cursor(db=self._table(_DUE))
        found = 0
        here = cursor.set_range(connection)
        while here and found < limit:
            key = bytes(cursor.key())
            if key[:LENGTH] != connection or int.from_bytes(key[LENGTH : LENGTH + 8], "big") > now:
                return
            sequence = int.from_bytes(key[LENGTH + 8 :], "big")
            if sequence not in self._claimed:
                queued = self._readable(transaction, sequence)
                if queued is not None:
                    found += 1
                    yield queued
            here = cursor.next()

    def _readable(self, transaction: lmdb.Transaction, sequence: int) -> Queued | None:
        """Return a message with its body; one that cannot be read keeps nobody else's mail, and is told of once."""
        try:
            queued = self._queued(transaction, sequence)
        except Damaged as error:
            if sequence not in self._told_of:
                self._told_of.add(sequence)
                self._log.critical("message {sequence} is not sent: {error}", sequence=sequence, error=error)
            return None
        if queued is None:
            return None
        body = self._bodies.inline(transaction, sequence)
        return msgspec.structs.replace(queued, outgoing=msgspec.structs.replace(queued.outgoing, body=body))

    def give_back(self, sequences: Sequence[int]) -> None:
        """See :class:`IOutgoingQueue`."""
        self._claimed.difference_update(sequences)

    def record(self, attempts: Sequence[Attempted], put: Sequence[SpoolBatch] = ()) -> "Deferred[None]":
        """See :class:`IOutgoingQueue`."""

        def act(transaction: lmdb.Transaction) -> list[BodyId]:
            released = [self._record(transaction, attempted) for attempted in attempts]
            for batch in put:
                self._insert(transaction, batch)
            return [body_id for body_id in released if body_id is not None]

        def written(released: list[BodyId]) -> None:
            self.give_back([attempted.sequence for attempted in attempts])
            for body_id in released:
                self._release(body_id)
            if put:
                self._announce()

        # Where nobody knows whether it was written they stay taken: tried again, they would be sent twice.
        return self._commits.write(act, 0).addBoth(self._put_ended, put).addCallback(written)

    def _record(self, transaction: lmdb.Transaction, attempted: Attempted) -> BodyId | None:
        """Note one try; return the body to release when the message left."""
        queued = self._queued(transaction, attempted.sequence)
        if queued is None:
            return None
        state, outgoing = queued.state, queued.outgoing
        settled = tuple(sorted({*state.settled, *attempted.settled}))
        if len(settled) < outgoing.recipients:
            following = msgspec.structs.replace(
                state,
                attempts=state.attempts + 1,
                tried=int(self._clock()),
                # What an engineer said meanwhile stays said.
                due=state.due if state.held or (state.removed and not attempted.returning) else attempted.due,
                reason=attempted.reason,
                settled=settled,
                told=state.told or attempted.told,
            )
            self._write_state(transaction, attempted.sequence, outgoing, following, state)
            return None
        key = number(attempted.sequence)
        transaction.delete(_due_key(outgoing, state, attempted.sequence), db=self._table(_DUE))
        transaction.delete(key, db=self._table(_STATE))
        transaction.delete(key, db=self._table(_OUTGOING))
        return self._bodies.leave(transaction, attempted.sequence, outgoing.body_id)

    # Looking, and what engineers do

    def listed(self, after: int, limit: int, connection: ConnectionId | None = None) -> "Deferred[Sequence[Queued]]":
        """See :class:`IOutgoingQueue`."""

        def look() -> list[Queued]:
            found: list[Queued] = []
            with self._environment.reading() as transaction:
                cursor = transaction.cursor(db=self._table(_OUTGOING))
                here = cursor.set_range(number(after + 1))
                while here and len(found) < limit:
                    sequence = int.from_bytes(bytes(cursor.key()), "big")
                    with suppress(Damaged):
                        queued = self._queued(transaction, sequence)
                        if queued is not None and connection in (None, queued.outgoing.connection):
                            found.append(queued)
                    here = cursor.next()
            return found

        return self._disk.run(look)

    def summary(self) -> "Deferred[Sequence[QueueSummary]]":
        """See :class:`IOutgoingQueue`."""

        def look() -> list[QueueSummary]:
            with self._environment.reading() as transaction:
                return [self._summed(transaction, connection) for connection, _ in self._earliest(transaction)]

        return self._disk.run(look)

    def _summed(self, transaction: lmdb.Transaction, connection: ConnectionId) -> QueueSummary:
        """Look at the small states of all messages for *connection*, and at nothing else but the oldest."""
        states: list[QueueState] = []
        messages, first = 0, _NEVER
        cursor = transaction.cursor(db=self._table(_DUE))
        here = cursor.set_range(connection)
        while here and bytes(cursor.key()[:LENGTH]) == connection:
            sequence = bytes(cursor.key()[LENGTH + 8 :])
            messages, first = messages + 1, min(first, int.from_bytes(sequence, "big"))
            with suppress(Damaged):
                states.append(_decoded(_states, transaction.get(sequence, db=self._table(_STATE)) or b""))
            here = cursor.next()
        tried = [state for state in states if state.attempts]
        return QueueSummary(
            connection=connection,
            messages=messages,
            held=sum(state.held for state in states),
            tried=len(tried),
            damaged=messages - len(states),
            oldest=self._accepted(transaction, first),
            reason=max(tried, key=lambda state: state.tried).reason if tried else "",
        )

    def _accepted(self, transaction: lmdb.Transaction, sequence: int) -> int:
        try:
            queued = self._queued(transaction, sequence)
        except Damaged:
            return 0
        return queued.outgoing.accepted if queued is not None else 0

    def found(self, sequence: int) -> "Deferred[Queued]":
        """See :class:`IOutgoingQueue`."""

        def look() -> Queued:
            with self._environment.reading() as transaction:
                return self._existing(transaction, sequence)

        # It is small, and asked for each message that is sent: a thread would cost more than the look.
        return execute(look)

    def change(self, sequence: int, decide: Callable[[QueueState], QueueState]) -> "Deferred[QueueState]":
        """See :class:`IOutgoingQueue`."""

        def act(transaction: lmdb.Transaction) -> QueueState:
            return self._change(transaction, self._existing(transaction, sequence), decide)

        return self._commits.write(act, 0)

    def change_each(
        self, sequences: Sequence[int], decide: Callable[[QueueState], QueueState]
    ) -> "Deferred[Sequence[int]]":
        """See :class:`IOutgoingQueue`."""

        def act(transaction: lmdb.Transaction) -> list[int]:
            found = (self._queued(transaction, sequence) for sequence in sequences)
            there = [queued for queued in found if queued is not None]
            return [each.sequence for each in there if self._change(transaction, each, decide) != each.state]

        return self._commits.write(act, 0)

    def _change(
        self, transaction: lmdb.Transaction, queued: Queued, decide: Callable[[QueueState], QueueState]
    ) -> QueueState:
        following = decide(queued.state)
        self._write_state(transaction, queued.sequence, queued.outgoing, following, queued.state)
        return following

    # How it is kept

    def _existing(self, transaction: lmdb.Transaction, sequence: int) -> Queued:
        queued = self._queued(transaction, sequence)
        if queued is None:
            raise Missing(f"message {sequence} is not in the queue (any more)")
        return queued

    def _queued(self, transaction: lmdb.Transaction, sequence: int) -> Queued | None:
        key = number(sequence)
        stored = transaction.get(key, db=self._table(_OUTGOING))
        if stored is None:
            return None
        state = transaction.get(key, db=self._table(_STATE))
        return Queued(
            sequence=sequence,
            outgoing=_decoded(_messages, stored),
            state=_decoded(_states, state) if state is not None else QueueState(),
        )

    def _write_state(
        self,
        transaction: lmdb.Transaction,
        sequence: int,
        outgoing: Outgoing,
        state: QueueState,
        earlier: QueueState | None = None,
    ) -> None:
        if earlier is not None:
            transaction.delete(_due_key(outgoing, earlier, sequence), db=self._table(_DUE))
        transaction.put(number(sequence), msgspec.msgpack.encode(state), db=self._table(_STATE))
        transaction.put(_due_key(outgoing, state, sequence), b"", db=self._table(_DUE))

    def _table(self, name: str) -> "lmdb._Database":
        return self._environment.table(name)


def _due_key(outgoing: Outgoing, state: QueueState, sequence: int) -> bytes:
    due = _NEVER if state.held else state.due
    return outgoing.connection + number(due) + number(sequence)


def _decoded(decoder: "msgspec.msgpack.Decoder[Any]", stored: bytes | memoryview) -> Any:
    try:
        return decoder.decode(stored)
    except UNREADABLE as error:
        raise Damaged("a message of the queue cannot be read") from error
