"""The envelope record: what it holds, and that older ones still read."""

import msgspec
import pytest

from cjsm.community.identifiers import DeliveryId
from cjsm.mail.envelope import Envelope, decode_envelope, encode_envelope

DELIVERY = DeliveryId(b"delivery one 001")
FULL = Envelope(reverse_path="jo@a.b", message_id="<x@y>", recipients=(("sam@a.b", DELIVERY),))
#: As the first version wrote it.
SAMPLE = bytes.fromhex(
    "84a776657273696f6e01ac726576657273655f70617468a66a6f40612e62aa6d6573736167655f6964a53c7840793e"
    "aa726563697069656e74739192a773616d40612e62c41064656c6976657279206f6e6520303031"
)


def test_it_reads_as_it_was_written() -> None:
    """Every field."""
    assert decode_envelope(encode_envelope(FULL)) == FULL
    assert decode_envelope(encode_envelope(Envelope())) == Envelope(reverse_path="")


def test_the_stored_form_does_not_change() -> None:
    """A spool outlives an upgrade; newer fields are ignored by older readers."""
    assert encode_envelope(FULL) == SAMPLE
    assert decode_envelope(SAMPLE) == FULL
    newer = msgspec.msgpack.decode(SAMPLE) | {"notify": "never"}
    assert decode_envelope(msgspec.msgpack.encode(newer)) == FULL


@pytest.mark.parametrize("octets", [b"", SAMPLE[:-1], b"\x80\x80", b"\x01", SAMPLE.replace(b"jo@a.b", b"\xff\xfe@a.b")])
def test_what_is_none_is_refused(octets: bytes) -> None:
    """Damage has one exception."""
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
        decode_envelope(octets)


def test_it_shows_nothing_of_itself() -> None:
    """Logs name it only."""
    assert repr(FULL) == f"{FULL}" == "<Envelope>"
