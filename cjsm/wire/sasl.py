"""The server's side of SASL PLAIN (RFC 4616) and LOGIN, for SMTP AUTH (RFC 4954) and POP3 AUTH (RFC 5034).

A door feeds what the client sent and writes the challenges it gets back; secrets are never decoded.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Protocol, TypeAlias

from msgspec import Struct

NAME_OCTETS = 512
"""Most octets of a user name; RFC 4616 §2 asks for at least 255."""


class Challenge(Struct, frozen=True):
    """What the client must answer.

    :ivar encoded: base64, possibly empty, to be sent after ``334 `` or ``+ ``.
    """

    encoded: bytes


class SaslResult:
    """What the client claims; nobody has checked it yet.

    :ivar name: the user name.
    :ivar secret: the password as sent.
    """

    __slots__ = ("name", "secret")

    def __init__(self, name: str, secret: bytes) -> None:
        self.name = name
        self.secret = secret

    def __repr__(self) -> str:
        return "<SaslResult>"


class SaslFailure(Enum):
    """Why an exchange ended without a claim."""

    CANCELLED = "cancelled"
    MALFORMED = "malformed response"
    REFUSED = "acting as somebody else is not possible"


Step: TypeAlias = Challenge | SaslResult | SaslFailure


class Exchange(Protocol):
    """One exchange of one mechanism."""

    def start(self, initial: bytes | None) -> Step:
        """Begin; *initial* is the initial response as sent (base64, ``=`` for empty), or None if there was none."""

    def answer(self, line: bytes) -> Step:
        """Take the client's answer to the last challenge, as sent, without CRLF."""


class Plain:
    """``PLAIN``: authzid NUL authcid NUL password; the authzid must be empty or the same name."""

    def start(self, initial: bytes | None) -> Step:
        """See :class:`Exchange`."""
        if initial is None:
            return Challenge(b"")
        return self.answer(b"" if initial == b"=" else initial)

    def answer(self, line: bytes) -> Step:
        """See :class:`Exchange`."""
        decoded = _decoded(line)
        if isinstance(decoded, SaslFailure):
            return decoded
        parts = decoded.split(b"\0")
        if len(parts) != 3:
            return SaslFailure.MALFORMED
        acting_as, name, secret = parts
        if acting_as and acting_as != name:
            return SaslFailure.REFUSED
        return _claim(name, secret)


class Login:
    """``LOGIN``: the name, then the password (draft-murchison-sasl-login-00); an initial response is the name."""

    def __init__(self) -> None:
        self._name: bytes | None = None

    def start(self, initial: bytes | None) -> Step:
        """See :class:`Exchange`."""
        if initial is None:
            return Challenge(b64encode(b"Username:"))
        return self.answer(b"" if initial == b"=" else initial)

    def answer(self, line: bytes) -> Step:
        """See :class:`Exchange`."""
        decoded = _decoded(line)
        if isinstance(decoded, SaslFailure):
            return decoded
        if self._name is None:
            self._name = decoded
            return Challenge(b64encode(b"Password:"))
        return _claim(self._name, decoded)


MECHANISMS: Mapping[bytes, Callable[[], Exchange]] = MappingProxyType({b"PLAIN": Plain, b"LOGIN": Login})
"""The exchange of each mechanism, by its name in capitals; a door offers those it chooses."""


def _decoded(line: bytes) -> bytes | SaslFailure:
    if line == b"*":
        return SaslFailure.CANCELLED
    try:
        decoded = b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        return SaslFailure.MALFORMED
    return decoded if b64encode(decoded) == line else SaslFailure.MALFORMED


def _claim(name: bytes, secret: bytes) -> SaslResult | SaslFailure:
    if not name or not secret or len(name) > NAME_OCTETS or b"\0" in name:
        return SaslFailure.MALFORMED
    try:
        return SaslResult(name.decode("utf-8"), secret)
    except UnicodeDecodeError:
        return SaslFailure.MALFORMED
