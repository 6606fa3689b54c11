"""The results of `cjsm user import`: each row with what became of it, and one-time passwords, kept nowhere else.

Rows that are about to be made are written ahead, synced, to a file beside that ends in ``.part``: whatever ends the
import, no password of somebody who was made is lost. Whom it never came to make is left out when the import is run
again, since the password fits nobody; so the results have the passwords of exactly those who were made.
"""

import fcntl
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from cjsm.command.context import as_caller
from cjsm.command.directoryrows import Planned
from cjsm.command.output import Refused
from cjsm.command.userrows import MADE, TABLE, TITLES
from cjsm.directory.fields import ADDRESS
from cjsm.directory.forms.csvfile import RESULTS, USER_ID, CsvWriter
from cjsm.directory.forms.rows import FormError
from cjsm.store.backup import sync_directory

_PASSWORD, _RESULT = RESULTS[1], RESULTS[2]
_MARK = b"\xef\xbb\xbf"

#: One line, by column.
Line = Mapping[str, str]


def default(source: Path) -> Path:
    """Return where the results of a file are written when nobody says where."""
    return source.with_name(f"{source.stem}.results.csv")


class ResultFile:
    """A file of results that is not there yet, and what is written ahead of it.

    :ivar kept: of an import that was broken off: whom it made, by user ID.
    """

    def __init__(self, path: Path, *, most_octets: int, most_rows: int, cell_characters: int) -> None:
        self.path = path
        self.kept: dict[str, Line] = {}
        self._part = path.with_name(path.name + ".part")
        self._most_octets = most_octets
        self._read = partial(TABLE.read, most_rows=most_rows, cell_characters=cell_characters)
        self._writer = CsvWriter(titles=TITLES, more=RESULTS)
        self._descriptor: int | None = None

    def begin(self, is_theirs: Callable[[str, str], bool]) -> None:
        """Begin to write ahead, after what an import that was broken off left. Nobody else may meanwhile.

        :param is_theirs: whether somebody was made: by user ID and one-time password.
        :raises Refused: when the results are there, are written by another import, or cannot be made.
        """
        with as_caller(), _told(self._part):
            if self.path.exists():
                raise self._there()
            self._descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            self._hold(self._descriptor)
            for line in self._left(self._descriptor):
                if is_theirs(line.get(USER_ID, ""), line.get(_PASSWORD, "")):
                    self.kept[line[USER_ID]] = line
            sync_directory(self._part.parent)

    def _there(self) -> Refused:
        """Return why nothing is written: an import was done, or the file is something else."""
        begins = self._writer.begin()
        if self.path.is_file():
            with self.path.open("rb") as file:
                if file.read(len(begins)) == begins:
                    cure = "look there what became of each row; to import again, name another file with --results"
                    return Refused(f"this was imported already: {self.path} has the results", cure)
        return Refused(f"{self.path} exists already", "name another file for the results with --results")

    def _hold(self, descriptor: int) -> None:
        """Let no other import write ahead there; look whether it is a file of one's own."""
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            raise Refused(f"{self._part} is not yours", "name another file for the results with --results")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have ended, and taken it away, since it was opened.
            held = os.stat(self._part).st_ino == facts.st_ino
        except (BlockingIOError, FileNotFoundError):
            held = False
        if not held:
            cure = "wait until it ends, or name another file for the results with --results"
            raise Refused(f"another import writes {self.path} now", cure)
        os.fchmod(descriptor, 0o600)

    def _left(self, descriptor: int) -> Sequence[Line]:
        """Return the whole lines of an import that was broken off, and go on behind them, or begin."""
        octets = b"".join(iter(lambda: os.read(descriptor, 1 << 20), b"")) if self._fits(descriptor) else b"too much"
        # The last line may have been cut off in the middle: whom it is about was not made.
        whole = octets[: octets.rfind(b"\r\n") + 2] if b"\r\n" in octets else b""
        if octets and not (whole or octets).startswith(_MARK[: len(octets)]):
            raise Refused(f"{self._part} is something else", "move it away, or name another file with --results")
        os.ftruncate(descriptor, len(whole))
        os.lseek(descriptor, len(whole), os.SEEK_SET)
        if not whole:
            _write_all(descriptor, self._writer.begin())
            os.fsync(descriptor)
            return []
        try:
            return [row.values for row in self._read(whole).rows]
        except FormError as error:
            raise Refused(f"{self._part}: {error}", "move it away, or name another file with --results") from None

    def _fits(self, descriptor: int) -> bool:
        return os.fstat(descriptor).st_size <= self._most_octets

    def ahead(self, planned: Iterable[Planned]) -> None:
        """Write those who are about to be made, on stable storage when this returns."""
        octets = b"".join(self._writer.row(_line(each)) for each in planned)
        with _told(self._part):
            _write_all(self._descriptor_now(), octets)
            os.fsync(self._descriptor_now())

    def finish(self, planned: Sequence[Planned]) -> None:
        """Write the results and take away what was written ahead.

        :raises Refused: when that cannot be; what was written ahead stays.
        """
        lines = [self._settled(each) for each in planned]
        mine = {line[USER_ID] for line in lines}
        whole = self.path.with_name(self.path.name + ".whole")
        with as_caller(), _told(self.path):
            self._write_new(whole, [*lines, *(line for name, line in self.kept.items() if name not in mine)])
            self._name_whole(whole)
            sync_directory(self.path.parent)
            self._part.unlink()
        self.close()

    def _name_whole(self, whole: Path) -> None:
        """Give the results their name, unless something has it."""
        try:
            os.link(whole, self.path)
        except FileExistsError:
            whole.unlink()
            raise
        except OSError:
            # A file system without links.
            if self.path.exists():
                raise
            whole.rename(self.path)
            return
        whole.unlink()

    def _settled(self, each: Planned) -> Line:
        """Return the line of a row; whom the import that was broken off made has the password of then."""
        before = self.kept.get(each.user_id)
        return before if before is not None and not each.one_time_password else _line(each)

    def close(self) -> None:
        """End; what was written ahead stays, if the results are not there."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _descriptor_now(self) -> int:
        assert self._descriptor is not None, "it was begun"
        return self._descriptor

    def _write_new(self, path: Path, lines: Iterable[Line]) -> None:
        """Put a file in the place of *path*, which only its owner reads."""
        fresh = path.with_name(path.name + ".new")
        with suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _write_all(descriptor, self._writer.begin() + b"".join(self._writer.row(line) for line in lines))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.rename(path)
        sync_directory(path.parent)


def _line(each: Planned) -> Line:
    made = each.one_time_password if each.result == MADE else ""
    more = (each.user_id, made, each.result, each.in_words())
    address = each.address or each.row.values.get(ADDRESS, "")
    return {**each.row.values, ADDRESS: address, **dict(zip(RESULTS, more, strict=True))}


def _write_all(descriptor: int, octets: bytes) -> None:
    left = memoryview(octets)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say which file it was, and what to do."""
    try:
        yield
    except OSError as error:
        cure = "name a place with room in which you may write, with --results; nothing is lost: run it again"
        raise Refused(f"{path}: {error.strerror}", cure) from error
