"""Places that messages are written to: an mbox, a Maildir, a directory of EML files, each with the unique-ids.

Nobody but whoever writes may read them. What is half written has a name under which nobody looks for mail; a message
that is there already is not written again.
"""

import os
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from msgspec import Struct

from cjsm.mail.folders import uniqueids
from cjsm.mail.folders.errors import FolderError
from cjsm.mail.folders.files import Caller
from cjsm.mail.folders.lineends import Local
from cjsm.mail.folders.quoting import Quoting
from cjsm.store.backup import sync_directory

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_DIRECTORY_MODE, _FILE_MODE = 0o700, 0o600


class Going(Struct, frozen=True, kw_only=True):
    """A message that is written.

    :ivar accepted: when it was, in seconds since the epoch.
    """

    unique_id: str
    accepted: int


class Place(Protocol):
    """Where messages are written to, one after the other."""

    def has(self, message: Going) -> bool:
        """Whether the message is there, from a run before this one."""

    def begin(self, message: Going) -> None:
        """Begin with a message."""

    def write(self, piece: bytes) -> None:
        """Write the next octets of it, with CRLF ends of lines."""

    def end(self) -> None:
        """The message is whole: put it in its place, on stable storage."""

    def finish(self) -> None:
        """Everything is written: write the list of unique-ids."""

    def close(self) -> None:
        """Close what is open, and take away what is half written."""


def open_place(path: Path, form: str, within: Caller) -> Place:
    """Return the place *path*, made as whoever *within* acts as.

    :param form: ``mbox`` (mboxrd), ``maildir`` or ``eml``.
    :raises FolderError: when it cannot be made, or something else is there.
    """
    try:
        if form == "mbox":
            return MboxPlace(path, within)
        return MaildirPlace(path, within) if form == "maildir" else EmlPlace(path, within)
    except OSError as error:
        raise FolderError(f"{path}: {error.strerror}", "name a place in which you may write") from error


class MboxPlace:
    """An mbox (mboxrd), whole or not there. The field behind the line that begins a message has its unique-id."""

    def __init__(self, path: Path, within: Caller) -> None:
        self._within = within
        self._path, self._part = path, path.with_name(path.name + ".part")
        with within():
            if path.exists() or path.is_symlink():
                raise FolderError(f"{path} exists already", "name another file")
            self._file = _create(self._part)
        self._local, self._quoting = Local(), Quoting()

    def has(self, message: Going) -> bool:
        """See :class:`Place`: it is written anew each time."""
        return False

    def begin(self, message: Going) -> None:
        """See :class:`Place`."""
        moment = datetime.fromtimestamp(message.accepted, UTC).strftime("%a %b %e %H:%M:%S %Y")
        self._file.write(f"From MAILER-DAEMON {moment}\nX-UIDL: {message.unique_id}\n".encode())
        self._local, self._quoting = Local(), Quoting()

    def write(self, piece: bytes) -> None:
        """See :class:`Place`."""
        self._file.write(self._quoting.write(self._local.write(piece)))

    def end(self) -> None:
        """See :class:`Place`."""
        self._file.write(self._quoting.write(self._local.finish()) + self._quoting.finish() + b"\n")

    def finish(self) -> None:
        """See :class:`Place`."""
        _sync(self._file)
        self._file.close()
        with self._within():
            os.rename(self._part, self._path)
            sync_directory(self._path.parent)

    def close(self) -> None:
        """See :class:`Place`."""
        self._file.close()
        with self._within():
            self._part.unlink(missing_ok=True)


