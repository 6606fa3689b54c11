"""What a POP3 session asks its server to do, and what it needs to know of a message.

``Session`` is :class:`cjsm.pop3.session.Session`.
"""

from collections.abc import Iterator
from typing import Protocol, TypeAlias

from msgspec import Struct


class Message(Protocol):
    """One message of a maildrop as the session needs it."""

    @property
    def octets(self) -> int:
        """Size as RFC 1939 §11 counts it."""

    @property
    def unique_id(self) -> str:
        """Its UIDL: 1 to 70 characters from ``!`` to ``~``."""


class Reply(Struct, frozen=True):
    """Send *data*."""

    data: bytes


class Rows(Struct, frozen=True):
    """Send these pieces, as fast as the client takes them; nothing is to be answered."""

    pieces: Iterator[bytes]


class StartTls(Struct, frozen=True):
    """Begin TLS, then call ``Session.secured``."""


class SignIn:
    """Ask who this is; answer with ``Session.signed_in`` or ``Session.not_signed_in``."""

    __slots__ = ("name", "secret")

    def __init__(self, name: str, secret: bytes) -> None:
        self.name = name
        self.secret = secret

    def __repr__(self) -> str:
        return "<SignIn>"


class SendMessage(Struct, frozen=True):
    """Send the message at *index*, counted from 0; answer with ``Session.sent`` or ``Session.not_sent``.

    :ivar first: the positive reply that goes before it, once it is known to be readable.
    :ivar lines: how many lines of the body, or None for all of the message.
    :ivar changed: the reply instead where a message with UTF-8 in its header is rewritten, for a client that did not
        say UTF8 (RFC 6856 §2.1); None for one that did, which gets it as it is.
    """

    index: int
    first: bytes
    lines: int | None
    changed: bytes | None = None


class Remove(Struct, frozen=True):
    """Remove the messages at *indexes*; answer with ``Session.removed`` or ``Session.not_removed``."""

    indexes: tuple[int, ...]


class Close(Struct, frozen=True):
    """Close after what has been sent; *why* is for the log."""

    why: str


Action: TypeAlias = Reply | Rows | StartTls | SignIn | SendMessage | Remove | Close
