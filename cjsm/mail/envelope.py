"""The envelope record: what later stages need of a message and nobody else may read. Sealed under the queue key."""

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


def encode_envelope(envelope: Envelope) -> bytes:
    """Return the form that is sealed."""
    return msgspec.msgpack.encode(envelope)


def decode_envelope(octets: bytes) -> Envelope:
    """Return the envelope that :func:`encode_envelope` wrote.

    :raises msgspec.MsgspecError: when it is none.
    """
    return msgspec.msgpack.decode(octets, type=Envelope)
