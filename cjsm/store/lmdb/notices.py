"""``notices.mdb``: what people are told, until it is old; see :class:`~cjsm.store.interfaces.INoticeStore`."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice, takewhile
from pathlib import Path

import lmdb
import msgspec
from twisted.internet.defer import Deferred
from zope.interface import implementer

from cjsm.community.identifiers import AccountId
from cjsm.store.interfaces import (
    UNREADABLE,
    Damaged,
    INoticeStore,
    KeptNotice,
    NewerStore,
    NewNotice,
    NoticeCounts,
    NoticeLimits,
    Way,
)
from cjsm.store.lmdb.disk import Disk, Serial
from cjsm.store.lmdb.environment import Environment, number

_SCHEMA = 1
_VERSION = 1
#: Number → notice; number → nothing, while it waits inside; due and number → nothing, while it waits for outside.
_NOTICES = "notices"
_INSIDE = "inside"
_ORDINARY = "ordinary"
#: Account and number → nothing; day and account → how many on each way; name → number.
_ACCOUNTS = "accounts"
_DAYS = "days"
_NAMES = "names"
_FOLLOWED = b"followed"
_NUMBER = b"number"
_DAY = 86_400
#: Records removed in one commit.
_SLICE = 2_000

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(KeptNotice)


@implementer(INoticeStore)
class LmdbNotices:
    """See :class:`INoticeStore`."""

    def __init__(self, directory: Path, disk: Disk, *, map_size: int) -> None:
        tables = (_NOTICES, _INSIDE, _ORDINARY, _ACCOUNTS, _DAYS, _NAMES)
        self._environment = Environment(directory / "notices.mdb", tables=tables, schema=_SCHEMA, map_size=map_size)
        self._serial = Serial(disk)

    # Keeping

    def followed(self) -> bytes | None:
        """See :class:`INoticeStore`."""

        def look(transaction: lmdb.Transaction) -> bytes | None:
            found = transaction.get(_FOLLOWED, db=self._environment.meta)
            return bytes(found) if found is not None else None

        return self._environment.read(look)

    def remembered(self, name: bytes) -> int:
        """See :class:`INoticeStore`."""
        return self._environment.read(lambda transaction: self._number_of(transaction, name))

    def keep(
        self,
        notices: Sequence[NewNotice],
        moment: int,
        limits: NoticeLimits,
        *,
        followed: bytes | None = None,
        remember: Sequence[tuple[bytes, int]] = (),
    ) -> "Deferred[int]":
        """See :class:`INoticeStore`."""

        def act(transaction: lmdb.Transaction) -> int:
            self._forget_days(transaction, moment // _DAY)
            kept = sum(self._keep(transaction, each, moment, limits) for each in notices)
            for name, value in remember:
                self._remember(transaction, name, value)
            if followed is not None:
                transaction.put(_FOLLOWED, followed, db=self._environment.meta)
            return kept

        return self._serial.run(lambda: self._environment.write(act))

    def _keep(self, transaction: lmdb.Transaction, new: NewNotice, moment: int, limits: NoticeLimits) -> bool:
        if new.once is not None:
            if self._number_of(transaction, new.once[0]) == new.once[1]:
                return False
            self._remember(transaction, *new.once)
        following = int.from_bytes(transaction.get(_NUMBER, db=self._environment.meta) or b"", "big") + 1
        transaction.put(_NUMBER, number(following), db=self._environment.meta)
        inside, ordinary = self._counted(transaction, new, moment // _DAY, limits)
        kept = KeptNotice(
            number=following,
            account=new.account,
            notice=new.notice,
            made=moment,
            inside=inside,
            ordinary=ordinary,
            due=moment if ordinary is Way.WAITING else 0,
        )
        self._put(transaction, kept)
        transaction.put(new.account + number(following), b"", db=self._table(_ACCOUNTS))
        return Way.WAITING in (inside, ordinary)

    def _counted(
        self, transaction: lmdb.Transaction, new: NewNotice, day: int, limits: NoticeLimits
    ) -> tuple[Way, Way]:
        """Return the ways that are open to a notice, and count it on those."""
        key = day.to_bytes(4, "big") + new.account
        counted = bytes(transaction.get(key, db=self._table(_DAYS)) or bytes(8))
        inside, ordinary = int.from_bytes(counted[:4], "big"), int.from_bytes(counted[4:], "big")
        ways = (
            Way.WAITING if inside < limits.inside else Way.LIMITED,
            Way.NONE if not new.ordinary else Way.WAITING if ordinary < limits.ordinary else Way.LIMITED,
        )
        inside += ways[0] is Way.WAITING
        ordinary += ways[1] is Way.WAITING
        transaction.put(key, inside.to_bytes(4, "big") + ordinary.to_bytes(4, "big"), db=self._table(_DAYS))
        return ways

    def _forget_days(self, transaction: lmdb.Transaction, today: int) -> None:
        """Forget some counts of other days: nobody asks for them again."""
        table = self._table(_DAYS)
        keys = (bytes(key) for key in transaction.cursor(db=table).iternext(values=False))
        old = takewhile(lambda key: int.from_bytes(key[:4], "big") < today, keys)
        for key in list(islice(old, _SLICE)):
            transaction.delete(key, db=table)

    def _number_of(self, transaction: lmdb.Transaction, name: bytes) -> int:
        return int.from_bytes(transaction.get(name, db=self._table(_NAMES)) or b"", "big")

    def _remember(self, transaction: lmdb.Transaction, name: bytes, value: int) -> None:
        if value:
            transaction.put(name, number(value), db=self._table(_NAMES))
        else:
            transaction.delete(name, db=self._table(_NAMES))

    def begin_after(self, number_: int) -> "Deferred[None]":
        """See :class:`INoticeStore`."""

        def act(transaction: lmdb.Transaction) -> None:
            last = int.from_bytes(transaction.get(_NUMBER, db=self._environment.meta) or b"", "big")
            if last < number_:
                transaction.put(_NUMBER, number(number_), db=self._environment.meta)

        return self._serial.run(lambda: self._environment.write(act))

    # Sending

    def inside(self, limit: int) -> Sequence[KeptNotice]:
        """See :class:`INoticeStore`."""

        def look(transaction: lmdb.Transaction) -> list[KeptNotice]:
            keys = transaction.cursor(db=self._table(_INSIDE)).iternext(values=False)
            return self._found(transaction, (bytes(key) for key in islice(keys, limit)))

        return self._environment.read(look)

    def sent_inside(self, outcomes: Sequence[tuple[int, Way, str]]) -> "Deferred[None]":
        """See :class:`INoticeStore`."""

        def act(transaction: lmdb.Transaction) -> None:
            for which, way, reason in outcomes:
                found = self._one(transaction, number(which))
                if found is not None:
                    self._replace(
                        transaction, found, msgspec.structs.replace(found, inside=way, reason=reason or found.reason)
                    )

        return self._serial.run(lambda: self._environment.write(act))

    def ordinary(self, now: int, limit: int) -> Sequence[KeptNotice]:
        """See :class:`INoticeStore`."""

        def due(transaction: lmdb.Transaction) -> Iterator[bytes]:
            for key in transaction.cursor(db=self._table(_ORDINARY)).iternext(values=False):
                if int.from_bytes(bytes(key[:8]), "big") > now:
                    return
                yield bytes(key[8:])

        def look(transaction: lmdb.Transaction) -> list[KeptNotice]:
            return self._found(transaction, islice(due(transaction), limit))

        return self._environment.read(look)

    def sent_ordinary(self, which: int, way: Way, reason: str = "", due: int = 0) -> "Deferred[None]":
        """See :class:`INoticeStore`."""

        def act(transaction: lmdb.Transaction) -> None:
            found = self._one(transaction, number(which))
            if found is not None:
                tries = found.attempts + (way is not Way.NOBODY)
                following = msgspec.structs.replace(found, ordinary=way, reason=reason, due=due, attempts=tries)
                self._replace(transaction, found, following)

        return self._serial.run(lambda: self._environment.write(act))

    # Looking

    def get(self, which: int) -> KeptNotice | None:
        """See :class:`INoticeStore`."""
        return self._environment.read(lambda transaction: self._one(transaction, number(which)))

    def newest(self, limit: int, account: AccountId | None = None) -> Sequence[KeptNotice]:
        """See :class:`INoticeStore`."""

        def keys(transaction: lmdb.Transaction) -> Iterator[bytes]:
            cursor = transaction.cursor(db=self._table(_NOTICES if account is None else _ACCOUNTS))
            beyond = b"\xff" * 9 if account is None else account + b"\xff" * 9
            here = cursor.prev() if cursor.set_range(beyond) else cursor.last()
            while here:
                key = bytes(cursor.key())
                if account is not None and key[: len(account)] != account:
                    return
                yield key[-8:]
                here = cursor.prev()

        return self._environment.read(lambda transaction: self._found(transaction, islice(keys(transaction), limit)))

    def counts(self) -> NoticeCounts:
        """See :class:`INoticeStore`."""

        def look(transaction: lmdb.Transaction) -> NoticeCounts:
            inside, ordinary = (transaction.stat(self._table(name))["entries"] for name in (_INSIDE, _ORDINARY))
            return NoticeCounts(inside=inside, ordinary=ordinary)

        return self._environment.read(look)

    def prune(self, before: int) -> "Deferred[int]":
        """See :class:`INoticeStore`."""
        return Deferred.fromCoroutine(self._prune(before))

    async def _prune(self, before: int) -> int:
        gone, after = 0, b""
        while True:
            act = partial(self._prune_slice, before=before, after=after)
            removed, after = await self._serial.run(partial(self._environment.write, act))
            gone += removed
            if not after:
                return gone

    def _prune_slice(self, transaction: lmdb.Transaction, before: int, after: bytes) -> tuple[int, bytes]:
        """Remove what is old among the next notices; return how many those were, and after which to go on."""
        cursor = transaction.cursor(db=self._table(_NOTICES))
        here = cursor.set_range(after + b"\0") if after else cursor.first()
        looked: list[KeptNotice] = []
        while here and len(looked) < _SLICE:
            kept = _decode(bytes(cursor.value()))
            if kept.made >= before:
                break
            looked.append(kept)
            here = cursor.next()
        old = [each for each in looked if Way.WAITING not in (each.inside, each.ordinary)]
        for kept in old:
            transaction.delete(number(kept.number), db=self._table(_NOTICES))
            transaction.delete(kept.account + number(kept.number), db=self._table(_ACCOUNTS))
        return len(old), number(looked[-1].number) if len(looked) == _SLICE else b""

    # The rest

    def _table(self, name: str) -> "lmdb._Database":
        return self._environment.table(name)

    def _one(self, transaction: lmdb.Transaction, key: bytes) -> KeptNotice | None:
        stored = transaction.get(key, db=self._table(_NOTICES))
        return _decode(bytes(stored)) if stored is not None else None

    def _found(self, transaction: lmdb.Transaction, keys: Iterator[bytes]) -> list[KeptNotice]:
        return [found for key in keys if (found := self._one(transaction, key)) is not None]

    def _put(self, transaction: lmdb.Transaction, kept: KeptNotice) -> None:
        key = number(kept.number)
        transaction.put(key, bytes((_VERSION,)) + _encoder.encode(kept), db=self._table(_NOTICES))
        if kept.inside is Way.WAITING:
            transaction.put(key, b"", db=self._table(_INSIDE))
        if kept.ordinary is Way.WAITING:
            transaction.put(number(kept.due) + key, b"", db=self._table(_ORDINARY))

    def _replace(self, transaction: lmdb.Transaction, found: KeptNotice, following: KeptNotice) -> None:
        key = number(found.number)
        transaction.delete(key, db=self._table(_INSIDE))
        transaction.delete(number(found.due) + key, db=self._table(_ORDINARY))
        self._put(transaction, following)

    def check_readers(self) -> None:
        """Clear what readers that died left."""
        self._environment.check_readers()

    def close(self) -> "Deferred[None]":
        """Close when what is under way is written."""
        return self._serial.drained().addCallback(lambda _: self._environment.close())


def _decode(stored: bytes) -> KeptNotice:
    if stored[:1] > bytes((_VERSION,)):
        raise NewerStore("a notice was written by a newer version of this software")
    try:
        return _decoder.decode(stored[1:])
    except UNREADABLE as error:
        raise Damaged("a notice cannot be read") from error
