"""A message's body, made canonical and hashed as it passes (RFC 6376 §3.4.3, §3.4.4, §3.7).

Nothing of it is kept but what the end of the body may take away again: blank lines, counted, and white space.
"""

import hashlib
import re
from collections.abc import Collection
from enum import StrEnum

from msgspec import Struct

_TABS = bytes.maketrans(b"\t", b" ")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_NEWLINE = b"\r\n"
#: So many blank lines are hashed in one go.
_LINES = 4_096


class Canonicalization(StrEnum):
    """How octets that servers change on the way are made alike."""

    SIMPLE = "simple"
    RELAXED = "relaxed"


class BodyHashes(Struct, frozen=True, kw_only=True):
    """SHA-256 of a body for each canonicalization; None for one that nobody wanted."""

    simple: bytes | None = None
    relaxed: bytes | None = None

    def of(self, canonicalization: Canonicalization) -> bytes | None:
        """Return the hash for one of them."""
        return self.simple if canonicalization is Canonicalization.SIMPLE else self.relaxed


class SimpleBody:
    """Blank lines at the end are left out, and there is always a last line end (§3.4.3)."""

    _blank = _NEWLINE

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._lines = 0
        self._return = b""
        self._empty = True

    def write(self, octets: bytes) -> None:
        """Take the next octets."""
        octets = self._return + octets
        # Whether a carriage return ends a line is seen from what follows it.
        self._return = b"\r" if octets.endswith(b"\r") else b""
        octets = octets[: len(octets) - len(self._return)]
        end = _content_end(octets, len(octets.rstrip(self._blank)))
        if end:
            self._content(octets[:end])
        self._hold(octets[end:])

    def _content(self, octets: bytes) -> None:
        """Hash the lines that were held back, and octets that end in something that stays."""
        while self._lines:
            lines = min(self._lines, _LINES)
            self._hash.update(_NEWLINE * lines)
            self._lines -= lines
        self._hash.update(self._canonical(octets))
        self._empty = False

    def _canonical(self, octets: bytes) -> bytes:
        return octets

    def _hold(self, blank: bytes) -> None:
        self._lines += blank.count(_NEWLINE)

    def _end(self) -> None:
        last, self._return = self._return, b""
        if last:
            self._content(last)

    def finish(self) -> bytes:
        """Return the hash."""
        self._end()
        self._hash.update(_NEWLINE)
        return self._hash.digest()


def _content_end(octets: bytes, end: int) -> int:
    """Return where content ends, from *end* on: a carriage return or a line feed alone is content."""
    lines = octets.count(_NEWLINE, end)
    if octets.count(b"\r", end) == octets.count(b"\n", end) == lines:
        return end
    return max(match.end() for match in _BARE.finditer(octets, end))


class RelaxedBody(SimpleBody):
    """White space at the end of lines is left out too, other white space is one space; no octets stay none (§3.4.4)."""

    _blank = b" \t\r\n"

    def __init__(self) -> None:
        super().__init__()
        self._space = False

    def _canonical(self, octets: bytes) -> bytes:
        white, self._space = b" " if self._space else b"", False
        octets = (white + octets).translate(_TABS)
        while b"  " in octets:
            octets = octets.replace(b"  ", b" ")
        return octets.replace(b" \r\n", _NEWLINE)

    def _hold(self, blank: bytes) -> None:
        super()._hold(blank)
        if blank:
            self._space = not blank.endswith(_NEWLINE)

    def finish(self) -> bytes:
        """Return the hash."""
        self._end()
        if not self._empty:
            self._hash.update(_NEWLINE)
        return self._hash.digest()


class BodyInspector:
    """Reads a body beside whoever else does, and keeps the hashes that signatures need.

    :param wanted: how the body is to be made canonical; nothing costs nothing.
    """

    def __init__(self, wanted: Collection[Canonicalization]) -> None:
        self._simple = SimpleBody() if Canonicalization.SIMPLE in wanted else None
        self._relaxed = RelaxedBody() if Canonicalization.RELAXED in wanted else None

    def write(self, octets: bytes) -> None:
        """Take the next octets of the body, which begins after the blank line."""
        if self._simple is not None:
            self._simple.write(octets)
        if self._relaxed is not None:
            self._relaxed.write(octets)

    def finish(self) -> BodyHashes:
        """Return the hashes; nothing may be written after it."""
        return BodyHashes(
            simple=self._simple.finish() if self._simple is not None else None,
            relaxed=self._relaxed.finish() if self._relaxed is not None else None,
        )
