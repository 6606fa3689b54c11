"""The envelope record: what later stages need of a message and nobody else may read. Sealed under the queue key."""

from enum import StrEnum

import msgspec
from msgspec import Struct

from cjsm.community.identifiers import DeliveryId


class Envelope(Struct, frozen=True, kw_only=True):
    """Reverse-path (empty: null), Message-ID, and who was asked for with the delivery made of it.

    A field may be added with a default; then older records still read.
    """

    version: int = 1
    reverse_path: str = ""
    message_id: str = ""
    recipients: tuple[tuple[str, DeliveryId], ...] = ()

    def __repr__(self) -> str:
        return "<Envelope>"


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


class Demands(Struct, frozen=True, kw_only=True):
    """What MAIL asked for beside the sender: reports (RFC 3461), SMTPUTF8 (RFC 6531), REQUIRETLS (RFC 8689), 8BITMIME.

    :ivar envelope_id: ENVID as it was written, xtext, or empty.
    :ivar returned: RET, or None where nothing was said.
    """

    envelope_id: str = ""
    returned: Returned | None = None
    smtputf8: bool = False
    require_tls: bool = False
    eight_bit: bool = False


class Wish(Struct, frozen=True, kw_only=True):
    """What RCPT asked for beside the recipient (RFC 3461): NOTIFY, or None where nothing was said; ORCPT as written."""

    notify: frozenset[Notify] | None = None
    original: str = ""

    def wants(self, what: Notify) -> bool:
        """Whether the sender wants to hear of *what*."""
        return what in (NOTIFY_DEFAULT if self.notify is None else self.notify)


def encode_envelope(envelope: Envelope) -> bytes:
    """Return the form that is sealed."""
    return msgspec.msgpack.encode(envelope)


def decode_envelope(octets: bytes) -> Envelope:
    """Return the envelope that :func:`encode_envelope` wrote.

    :raises msgspec.MsgspecError: when it is none.
    """
    return msgspec.msgpack.decode(octets, type=Envelope)
