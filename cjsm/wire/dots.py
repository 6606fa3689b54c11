"""The one dot-stuffing, both ways (RFC 5321 §4.5.2, RFC 1939 §3).

State is carried over chunks: a message comes out the same however it was cut.
"""

from typing import NamedTuple

from cjsm.wire.text import TextCheck, TextFault

END = b"\r\n.\r\n"
_CRLF = b"\r\n"
_DOTTED = b"\r\n."
#: What the terminator's first octets end with.
_LAST = (b"\r", b"\n", b".")


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
        return joined.replace(_DOTTED, b"\r\n..")[carried:]

    def finish(self) -> bytes:
        """Return the terminator."""
        return b".\r\n" if self._tail == _CRLF else END


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
    """

    def __init__(self, line_limit: int) -> None:
        self._check = TextCheck(line_limit)
        self._held = _CRLF
        self._virtual = 2

    @property
    def fault(self) -> TextFault | None:
        """A fault of the first chunk that had one, or None."""
        return self._check.fault

    def feed(self, chunk: bytes) -> Unstuffed:
        """Take the next octets. Once it answered ``ended`` it must not be fed any more."""
        octets = self._held + chunk
        # In most chunks no line begins with a dot: then there is neither an end nor a dot to be taken out.
        dotted = octets.find(_DOTTED)
        end = octets.find(END, dotted) if dotted >= 0 else -1
        ended = end >= 0
        cut = end + 2 if ended else len(octets) - _held_back(octets)
        data = self._plain(octets[:cut], dotted=dotted >= 0)
        self._held = octets[cut:]
        return Unstuffed(data, ended, octets[end + 5 :] if ended else b"")

    def _plain(self, raw: bytes, *, dotted: bool) -> bytes:
        if not raw:
            return raw
        plain = (raw.replace(_DOTTED, _CRLF) if dotted else raw)[self._virtual :]
        self._virtual = 0
        self._check.look(raw, plain)
        return plain


def _held_back(octets: bytes) -> int:
    """Return how many last octets may be the beginning of the terminator."""
    if not octets.endswith(_LAST):
        return 0
    return next((size for size in (4, 3, 2, 1) if octets.endswith(END[:size])), 0)
