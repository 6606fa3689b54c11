"""What every text of a message must be, however it comes: lines that end in CRLF and hold no bare CR, LF or NUL."""

from enum import Enum

_CRLF = b"\r\n"
#: As long as a line's end and without any of what ends one.
_FLAT = b"  "


class TextFault(Enum):
    """Why a text must be refused once its real end has come; the value is the public text."""

    NUL = "NUL in text"
    BARE_LF = "bare LF in text"
    BARE_CR = "bare CR in text"
    LINE_TOO_LONG = "text line too long"


class TextCheck:
    """Looks at a text as it comes.

    :param line_limit: most octets of a line, CRLF included (RFC 5321 §4.5.3.1.6).
    :ivar fault: a fault of the first piece that had one, or None.
    """

    def __init__(self, line_limit: int) -> None:
        self.fault: TextFault | None = None
        self._line_limit = line_limit
        self._open_line = 0

    def look(self, raw: bytes, plain: bytes) -> None:
        """Look at the next piece: *raw* as it came, which never ends between CR and LF, *plain* as it is passed on."""
        if self.fault is None:
            self.fault = _stray(raw) or self._overlong(plain)

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


class ChunkedText:
    """A text that comes in counted chunks, so that nothing in it can end it (RFC 3030 §2).

    :param line_limit: see :class:`TextCheck`.
    """

    def __init__(self, line_limit: int) -> None:
        self._check = TextCheck(line_limit)
        self._held = b""
        self._tail = _CRLF

    @property
    def fault(self) -> TextFault | None:
        """What is wrong with the text so far, or None."""
        return self._check.fault

    def feed(self, octets: bytes, *, last: bool) -> bytes:
        """Return what is passed on of the next octets; a text whose last line does not end gets its end."""
        text = self._held + octets
        keep = 1 if not last and text.endswith(b"\r") else 0
        text, self._held = text[: len(text) - keep], text[len(text) - keep :]
        self._tail = (self._tail + text)[-2:]
        if last and self._tail != _CRLF and not text.endswith(b"\r"):
            text += _CRLF
        self._check.look(text, text)
        return text


def _stray(raw: bytes) -> TextFault | None:
    """Return what *raw*, which never ends between CR and LF, holds besides proper lines."""
    # Every text comes through here. What is as long as what it stands for is replaced in half the time of counting.
    flat = raw.replace(_CRLF, _FLAT)
    if b"\0" in flat:
        return TextFault.NUL
    if b"\n" in flat:
        return TextFault.BARE_LF
    if b"\r" in flat:
        return TextFault.BARE_CR
    return None
