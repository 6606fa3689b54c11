"""How a door hands a message over (architecture, "How a message moves").

The order is begin, recipient*, write*, commit | abort. Nothing is persistent before commit; after it the message
is on stable storage and every accepted recipient gets it exactly once.
"""

from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from cjsm.community.admission import Origin
from cjsm.community.identifiers import MailboxId
from cjsm.mail.envelope import NO_DEMANDS, NO_WISH, Demands, Wish
from cjsm.vault.hybrid import PublicKey


class Refused(Exception):
    """The message, sender or recipient is not taken.

    :ivar code: SMTP reply code, 4xx or 5xx (RFC 5321 §4.2).
    :ivar status: enhanced status code such as ``5.7.1`` (RFC 3463).
    :ivar text: public words that say what to do.
    """

    def __init__(self, code: int, status: str, text: str) -> None:
        super().__init__(f"{code} {status} {text}")
        self.code = code
        self.status = status
        self.text = text


class Hop(Struct, frozen=True, kw_only=True):
    """What the trace line says of the connection: our host, the protocol word, TLS version and group.

    ``client`` is who relayed the message in, in words that may stand in the line; empty for accounts. ``source`` is
    the client's address and ``called`` what it called itself; they are for limits and checks, not for the line.
    """

    host: str
    protocol: str
    tls_version: str
    tls_group: str
    client: str = ""
    source: str = ""
    called: str = ""


class IMailboxKeys(Interface):
    """The keys that messages are sealed to."""

    def current(mailbox: MailboxId) -> "tuple[int, PublicKey]":
        """Return the newest generation of *mailbox* and its public key, verified; for the reactor thread.

        :raises Missing: when there is no such mailbox.
        """


class IAcceptance(Interface):
    """The one way a message comes in."""

    def begin(
        origin: Origin, reverse_path: str, hop: Hop, size: int | None, demands: Demands = NO_DEMANDS
    ) -> "Deferred[Any]":
        """Start a message; fires with an :class:`IIncomingMessage`.

        :param reverse_path: as in MAIL FROM, without angle brackets; empty for the null sender.
        :param size: octets announced with SIZE (RFC 1870), or None.
        :param demands: what MAIL asked for besides.
        :raises Refused: when the origin may not use the sender, the size is over the limit or the disk is full.
        """


class IIncomingMessage(Interface):
    """One message on its way in."""

    recipients = Attribute("How many recipients were accepted.")

    def recipient(forward_path: str, wish: Wish = NO_WISH) -> "Deferred[None]":
        """Add a recipient, as in RCPT TO without angle brackets.

        :raises Refused: when admission or a limit says no; the others stay.
        """

    def write(octets: bytes) -> "Deferred[None] | None":
        """Take the next octets of the message, unstuffed, CRLF line ends. Wait where a Deferred is returned.

        Never raises for what is in the message: a refusal is kept for :meth:`commit`.
        """

    def commit() -> "Deferred[str]":
        """Fires with the queue id when the message is on stable storage.

        :raises Refused: with the verdict on header or content, or 452 when the store cannot take it.
        """

    def abort() -> "Deferred[None]":
        """Forget the message. Idempotent; safe in any phase, also while a write is pending."""
