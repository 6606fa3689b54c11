"""A directory of exports, one for each mailbox, and the manifest that says what is in it.

``docs/specifications/stores.md`` describes it. The manifest only grows, a line at a time, each synced after the file
that it names: what it names is there whole, however the backup ended, and running it again does the rest.
"""

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import UNSET, Struct, UnsetType

from cjsm.community.identifiers import MailboxId, from_text, text
from cjsm.store.archive import ArchiveReader
from cjsm.store.interfaces import UNREADABLE, BackupDamaged, CannotOpen, Head, NewerStore
from cjsm.store.private import make_private

MANIFEST = "manifest.jsonl"
VERSION = 1
_ENDING = ".mailbox"
#: How the first line begins.
_FIRST = b'{"backup":'
_LONGEST_LINE = 4_096
_PIECE = 1 << 20

#: Acts as whoever called, for as long as the context lasts.
Caller = Callable[[], AbstractContextManager[None]]


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a manifest: the first has *backup*, the last of a finished one *finished*, others *mailbox* or, for a
    store of the service, *store*.
    """

    backup: int | UnsetType = UNSET
    suffix: str | UnsetType = UNSET
    begun: str | UnsetType = UNSET
    mailbox: str | UnsetType = UNSET
    store: str | UnsetType = UNSET
    file: str | UnsetType = UNSET
    octets: int | UnsetType = UNSET
    sha256: str | UnsetType = UNSET
    problem: str | UnsetType = UNSET
    finished: str | UnsetType = UNSET
    mailboxes: int | UnsetType = UNSET


class Counted(io.BufferedWriter):
    """A file being written, with the digest of what was written so far and how much it was.

    :param watch: told how many octets more.
    :ivar problem: why it could not be written.
    """

    def __init__(self, descriptor: int, watch: Callable[[int], object]) -> None:
        super().__init__(io.FileIO(descriptor, "wb"))
        self.octets = 0
        self.problem = ""
        self.digest = hashlib.sha256()
        self._watch = watch

    def write(self, octets: Any) -> int:
        """Write *octets*."""
        self.digest.update(octets)
        self.octets += len(octets)
        self._watch(len(octets))
        try:
            return super().write(octets)
        except OSError as error:
            self.problem = error.strerror or str(error)
            raise


@contextmanager
def writing(path: Path, within: Caller, watch: Callable[[int], object] = lambda octets: None) -> Iterator[Counted]:
    """Write a file that only its owner reads; it has its name when it is whole and synced, or is not there.

    :param within: files are made in it.
    :raises CannotOpen: when it cannot be made or written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with within():
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotOpen(f"{path}: {error.strerror}", "name a place in which you may write") from error
    file = Counted(descriptor, watch)
    try:
        yield file
        _end(file)
        with within():
            os.rename(part, path)
            sync_directory(path.parent)
    except BaseException as error:
        with suppress(OSError):
            file.close()
        with within():
            part.unlink(missing_ok=True)
        if file.problem:
            raise CannotOpen(f"{path}: {file.problem}", "make room there, and run it again") from error
        raise


def _end(file: Counted) -> None:
    try:
        file.flush()
        os.fsync(file.fileno())
        file.close()
    except OSError as error:
        file.problem = error.strerror or str(error)
        raise


