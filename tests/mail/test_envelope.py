"""The envelope record."""

import msgspec
import pytest

from cjsm.community.identifiers import DeliveryId
from cjsm.mail.envelope import Envelope, decode_envelope, encode_envelope

SAMPLE = Envelope(reverse_path="jo@avon", message_id="<1@c>", recipients=(("sam@avon", DeliveryId(b"d" * 16)),))
#: Version 1 as it has always been written.
ENCODED = bytes.fromhex(
    "84" + "a7" + b"version".hex() + "01"
    + "ac" + b"reverse_path".hex() + "a7" + b"jo@avon".hex()
    + "aa" + b"message_id".hex() + "a5" + b"<1@c>".hex()
    + "aa" + b"recipients".hex() + "91" + "92" + "a8" + b"sam@avon".hex() + "c410" + "64" * 16
)  # fmt: skip


def test_stored_form() -> None:
    """Has not changed, and shows nothing of itself in a log."""
    assert encode_envelope(SAMPLE) == ENCODED
    assert decode_envelope(ENCODED) == SAMPLE
    assert "avon" not in repr(SAMPLE)


def test_older_and_other() -> None:
    """A shorter record reads; anything else is an error of its kind."""
    assert decode_envelope(msgspec.msgpack.encode({"version": 1})) == Envelope()
    with pytest.raises(msgspec.MsgspecError):
        decode_envelope(b"\xc1")
