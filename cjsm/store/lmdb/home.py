"""A mailbox's directory: the numbered files of which the last is the mailbox, and who may change which one that is.

Compacting copies ``mailbox.mdb`` to the next number (``mailbox.2.part``, synced), marks it as superseded in a commit of
its own, then gives the copy its name (``mailbox.2.mdb``) and removes what it replaces. Everybody looks for the mark
after beginning a transaction: whoever finds it does what was left undone, and opens the next file. A crash between any
two steps leaves one file that is the mailbox. Destroying first leaves a note, which whoever opens next acts upon.

Whoever opens holds a shared lock on the directory; whoever changes the files' names an exclusive one, taken before a
write transaction and never within one.
"""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import lmdb

from cjsm.store.interfaces import Quarantined, StoreError
from cjsm.store.lmdb.environment import Environment, number, sync_directory
from cjsm.store.private import make_private, opener

_NUMBER = r"(?:\.([1-9][0-9]*))?\.mdb"
_MARK = b"superseded"
#: Octets of LMDB's two meta pages, which are looked at first.
_BEGINNING = 8192
#: Linux: read what is in memory, or nothing.
_NO_WAIT: int = getattr(os, "RWF_NOWAIT", 0)
_QUARANTINE = "quarantined"
_CONDEMNED = "condemned"
_GONE = ".gone"
#: What :func:`remove_beside` is told of mailboxes that were taken away.
GONE = "*" + _GONE
#: Mailboxes that are made or copied, and how many seconds that may take.
_ASIDE = ".aside"
_ASIDE_FOR = 86_400
#: Mailboxes in quarantine that were replaced.
_DAMAGED = ".damaged"


class Superseded(StoreError):
    """This file is not the mailbox any more: *by* is the number of the one that is, 0 when there is none."""

    def __init__(self, by: int) -> None:
        super().__init__("the mailbox's file was replaced")
        self.by = by


def check_current(environment: Environment, transaction: lmdb.Transaction) -> None:
    """Check that the file is still the mailbox.

    :raises Superseded: when it is not.
    """
    mark = transaction.get(_MARK, db=environment.meta)
    if mark is not None:
        raise Superseded(int.from_bytes(mark, "big"))


def mark_superseded(environment: Environment, transaction: lmdb.Transaction, by: int) -> None:
    """Say that *by* is the mailbox once *transaction* is committed."""
    transaction.put(_MARK, number(by), db=environment.meta)


