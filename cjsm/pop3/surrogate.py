"""A message for a program that does not say UTF8: every header section of it in ASCII (RFC 6856 §2.1, §7).

Nearly all messages are ASCII there already and pass unchanged. Bodies always do: text of eight bits is nothing new.
"""

import re
from collections.abc import Awaitable
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Protocol

from cjsm.pop3.downgrade import downgraded

_MOST_HEADER = 256 * 1024
"""Octets of a header section that are waited for; acceptance takes no such header."""

_OF_MIME = re.compile(rb"^content-(?:type|transfer-encoding):[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE)
_MOST_LINE = 1_000
_MOST_PARTS = 1_000
"""Boundaries that are looked for, so that no message costs more than its reading."""


class Reader(Protocol):
    """See :class:`cjsm.access.interfaces.IMessageReader`."""

    def read(self) -> Awaitable[bytes]:
        """Return the next octets, none at the end."""

    def close(self) -> None:
        """Stop reading."""


class Surrogate:
    """Takes a message in pieces and gives it in ASCII where it must be.

    :ivar changed: whether anything was other than ASCII in a header section.
    """

    def __init__(self) -> None:
        self.changed = False
        self._buffer = b""
        self._in_header = True
        self._boundaries: set[bytes] = set()

    def take(self, piece: bytes) -> bytes:
        """Return what can be told after the next *piece*."""
        self._buffer += piece
        told: list[bytes] = []
        while (part := self._header() if self._in_header else self._body()) is not None:
            told.append(part)
        return b"".join(told)

    def finish(self) -> bytes:
        """Return what is left at the end."""
        rest, self._buffer = self._buffer, b""
        return self._rewritten(rest) if self._in_header else rest

    def _header(self) -> bytes | None:
        """A header section, without its blank line, which the body begins with; None where more must come."""
        if self._buffer.startswith(b"\r\n"):
            self._in_header = False
            return b""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 and len(self._buffer) <= _MOST_HEADER:
            return None
        section, self._buffer = self._cut(end + 2 if end >= 0 else self._buffer.rfind(b"\r\n") + 2)
        self._in_header = self._look(section)
        told = self._rewritten(section)
        if self._in_header:
            # The blank line belongs to this section: the next one begins behind it.
            blank, self._buffer = self._cut(2)
            told += blank
        return told

    def _cut(self, at: int) -> tuple[bytes, bytes]:
        return self._buffer[:at], self._buffer[at:]

    def _rewritten(self, section: bytes) -> bytes:
        if section.isascii():
            return section
        self.changed = True
        return downgraded(section)

    def _look(self, section: bytes) -> bool:
        """See what the body is; True where it is a message in clear, which begins with a header section itself."""
        fields: Message = BytesHeaderParser().parsebytes(b"".join(_OF_MIME.findall(section)))
        kind = fields.get_content_type()
        if kind.startswith("multipart/") and len(self._boundaries) < _MOST_PARTS:
            boundary = fields.get_boundary()
            if boundary:
                self._boundaries.add(boundary.encode("utf-8", "surrogateescape").rstrip())
        encoding = str(fields.get("Content-Transfer-Encoding", "7bit")).strip().lower()
        return kind in ("message/rfc822", "message/global") and encoding in ("7bit", "8bit", "binary")

    def _body(self) -> bytes | None:
        """A body up to the delimiter of its next part, as far as it came; None where more must come."""
        at = 0 if self._boundaries else len(self._buffer)
        while (found := self._buffer.find(b"\r\n--", at)) >= 0:
            end = self._buffer.find(b"\r\n", found + 4, found + _MOST_LINE)
            if end < 0 and len(self._buffer) < found + _MOST_LINE:
                return self._told(found)
            if end >= 0 and self._buffer[found + 4 : end].rstrip(b" \t") in self._boundaries:
                self._in_header = True
                return self._told(end + 2)
            # The CRLF at the end of this line may be that before a delimiter.
            at = end if end >= 0 else found + 4
        return self._told(max(at, len(self._buffer) - 3))

    def _told(self, octets: int) -> bytes | None:
        told, self._buffer = self._cut(octets)
        return told or None


class SurrogateReader:
    """Reads a message as its surrogate."""

    def __init__(self, reader: Reader) -> None:
        self._surrogate = Surrogate()
        self._reader = reader
        self._ended = False

    @property
    def changed(self) -> bool:
        """See :class:`Surrogate`."""
        return self._surrogate.changed

    async def read(self) -> bytes:
        """Return the next octets, none at the end."""
        while not self._ended:
            piece = await self._reader.read()
            self._ended = not piece
            told = self._surrogate.take(piece) if piece else self._surrogate.finish()
            if told:
                return told
        return b""

    def close(self) -> None:
        """Stop reading."""
        self._reader.close()
