"""``community.mdb``: the records, their indexes, the ledger's entries and the change sequence."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import lmdb
from twisted.internet.defer import Deferred, execute
from zope.interface import implementer

from cjsm.community.identifiers import ActId, Entropy, MailboxId
from cjsm.community.records import LedgerEntry, Record
from cjsm.community.view import Change, View, stored_key
from cjsm.store.encoding import encode
from cjsm.store.interfaces import Anchored, Anchoring, Head, ICommunityStore, ICopied, Noticed, Words
from cjsm.store.lmdb.anchored import HEAD_TABLES, AnchoredHeads, HeadHashes
from cjsm.store.lmdb.disk import Disk, Serial
from cjsm.store.lmdb.environment import Environment, number, prefixed
from cjsm.store.lmdb.ledgerwords import SALT, WORD_TABLES, LedgerWords
from cjsm.store.lmdb.view import INDEX, SEQUENCE, TABLES, LmdbView, Remembered, index_keys

T = TypeVar("T")

_SCHEMA = 2
_ENTRIES = "entries"
_ACTS = "acts"
_CHANGES = "changes"
#: Sequence numbers for which followers are told what changed, and acts are remembered.
_REMEMBERED = 100_000


class _Tried(Exception):
    """Acts were tried out: the transaction is given up."""

    def __init__(self, many: int) -> None:
        super().__init__(many)
        self.many = many


@implementer(ICommunityStore, ICopied)
class LmdbCommunityStore:
    """:param encode_entry: canonical encoding of a ledger entry, with the salts of its words.

    :param hashes: how the heads of mailboxes' lists are hashed.
    :param clock: seconds since the epoch.
    :param entropy: for the salts of words that entries have commitments to.
    """

    def __init__(
        self,
        directory: Path,
        disk: Disk,
        *,
        suffix: str,
        map_size: int,
        encode_entry: Callable[[LedgerEntry, Sequence[bytes]], bytes],
        hashes: HeadHashes,
        clock: Callable[[], float],
        entropy: Entropy = os.urandom,
    ) -> None:
        self._environment = Environment(
            directory / "community.mdb",
            tables=(*TABLES.values(), INDEX, _ENTRIES, _ACTS, _CHANGES, *HEAD_TABLES, *WORD_TABLES),
            schema=_SCHEMA,
            map_size=map_size,
        )
        self._serial = Serial(disk)
        self._suffix = suffix
        self._encode_entry = encode_entry
        self._hashes = hashes
        self._clock = clock
        self._entropy = entropy
        self._remembered = Remembered()

    def read(self, function: Callable[[View], T]) -> "Deferred[T]":
        """See :class:`ICommunityStore`."""

        # Whoever reads so looks at many records, each once: they are not worth remembering.
        def look(transaction: lmdb.Transaction) -> T:
            return function(self._view(transaction))

        return execute(self._environment.read, look)

    def read_now(self, function: Callable[[View], T]) -> T:
        """See :class:`ICommunityStore`."""
        environment, moment = self._environment, int(self._clock())

        def look(transaction: lmdb.Transaction) -> T:
            return function(LmdbView(environment, transaction, self._suffix, moment, self._remembered))

        return environment.read(look)

    def commit(self, act_id: ActId, decide: Callable[[View], Change]) -> "Deferred[Change]":
        """See :class:`ICommunityStore`."""

        def act(transaction: lmdb.Transaction) -> Change:
            acts = self._environment.table(_ACTS)
            if transaction.get(act_id, db=acts) is not None:
                return Change()
            change = decide(self._view(transaction))
            sequence = self._advance(transaction)
            transaction.put(act_id, number(sequence), db=acts)
            self._apply(transaction, sequence, change)
            return change

        return self._serial.run(lambda: self._environment.write(act))

    def commit_each(
        self, act_id: ActId, decide: Callable[[View], Iterable[Callable[[View], Change]]], *, keep: bool = True
    ) -> "Deferred[int]":
        """See :class:`ICommunityStore`."""

        def act(transaction: lmdb.Transaction) -> int:
            acts = self._environment.table(_ACTS)
            if transaction.get(act_id, db=acts) is not None:
                return 0
            many = 0
            for each in decide(self._view(transaction)):
                # A view of its own: what one remembers is what was before.
                change = each(self._view(transaction))
                self._apply(transaction, self._advance(transaction), change)
                many += 1
            if not keep:
                raise _Tried(many)
            transaction.put(act_id, number(self._view(transaction).number), db=acts)
            return many

        def written() -> int:
            try:
                return self._environment.write(act)
            except _Tried as tried:
                return tried.many

        return self._serial.run(written)

    def number(self) -> int:
        """See :class:`ICommunityStore`."""

        # Every command of every session asks for it: without a view.
        def look(transaction: lmdb.Transaction) -> int:
            return int.from_bytes(transaction.get(SEQUENCE, db=self._environment.meta) or b"", "big")

        return self._environment.read(look)

    def changes(self, after: int) -> Sequence[tuple[int, str, bytes]] | None:
        """See :class:`ICommunityStore`."""
        with self._environment.reading() as transaction:
            table = self._environment.table(_CHANGES)
            newest = self._view(transaction).number
            cursor = transaction.cursor(db=table)
            if after < newest and (not cursor.first() or int.from_bytes(bytes(cursor.key()[:8]), "big") > after + 1):
                return None
            found = []
            if cursor.set_range(number(after + 1)):
                for key, value in cursor:
                    kind, _, record = bytes(value).partition(b"\0")
                    found.append((int.from_bytes(bytes(key[:8]), "big"), kind.decode(), record))
            return found

    # The ledger's entries

    def entries(self, after: int, limit: int) -> "Deferred[Sequence[tuple[int, bytes]]]":
        """See :class:`ILedgerEntries`."""
        # Whoever goes through all of them leaves others a turn after each few.
        return self._serial.run(lambda: self.entries_now(after, limit))

    def entries_now(self, after: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """See :class:`ILedgerEntries`."""
        found: list[tuple[int, bytes]] = []
        with self._environment.reading() as transaction:
            cursor = transaction.cursor(db=self._environment.table(_ENTRIES))
            if cursor.set_range(number(after + 1)):
                for key, value in cursor:
                    if len(found) == limit:
                        break
                    found.append((int.from_bytes(bytes(key), "big"), bytes(value)))
        return found

    def last_entry(self) -> int:
        """See :class:`ILedgerEntries`."""
        return self._environment.read(self._last_entry)

    def words(self, encoded: bytes) -> Sequence[Words]:
        """See :class:`ILedgerEntries`."""
        return self._environment.read(lambda transaction: LedgerWords(self._environment, transaction).of(encoded))

    def bring_back(self, after: int, entries: Sequence[bytes]) -> "Deferred[int]":
        """See :class:`ILedgerEntries`."""

        def act(transaction: lmdb.Transaction) -> int:
            table = self._environment.table(_ENTRIES)
            cursor = transaction.cursor(db=table)
            there = cursor.set_range(number(after + 1))
            moved = [bytes(value) for _, value in cursor] if there else []
            for following, encoded in enumerate((*entries, *moved), after + 1):
                transaction.put(number(following), encoded, db=table)
            self._heads(transaction).moved(after, len(entries))
            return len(moved)

        return self._serial.run(lambda: self._environment.write(act))

    def copy(self, descriptor: int) -> "Deferred[None]":
        """See :class:`ICopied`."""
        return self._serial.run(lambda: self._environment.copy_to(descriptor))

    # The heads of mailboxes' lists

    def anchor_heads(
        self, heads: Sequence[tuple[MailboxId, Head]], entry: Callable[[int, bytes, int], LedgerEntry]
    ) -> "Deferred[Anchoring]":
        """See :class:`ILedgerHeads`."""

        # No view shows heads: the change sequence stays as it is, and nobody looks at everything again.
        def act(transaction: lmdb.Transaction) -> Anchoring:
            kept = self._heads(transaction)
            anchoring = kept.put(heads, self._last_entry(transaction) + 1)
            if anchoring.changed:
                self._append_entry(transaction, entry(int(self._clock()), kept.root(), anchoring.changed))
            return anchoring

        return self._serial.run(lambda: self._environment.write(act))

    def anchored_head(self, mailbox: MailboxId) -> Anchored | None:
        """See :class:`ILedgerHeads`."""
        known = self._environment.read(lambda transaction: self._heads(transaction).get(mailbox))
        return known if known is not None and known.entry else None

    def notice(self, act_id: ActId, found: Noticed, entry: LedgerEntry) -> "Deferred[bool]":
        """See :class:`ILedgerHeads`."""

        def act(transaction: lmdb.Transaction) -> bool:
            fresh = self._heads(transaction).notice(found)
            if fresh:
                self._append_entry(transaction, entry)
            return fresh

        return self._serial.run(lambda: self._environment.write(act))

    def is_noticed(self, mailbox: MailboxId) -> bool:
        """See :class:`ILedgerHeads`."""
        return self._environment.read(lambda transaction: self._heads(transaction).is_noticed(mailbox))

    def noticed(self) -> "Deferred[Sequence[Noticed]]":
        """See :class:`ILedgerHeads`."""
        return execute(self._environment.read, lambda transaction: self._heads(transaction).noticed())

    def check_heads(self) -> "Deferred[str]":
        """See :class:`ILedgerHeads`."""

        def look(transaction: lmdb.Transaction) -> str:
            kept = self._heads(transaction)
            last = kept.last_entry()
            if not last:
                return ""
            entry = transaction.get(number(last), db=self._environment.table(_ENTRIES)) or b""
            root = kept.made_anew()
            if root != kept.root() or root.hex().encode() not in bytes(entry):
                return "the anchored heads of mailboxes are not those that the ledger has"
            return ""

        return self._serial.run(lambda: self._environment.read(look))

    def _heads(self, transaction: lmdb.Transaction) -> AnchoredHeads:
        return AnchoredHeads(self._environment, transaction, self._hashes)

    def check_readers(self) -> None:
        """Clear what readers that died left."""
        self._environment.check_readers()

    def close(self) -> "Deferred[None]":
        """Close when what is under way is written."""
        return self._serial.drained().addCallback(lambda _: self._environment.close())

    def _view(self, transaction: lmdb.Transaction) -> LmdbView:
        return LmdbView(self._environment, transaction, self._suffix, int(self._clock()))

    def _advance(self, transaction: lmdb.Transaction) -> int:
        sequence = self._view(transaction).number + 1
        transaction.put(SEQUENCE, number(sequence), db=self._environment.meta)
        forgotten = sequence - _REMEMBERED
        if forgotten > 0:
            changes = self._environment.table(_CHANGES)
            for key, _ in list(prefixed(transaction, changes, number(forgotten))):
                transaction.delete(key, db=changes)
        return sequence

    def _apply(self, transaction: lmdb.Transaction, sequence: int, change: Change) -> None:
        changes = self._environment.table(_CHANGES)
        touched = [(record, None) for record in change.removed] + [(record, record) for record in change.put]
        for place, (record, following) in enumerate(touched):
            self._replace(transaction, record, following)
            told = TABLES[type(record)].encode() + b"\0" + stored_key(record)
            transaction.put(number(sequence) + place.to_bytes(4, "big"), told, db=changes)
        for entry in (*((change.entry,) if change.entry is not None else ()), *change.further):
            self._append_entry(transaction, entry)
        for mailbox, least in change.editions:
            self._heads(transaction).begin_edition(mailbox, least)
        for person in change.forgotten:
            LedgerWords(self._environment, transaction).forget(person)

    def _replace(self, transaction: lmdb.Transaction, record: Record, following: Record | None) -> None:
        table = self._environment.table(TABLES[type(record)])
        index = self._environment.table(INDEX)
        key = stored_key(record)
        earlier = self._view(transaction).one(type(record), key)
        for indexed in index_keys(earlier) if earlier is not None else ():
            transaction.delete(indexed, db=index)
        if following is None:
            transaction.delete(key, db=table)
            return
        transaction.put(key, encode(following), db=table)
        for indexed in index_keys(following):
            transaction.put(indexed, key, db=index)

    def _last_entry(self, transaction: lmdb.Transaction) -> int:
        cursor = transaction.cursor(db=self._environment.table(_ENTRIES))
        return int.from_bytes(bytes(cursor.key()), "big") if cursor.last() else 0

    def _append_entry(self, transaction: lmdb.Transaction, entry: LedgerEntry) -> None:
        following = number(self._last_entry(transaction) + 1)
        salts = [self._entropy(SALT) for _ in entry.words]
        encoded = self._encode_entry(entry, salts)
        LedgerWords(self._environment, transaction).keep(entry, encoded, salts)
        transaction.put(following, encoded, db=self._environment.table(_ENTRIES), append=True)
