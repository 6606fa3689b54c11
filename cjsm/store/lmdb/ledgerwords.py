"""Words about people that ledger entries have commitments to, beside the entries: two tables of ``community.mdb``."""

import hashlib
from collections.abc import Sequence

import lmdb
import msgspec

from cjsm.community.records import LedgerEntry
from cjsm.store.interfaces import Words
from cjsm.store.lmdb.environment import Environment, prefixed

WORDS = "ledger-words"
PEOPLE = "ledger-people"
WORD_TABLES = (WORDS, PEOPLE)

#: Octets of a salt.
SALT = 32
_decode = msgspec.msgpack.Decoder(Words).decode


class LedgerWords:
    """The tables within one *transaction*: digest of the entry and place -> words; person, digest, place -> nothing."""

    def __init__(self, environment: Environment, transaction: lmdb.Transaction) -> None:
        self._transaction = transaction
        self._words = environment.table(WORDS)
        self._people = environment.table(PEOPLE)

    def keep(self, entry: LedgerEntry, encoded: bytes, salts: Sequence[bytes]) -> None:
        """Keep what *entry*, which is *encoded* with these salts, says in words."""
        # One act may have several entries, and entries may come to have other numbers: nothing else is theirs alone.
        digest = _digest(encoded)
        for place, ((name, text), salt) in enumerate(zip(entry.words, salts, strict=True)):
            key = digest + bytes([place])
            kept = Words(name=name, salt=salt, text=text, person=entry.person)
            self._transaction.put(key, msgspec.msgpack.encode(kept), db=self._words)
            self._transaction.put(entry.person + key, b"", db=self._people)

    def of(self, encoded: bytes) -> list[Words]:
        """Return what is kept beside the entry that is *encoded* so."""
        return [_decode(stored) for _, stored in prefixed(self._transaction, self._words, _digest(encoded))]

    def forget(self, person: bytes) -> None:
        """Destroy what is kept of *person*."""
        for key, _ in list(prefixed(self._transaction, self._people, person)):
            self._transaction.delete(key, db=self._people)
            self._transaction.delete(key[len(person) :], db=self._words)


def _digest(encoded: bytes) -> bytes:
    return hashlib.sha256(encoded).digest()