class Backup:
    """A backup in *directory*, new or to be gone on with.

    :param within: files are opened and made in it.
    """

    def __init__(self, directory: Path, within: Caller) -> None:
        self._directory = directory
        self._within = within
        self.begun = ""
        self.suffix = ""
        self.finished = False
        self._done: dict[MailboxId, Line] = {}
        self._stores: dict[str, Line] = {}

    @property
    def stores(self) -> dict[str, Line]:
        """The service's stores that the backup holds, by name."""
        return self._stores

    @property
    def done(self) -> dict[MailboxId, Line]:
        """What the backup holds."""
        return self._done

    def create(self, suffix: str, begun: str) -> None:
        """Begin a new one, or go on with one that was not finished.

        :raises CannotOpen: when the directory holds something else, or a backup that is finished.
        """
        manifest = self._directory / MANIFEST
        try:
            with self._within():
                make_private(self._directory)
                if manifest.exists():
                    fresh = False
                elif fresh := not any(self._directory.iterdir()):
                    os.close(os.open(manifest, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                else:
                    raise CannotOpen(f"{self._directory} holds something else", "name a new directory")
        except OSError as error:
            raise CannotOpen(f"{self._directory}: {error.strerror}", "name a place in which you may write") from error
        if fresh or self._never_began():
            self._begin(suffix, begun)
            return
        self.read()
        if self.finished:
            raise CannotOpen(f"{self._directory} holds a finished backup of {self.begun}", "name a new directory")
        self.check_suffix(suffix)
        self._cut()

    def _never_began(self) -> bool:
        """Whether a crash came before the first line of the manifest was whole; what there is of it goes then."""
        with self._within(), (self._directory / MANIFEST).open("rb+") as file:
            line = file.readline(_LONGEST_LINE)
            torn = not line.endswith(b"\n") and line.startswith(_FIRST[: len(line)])
            if torn:
                file.truncate(0)
        return torn

    def _begin(self, suffix: str, begun: str) -> None:
        self.suffix, self.begun = suffix, begun
        self.add(Line(backup=VERSION, suffix=suffix, begun=begun))

    def check_suffix(self, suffix: str) -> None:
        """Check whose backup it is.

        :raises CannotOpen: when it is another community's.
        """
        if self.suffix != suffix:
            raise CannotOpen(f"this is a backup of {self.suffix}, not of {suffix}", "name another directory")

    def read(self) -> None:
        """Read the manifest. A line that a crash cut off is not one.

        :raises CannotOpen: when there is none.
        :raises BackupDamaged: when it is not a manifest.
        :raises NewerStore: when a newer version wrote it.
        """
        for number, line in enumerate(self._lines()):
            if number == 0:
                if not isinstance(line.backup, int):
                    raise BackupDamaged(f"{MANIFEST} does not begin as one")
                if line.backup > VERSION:
                    raise NewerStore("the backup was written by a newer version of this software")
                self.suffix, self.begun = line.suffix or "", line.begun or ""
            elif isinstance(line.finished, str):
                self.finished = True
            else:
                self._note(line)
        if not self.begun:
            raise BackupDamaged(f"{MANIFEST} is empty")

    def _lines(self) -> Iterator[Line]:
        try:
            with self._within():
                file = (self._directory / MANIFEST).open("rb")
        except OSError as error:
            cure = "name the directory of a backup, or the file of one mailbox"
            raise CannotOpen(f"{self._directory / MANIFEST}: {error.strerror}", cure) from error
        with file:
            while (line := file.readline(_LONGEST_LINE)).endswith(b"\n"):
                try:
                    yield msgspec.json.decode(line, type=Line)
                except UNREADABLE as error:
                    raise BackupDamaged(f"{MANIFEST} has a line that cannot be read") from error

    def _cut(self) -> None:
        """Take away what a crash left of a last line."""
        with self._within(), (self._directory / MANIFEST).open("rb+") as file:
            whole = 0
            while (line := file.readline(_LONGEST_LINE)).endswith(b"\n"):
                whole += len(line)
            file.truncate(whole)

    def add(self, line: Line) -> None:
        """Add a line, on stable storage."""
        with self._within(), (self._directory / MANIFEST).open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
            sync_directory(self._directory)
        self._note(line)

    def _note(self, line: Line) -> None:
        if isinstance(line.mailbox, str) and isinstance(line.file, str):
            self._done[_identifier(line.mailbox)] = line
        elif isinstance(line.store, str) and isinstance(line.file, str):
            self._stores[line.store] = line

    @contextmanager
    def writing(self, mailbox: MailboxId) -> Iterator[Counted]:
        """Write a mailbox's file; it is in the manifest when it is whole.

        :raises CannotOpen: when it cannot be made.
        """
        name = f"{text(mailbox)[:2]}/{text(mailbox)}{_ENDING}"
        path = self._directory / name
        with self._within():
            path.parent.mkdir(mode=0o700, exist_ok=True)
        with writing(path, self._within) as file:
            yield file
        self.add(Line(mailbox=text(mailbox), file=name, octets=file.octets, sha256=file.digest.hexdigest()))

    def copy(self, name: str, write: Callable[[int], object]) -> None:
        """Let *write* write a store's copy to an open file; it is in the manifest when it is whole.

        :raises CannotOpen: when it cannot be made.
        """
        path = self._directory / name
        with writing(path, self._within) as file:
            write(file.fileno())
        octets, digest = self._read_again(path)
        self.add(Line(store=name, file=name, octets=octets, sha256=digest))

    def _read_again(self, path: Path) -> tuple[int, str]:
        digest, octets = hashlib.sha256(), 0
        with self._within(), path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                octets += len(piece)
        return octets, digest.hexdigest()

    def put_back(self, name: str, directory: Path) -> None:
        """Put a store's copy into *directory*, synced, where it is the store from then on.

        :raises CannotOpen: when the backup has none, or there is such a store.
        :raises BackupDamaged: when the copy is not what was written.
        """
        line = self._stores.get(name)
        path = directory / name
        if line is None:
            raise CannotOpen(f"the backup does not hold {name}", "name a backup that `cjsm backup` made")
        if path.exists():
            raise CannotOpen(f"{path} is there already", "move what is there away")
        with open_export(self._directory / name, self._within) as source, writing(path, nullcontext) as file:
            while piece := source.read(_PIECE):
                file.write(piece)
            if (file.octets, file.digest.hexdigest()) != (line.octets, line.sha256):
                raise BackupDamaged(f"{name} of the backup is not what was written")

    def failed(self, mailbox: MailboxId, problem: str) -> None:
        """Note why a mailbox is not in the backup."""
        self.add(Line(mailbox=text(mailbox), problem=problem))

    def finish(self, moment: str) -> None:
        """Note that the backup is whole."""
        self.add(Line(finished=moment, mailboxes=len(self._done)))
        self.finished = True

    def path(self, mailbox: MailboxId) -> Path:
        """Return where a mailbox's file lies.

        :raises CannotOpen: when the backup has none.
        """
        if mailbox not in self._done:
            raise CannotOpen("the backup does not hold this mailbox", "name another backup")
        return self._directory / f"{text(mailbox)[:2]}/{text(mailbox)}{_ENDING}"


class Watched(io.BufferedReader):
    """A file being read.

    :param watch: told how many octets more.
    """

    def __init__(self, descriptor: int, watch: Callable[[int], object]) -> None:
        super().__init__(io.FileIO(descriptor, "rb"))
        self._watch = watch

    def read(self, size: int | None = -1, /) -> bytes:
        """Read the next octets."""
        octets = super().read(size)
        self._watch(len(octets))
        return octets


def open_export(path: Path, within: Caller, watch: Callable[[int], object] = lambda octets: None) -> Watched:
    """Open an export.

    :param watch: told how many octets more were read.
    :raises CannotOpen: when there is none.
    """
    try:
        with within():
            return Watched(os.open(path, os.O_RDONLY | os.O_CLOEXEC), watch)
    except OSError as error:
        raise CannotOpen(f"{path}: {error.strerror}", "name the file of one mailbox's backup") from error


def beginning(source: BinaryIO) -> tuple[MailboxId, Head]:
    """Return whose export *source* is, and where its list stood; it is read from its beginning again afterwards.

    :raises BackupDamaged: when it is none.
    """
    told = ArchiveReader(source).beginning
    source.seek(0)
    return told.mailbox, told.head


def _identifier(digits: str) -> MailboxId:
    try:
        return MailboxId(from_text(digits))
    except ValueError as error:
        raise BackupDamaged(f"{MANIFEST} names a mailbox that can be none") from error


def sync_directory(directory: Path) -> None:
    """Put the names in *directory* on stable storage."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
