"""Envelope records: what later stages need of a message and nobody else may read. Sealed under the queue key."""

from enum import StrEnum

import msgspec
from msgspec import Struct

from cjsm.community.identifiers import DeliveryId


class Notify(StrEnum):
    """When the sender wants to hear of a recipient (RFC 3461 section 4.1)."""

    NEVER = "NEVER"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    DELAY = "DELAY"


#: What a sender hears of who said nothing about it.
NOTIFY_DEFAULT = frozenset({Notify.FAILURE, Notify.DELAY})


class Returned(StrEnum):
    """How much of a message its report returns (RFC 3461 section 4.3)."""

    HEADERS = "HDRS"
    FULL = "FULL"


class Demands(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What MAIL asked for beside the sender: reports (RFC 3461), SMTPUTF8 (RFC 6531), REQUIRETLS (RFC 8689), 8BITMIME.

    :ivar envelope_id: ENVID as it was written, xtext, or empty.
    :ivar returned: RET, or None where nothing was said.
    """

    envelope_id: str = ""
    returned: Returned | None = None
    smtputf8: bool = False
    require_tls: bool = False
    eight_bit: bool = False


class Wish(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What RCPT asked for beside the recipient (RFC 3461): NOTIFY, or None where nothing was said; ORCPT as written."""

    notify: frozenset[Notify] | None = None
    original: str = ""

    def wants(self, what: Notify) -> bool:
        """Whether the sender wants to hear of *what*."""
        return what in (NOTIFY_DEFAULT if self.notify is None else self.notify)


NO_DEMANDS = Demands()
NO_WISH = Wish()


class Envelope(Struct, frozen=True, kw_only=True):
    """Of a message for mailboxes kept here: reverse-path (empty: null), Message-ID, who was asked for, and wishes.

    ``recipients`` pairs each address with the delivery made of it; ``wishes`` has one for each, or is empty where
    nobody wished anything. A field may be added with a default; then older records still read.
    """

    version: int = 1
    reverse_path: str = ""
    message_id: str = ""
    recipients: tuple[tuple[str, DeliveryId], ...] = ()
    demands: Demands = Demands()
    wishes: tuple[Wish, ...] = ()

    def __repr__(self) -> str:
        return "<Envelope>"


class OutgoingRecipient(Struct, frozen=True, kw_only=True):
    """One recipient behind a connection, in canonical form, and what was wished."""

    address: str
    wish: Wish = Wish()


class OutgoingEnvelope(Struct, frozen=True, kw_only=True):
    """Of a message for recipients behind one connection; it also holds the message's ``key``.

    ``octets`` is the length of the message as it was sealed; ``fields`` are header fields that go on top of it,
    ``queue_id`` is how replies and traces call it; ``service`` says that the service itself wrote it. A field may be
    added with a default.
    """

    version: int = 1
    reverse_path: str = ""
    message_id: str = ""
    recipients: tuple[OutgoingRecipient, ...] = ()
    demands: Demands = Demands()
    octets: int = 0
    key: bytes = b""
    fields: bytes = b""
    queue_id: str = ""
    service: bool = False

    def __repr__(self) -> str:
        return "<OutgoingEnvelope>"


def encode_envelope(envelope: Envelope | OutgoingEnvelope) -> bytes:
    """Return the form that is sealed."""
    return msgspec.msgpack.encode(envelope)


def decode_envelope(octets: bytes) -> Envelope:
    """Return the envelope that :func:`encode_envelope` wrote.

    :raises msgspec.MsgspecError: when it is none.
    """
    return msgspec.msgpack.decode(octets, type=Envelope)


def decode_outgoing(octets: bytes) -> OutgoingEnvelope:
    """Return the envelope of a message on its way out.

    :raises msgspec.MsgspecError: when it is none.
    """
    return msgspec.msgpack.decode(octets, type=OutgoingEnvelope)
