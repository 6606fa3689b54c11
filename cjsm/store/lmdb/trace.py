"""``trace.mdb``: what became of messages; merged, one commit a second, pruned by age."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import lmdb
import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cjsm.community.identifiers import LENGTH, ConnectionId
from cjsm.store.interfaces import UNREADABLE, Damaged, ICopied, ITrace, NewerStore, Traced
from cjsm.store.lmdb.disk import Disk, Serial
from cjsm.store.lmdb.environment import Environment, number, prefixed

_SCHEMA = 1
_VERSION = 1
#: Sequence → record, appended; queue id and sequence → nothing; message tag and queue id → last moment.
_RECORDS = "records"
_QUEUES = "queues"
_MESSAGES = "messages"
#: Connection and moment → assessment.
_ASSESSMENTS = "assessments"

#: Records that wait for a disk that does not write: some 60 MB.
_MOST = 100_000
#: Records removed in one commit: others have their turn in between.
_SLICE = 2_000

#: Stands for a record that cannot be read.
_DAMAGED = Traced(moment=0, queue_id=b"", sealed=b"")

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[int, bytes, bytes, bytes])


@implementer(ITrace, ICopied)
class LmdbTrace:
    """See :class:`ITrace`. Call :meth:`flush` once a second.

    :param most: records that may wait to be written.
    """

    _log = Logger()

    def __init__(self, directory: Path, disk: Disk, *, map_size: int, most: int = _MOST) -> None:
        tables = (_RECORDS, _QUEUES, _MESSAGES, _ASSESSMENTS)
        self._environment = Environment(directory / "trace.mdb", tables=tables, schema=_SCHEMA, map_size=map_size)
        self._serial = Serial(disk)
        self._most = most
        self._waiting: list[Traced] = []
        self._writing: list[list[Traced]] = []
        self.dropped = 0
        self._told = 0

    def copy(self, descriptor: int) -> "Deferred[None]":
        """See :class:`ICopied`."""
        return self._serial.run(lambda: self._environment.copy_to(descriptor))

    def add(self, records: Sequence[Traced]) -> None:
        """See :class:`ITrace`."""
        held = len(self._waiting) + sum(len(batch) for batch in self._writing)
        room = max(0, self._most - held)
        self._waiting += records[:room]
        self.dropped += max(0, len(records) - room)

    def find(self, queue_id: bytes, limit: int) -> "Deferred[Sequence[Traced]]":
        """See :class:`ITrace`."""

        def look(transaction: lmdb.Transaction) -> list[Traced]:
            found = []
            for key, _ in prefixed(transaction, self._environment.table(_QUEUES), queue_id):
                stored = transaction.get(key[len(queue_id) :], db=self._environment.table(_RECORDS))
                if stored is not None:
                    found.append(_decode(bytes(stored)))
                if len(found) == limit:
                    break
            return found

        def with_waiting(found: list[Traced]) -> Sequence[Traced]:
            waiting = [each for each in self._unwritten() if each.queue_id == queue_id]
            return (found + waiting)[:limit]

        return self._serial.run(lambda: self._environment.read(look)).addCallback(with_waiting)

    def named(self, message: bytes, limit: int) -> "Deferred[Sequence[bytes]]":
        """See :class:`ITrace`."""

        def look(transaction: lmdb.Transaction) -> list[bytes]:
            keys = prefixed(transaction, self._environment.table(_MESSAGES), message)
            return [key[len(message) :] for _, (key, _) in zip(range(limit), keys, strict=False)]

        def with_waiting(found: list[bytes]) -> Sequence[bytes]:
            waiting = [each.queue_id for each in self._unwritten() if each.message == message]
            return list(dict.fromkeys(found + waiting))[:limit]

        return self._serial.run(lambda: self._environment.read(look)).addCallback(with_waiting)

    def since(self, moment: int, after: int, limit: int) -> "Deferred[Sequence[tuple[int, Traced]]]":
        """See :class:`ITrace`."""

        def look(transaction: lmdb.Transaction) -> list[tuple[int, Traced]]:
            cursor = transaction.cursor(db=self._environment.table(_RECORDS))
            if not cursor.set_range(number(after + 1 if after else _first_from(cursor, moment))):
                return []
            found = []
            for key, stored in islice(cursor, limit):
                record = _readable(bytes(stored))
                # Damaged ones are counted, so that whoever asks goes on behind them.
                found.append((int.from_bytes(key, "big"), record or _DAMAGED))
            return found

        return self._serial.run(lambda: self._environment.read(look))

    def flush(self) -> "Deferred[None]":
        """Write what was added since the last time; what cannot be written waits for the next."""
        self._tell_lost()
        if not self._waiting:
            return self._serial.drained()
        batch, self._waiting = self._waiting, []
        self._writing.append(batch)

        def written(_: object) -> None:
            self._writing.remove(batch)

        def not_written(failure: Failure) -> Failure:
            self._writing.remove(batch)
            self._waiting = batch + self._waiting
            return failure

        def act(transaction: lmdb.Transaction) -> None:
            self._append(transaction, batch)

        return self._serial.run(lambda: self._environment.write(act)).addCallbacks(written, not_written)

    def _unwritten(self) -> list[Traced]:
        return [each for batch in (*self._writing, self._waiting) for each in batch]

    def _append(self, transaction: lmdb.Transaction, records: Sequence[Traced]) -> None:
        tables = (self._environment.table(name) for name in (_RECORDS, _QUEUES, _MESSAGES))
        by_sequence, by_queue, by_message = tables
        cursor = transaction.cursor(db=by_sequence)
        last = int.from_bytes(cursor.key(), "big") if cursor.last() else 0
        for sequence, record in enumerate(records, last + 1):
            key = number(sequence)
            transaction.put(key, _encode(record), db=by_sequence, append=True)
            transaction.put(record.queue_id + key, b"", db=by_queue)
            if record.message:
                transaction.put(record.message + record.queue_id, number(record.moment), db=by_message)

    def assessed(self, connection: ConnectionId, moment: int, assessment: bytes) -> "Deferred[None]":
        """See :class:`ITrace`."""

        def act(transaction: lmdb.Transaction) -> None:
            transaction.put(connection + number(moment), assessment, db=self._environment.table(_ASSESSMENTS))

        return self._serial.run(lambda: self._environment.write(act))

    def assessments(self, connection: ConnectionId, limit: int) -> "Deferred[Sequence[bytes]]":
        """See :class:`ITrace`."""

        def look(transaction: lmdb.Transaction) -> list[bytes]:
            found = prefixed(transaction, self._environment.table(_ASSESSMENTS), connection)
            return [assessment for _, assessment in found][-limit:][::-1]

        return self._serial.run(lambda: self._environment.read(look))

    def prune(self, before: int) -> "Deferred[int]":
        """See :class:`ITrace`."""
        return Deferred.fromCoroutine(self._prune(before))

    async def _prune(self, before: int) -> int:
        await self._serial.run(lambda: self._environment.write(lambda each: self._forget_assessments(each, before)))
        gone = 0
        while True:
            slice_ = await self._serial.run(lambda: self._environment.write(lambda each: self._remove(each, before)))
            gone += slice_
            if slice_ < _SLICE:
                return gone

    def _remove(self, transaction: lmdb.Transaction, before: int) -> int:
        """Remove the oldest records up to the first that is young enough."""
        cursor = transaction.cursor(db=self._environment.table(_RECORDS))
        gone = 0
        while gone < _SLICE and cursor.first():
            key, record = bytes(cursor.key()), _readable(bytes(cursor.value()))
            if record is not None and record.moment >= before:
                break
            cursor.delete()
            if record is not None:
                transaction.delete(record.queue_id + key, db=self._environment.table(_QUEUES))
                self._forget_message(transaction, record, before)
            gone += 1
        return gone

    def _forget_assessments(self, transaction: lmdb.Transaction, before: int) -> None:
        """Remove old assessments; engineers make them by hand, so they are few."""
        table = self._environment.table(_ASSESSMENTS)
        keys = [bytes(key) for key in transaction.cursor(db=table).iternext(values=False)]
        for key in keys:
            if int.from_bytes(key[LENGTH:], "big") < before:
                transaction.delete(key, db=table)

    def _forget_message(self, transaction: lmdb.Transaction, record: Traced, before: int) -> None:
        if not record.message:
            return
        key, table = record.message + record.queue_id, self._environment.table(_MESSAGES)
        last = transaction.get(key, db=table)
        if last is not None and int.from_bytes(last, "big") < before:
            transaction.delete(key, db=table)

    def _tell_lost(self) -> None:
        if self.dropped > self._told:
            self._log.error(
                "{count} records of the message trace were lost: they could not be written in time",
                count=self.dropped - self._told,
            )
            self._told = self.dropped

    def check_readers(self) -> None:
        """Clear what readers that died left."""
        self._environment.check_readers()

    def close(self) -> "Deferred[None]":
        """Write what waits, as far as that can be, and close."""
        return self.flush().addBoth(lambda _: self._serial.drained()).addCallback(lambda _: self._environment.close())


def _first_from(cursor: "lmdb.Cursor", moment: int) -> int:
    """Return about the first number of the records from *moment* on: moments rise with numbers, but for seconds."""
    low = int.from_bytes(cursor.key(), "big") if cursor.first() else 0
    high = int.from_bytes(cursor.key(), "big") + 1 if cursor.last() else 0
    while low < high:
        middle = (low + high) // 2
        record = _readable(bytes(cursor.value())) if cursor.set_range(number(middle)) else None
        if record is not None and record.moment >= moment:
            high = middle
        else:
            low = middle + 1
    return low


def _encode(record: Traced) -> bytes:
    """Return the stored form: a version octet, then moment, queue id, message tag and sealed event as MessagePack."""
    fields = (record.moment, record.queue_id, record.message, record.sealed)
    return bytes((_VERSION,)) + _encoder.encode(fields)


def _decode(stored: bytes) -> Traced:
    if stored[:1] > bytes((_VERSION,)):
        raise NewerStore("a record of the message trace was written by a newer version of this software")
    try:
        moment, queue_id, message, sealed = _decoder.decode(stored[1:])
    except UNREADABLE as error:
        raise Damaged(f"a record of the message trace cannot be read: {error}") from error
    return Traced(moment=moment, queue_id=queue_id, message=message, sealed=sealed)


def _readable(stored: bytes) -> Traced | None:
    """Return the record, or None for one that is damaged: it must not keep the others for ever."""
    try:
        return _decode(stored)
    except Damaged:
        return None
