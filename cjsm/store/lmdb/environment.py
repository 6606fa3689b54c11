"""Opening an LMDB environment: safe flags only, a schema version in each, clear words when it cannot be."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from traceback import clear_frames
from typing import TypeVar

import lmdb

from cjsm.store.interfaces import CannotOpen, Damaged, NewerStore, StoreError, Unavailable
from cjsm.store.private import make_private

T = TypeVar("T")

#: What LMDB says of a file that is not what it wrote.
_CORRUPTIONS = (
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.InvalidError,
    lmdb.PanicError,
    lmdb.VersionMismatchError,
)
_SCHEMA = b"schema"
_READERS = 512
#: Records that are written anew in one commit.
_REWRITTEN = 2_048


class Corrupted(Damaged):
    """A file's structure is not what LMDB wrote: nothing in it can be relied on."""


class Environment:
    """One environment: a file ``<name>.mdb`` with named tables, one of which, ``meta``, holds the schema version.

    A path may be open once per process. Every write transaction begins and ends in one call, on one thread.

    :param upgrade: brings what an older schema, whose number it gets, wrote to this one, in one transaction.
    :param begun: looks at every transaction as it begins; what it raises ends it.
    :raises Corrupted: when the file is not what LMDB wrote.
    """

    def __init__(
        self,
        path: Path,
        *,
        tables: tuple[str, ...],
        schema: int,
        map_size: int,
        upgrade: Callable[["Environment", lmdb.Transaction, int], None] | None = None,
        begun: Callable[["Environment", lmdb.Transaction], None] = lambda environment, transaction: None,
    ) -> None:
        self.path = path
        self._begun = begun
        make_directory(path.parent)
        try:
            self._env = lmdb.open(
                str(path),
                subdir=False,
                map_size=map_size,
                max_dbs=len(tables) + 1,
                max_readers=_READERS,
                readahead=False,
                meminit=True,
                mode=0o600,
            )
        except lmdb.Error as error:
            raise _cannot_open(path, error) from error
        try:
            self._check_whole()
            self.meta = self._env.open_db(b"meta")
            stored = self._stored_schema(schema)
            self._tables = self._opened_tables(tables)
            if stored != schema:
                self._raise_schema(stored, schema, upgrade)
        except lmdb.Error as error:
            self._env.close()
            raise _cannot_open(path, error) from error
        except BaseException:
            self._env.close()
            raise
        self._env.reader_check()

    def _check_whole(self) -> None:
        """Check that the file is as long as it must be: reading a page beyond its end would end the process.

        :raises Corrupted: when it is not.
        """
        wanted = (self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"]
        if (there := os.stat(str(self.path)).st_size) < wanted:
            raise Corrupted(f"{self.path} is cut short: it has {there} octets of {wanted}")

    def _stored_schema(self, schema: int) -> int | None:
        """Return the number of what wrote the file, None for a fresh one; nothing of a newer one is touched."""
        with self._env.begin() as transaction:
            stored = transaction.get(_SCHEMA, db=self.meta)
        if stored is None:
            return None
        if (written := int.from_bytes(stored, "big")) > schema:
            raise NewerStore(
                f"{self.path} was written by a newer version of this software (schema "
                f"{written}, this version reads {schema})"
            )
        return written

    def _opened_tables(self, names: tuple[str, ...]) -> "dict[str, lmdb._Database]":
        """Open the tables, made where they are not, in one transaction: each of its own would be one more commit."""
        with self._env.begin(write=True) as transaction:
            return {name: self._env.open_db(name.encode(), txn=transaction) for name in names}

    def _raise_schema(
        self,
        stored: int | None,
        schema: int,
        upgrade: Callable[["Environment", lmdb.Transaction, int], None] | None,
    ) -> None:
        def act(transaction: lmdb.Transaction) -> None:
            if stored is not None and upgrade is not None:
                upgrade(self, transaction, stored)
            transaction.put(_SCHEMA, schema.to_bytes(4, "big"), db=self.meta)

        self.write(act)

    def table(self, name: str) -> "lmdb._Database":
        """Return a named table."""
        return self._tables[name]

    def _begin(self, *, write: bool = False) -> lmdb.Transaction:
        try:
            try:
                return self._env.begin(write=write)
            except lmdb.MapResizedError:
                self._env.set_mapsize(0)
                return self._env.begin(write=write)
        except lmdb.Error as error:
            raise Unavailable(f"{self.path}: {error}") from error

    @contextmanager
    def reading(self) -> Iterator[lmdb.Transaction]:
        """A read transaction; keep it no longer than a slice, and no exception from inside: see :meth:`read`."""
        transaction = self._begin()
        try:
            self._begun(self, transaction)
            yield transaction
        except lmdb.Error as error:
            raise self._unreadable(error) from error
        finally:
            transaction.abort()

    def _unreadable(self, error: lmdb.Error) -> Damaged:
        kind = Corrupted if isinstance(error, _CORRUPTIONS) else Damaged
        return kind(f"{self.path}: {error}")

    def read(self, look: Callable[[lmdb.Transaction], T]) -> T:
        """Return what *look* finds in a read transaction.

        A transaction object holds a reader's slot as long as it exists, even when it is over, and an exception keeps
        the objects of all frames that it passed. Who keeps one keeps no slot: other people's exceptions could take all.
        """
        transaction = self._begin()
        try:
            self._begun(self, transaction)
            return look(transaction)
        except lmdb.Error as error:
            _let_go(error)
            raise self._unreadable(error) from error
        except Exception as error:
            _let_go(error)
            raise
        finally:
            transaction.abort()
            del transaction

    def write(self, act: Callable[[lmdb.Transaction], T]) -> T:
        """Run *act* in a write transaction and commit it, synced; whatever it raises rolls back.

        :raises Unavailable: when the disk is full or the commit failed.
        """
        transaction = self._begin(write=True)
        try:
            self._begun(self, transaction)
            result = act(transaction)
        except BaseException as error:
            transaction.abort()
            if isinstance(error, _CORRUPTIONS):
                raise Corrupted(f"{self.path}: {error}") from error
            if isinstance(error, lmdb.Error):
                raise Unavailable(f"{self.path}: {error}") from error
            raise
        try:
            commit(transaction)
        except lmdb.Error as error:
            raise Unavailable(f"{self.path}: {error}", maybe_committed=True) from error
        return result

    @contextmanager
    def _copying(self, to: str) -> Iterator[None]:
        """Tell damage here from a copy that cannot be written *to* where it is to be."""
        try:
            yield
        except _CORRUPTIONS as error:
            raise Corrupted(f"{self.path}: {error}") from error
        except (lmdb.Error, OSError) as error:
            raise Unavailable(f"{to}: {error}") from error

    def copy(self, path: Path) -> None:
        """Write a compacted, synced copy of what is committed; may be asked within a write transaction.

        :raises Unavailable: when it cannot be written.
        """
        with self._copying(str(path)):
            self._env.copy(str(path), compact=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def rewrite(self, path: Path, transaction: lmdb.Transaction) -> None:
        """Write what *transaction* sees, record by record, to a new synced file: nothing else is in it.

        A copy has pages as they are, and those keep octets of what was deleted in the room between records.

        :raises Unavailable: when it cannot be written.
        """
        tables = {b"meta": self.meta, **{name.encode(): table for name, table in self._tables.items()}}
        with self._copying(str(path)):
            fresh = lmdb.open(
                str(path),
                subdir=False,
                map_size=self._env.info()["map_size"],
                max_dbs=len(tables),
                # Nobody else knows of it yet.
                lock=False,
                readahead=False,
                meminit=True,
                mode=0o600,
            )
            try:
                with closing(fresh):
                    for name, table in tables.items():
                        _put_all(fresh, fresh.open_db(name), transaction.cursor(table))
            except BaseException:
                # Where the disk is full, half a file takes room that others need.
                path.unlink(missing_ok=True)
                raise

    def copy_to(self, descriptor: int) -> None:
        """Write a compacted copy of what is committed to an open file, which the caller syncs.

        :raises Unavailable: when it cannot be written.
        """
        with self._copying(f"the copy of {self.path}"):
            self._env.copyfd(descriptor, compact=True)

    def pages(self) -> tuple[int, int, int]:
        """Return how many pages there are in the file, how many hold something, and the octets of one."""
        psize = self._env.stat()["psize"]

        def look(transaction: lmdb.Transaction) -> int:
            tables = [transaction.stat(table) for table in (self.meta, *self._tables.values())]
            tables.append(self._env.stat())
            return sum(each["branch_pages"] + each["leaf_pages"] + each["overflow_pages"] for each in tables)

        return self._env.info()["last_pgno"] + 1, self.read(look) + 2, psize

    def last_commit(self) -> int:
        """Return the number of the last transaction that any process committed; it costs some microseconds."""
        return int(self._env.info()["last_txnid"])

    def check_readers(self) -> int:
        """Clear the slots of readers that died; returns how many there were."""
        return self._env.reader_check()

    def close(self) -> None:
        """Close the environment."""
        self._env.close()


def _put_all(
    fresh: lmdb.Environment, table: "lmdb._Database", records: Iterable[tuple[bytes | memoryview, bytes | memoryview]]
) -> None:
    """Put *records*, which come in the order of their keys, into an empty *table*, some in one synced commit."""
    left = iter(records)
    while some := list(islice(left, _REWRITTEN)):
        with fresh.begin(write=True) as writing, writing.cursor(table) as cursor:
            cursor.putmulti(some, append=True)


def commit(transaction: lmdb.Transaction) -> None:
    """Put *transaction* on stable storage."""
    transaction.commit()


def _let_go(error: BaseException) -> None:
    """Take away what the frames that *error* and its causes passed held."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            clear_frames(each.__traceback__)
            left += each.__cause__, each.__context__


def make_directory(directory: Path) -> None:
    """Make *directory* where it is missing.

    :raises CannotOpen: when it cannot be made.
    """
    try:
        if not os.path.isdir(directory):
            make_private(directory)
    except OSError as error:
        raise CannotOpen(
            f"{directory} cannot be made: {error.strerror}", "check the owner and mode of the directory above it"
        ) from error


def _cannot_open(path: Path, error: lmdb.Error) -> StoreError:
    if isinstance(error, (lmdb.ReadonlyError, lmdb.LockError)) or not os.access(path.parent, os.W_OK):
        return CannotOpen(f"{path} cannot be written", f"check that its owner runs the service, and its mode: {error}")
    if isinstance(error, _CORRUPTIONS):
        return Corrupted(f"{path} is damaged: {error}; restore it from the backup")
    if os.strerror(errno.ENOSPC) in str(error):
        return CannotOpen(f"there is no space for {path}", "free disk space")
    return CannotOpen(f"{path} cannot be opened: {error}", "see `cjsm check`")


def sync_directory(directory: Path) -> None:
    """Put the names in *directory* on stable storage."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def number(value: int) -> bytes:
    """Return *value* as 8 octets, big-endian, so that keys sort as numbers do."""
    return value.to_bytes(8, "big")


def prefixed(transaction: lmdb.Transaction, table: "lmdb._Database", prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the (key, value) pairs whose key begins with *prefix*, in order."""
    cursor = transaction.cursor(db=table)
    if cursor.set_range(prefix):
        for key, value in cursor:
            if bytes(key[: len(prefix)]) != prefix:
                return
            yield bytes(key), bytes(value)
