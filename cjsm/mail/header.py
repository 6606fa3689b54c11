"""The header section of a message: read as it arrives, checked, and edited without touching any other octet.

RFC 5322 §3.6 and RFC 2045 §3 for what may occur once; limits come from settings.
"""

import re
from collections import Counter

from msgspec import Struct

from cjsm.configuration import MailSettings
from cjsm.mail.interfaces import Refused

#: A field in the form that must be generated: no white space before the colon, no folded line of white space only.
_FIELD = re.compile(rb"([!-9;-~]{1,128}):[^\r\n\0]*\r\n(?:[ \t]+[^ \t\r\n\0][^\r\n\0]*\r\n)*")
_ONCE = (
    *(b"date", b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"),
    *(b"message-id", b"in-reply-to", b"references", b"subject"),
    *(b"mime-version", b"content-type", b"content-transfer-encoding", b"content-disposition"),
)
_END = b"\r\n\r\n"


class Field(Struct, frozen=True):
    """One field: its name in lower case and all its octets, folded lines and last CRLF included."""

    name: bytes
    octets: bytes

    @property
    def value(self) -> str:
        """The value, unfolded; octets that are not UTF-8 show as replacement characters."""
        _, _, value = self.octets.partition(b":")
        return value.replace(b"\r\n", b"").decode("utf-8", "replace").strip(" \t")

    @property
    def title(self) -> str:
        """The name as people write it."""
        return self.name.decode("ascii").title()


class Header(Struct, frozen=True):
    """A whole header section."""

    fields: tuple[Field, ...]

    def all(self, *names: bytes) -> tuple[Field, ...]:
        """Return the fields called one of *names* (lower case), in order."""
        return tuple(field for field in self.fields if field.name in names)

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
        # Where the end is still to come, it may have begun already: so every chunking meets the same limit.
        if (end if end >= 0 else len(self._octets) - len(_END) + 1) > self._settings.header_octets:
            raise Refused(552, "5.3.4", f"the message's header is over {self._settings.header_octets} octets")
        if end < 0:
            return None
        return self._parse(bytes(self._octets[: end + 2])), bytes(self._octets[end + len(_END) :])

    def finish(self) -> Header:
        """Return the header of a message that ended without a blank line.

        :raises Refused: when it is malformed.
        """
        return self._parse(bytes(self._octets))

    def _parse(self, section: bytes) -> Header:
        fields: list[Field] = []
        at = 0
        while at < len(section):
            match = _FIELD.match(section, at)
            if match is None:
                raise Refused(550, "5.6.0", "the message's header has a line that is no field")
            if len(fields) == self._settings.header_fields:
                raise Refused(552, "5.3.4", f"the message has more than {self._settings.header_fields} header fields")
            fields.append(Field(match[1].lower(), match[0]))
            at = match.end()
        self._check_counts(Counter(field.name for field in fields))
        return Header(tuple(fields))

    def _check_counts(self, counts: Counter[bytes]) -> None:
        if counts[b"received"] > self._settings.received_fields:
            raise Refused(554, "5.4.6", "the message has passed too many servers: a loop")
        if counts[b"from"] != 1:
            raise Refused(550, "5.7.1", "the message needs exactly one From field")
        for name in _ONCE:
            if counts[name] > 1:
                raise Refused(550, "5.6.0", f"the message has more than one {name.decode().title()} field")
