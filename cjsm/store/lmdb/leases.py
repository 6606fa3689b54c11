"""Leases on maildrops: fcntl byte-range locks that end with their process, and a table within it."""

import fcntl
import hashlib
import os
import struct
from pathlib import Path

from zope.interface import implementer

from cjsm.store.interfaces import ILease, LeaseTaken, Unavailable
from cjsm.store.private import make_private

_FILES = 64
#: Byte offsets that a lock may lie at; behind them lies that of the file's counter.
_OFFSETS = 1 << 62
_COUNTER = struct.Struct(">Q")


class Leases:
    """The leases of this process, over lock files in *directory*, each opened once: closing one drops its locks."""

    def __init__(self, directory: Path) -> None:
        make_private(directory)
        self._directory = directory
        self._files: dict[int, int] = {}
        self._held: set[bytes] = set()

    def take(self, maildrop: bytes) -> "Lease":
        """Take *maildrop* (mailbox and member together).

        :raises LeaseTaken: while a session here or in another process has it.
        :raises Unavailable: when the lock file cannot be opened or written.
        """
        if maildrop in self._held:
            raise LeaseTaken("another session has this maildrop")
        try:
            descriptor, offset = self._place(maildrop)
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
            try:
                number = _next_number(descriptor)
            except OSError:
                fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, offset)
                raise
        except (BlockingIOError, PermissionError) as error:
            raise LeaseTaken("a session of another process has this maildrop") from error
        except OSError as error:
            raise Unavailable(f"a lease cannot be taken: {error.strerror}") from error
        self._held.add(maildrop)
        return Lease(self, maildrop, number)

    def holds(self, maildrop: bytes) -> bool:
        """Whether this process has *maildrop*."""
        return maildrop in self._held

    def give_back(self, maildrop: bytes) -> None:
        """End a lease."""
        if maildrop in self._held:
            self._held.discard(maildrop)
            descriptor, offset = self._place(maildrop)
            fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, offset)

    def close(self) -> None:
        """End every lease of this process."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()
        self._held.clear()

    def _place(self, maildrop: bytes) -> tuple[int, int]:
        digest = hashlib.sha256(maildrop).digest()
        name = digest[0] % _FILES
        if name not in self._files:
            path = self._directory / f"{name:02d}"
            self._files[name] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._files[name], int.from_bytes(digest[8:16], "big") % _OFFSETS


@implementer(ILease)
class Lease:
    """One maildrop held."""

    def __init__(self, leases: Leases, maildrop: bytes, fence: int) -> None:
        self.fence = fence
        self._leases = leases
        self._maildrop: bytes | None = maildrop

    @property
    def held(self) -> bool:
        """See :class:`ILease`."""
        return self._maildrop is not None and self._leases.holds(self._maildrop)

    def release(self) -> None:
        """See :class:`ILease`."""
        if self._maildrop is not None:
            self._leases.give_back(self._maildrop)
            self._maildrop = None


def _next_number(descriptor: int) -> int:
    """Count up in the lock file itself, so that numbers rise over all processes."""
    fcntl.lockf(descriptor, fcntl.LOCK_EX, 1, _OFFSETS)
    try:
        last = os.pread(descriptor, _COUNTER.size, 0)
        following = (_COUNTER.unpack(last)[0] if len(last) == _COUNTER.size else 0) + 1
        os.pwrite(descriptor, _COUNTER.pack(following), 0)
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, _OFFSETS)
    return following
