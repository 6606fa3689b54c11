"""Sealed bodies as files: written once into ``spool/bodies``, kept by mailboxes as hard links."""

import errno
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred
from zope.interface import implementer

from cjsm.community.identifiers import BodyId
from cjsm.store.interfaces import Damaged, DiskFull, IBodyReader, IBodyStore, IBodyWriter, Missing, Unavailable
from cjsm.store.lmdb.disk import Disk, Serial
from cjsm.store.lmdb.environment import sync_directory
from cjsm.store.lmdb.space import Space
from cjsm.store.private import make_private, opener

#: Octets gathered before the disk is troubled.
_GATHERED = 512 * 1024
#: Names of bodies; other files are not ours to sweep.
_BODY = re.compile(r"[0-9a-f]{32}")


@implementer(IBodyStore)
class FileBodyStore:
    """Bodies in *directory*, one file each: ``ab/<body id>``.

    :param space: room on the disk, below whose floor no body goes on.
    """

    def __init__(self, directory: Path, disk: Disk, space: Space) -> None:
        self._directory = directory
        self._disk = disk
        self._space = space

    def path(self, body_id: BodyId) -> Path:
        """Return where the spool has *body_id*."""
        name = body_id.hex()
        return self._directory / name[:2] / name

    def create(self, body_id: BodyId) -> "Deferred[FileBodyWriter]":
        """See :class:`IBodyStore`."""
        path = self.path(body_id)

        def make() -> FileBodyWriter:
            try:
                if not path.parent.exists():
                    make_private(path.parent)
                    sync_directory(self._directory)
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                return FileBodyWriter(descriptor, path, self._disk, self._space)
            except OSError as error:
                raise _unavailable(error) from error

        return self._disk.run(make)

    def open(self, body_id: BodyId) -> "Deferred[FileBodyReader]":
        """See :class:`IBodyStore`."""
        return self._disk.run(lambda: FileBodyReader(self.path(body_id), self._disk))

    def release(self, body_id: BodyId) -> "Deferred[None]":
        """See :class:`IBodyStore`."""
        return self._disk.run(lambda: self.path(body_id).unlink(missing_ok=True))

    def sweep(self, known: Callable[[BodyId], bool], before: int) -> "Deferred[int]":
        """See :class:`IBodyStore`."""

        def look() -> int:
            gone = 0
            for path in self._directory.glob("??/*"):
                if not _BODY.fullmatch(path.name):
                    continue
                if path.stat().st_mtime < before and not known(BodyId(bytes.fromhex(path.name))):
                    path.unlink(missing_ok=True)
                    gone += 1
            return gone

        return self._disk.run(look)


def _unavailable(error: OSError) -> DiskFull:
    return DiskFull(f"a body cannot be written: {error.strerror}")


def _unreadable(error: OSError) -> Unavailable:
    return Unavailable(f"a body cannot be read: {error.strerror}")


@implementer(IBodyWriter)
class FileBodyWriter:
    """One file being written."""

    def __init__(self, descriptor: int, path: Path, disk: Disk, space: Space) -> None:
        self._descriptor = descriptor
        self._path = path
        self._space = space
        self._serial = Serial(disk)
        self._gathered: list[bytes] = []
        self._octets = 0

    def write(self, sealed: bytes) -> "Deferred[None] | None":
        """See :class:`IBodyWriter`."""
        self._gathered.append(sealed)
        self._octets += len(sealed)
        if self._octets < _GATHERED:
            return None
        return self._serial.run(self._take())

    def finish(self) -> "Deferred[None]":
        """See :class:`IBodyWriter`."""
        write = self._take()

        def end() -> None:
            try:
                write()
                os.fsync(self._descriptor)
                os.close(self._descriptor)
                self._descriptor = -1
                sync_directory(self._path.parent)
            except OSError as error:
                raise _unavailable(error) from error

        return self._serial.run(end)

    def abort(self) -> "Deferred[None]":
        """See :class:`IBodyWriter`."""

        def end() -> None:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
            self._path.unlink(missing_ok=True)

        return self._serial.run(end)

    def _take(self) -> Callable[[], None]:
        gathered, self._gathered = self._gathered, []
        self._octets = 0

        def write() -> None:
            remaining = memoryview(b"".join(gathered))
            self._space.check(len(remaining))
            try:
                while remaining:
                    remaining = remaining[os.write(self._descriptor, remaining) :]
            except OSError as error:
                raise _unavailable(error) from error

        return write


@implementer(IBodyReader)
class FileBodyReader:
    """A sealed body in a file."""

    def __init__(self, path: Path, disk: Disk) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise Missing("the message's body is not there") from error
        except OSError as error:
            raise _unreadable(error) from error
        self.octets = os.fstat(self._descriptor).st_size
        self._serial = Serial(disk)
        self._closed = False

    def read(self, offset: int, length: int) -> "Deferred[bytes]":
        """See :class:`IBodyReader`."""

        def look() -> bytes:
            try:
                octets = os.pread(self._descriptor, length, offset)
            except OSError as error:
                raise _unreadable(error) from error
            if len(octets) != length:
                raise Damaged("the message's body is shorter than it was")
            return octets

        return self._serial.run(look)

    def close(self) -> None:
        """See :class:`IBodyReader`."""
        if not self._closed:
            self._closed = True
            # Behind any read under way, so that its descriptor is not another file's by then.
            self._serial.run(lambda: os.close(self._descriptor))


def link(source: Path, target: Path) -> None:
    """Let *target* keep the body at *source*: a hard link, or a copy where the file system has none to give.

    :raises Missing: when there is no such body.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except FileNotFoundError as error:
        raise Missing("a spooled body is not there") from error
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EMLINK, errno.EPERM):
            raise _unavailable(error) from error
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    partial = target.with_suffix(".part")
    with source.open("rb") as reading, open(partial, "wb", opener=opener) as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())
    partial.rename(target)
