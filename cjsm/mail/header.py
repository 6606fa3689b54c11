"""The header section of a message: read as it arrives, checked, and edited without touching any other octet.

RFC 5322 §3.6 for what may occur how often; limits come from settings.
"""

import re
from collections import Counter
from contextlib import suppress
from email.errors import MessageError
from email.header import decode_header, make_header

from msgspec import Struct

from cjsm.configuration import MailSettings
from cjsm.mail.interfaces import Refused

_NAME = re.compile(rb"([!-9;-~]{1,128})[ \t]*:")
_ONCE = frozenset(
    (
        *(b"date", b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"),
        *(b"message-id", b"in-reply-to", b"references", b"subject"),
    )
)
_END = b"\r\n\r\n"
#: Characters of a summary's texts.
_SHOWN = 256


class Field(Struct, frozen=True):
    """One field: its name in lower case and all its octets, folded lines and last CRLF included."""

    name: bytes
    octets: bytes

    @property
    def value(self) -> str:
        """The value, unfolded; octets that are not UTF-8 show as replacement characters."""
        _, _, value = self.octets.partition(b":")
        return value.replace(b"\r\n", b"").decode("utf-8", "replace").strip()


class Header(Struct, frozen=True):
    """A whole header section."""

    fields: tuple[Field, ...]

    def all(self, name: bytes) -> tuple[Field, ...]:
        """Return the fields called *name* (lower case), in order."""
        return tuple(field for field in self.fields if field.name == name)

    def first(self, name: bytes) -> str:
        """Return the value of the first field called *name*, or an empty string."""
        return next((field.value for field in self.fields if field.name == name), "")

    def has(self, name: bytes) -> bool:
        """Whether there is a field called *name*."""
        return any(field.name == name for field in self.fields)

    def octets(self, *, before: bytes, without: frozenset[bytes], after: bytes) -> bytes:
        """Return the section with whole fields put in front and at the end and others left out.

        Every field that stays is byte for byte what it was. The blank line follows.
        """
        kept = (field.octets for field in self.fields if field.name not in without)
        return b"".join((before, *kept, after, b"\r\n"))


class HeaderReader:
    """Collects octets until the blank line. Memory is bounded by the setting for the section's size."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._octets = bytearray()

    def feed(self, octets: bytes) -> tuple[Header, bytes] | None:
        """Take the next octets; return the header and the body's first octets once the blank line came.

        :raises Refused: when the section is over a limit or malformed.
        """
        searched = max(0, len(self._octets) - len(_END))
        self._octets += octets
        if self._octets.startswith(b"\r\n"):
            return self._parse(b""), bytes(self._octets[2:])
        end = self._octets.find(_END, searched)
        if end < 0 or end > self._settings.header_octets:
            self._check_size(len(self._octets) if end < 0 else end)
            return None
        return self._parse(bytes(self._octets[: end + 2])), bytes(self._octets[end + len(_END) :])

    def finish(self) -> Header:
        """Return the header of a message that ended without a blank line.

        :raises Refused: when it is malformed.
        """
        return self._parse(bytes(self._octets))

    def _check_size(self, size: int) -> None:
        if size > self._settings.header_octets:
            raise Refused(552, "5.3.4", f"the message's header is over {self._settings.header_octets} octets")

    def _parse(self, section: bytes) -> Header:
        fields: list[Field] = []
        for line in _unwrapped(section):
            match = _NAME.match(line)
            if match is None:
                raise Refused(550, "5.6.0", "the message's header has a line that is no field")
            fields.append(Field(match[1].lower(), line))
            if len(fields) > self._settings.header_fields:
                raise Refused(552, "5.3.4", f"the message has more than {self._settings.header_fields} header fields")
        header = Header(tuple(fields))
        self._check_counts(header)
        return header

    def _check_counts(self, header: Header) -> None:
        counts = Counter(field.name for field in header.fields)
        if counts[b"received"] > self._settings.received_fields:
            raise Refused(554, "5.4.6", "the message has passed too many servers: a loop")
        if counts[b"from"] != 1:
            raise Refused(550, "5.7.1", "the message needs exactly one From field")
        for name in _ONCE:
            if counts[name] > 1:
                raise Refused(550, "5.6.0", f"the message has more than one {name.decode().title()} field")


def _unwrapped(section: bytes) -> list[bytes]:
    """Split a section into fields, each with its folded lines and last CRLF."""
    gathered: list[bytes] = []
    for line in section.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and gathered:
            gathered[-1] += line + b"\r\n"
        elif line:
            gathered.append(line + b"\r\n")
    return gathered


def shown(value: str) -> str:
    """Return a field's value as people read it: encoded words decoded (RFC 2047), shortened, never failing."""
    short = value[: 4 * _SHOWN]
    if "=?" in short:
        with suppress(MessageError, LookupError, ValueError):
            short = str(make_header(decode_header(short)))
    printable = "".join(character if character.isprintable() else " " for character in short)
    return printable[:_SHOWN]
