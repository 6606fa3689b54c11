"""The sealed bodies of what is in the spool: small ones inside it, for large ones who still names their file."""

import lmdb

from cjsm.community.identifiers import BodyId
from cjsm.store.lmdb.environment import Environment, number

_INLINE = "bodies"
_NAMED = "named"
TABLES = (_INLINE, _NAMED)


class SpoolBodies:
    """Keeps a body for each entry, by sequence. Several entries of one message share one file."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def keep(self, transaction: lmdb.Transaction, sequence: int, body_id: BodyId, body: bytes | None) -> None:
        """Keep *body* for the entry *sequence*, or one more name for the file of *body_id* where it is None."""
        if body is not None:
            transaction.put(number(sequence), body, db=self._table(_INLINE), append=True)
            return
        names = self._names(transaction, body_id) + 1
        transaction.put(body_id, number(names), db=self._table(_NAMED))

    def inline(self, transaction: lmdb.Transaction, sequence: int) -> bytes | None:
        """Return the body kept inside the spool, or None where it is a file."""
        body = transaction.get(number(sequence), db=self._table(_INLINE))
        return bytes(body) if body is not None else None

    def leave(self, transaction: lmdb.Transaction, sequence: int, body_id: BodyId) -> BodyId | None:
        """Forget the body of an entry; return the file that nobody names any more."""
        if transaction.delete(number(sequence), db=self._table(_INLINE)):
            return None
        names = self._names(transaction, body_id) - 1
        if names > 0:
            transaction.put(body_id, number(names), db=self._table(_NAMED))
            return None
        transaction.delete(body_id, db=self._table(_NAMED))
        return body_id

    def named(self, transaction: lmdb.Transaction) -> frozenset[BodyId]:
        """Return the files that entries name."""
        keys = transaction.cursor(db=self._table(_NAMED)).iternext(values=False)
        return frozenset(BodyId(bytes(key)) for key in keys)

    def _names(self, transaction: lmdb.Transaction, body_id: BodyId) -> int:
        return int.from_bytes(transaction.get(body_id, db=self._table(_NAMED)) or b"", "big")

    def _table(self, name: str) -> "lmdb._Database":
        return self._environment.table(name)
