"""``activity.mdb``: failures (synced at once); last use and mailbox heads (merged, one commit a second)."""

import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import lmdb
import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure as TwistedFailure
from zope.interface import implementer

from cjsm.community.identifiers import MailboxId, SecretId
from cjsm.store.interfaces import Failure, Head, IActivity
from cjsm.store.lmdb.disk import Disk, Serial
from cjsm.store.lmdb.environment import Environment, number, prefixed

_SCHEMA = 1
_FAILURES = "failures"
_NETWORKS = "networks"
_USES = "uses"
_HEADS = "heads"
_UNANCHORED = "unanchored"
_SOURCES = "sources"
_STEPS = "steps"

#: One subject that failed from a source, and when.
_SUBJECT = struct.Struct(">16sI")

#: Different secrets that are counted for one account and network; any setting closes long before.
_MOST_TAGS = 1_000


@implementer(IActivity)
class LmdbActivity:
    """See :class:`IActivity`. Call :meth:`flush` once a second."""

    def __init__(self, directory: Path, disk: Disk, *, map_size: int) -> None:
        self._environment = Environment(
            directory / "activity.mdb",
            tables=(_FAILURES, _NETWORKS, _USES, _HEADS, _UNANCHORED, _SOURCES, _STEPS),
            schema=_SCHEMA,
            map_size=map_size,
        )
        self._serial = Serial(disk)
        self._uses: dict[bytes, int] = {}
        self._networks: dict[bytes, int] = {}
        self._heads: dict[MailboxId, Head] = {}

    def failures(self, account: bytes, network: str) -> Failure:
        """See :class:`IActivity`."""
        return _failure(self._get(_FAILURES, account + network.encode()))

    def failing(self, account: bytes, most: int | None = None) -> Sequence[tuple[str, Failure]]:
        """See :class:`IActivity`."""
        with self._environment.reading() as transaction:
            stored = list(islice(prefixed(transaction, self._environment.table(_FAILURES), account), most))
        return [(key[len(account) :].decode(), msgspec.msgpack.decode(value, type=Failure)) for key, value in stored]

    def failed(self, account: bytes, network: str, tag: int, moment: int) -> "Deferred[Failure]":
        """See :class:`IActivity`."""
        key = account + network.encode()
        table = self._environment.table(_FAILURES)

        def act(transaction: lmdb.Transaction) -> Failure:
            stored = transaction.get(key, db=table)
            known = msgspec.msgpack.decode(stored, type=Failure) if stored is not None else Failure(first=moment)
            counts = tag not in known.tags and len(known.tags) < _MOST_TAGS
            tags = (*known.tags, tag) if counts else known.tags
            counted = Failure(tags=tags, first=known.first, last=moment if counts else known.last)
            transaction.put(key, msgspec.msgpack.encode(counted), db=table)
            return counted

        return self._serial.run(lambda: self._environment.write(act))

    def forget(self, account: bytes, network: str) -> "Deferred[None]":
        """See :class:`IActivity`."""
        return self._forget(lambda transaction: [account + network.encode()])

    def forget_all(self, account: bytes, but: str = "") -> "Deferred[None]":
        """See :class:`IActivity`."""
        table, kept = self._environment.table(_FAILURES), account + but.encode()
        return self._forget(
            lambda transaction: [key for key, _ in prefixed(transaction, table, account) if not but or key != kept]
        )

    def _forget(self, which: Callable[[lmdb.Transaction], Sequence[bytes]]) -> "Deferred[None]":
        def act(transaction: lmdb.Transaction) -> None:
            for key in which(transaction):
                transaction.delete(key, db=self._environment.table(_FAILURES))

        return self._serial.run(lambda: self._environment.write(act))

    def known_network(self, account: bytes, network: str) -> bool:
        """See :class:`IActivity`."""
        key = account + network.encode()
        return key in self._networks or self._get(_NETWORKS, key) is not None

    def used(self, account: bytes, network: str, protocol: str, secret: SecretId | None, moment: int) -> None:
        """See :class:`IActivity`."""
        self._networks[account + network.encode()] = moment
        self._uses[account + protocol.encode()] = moment
        if secret is not None:
            self._uses[account + secret.hex().encode()] = moment

    def last_used(self, account: bytes) -> Sequence[tuple[str, int]]:
        """See :class:`IActivity`."""
        with self._environment.reading() as transaction:
            stored = dict(prefixed(transaction, self._environment.table(_USES), account))
        found = {key: int.from_bytes(value, "big") for key, value in stored.items()}
        found |= {key: moment for key, moment in self._uses.items() if key.startswith(account)}
        return sorted((key[len(account) :].decode(), moment) for key, moment in found.items())

    def failed_from(self, source: str, subject: bytes, moment: int, most: int) -> "Deferred[None]":
        """See :class:`IActivity`."""

        def act(transaction: lmdb.Transaction) -> None:
            others = self._subjects(transaction, source, without=subject)
            self._keep_subjects(transaction, source, [*others, (subject, moment)][-most:])

        return self._serial.run(lambda: self._environment.write(act))

    def failing_from(self, source: str) -> Sequence[int]:
        """See :class:`IActivity`."""
        return _moments(self._get(_SOURCES, source.encode()))

    def standing(self, account: bytes, network: str, source: str) -> tuple[Failure, Sequence[int]]:
        """See :class:`IActivity`."""
        failures, sources = self._environment.table(_FAILURES), self._environment.table(_SOURCES)
        with self._environment.reading() as transaction:
            stored = transaction.get(account + network.encode(), db=failures)
            failing = transaction.get(source.encode(), db=sources)
        return _failure(stored), _moments(failing)

    def succeeded_from(self, source: str, subject: bytes) -> "Deferred[None]":
        """See :class:`IActivity`."""

        def act(transaction: lmdb.Transaction) -> None:
            self._keep_subjects(transaction, source, list(self._subjects(transaction, source, without=subject)))

        stored = self._get(_SOURCES, source.encode())
        if stored is None or all(known != subject for known, _ in _SUBJECT.iter_unpack(stored)):
            return succeed(None)
        return self._serial.run(lambda: self._environment.write(act))

    def _subjects(self, transaction: lmdb.Transaction, source: str, without: bytes) -> Iterator[tuple[bytes, int]]:
        stored = transaction.get(source.encode(), db=self._environment.table(_SOURCES)) or b""
        return ((subject, moment) for subject, moment in _SUBJECT.iter_unpack(bytes(stored)) if subject != without)

    def _keep_subjects(self, transaction: lmdb.Transaction, source: str, kept: Sequence[tuple[bytes, int]]) -> None:
        table = self._environment.table(_SOURCES)
        if kept:
            transaction.put(source.encode(), b"".join(_SUBJECT.pack(*each) for each in kept), db=table)
        else:
            transaction.delete(source.encode(), db=table)

    def use_step(self, account: bytes, step: int) -> "Deferred[bool]":
        """See :class:`IActivity`."""
        table = self._environment.table(_STEPS)

        def act(transaction: lmdb.Transaction) -> bool:
            taken = transaction.get(account, db=table)
            if taken is not None and step <= int.from_bytes(bytes(taken), "big"):
                return False
            transaction.put(account, number(step), db=table)
            return True

        return self._serial.run(lambda: self._environment.write(act))

    def destroy(self, account: bytes) -> "Deferred[None]":
        """See :class:`IActivity`."""
        for merged in (self._uses, self._networks):
            for key in [key for key in merged if key.startswith(account)]:
                del merged[key]

        def act(transaction: lmdb.Transaction) -> None:
            for name in (_FAILURES, _NETWORKS, _USES, _STEPS):
                table = self._environment.table(name)
                for key in [key for key, _ in prefixed(transaction, table, account)]:
                    transaction.delete(key, db=table)

        return self._serial.run(lambda: self._environment.write(act))

    def prune(self, before: int) -> "Deferred[int]":
        """See :class:`IActivity`."""
        table, sources = self._environment.table(_FAILURES), self._environment.table(_SOURCES)

        def act(transaction: lmdb.Transaction) -> int:
            old = [
                key
                for key, value in prefixed(transaction, table, b"")
                if msgspec.msgpack.decode(value, type=Failure).last < before
            ]
            for key in old:
                transaction.delete(key, db=table)
            quiet = [
                key
                for key, value in prefixed(transaction, sources, b"")
                if _SUBJECT.unpack(value[-_SUBJECT.size :])[1] < before
            ]
            for key in quiet:
                transaction.delete(key, db=sources)
            return len(old) + len(quiet)

        return self._serial.run(lambda: self._environment.write(act))

    def anchor(self, mailbox: MailboxId, head: Head) -> None:
        """See :class:`IActivity`."""
        # Answers of two threads may come in another order than they were committed.
        self._heads[mailbox] = self._heads.get(mailbox, head).newest(head)

    def anchored(self, mailbox: MailboxId) -> Head:
        """See :class:`IActivity`."""
        stored = self._get(_HEADS, mailbox)
        known = msgspec.msgpack.decode(stored, type=Head) if stored is not None else Head()
        return known.newest(self._heads.get(mailbox, known))

    def unanchored(self, limit: int) -> "Deferred[Sequence[tuple[MailboxId, Head]]]":
        """See :class:`~cjsm.store.interfaces.IAnchors`."""

        def look(transaction: lmdb.Transaction) -> Sequence[tuple[MailboxId, Head]]:
            marked = islice(prefixed(transaction, self._environment.table(_UNANCHORED), b""), limit)
            heads = self._environment.table(_HEADS)
            found = [(MailboxId(mailbox), transaction.get(mailbox, db=heads)) for mailbox, _ in marked]
            return [(mailbox, msgspec.msgpack.decode(head, type=Head)) for mailbox, head in found if head is not None]

        return self._serial.run(lambda: self._environment.read(look))

    def settled(self, heads: Sequence[tuple[MailboxId, Head]]) -> "Deferred[None]":
        """See :class:`~cjsm.store.interfaces.IAnchors`."""

        def act(transaction: lmdb.Transaction) -> None:
            for mailbox, head in heads:
                stored = transaction.get(mailbox, db=self._environment.table(_HEADS))
                if stored is None or msgspec.msgpack.decode(stored, type=Head) == head:
                    transaction.delete(mailbox, db=self._environment.table(_UNANCHORED))

        return self._serial.run(lambda: self._environment.write(act))

    def flush(self) -> "Deferred[None]":
        """Write what was merged since the last time."""
        uses, self._uses = self._uses, {}
        networks, self._networks = self._networks, {}
        heads = dict(self._heads)
        if not (uses or networks or heads):
            return self._serial.drained()

        def act(transaction: lmdb.Transaction) -> None:
            for name, moments in ((_USES, uses), (_NETWORKS, networks)):
                for key, moment in moments.items():
                    transaction.put(key, number(moment), db=self._environment.table(name))
            for mailbox, head in heads.items():
                # Another process may know more: one delivers, another lets people delete.
                stored = transaction.get(mailbox, db=self._environment.table(_HEADS))
                known = msgspec.msgpack.decode(stored, type=Head) if stored is not None else head
                newest = msgspec.msgpack.encode(known.newest(head))
                transaction.put(mailbox, newest, db=self._environment.table(_HEADS))
                transaction.put(mailbox, b"", db=self._environment.table(_UNANCHORED))

        def written(_: object) -> None:
            for mailbox, head in heads.items():
                if self._heads.get(mailbox) == head:
                    del self._heads[mailbox]

        def not_written(failure: TwistedFailure) -> TwistedFailure:
            self._uses = uses | self._uses
            self._networks = networks | self._networks
            return failure

        return self._serial.run(lambda: self._environment.write(act)).addCallbacks(written, not_written)

    def check_readers(self) -> None:
        """Clear what readers that died left."""
        self._environment.check_readers()

    def close(self) -> "Deferred[None]":
        """Write what is merged and close."""
        return self.flush().addBoth(lambda _: self._serial.drained()).addCallback(lambda _: self._environment.close())

    def _get(self, table: str, key: bytes) -> bytes | None:
        with self._environment.reading() as transaction:
            value = transaction.get(key, db=self._environment.table(table))
        return bytes(value) if value is not None else None


def _failure(stored: "bytes | memoryview[int] | None") -> Failure:
    return msgspec.msgpack.decode(stored, type=Failure) if stored is not None else Failure()


def _moments(stored: "bytes | memoryview[int] | None") -> Sequence[int]:
    return [moment for _, moment in _SUBJECT.iter_unpack(stored)] if stored is not None else ()
