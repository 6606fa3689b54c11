"""``keys.mdb``: versions of the vault's records, by owner."""

from pathlib import Path

import lmdb
from twisted.internet.defer import Deferred, execute
from zope.interface import implementer

from cjsm.store.interfaces import IKeyStore, Missing, VersionTaken
from cjsm.store.lmdb.disk import Disk, Serial
from cjsm.store.lmdb.environment import Environment, prefixed

_SCHEMA = 1
_KEYS = "keys"


def _key(owner: bytes, version: int) -> bytes:
    return owner + version.to_bytes(4, "big")


@implementer(IKeyStore)
class LmdbKeyStore:
    """See :class:`IKeyStore`; a key is the owner's 16 octets and the version in 4."""

    def __init__(self, directory: Path, disk: Disk, *, map_size: int) -> None:
        self._environment = Environment(directory / "keys.mdb", tables=(_KEYS,), schema=_SCHEMA, map_size=map_size)
        self._table = self._environment.table(_KEYS)
        self._serial = Serial(disk)

    def put(self, owner: bytes, version: int, value: bytes) -> "Deferred[None]":
        """See :class:`IKeyStore`."""

        def act(transaction: lmdb.Transaction) -> None:
            key = _key(owner, version)
            fresh = transaction.put(key, value, db=self._table, overwrite=False)
            if not fresh and transaction.get(key, db=self._table) != value:
                raise VersionTaken(f"version {version} is written already")

        return self._serial.run(lambda: self._environment.write(act))

    def get(self, owner: bytes, version: int) -> "Deferred[bytes]":
        """See :class:`IKeyStore`."""
        return execute(self.get_now, owner, version)

    def get_now(self, owner: bytes, version: int) -> bytes:
        """See :class:`IKeyStore`."""
        with self._environment.reading() as transaction:
            value = transaction.get(_key(owner, version), db=self._table)
        if value is None:
            raise Missing(f"no key record of version {version}")
        return bytes(value)

    def latest(self, owner: bytes) -> int:
        """See :class:`IKeyStore`."""
        with self._environment.reading() as transaction:
            found = [key for key, _ in prefixed(transaction, self._table, owner)]
        return int.from_bytes(found[-1][len(owner) :], "big") if found else 0

    def sweep(self, owner: bytes, below: int) -> "Deferred[int]":
        """See :class:`IKeyStore`."""
        return self._remove(owner, _key(owner, below))

    def destroy(self, owner: bytes) -> "Deferred[None]":
        """See :class:`IKeyStore`."""
        return self._remove(owner, None).addCallback(lambda _: None)

    def _remove(self, owner: bytes, below: bytes | None) -> "Deferred[int]":
        def look(transaction: lmdb.Transaction) -> list[bytes]:
            return [key for key, _ in prefixed(transaction, self._table, owner) if below is None or key < below]

        def act(transaction: lmdb.Transaction) -> int:
            gone = look(transaction)
            for key in gone:
                transaction.delete(key, db=self._table)
            return len(gone)

        def write() -> int:
            return self._environment.write(act) if self._environment.read(look) else 0

        return self._serial.run(write)

    def check_readers(self) -> None:
        """Clear what readers that died left."""
        self._environment.check_readers()

    def close(self) -> "Deferred[None]":
        """Close when what is under way is written."""
        return self._serial.drained().addCallback(lambda _: self._environment.close())
