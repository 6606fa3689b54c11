"""Lines that begin with ``From`` in an mbox: quoted with one more ``>`` going in, one fewer coming out (mboxrd)."""

import re

_ADD = re.compile(rb"^(>*)From ", re.MULTILINE)
_TAKE = re.compile(rb"^>(>*)From ", re.MULTILINE)
#: The beginning of a line that may become one that is looked for.
_MAYBE = re.compile(rb"(>*)F?r?o?m?")


class Quoting:
    """Quotes lines that end in LF, or takes the quotes away. However they are cut, they come out the same.

    :param take: take away what was added.
    """

    def __init__(self, *, take: bool = False) -> None:
        self._pattern, self._instead = (_TAKE, rb"\1From ") if take else (_ADD, rb"\1>From ")
        self._held = b""
        #: Whether the line that was begun can become none of those any more.
        self._settled = False

    def write(self, chunk: bytes) -> bytes:
        """Return *chunk* with what was held back: of the beginning of a line the last ``>`` and what follows it."""
        octets = self._held + chunk
        last = octets.rfind(b"\n") + 1
        maybe = _MAYBE.fullmatch(octets, last) if last or not self._settled else None
        cut = len(octets) if maybe is None else max(last, maybe.end(1) - 1)
        self._held = octets[cut:]
        out = self._quoted(octets[:cut])
        self._settled = maybe is None
        return out

    def finish(self) -> bytes:
        """Return what was held back."""
        left, self._held = self._held, b""
        return self._quoted(left)

    def _quoted(self, octets: bytes) -> bytes:
        if not self._settled:
            return self._pattern.sub(self._instead, octets)
        end = octets.find(b"\n") + 1 or len(octets)
        return octets[:end] + self._pattern.sub(self._instead, octets[end:])
