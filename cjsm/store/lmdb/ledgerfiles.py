"""The directory ``ledger/``: files that are written whole and synced, or not at all."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from twisted.internet.defer import Deferred
from zope.interface import implementer

from cjsm.store.interfaces import CannotOpen, ILedgerFiles, Unavailable
from cjsm.store.lmdb.disk import Disk, Serial
from cjsm.store.lmdb.environment import make_directory, sync_directory

#: How what is not whole yet is called; a crash leaves one at most for each name, which the next try replaces.
_PART = ".part"


@implementer(ILedgerFiles)
class LedgerFiles:
    """:param directory: made when the first file is."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._directory = directory
        self._serial = Serial(disk)

    def read(self, name: str) -> bytes | None:
        """See :class:`ILedgerFiles`."""
        try:
            return (self._directory / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            path = self._directory / name
            raise CannotOpen(f"{path} cannot be read: {error.strerror}", "check its owner and mode") from error

    def names(self, directory: str) -> Sequence[str]:
        """See :class:`ILedgerFiles`."""
        try:
            found = sorted(os.listdir(self._directory / directory))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [f"{directory}/{name}" if directory else name for name in found if not name.endswith(_PART)]

    def write(self, files: Sequence[tuple[str, bytes]]) -> "Deferred[None]":
        """See :class:`ILedgerFiles`."""
        return self._changing(lambda: self._write(files))

    def remove(self, names: Sequence[str]) -> "Deferred[None]":
        """See :class:`ILedgerFiles`."""
        return self._changing(lambda: self._remove(names))

    def _changing(self, act: Callable[[], None]) -> "Deferred[None]":
        def told() -> None:
            try:
                act()
            except OSError as error:
                raise Unavailable(f"{error.filename or self._directory}: {error.strerror}") from error

        return self._serial.run(told)

    def _write(self, files: Sequence[tuple[str, bytes]]) -> None:
        changed: dict[Path, None] = {}
        for name, octets in files:
            path = self._directory / name
            changed |= dict.fromkeys(self._made(path.parent))
            _write_synced(path.with_name(path.name + _PART), octets)
        for name, _ in files:
            path = self._directory / name
            os.rename(path.with_name(path.name + _PART), path)
            changed[path.parent] = None
        for directory in changed:
            sync_directory(directory)

    def _made(self, directory: Path) -> list[Path]:
        """Make *directory* where it is missing; return the directories whose names changed."""
        missing = []
        while not directory.is_dir():
            missing.append(directory)
            directory = directory.parent
        if missing:
            make_directory(missing[0])
        return [each.parent for each in missing]

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            path = self._directory / name
            path.unlink(missing_ok=True)
            with suppress(OSError):
                # Not when something is left in it.
                path.parent.rmdir()


def _write_synced(path: Path, octets: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
