"""Words about people that ledger entries have commitments to, beside the entries: two tables of ``community.mdb``."""

from collections.abc import Sequence

import lmdb
import msgspec

from cjsm.community.identifiers import Entropy
from cjsm.community.records import LedgerEntry
from cjsm.store.interfaces import Words
from cjsm.store.lmdb.environment import Environment, prefixed

WORDS = "ledger-words"
PEOPLE = "ledger-people"
WORD_TABLES = (WORDS, PEOPLE)

_SALT = 32
_decode = msgspec.msgpack.Decoder(Words).decode


class LedgerWords:
    """The tables within one *transaction*: act id and place -> words; person, act id and place -> nothing."""

    def __init__(self, environment: Environment, transaction: lmdb.Transaction) -> None:
        self._transaction = transaction
        self._words = environment.table(WORDS)
        self._people = environment.table(PEOPLE)

    def keep(self, entry: LedgerEntry, entropy: Entropy) -> Sequence[bytes]:
        """Keep what *entry* says in words; return the salts of its commitments."""
        salts = [entropy(_SALT) for _ in entry.words]
        for place, ((name, text), salt) in enumerate(zip(entry.words, salts, strict=True)):
            key = entry.act_id + bytes([place])
            kept = Words(name=name, salt=salt, text=text, person=entry.person)
            self._transaction.put(key, msgspec.msgpack.encode(kept), db=self._words)
            self._transaction.put(entry.person + key, b"", db=self._people)
        return salts

    def of(self, act_id: bytes) -> list[Words]:
        """Return what is kept beside the entry of an act."""
        return [_decode(stored) for _, stored in prefixed(self._transaction, self._words, act_id)]

    def forget(self, person: bytes) -> None:
        """Destroy what is kept of *person*."""
        for key, _ in list(prefixed(self._transaction, self._people, person)):
            self._transaction.delete(key, db=self._people)
            self._transaction.delete(key[len(person) :], db=self._words)
