"""Ends of lines: CRLF in every message here (RFC 5321 §2.3.8), LF in the files of other systems."""

import re

_CRLF = b"\r\n"
#: CRs before an LF that are one end of line with it: some programs double what is CRLF already.
_DOUBLED = 16
_END = re.compile(rb"\r{0,%d}\n|\r" % _DOUBLED)


class Canonical:
    """Makes every end of line CRLF, whatever it was: LF, CR or CRLF. However it is cut, it comes out the same."""

    def __init__(self) -> None:
        self._held = b""
        self._ended = True

    def write(self, chunk: bytes) -> bytes:
        """Return *chunk* with what was held back before it; CRs at its end wait for what follows."""
        octets = self._held + chunk
        returns = min(len(octets) - len(octets.rstrip(b"\r")), _DOUBLED)
        cut = len(octets) - returns
        self._held = octets[cut:]
        return self._out(_canonical(octets[:cut]))

    def finish(self) -> bytes:
        """Return what was held back; a last line without an end gets one."""
        left = self._out(_CRLF * len(self._held))
        self._held = b""
        return left if self._ended else left + _CRLF

    def _out(self, octets: bytes) -> bytes:
        if octets:
            self._ended = octets.endswith(b"\n")
        return octets


def _canonical(octets: bytes) -> bytes:
    # Nearly all mail has one form throughout: looking for the others costs more than replacing.
    plain = octets.replace(_CRLF, b"\n")
    return _END.sub(_CRLF, octets) if b"\r" in plain else plain.replace(b"\n", _CRLF)


class Local:
    """Makes LF of CRLF."""

    def __init__(self) -> None:
        self._held = b""

    def write(self, chunk: bytes) -> bytes:
        """Return *chunk* with what was held back before it; a CR at its end waits for what follows."""
        octets = self._held + chunk
        cut = len(octets) - octets.endswith(b"\r")
        self._held = octets[cut:]
        return octets[:cut].replace(_CRLF, b"\n")

    def finish(self) -> bytes:
        """Return what was held back."""
        left, self._held = self._held, b""
        return left
