"""``keys.mdb``: versions of the vault's records, by owner.

What is removed from an LMDB file stays readable in its free pages. So the file is replaced by a copy of what is left,
``keys.2.mdb`` and so on, in the way that :mod:`cjsm.store.lmdb.home` describes, while other processes use it.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import lmdb
from twisted.internet.defer import Deferred, execute
from zope.interface import implementer

from cjsm.store.interfaces import ICopied, IKeyStore, Missing, Unavailable, VersionTaken
from cjsm.store.lmdb.disk import Disk, Serial
from cjsm.store.lmdb.environment import Environment, make_directory, prefixed, sync_directory
from cjsm.store.lmdb.home import Home, Superseded, check_current, mark_superseded, remove_environment

_SCHEMA = 1
_KEYS = "keys"
#: Times that the file may be replaced while one thing is looked for.
_REPLACED = 5

T = TypeVar("T")


def _key(owner: bytes, version: int) -> bytes:
    return owner + version.to_bytes(4, "big")


class _Opened:
    """One of the store's files, open; *users* are looking into it."""

    def __init__(self, home: Home, which: int, map_size: int) -> None:
        self.which = which
        path = home.file(which)
        self.environment = Environment(path, tables=(_KEYS,), schema=_SCHEMA, map_size=map_size, begun=check_current)
        self.table = self.environment.table(_KEYS)
        self.users = 0
        self.retired = False


class _File:
    """The file that is the key store now; another one once it was replaced, here or by another process."""

    def __init__(self, directory: Path, map_size: int) -> None:
        make_directory(directory)
        self.home = Home(directory, "keys")
        self._map_size = map_size
        self._lock = threading.Lock()
        self._opened = self._open()

    def _open(self) -> _Opened:
        for _ in range(_REPLACED):
            with self.home.locked(exclusive=not self.home.numbers()):
                opened = _Opened(self.home, (self.home.numbers() or [1])[-1], self._map_size)
            try:
                opened.environment.read(lambda transaction: None)
                self.home.clear(opened.which)
            except Superseded as error:
                # A crash came before the next file had its name.
                opened.environment.close()
                self.home.succeed(error.by)
            except BaseException:
                opened.environment.close()
                raise
            else:
                return opened
        raise Unavailable("the key store's file is replaced again and again")

    @contextmanager
    def using(self) -> Iterator[_Opened]:
        """The file, which stays open meanwhile."""
        with self._lock:
            opened = self._opened
            opened.users += 1
        try:
            yield opened
        finally:
            with self._lock:
                opened.users -= 1
                if opened.retired and not opened.users:
                    opened.environment.close()

    def follow(self, superseded: _Opened, by: int) -> None:
        """Open the file that took the place of one, once."""
        self.home.succeed(by)
        with self._lock:
            if self._opened is not superseded:
                return
            self._opened = self._open()
            superseded.retired = True
            if not superseded.users:
                superseded.environment.close()

    def current(self, act: Callable[[_Opened], T]) -> T:
        """Do *act* with the file that is current.

        :raises Unavailable: when it is replaced again and again.
        """
        for _ in range(_REPLACED):
            with self.using() as opened:
                try:
                    return act(opened)
                except Superseded as error:
                    by = error.by
            self.follow(opened, by)
        raise Unavailable("the key store's file is replaced again and again")

    def replace(self) -> None:
        """Put a copy of what is in the file in its place."""
        self.current(self._replace)
        # The mark that was just made leads on to the copy.
        self.current(lambda opened: opened.environment.read(lambda transaction: None))

    def _replace(self, opened: _Opened) -> None:
        home, following = self.home, opened.which + 1
        with home.locked(exclusive=True):
            remove_environment(home.part(following))

            def act(transaction: lmdb.Transaction) -> None:
                opened.environment.copy(home.part(following))
                sync_directory(home.directory)
                mark_superseded(opened.environment, transaction, following)

            opened.environment.write(act)
            home.name_successor(following)

    def close(self) -> None:
        """Close it."""
        self._opened.environment.close()


@implementer(IKeyStore, ICopied)
class LmdbKeyStore:
    """See :class:`IKeyStore`; a key is the owner's 16 octets and the version in 4."""

    def __init__(self, directory: Path, disk: Disk, *, map_size: int) -> None:
        self._file = _File(directory, map_size)
        self._serial = Serial(disk)

    def _read(self, look: "Callable[[lmdb.Transaction, lmdb._Database], T]") -> T:
        return self._file.current(
            lambda opened: opened.environment.read(lambda transaction: look(transaction, opened.table))
        )

    def _write(self, act: "Callable[[lmdb.Transaction, lmdb._Database], T]") -> T:
        return self._file.current(
            lambda opened: opened.environment.write(lambda transaction: act(transaction, opened.table))
        )

    def put(self, owner: bytes, version: int, value: bytes) -> "Deferred[None]":
        """See :class:`IKeyStore`."""
        return self.put_all([(owner, version, value)])

    def put_all(self, records: Sequence[tuple[bytes, int, bytes]]) -> "Deferred[None]":
        """See :class:`IKeyStore`."""

        def act(transaction: lmdb.Transaction, table: "lmdb._Database") -> None:
            for owner, version, value in records:
                key = _key(owner, version)
                fresh = transaction.put(key, value, db=table, overwrite=False)
                if not fresh and transaction.get(key, db=table) != value:
                    raise VersionTaken(f"version {version} is written already")

        return self._serial.run(lambda: self._write(act))

    def get(self, owner: bytes, version: int) -> "Deferred[bytes]":
        """See :class:`IKeyStore`."""
        return execute(self.get_now, owner, version)

    def get_now(self, owner: bytes, version: int) -> bytes:
        """See :class:`IKeyStore`."""
        value = self._read(lambda transaction, table: transaction.get(_key(owner, version), db=table))
        if value is None:
            raise Missing(f"no key record of version {version}")
        return bytes(value)

    def latest(self, owner: bytes) -> int:
        """See :class:`IKeyStore`."""
        found = self._read(lambda transaction, table: [key for key, _ in prefixed(transaction, table, owner)])
        return int.from_bytes(found[-1][len(owner) :], "big") if found else 0

    def copy(self, descriptor: int) -> "Deferred[None]":
        """See :class:`ICopied`."""
        return self._serial.run(lambda: self._file.current(lambda opened: opened.environment.copy_to(descriptor)))

    def sweep(self, owner: bytes, below: int) -> "Deferred[int]":
        """See :class:`IKeyStore`."""
        return self._remove(owner, _key(owner, below))

    def destroy(self, owner: bytes) -> "Deferred[None]":
        """See :class:`IKeyStore`."""
        return self._remove(owner, None).addCallback(lambda _: None)

    def _remove(self, owner: bytes, below: bytes | None) -> "Deferred[int]":
        def look(transaction: lmdb.Transaction, table: "lmdb._Database") -> list[bytes]:
            return [key for key, _ in prefixed(transaction, table, owner) if below is None or key < below]

        def act(transaction: lmdb.Transaction, table: "lmdb._Database") -> int:
            gone = look(transaction, table)
            for key in gone:
                transaction.delete(key, db=table)
            return len(gone)

        return self._serial.run(lambda: self._write(act) if self._read(look) else 0)

    def compact(self) -> "Deferred[None]":
        """See :class:`IKeyStore`."""
        return self._serial.run(self._file.replace)

    def check_readers(self) -> None:
        """Clear what readers that died left."""
        with self._file.using() as opened:
            opened.environment.check_readers()

    def close(self) -> "Deferred[None]":
        """Close when what is under way is written."""
        return self._serial.drained().addCallback(lambda _: self._file.close())