class Home:
    """The directory of one mailbox.

    :param stem: how its files are called; the key store, whose file is replaced alike, has another.
    """

    def __init__(self, directory: Path, stem: str = "mailbox") -> None:
        self.directory = directory
        self._stem = stem
        self._name = re.compile(stem + _NUMBER)
        self.bodies = directory / "bodies"
        # As text: names are looked for at each opening.
        self._text = str(directory)

    def numbers(self) -> list[int]:
        """Return the numbers of its files, lowest first."""
        try:
            found = [self._name.fullmatch(name) for name in os.listdir(self._text)]
        except FileNotFoundError:
            return []
        return sorted(int(match[1] or 1) for match in found if match)

    def exists(self) -> bool:
        """Whether there is a mailbox."""
        # Nearly every mailbox has one of the first two: looking for them costs less than listing.
        return (os.path.exists(f"{self._text}/{self._stem}.mdb") or bool(self.numbers())) and not self._condemned

    def at_hand(self) -> bool:
        """Whether opening the mailbox waits for neither the disk nor who replaces files or writes for long.

        One moment's answer: who opens it may still wait for somebody's commit.
        """
        try:
            with self.locked(exclusive=False, wait=False):
                current = self.file((self.numbers() or [1])[-1])
                usual = {current.name, f"{current.name}-lock", self.bodies.name}
                return usual.issuperset(os.listdir(self._text)) and _is_in_memory(current)
        except OSError:
            return False

    def file(self, which: int) -> Path:
        """Return the file with a number."""
        return self.directory / (f"{self._stem}.mdb" if which == 1 else f"{self._stem}.{which}.mdb")

    def part(self, which: int) -> Path:
        """Return the file with a number while it is made."""
        return self.directory / f"{self._stem}.{which}.part"

    @contextmanager
    def locked(self, *, exclusive: bool, wait: bool = True) -> Iterator[None]:
        """Nobody changes the files' names meanwhile, or with *exclusive* opens one.

        :raises FileNotFoundError: when there is no directory (any more).
        :raises BlockingIOError: when somebody has the lock and this is not to *wait*.
        """
        descriptor = os.open(self._text, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
            fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino != os.stat(self._text).st_ino:
                raise FileNotFoundError(2, "the mailbox was replaced")
            yield
        finally:
            os.close(descriptor)

    def make(self) -> None:
        """Make the directory."""
        make_private(self.bodies)

    def sync(self) -> None:
        """Put the names of its files, and its own, on stable storage."""
        for directory in (self.directory, *self.directory.parents[:2]):
            sync_directory(directory)

    def succeed(self, by: int) -> None:
        """Give the next file its name, as whoever superseded the one before was about to, and remove the others."""
        with suppress(FileNotFoundError), self.locked(exclusive=True):
            if self._condemned:
                self.take_away()
            elif by:
                self.name_successor(by)

    def name_successor(self, by: int) -> None:
        """Do the same under the lock."""
        if not self.file(by).exists():
            os.rename(self.part(by), self.file(by))
        sync_directory(self.directory)
        for old in self.numbers():
            if old < by:
                remove_environment(self.file(old))

    def clear(self, current: int) -> None:
        """Remove what a crash left of replacing a file; *current* is the mailbox."""
        if self._leftovers(current):
            with self.locked(exclusive=True):
                for path in self._leftovers(current):
                    path.unlink(missing_ok=True)

    def _leftovers(self, current: int) -> list[Path]:
        """Return the files of mailboxes that are not *current*, nor one that follows it."""
        names = [name for name in os.listdir(self._text) if name.startswith(f"{self._stem}.")]
        first = self.file(current).name
        if set(names) <= {first, f"{first}-lock"}:
            return []
        kept = {first, self.part(current).name}
        kept |= {self.file(following).name for following in self.numbers() if following > current}
        return [self.directory / name for name in names if name.removesuffix("-lock") not in kept]

    # Destroying

    @property
    def _condemned(self) -> bool:
        return os.path.exists(f"{self._text}/{_CONDEMNED}")

    def condemn(self) -> None:
        """Note that the mailbox is destroyed, whoever takes it away."""
        (self.directory / _CONDEMNED).touch(mode=0o600)
        sync_directory(self.directory)

    def take_away(self) -> None:
        """Give the directory a name under which nobody looks; the lock must be held."""
        os.rename(self.directory, self._beside(_DAMAGED if self.quarantined and not self._condemned else _GONE))
        sync_directory(self.directory.parent)

    def aside(self) -> "Home":
        """Return a directory beside it that nobody looks at."""
        return Home(self._beside(_ASIDE))

    def take_place(self, mailbox: "Home") -> None:
        """Become *mailbox*, which must not be there."""
        os.rename(self.directory, mailbox.directory)
        sync_directory(mailbox.directory.parent)

    def _beside(self, kind: str) -> Path:
        return self.directory.with_name(f"{self.directory.name}.{time.time_ns():x}{kind}")

    # Quarantine

    def check_usable(self) -> None:
        """Take a mailbox away that was to be destroyed.

        :raises Quarantined: when the mailbox is in quarantine.
        """
        if self._condemned:
            self.succeed(0)
        if not self.quarantined:
            return
        with suppress(FileNotFoundError):
            raise Quarantined((self.directory / _QUARANTINE).read_text("utf-8").strip())

    def quarantine(self, reason: str) -> None:
        """Keep everybody from the mailbox's file until the mailbox is restored."""
        told = f"quarantined at {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC: {reason}\n"
        with (
            suppress(FileExistsError),
            open(self.directory / _QUARANTINE, "x", encoding="utf-8", opener=opener) as file,
        ):
            file.write(told)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(self.directory)

    @property
    def note(self) -> Path:
        """Where the note lies while it is in quarantine."""
        return self.directory / _QUARANTINE

    @property
    def quarantined(self) -> bool:
        """Whether it is in quarantine."""
        return os.path.exists(f"{self._text}/{_QUARANTINE}")


def _is_in_memory(path: Path) -> bool:
    """Whether the system has the beginning of a file in memory.

    :raises OSError: when it has not, or cannot say.
    """
    if not _NO_WAIT:
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.preadv(descriptor, [bytearray(_BEGINNING)], 0, _NO_WAIT) == _BEGINNING
    finally:
        os.close(descriptor)


def remove_environment(path: Path) -> None:
    """Remove an environment's file and its lock."""
    path.unlink(missing_ok=True)
    path.with_name(path.name + "-lock").unlink(missing_ok=True)


def remove_gone(mailboxes: Path, now: float) -> None:
    """Remove what is left of mailboxes that were taken away, and of copies that nobody needs any more.

    :raises OSError: when something cannot be removed.
    """
    for left in mailboxes.glob(f"??/*{_GONE}"):
        shutil.rmtree(left)
    for left in mailboxes.glob(f"??/*{_ASIDE}"):
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < now - _ASIDE_FOR:
                shutil.rmtree(left)


def remove_beside(mailbox: Home, kind: str = "*") -> None:
    """Remove what is beside a mailbox: of its former selves those of *kind*, or all.

    :raises OSError: when something cannot be removed.
    """
    for left in mailbox.directory.parent.glob(f"{mailbox.directory.name}.{kind}"):
        shutil.rmtree(left)
