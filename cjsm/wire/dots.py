"""The one dot-stuffing, both ways (RFC 5321 §4.5.2, RFC 1939 §3).

State is carried over chunks: a message comes out the same however it was cut.
"""

from enum import Enum
from typing import NamedTuple

END = b"\r\n.\r\n"
_CRLF = b"\r\n"


class Stuffer:
    """Doubles the dots that begin lines of a message on its way out.

    A message is lines that end in CRLF; :meth:`finish` ends a last line that does not.
    """

    def __init__(self) -> None:
        self._tail = _CRLF

    def write(self, chunk: bytes) -> bytes:
        """Return *chunk* as it goes on the wire."""
        carried = len(self._tail)
        joined = self._tail + chunk
        self._tail = joined[-2:]
        return joined.replace(b"\r\n.", b"\r\n..")[carried:]

    def finish(self) -> bytes:
        """Return the terminator."""
        return b".\r\n" if self._tail == _CRLF else END


class TextFault(Enum):
    """Why a text must be refused once its real end has come; the value is the public text."""

    NUL = "NUL in text"
    BARE_LF = "bare LF in text"
    BARE_CR = "bare CR in text"
    LINE_TOO_LONG = "text line too long"


class Unstuffed(NamedTuple):
    """What one chunk gave.

    :ivar data: text, unstuffed; the CRLF before the terminating dot belongs to it.
    :ivar ended: True when the terminator was in this chunk.
    :ivar rest: what followed the terminator: the next commands.
    """

    data: bytes
    ended: bool
    rest: bytes


class Unstuffer:
    """Reads a text up to exactly CRLF.CRLF; nothing else ends it.

    Faults do not end it either: they are remembered in :attr:`fault`, while reading goes on.

    :param line_limit: most octets of a line, CRLF included, the doubled dot not counted (RFC 5321 §4.5.3.1.6).
    :ivar fault: a fault of the first chunk that had one, or None.
    """

    def __init__(self, line_limit: int) -> None:
        self.fault: TextFault | None = None
        self._line_limit = line_limit
        self._held = _CRLF
        self._virtual = 2
        self._open_line = 0

    def feed(self, chunk: bytes) -> Unstuffed:
        """Take the next octets. Once it answered ``ended`` it must not be fed any more."""
        octets = self._held + chunk
        end = octets.find(END)
        ended = end >= 0
        cut = end + 2 if ended else len(octets) - _held_back(octets)
        data = self._plain(octets[:cut])
        self._held = octets[cut:]
        return Unstuffed(data, ended, octets[end + 5 :] if ended else b"")

    def _plain(self, raw: bytes) -> bytes:
        if not raw:
            return raw
        plain = raw.replace(b"\r\n.", _CRLF)[self._virtual :]
        self._virtual = 0
        if self.fault is None:
            self.fault = _stray(raw) or self._overlong(plain)
        return plain

    def _overlong(self, plain: bytes) -> TextFault | None:
        start = -self._open_line
        while len(plain) - start > self._line_limit:
            newline = plain.rfind(b"\n", max(start, 0), start + self._line_limit)
            if newline < 0:
                return TextFault.LINE_TOO_LONG
            start = newline + 1
        last = plain.rfind(b"\n")
        self._open_line = self._open_line + len(plain) if last < 0 else len(plain) - last - 1
        return None


def _held_back(octets: bytes) -> int:
    """Return how many last octets may be the beginning of the terminator."""
    return next((size for size in (4, 3, 2, 1) if octets.endswith(END[:size])), 0)


def _stray(raw: bytes) -> TextFault | None:
    """Return what *raw*, which never ends between CR and LF, holds besides proper lines."""
    pairs = raw.count(_CRLF)
    if b"\0" in raw:
        return TextFault.NUL
    if raw.count(b"\n") != pairs:
        return TextFault.BARE_LF
    if raw.count(b"\r") != pairs:
        return TextFault.BARE_CR
    return None
