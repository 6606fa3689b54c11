"""Heads of mailboxes' lists that ledger entries cover, and the hashes over them: tables of ``community.mdb``."""

from collections.abc import Callable, Iterable, Sequence

import lmdb
import msgspec
from msgspec import Struct

from cjsm.community.identifiers import MailboxId
from cjsm.store.interfaces import Anchored, Anchoring, Head, Noticed
from cjsm.store.lmdb.environment import Environment, number, prefixed

HEADS = "heads"
TREE = "heads-tree"
NOTICED = "heads-noticed"
HEAD_TABLES = (HEADS, TREE, NOTICED)

_SHELVES = b"shelves"
_ENTRY = b"heads-entry"
_PLACE = 2
_decode = msgspec.msgpack.Decoder(Anchored).decode
_decode_noticed = msgspec.msgpack.Decoder(Noticed).decode


class HeadHashes(Struct, frozen=True, kw_only=True):
    """How heads are hashed; see :mod:`cjsm.vault.heads`."""

    leaf: Callable[[bytes, int, int, int, int, bytes], bytes]
    bucket: Callable[[bytes, Iterable[bytes]], bytes]
    shelf: Callable[[bytes, bytes], bytes]
    root: Callable[[bytes], bytes]


class AnchoredHeads:
    """The tables within one *transaction*."""

    def __init__(self, environment: Environment, transaction: lmdb.Transaction, hashes: HeadHashes) -> None:
        self._environment = environment
        self._transaction = transaction
        self._hashes = hashes
        self._heads = environment.table(HEADS)
        self._tree = environment.table(TREE)
        self._noticed = environment.table(NOTICED)

    def get(self, mailbox: MailboxId) -> Anchored | None:
        """Return what is known of *mailbox*, covered by an entry or not."""
        stored = self._transaction.get(mailbox, db=self._heads)
        return _decode(stored) if stored is not None else None

    def _put(self, mailbox: MailboxId, anchored: Anchored) -> None:
        self._transaction.put(mailbox, msgspec.msgpack.encode(anchored), db=self._heads)

    # Anchoring

    def put(self, heads: Sequence[tuple[MailboxId, Head]], entry: int) -> Anchoring:
        """Keep what is new in *heads*, as covered by the entry with that number."""
        changed: list[MailboxId] = []
        refused: list[tuple[MailboxId, str]] = []
        for mailbox, head in heads:
            known = self.get(mailbox)
            following = _first(head, known, entry) if known is None or not known.entry else _next(head, known, entry)
            if isinstance(following, str):
                refused.append((mailbox, following))
            elif following is not None:
                self._put(mailbox, following)
                changed.append(mailbox)
                if known is not None and head.edition > known.head.edition:
                    # Somebody may have signed in between the act that explains it and what was done then.
                    self._transaction.delete(mailbox, db=self._noticed)
        self._hash_again({mailbox[:_PLACE] for mailbox in changed})
        if changed:
            self._transaction.put(_ENTRY, number(entry), db=self._environment.meta)
        return Anchoring(changed=len(changed), refused=tuple(refused))

    def _hash_again(self, places: set[bytes]) -> None:
        """Make the hashes of buckets anew, and of what is above them."""
        shelves = bytearray(self._children(_SHELVES))
        for first in sorted({place[:1] for place in places}):
            buckets = bytearray(self._children(first))
            for place in sorted(place for place in places if place[:1] == first):
                _set(buckets, place[1], self._bucket(place))
            self._transaction.put(first, bytes(buckets), db=self._tree)
            _set(shelves, first[0], self._hashes.shelf(first, bytes(buckets)))
        if places:
            self._transaction.put(_SHELVES, bytes(shelves), db=self._tree)

    def _children(self, key: bytes) -> bytes:
        stored = self._transaction.get(key, db=self._tree)
        return bytes(stored) if stored is not None else bytes(256 * 32)

    def _bucket(self, place: bytes) -> bytes:
        return self._hashes.bucket(place, self._leaves(place))

    def _leaves(self, prefix: bytes) -> Iterable[bytes]:
        for mailbox, stored in prefixed(self._transaction, self._heads, prefix):
            known = _decode(stored)
            if known.entry:
                yield self._leaf(mailbox, known.head)

    def _leaf(self, mailbox: bytes, head: Head) -> bytes:
        return self._hashes.leaf(mailbox, head.edition, head.appended, head.deleted, head.undeleted, head.chain)

    def root(self) -> bytes:
        """Return the root over all heads, as the kept hashes have it."""
        return self._hashes.root(self._children(_SHELVES))

    def moved(self, after: int, places: int) -> None:
        """Note that entries with numbers above *after* have others now, so many *places* on."""
        last = self.last_entry()
        if last > after:
            self._transaction.put(_ENTRY, number(last + places), db=self._environment.meta)

    # New editions

    def begin_edition(self, mailbox: MailboxId, least: int) -> None:
        """Note that an act lets the list of *mailbox* begin anew; what was noticed of it is explained."""
        known = self.get(mailbox) or Anchored()
        self._put(mailbox, msgspec.structs.replace(known, editions=max(known.editions + 1, least)))
        self._transaction.delete(mailbox, db=self._noticed)

    # Noticing

    def notice(self, found: Noticed) -> bool:
        """Keep what was found; whether nothing was known of that mailbox."""
        return self._transaction.put(found.mailbox, msgspec.msgpack.encode(found), db=self._noticed, overwrite=False)

    def is_noticed(self, mailbox: MailboxId) -> bool:
        """Whether something is known of *mailbox*."""
        return self._transaction.get(mailbox, db=self._noticed) is not None

    def noticed(self) -> list[Noticed]:
        """Return what is known."""
        return [_decode_noticed(stored) for _, stored in prefixed(self._transaction, self._noticed, b"")]

    # Checking

    def last_entry(self) -> int:
        """Return the number of the last entry that has a root; 0 when there is none."""
        return int.from_bytes(self._transaction.get(_ENTRY, db=self._environment.meta) or b"", "big")

    def made_anew(self) -> bytes:
        """Return the root over all heads, made of nothing but these."""
        leaves: dict[bytes, list[bytes]] = {}
        for mailbox, stored in prefixed(self._transaction, self._heads, b""):
            known = _decode(stored)
            if known.entry:
                leaves.setdefault(mailbox[:_PLACE], []).append(self._leaf(mailbox, known.head))
        shelves, buckets = bytearray(256 * 32), {first: bytearray(256 * 32) for first in {each[:1] for each in leaves}}
        for place, inside in leaves.items():
            _set(buckets[place[:1]], place[1], self._hashes.bucket(place, inside))
        for first, inside_shelf in buckets.items():
            _set(shelves, first[0], self._hashes.shelf(first, bytes(inside_shelf)))
        return self._hashes.root(bytes(shelves))


def _set(children: bytearray, at: int, value: bytes) -> None:
    children[at * 32 : at * 32 + 32] = value


def _first(head: Head, known: Anchored | None, entry: int) -> Anchored:
    """Return the first that is kept of a mailbox; acts from before it may let its list begin anew still."""
    before = known.editions if known is not None else 0
    return Anchored(head=head, entry=entry, editions=before + head.edition)


def _next(head: Head, known: Anchored, entry: int) -> Anchored | str | None:
    """Return what is kept next, nothing where nothing is new, or what is wrong."""
    if head == known.head:
        return None
    if head.edition > known.editions:
        return NOT_EXPLAINED
    if head.behind(known.head):
        return OLDER
    return msgspec.structs.replace(known, head=head, entry=entry)


#: What is wrong with a head, in words.
OLDER = "it was rolled back: it is not as new as the ledger says"
NOT_EXPLAINED = "its list was begun anew, and no act in the ledger explains that"
