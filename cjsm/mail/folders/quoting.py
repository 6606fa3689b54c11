"""Lines that begin with ``From`` in an mbox: quoted with one more ``>`` going in, one fewer coming out (mboxrd)."""

import re

#: Quotes of one line at most that are seen; the line goes as it is where there are more.
_MOST = 1_000
_ADD = re.compile(rb"^(>{0,%d}From )" % _MOST, re.MULTILINE)
_TAKE = re.compile(rb"^>(>{0,%d}From )" % _MOST, re.MULTILINE)
#: The beginning of a line that may become one that is looked for.
_MAYBE = re.compile(rb">*F?r?o?m?")
_LONGEST = _MOST + len(b">From ")


class Quoting:
    """Quotes lines that end in LF, or takes the quotes away. However they are cut, they come out the same.

    :param take: take away what was added.
    """

    def __init__(self, *, take: bool = False) -> None:
        self._pattern, self._instead = (_TAKE, rb"\1") if take else (_ADD, rb">\1")
        self._held = b""
        self._within = False

    def write(self, chunk: bytes) -> bytes:
        """Return *chunk* with what was held back before it; the beginning of a line may wait for what follows."""
        octets = self._held + chunk
        last = octets.rfind(b"\n") + 1
        begun = octets[last:] if last or not self._within else b""
        waits = len(begun) < _LONGEST and _MAYBE.fullmatch(begun) is not None
        cut = last if begun and waits else len(octets)
        self._held = octets[cut:]
        return self._quoted(octets[:cut])

    def finish(self) -> bytes:
        """Return what was held back."""
        left, self._held = self._held, b""
        return self._quoted(left)

    def _quoted(self, octets: bytes) -> bytes:
        if not octets:
            return b""
        first = octets.find(b"\n") + 1 if self._within else 0
        rest_of_line = octets if self._within and not first else octets[:first]
        following = octets[len(rest_of_line) :]
        self._within = not octets.endswith(b"\n")
        return rest_of_line + self._pattern.sub(self._instead, following)
