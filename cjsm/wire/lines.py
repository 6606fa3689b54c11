"""Lines that end in CRLF and in nothing else (RFC 5321 §2.3.8, RFC 1939 §3)."""

import re
from typing import TypeAlias

from msgspec import Struct

CRLF = b"\r\n"

_STRAY = re.compile(rb"\0|\n|\r(?=[^\n])")
_KINDS = {b"\0": "NUL", b"\n": "bare LF", b"\r": "bare CR"}


class BadLine(Struct, frozen=True):
    """A line with an octet that no line may hold. It is skipped up to its CRLF and never interpreted.

    :ivar kind: ``bare CR``, ``bare LF`` or ``NUL``.
    """

    kind: str


class LineTooLong(Struct, frozen=True):
    """A line over the limit. It is skipped up to its CRLF and never interpreted.

    :ivar limit: octets that were allowed, CRLF included.
    """

    limit: int


Line: TypeAlias = bytes | BadLine | LineTooLong


class LineReader:
    """Takes octets as they come and gives lines one at a time, so that one command is done before the next is seen.

    A fault is reported as soon as it shows, once for its line; the rest of that line is dropped as it arrives.

    :ivar limit: most octets of a line, CRLF included; may be changed between lines (SMTP AUTH).
    :param pause_at: buffered octets from which on :attr:`wants_pause` holds.
    """

    def __init__(self, limit: int, *, pause_at: int = 65_536) -> None:
        self.limit = limit
        self._pause_at = pause_at
        self._buffer = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        self._buffer += data

    def next_line(self) -> Line | None:
        """Return the next line without its CRLF, a fault, or None when no line is complete."""
        if self._skipping and not self._skip():
            return None
        end = self._buffer.find(CRLF, 0, self.limit)
        stray = _STRAY.search(self._buffer, 0, self.limit if end < 0 else end + 1)
        if stray:
            return self._refuse(BadLine(_KINDS[stray[0]]))
        if end >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 2]
            return line
        if len(self._buffer) >= self.limit:
            return self._refuse(LineTooLong(self.limit))
        return None

    def take(self) -> bytes:
        """Remove and return everything buffered: what follows a command that starts data."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    @property
    def buffered(self) -> int:
        """Octets received and not yet consumed. More than none after STARTTLS is an injection (RFC 3207 §4.2)."""
        return len(self._buffer)

    @property
    def wants_pause(self) -> bool:
        """True while so much is buffered that reading should stop."""
        return len(self._buffer) >= self._pause_at

    def _refuse(self, fault: BadLine | LineTooLong) -> Line:
        self._skipping = True
        self._skip()
        return fault

    def _skip(self) -> bool:
        end = self._buffer.find(CRLF)
        if end >= 0:
            del self._buffer[: end + 2]
            self._skipping = False
        else:
            kept = 1 if self._buffer.endswith(b"\r") else 0
            del self._buffer[: len(self._buffer) - kept]
        return not self._skipping