class _Files:
    """What Maildir and EML files share: one file for each message, and a list beside them."""

    def __init__(self, path: Path, within: Caller, parts: Sequence[str], kept: str) -> None:
        self._within = within
        self._path, self._kept = path, path / kept
        self._listed: list[tuple[str, str]] = []
        self._file: BinaryIO | None = None
        with within():
            _make(path)
            for part in parts:
                _make(path / part)
            self._there = {_stem(name): name for name in os.listdir(self._kept)}

    def has(self, message: Going) -> bool:
        """See :class:`Place`."""
        name = self._there.get(self._stem_of(message))
        if name is not None:
            self._listed.append((name, message.unique_id))
        return name is not None

    def _stem_of(self, message: Going) -> str:
        raise NotImplementedError

    def _begin(self, part: Path) -> None:
        with self._within():
            part.unlink(missing_ok=True)
            self._file = _create(part)

    def _put(self, part: Path, name: str, unique_id: str, accepted: int) -> None:
        assert self._file is not None, "a message was begun"
        _sync(self._file)
        with self._within():
            os.utime(self._file.fileno(), (accepted, accepted))
            os.rename(part, self._kept / name)
        self._file.close()
        self._file = None
        self._listed.append((name, unique_id))

    def finish(self) -> None:
        """See :class:`Place`."""
        path, part = self._path / uniqueids.WRITTEN, self._path / f"{uniqueids.WRITTEN}.part"
        self._begin(part)
        assert self._file is not None, "it was begun"
        now = int(datetime.now(UTC).timestamp())
        for line in uniqueids.written(self._listed, now, secrets.token_hex(16)):
            self._file.write(os.fsencode(line))
        _sync(self._file)
        self._file.close()
        self._file = None
        with self._within():
            os.rename(part, path)
            sync_directory(self._kept)
            sync_directory(self._path)

    def close(self) -> None:
        """See :class:`Place`."""
        if self._file is not None:
            self._file.close()
            with self._within():
                Path(self._file.name).unlink(missing_ok=True)


class MaildirPlace(_Files):
    """A Maildir with a ``dovecot-uidlist``."""

    def __init__(self, path: Path, within: Caller) -> None:
        super().__init__(path, within, ("tmp", "new", "cur"), "cur")
        self._message = Going(unique_id="", accepted=0)
        self._local = Local()
        self._octets = self._on_the_wire = 0

    def _stem_of(self, message: Going) -> str:
        return f"{message.accepted}.{_safe(message.unique_id)}.cjsm"

    @property
    def _part(self) -> Path:
        return self._path / "tmp" / self._stem_of(self._message)

    def begin(self, message: Going) -> None:
        """See :class:`Place`."""
        self._message, self._local, self._octets, self._on_the_wire = message, Local(), 0, 0
        self._begin(self._part)

    def write(self, piece: bytes) -> None:
        """See :class:`Place`."""
        self._on_the_wire += len(piece)
        self._write(self._local.write(piece))

    def _write(self, octets: bytes) -> None:
        assert self._file is not None, "a message was begun"
        self._octets += self._file.write(octets)

    def end(self) -> None:
        """See :class:`Place`."""
        self._write(self._local.finish())
        name = f"{self._stem_of(self._message)},S={self._octets},W={self._on_the_wire}:2,"
        self._put(self._part, name, self._message.unique_id, self._message.accepted)


class EmlPlace(_Files):
    """A directory of EML files, named by time and unique-id, with a list as a Maildir has one."""

    def __init__(self, path: Path, within: Caller) -> None:
        super().__init__(path, within, (), "")
        self._message = Going(unique_id="", accepted=0)

    def _stem_of(self, message: Going) -> str:
        moment = datetime.fromtimestamp(message.accepted, UTC).strftime("%Y%m%dT%H%M%SZ")
        return f"{moment}-{_safe(message.unique_id)}.eml"

    @property
    def _part(self) -> Path:
        return self._path / f"{self._stem_of(self._message)}.part"

    def begin(self, message: Going) -> None:
        """See :class:`Place`."""
        self._message = message
        self._begin(self._part)

    def write(self, piece: bytes) -> None:
        """See :class:`Place`."""
        assert self._file is not None, "a message was begun"
        self._file.write(piece)

    def end(self) -> None:
        """See :class:`Place`."""
        self._put(self._part, self._stem_of(self._message), self._message.unique_id, self._message.accepted)


def _safe(unique_id: str) -> str:
    """Return *unique_id* as a part of a file name that tells it from every other, whatever is in it."""
    return _UNSAFE.sub(lambda match: f"%{ord(match[0]):02X}", unique_id)


def _stem(name: str) -> str:
    """Return a file's name without sizes and flags."""
    return name.partition(",")[0]


def _make(directory: Path) -> None:
    directory.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)


def _create(path: Path) -> BinaryIO:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
    return open(path, "wb", opener=lambda _path, _flags: descriptor)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
