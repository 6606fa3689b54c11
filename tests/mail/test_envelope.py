"""The envelope record: what it holds, and that older ones still read."""

import msgspec
import pytest

from cjsm.community.identifiers import DeliveryId
from cjsm.mail.envelope import (
    Demands,
    Envelope,
    Notify,
    OutgoingEnvelope,
    OutgoingRecipient,
    Returned,
    Wish,
    decode_envelope,
    decode_outgoing,
    encode_envelope,
)

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
    assert encode_envelope(FULL) == b"\x86" + SAMPLE[1:] + b"\xa7demands\x80\xa6wishes\x90"
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
    assert repr(OUTGOING) == "<OutgoingEnvelope>"


OUTGOING = OutgoingEnvelope(
    reverse_path="jo@a.b",
    message_id="<x@y>",
    recipients=(
        OutgoingRecipient(address="sam@firm.b", wish=Wish(notify=frozenset({Notify.NEVER}), original="rfc822;s@b")),
        OutgoingRecipient(address="al@firm.b"),
    ),
    demands=Demands(envelope_id="QQ", returned=Returned.FULL, smtputf8=True, require_tls=True, eight_bit=True),
    octets=7,
    key=b"k" * 32,
)
#: As the first version wrote it.
OUTGOING_SAMPLE = bytes.fromhex(
    "89a776657273696f6e01ac726576657273655f70617468a66a6f40612e62aa6d6573736167655f6964a53c7840793eaa7265"
    "63697069656e74739282a761646472657373aa73616d406669726d2e62a47769736882a66e6f7469667991a54e45564552a8"
    "6f726967696e616caa7266633832323b73406282a761646472657373a9616c406669726d2e62a47769736880a764656d616e"
    "647385ab656e76656c6f70655f6964a25151a872657475726e6564a446554c4ca8736d747075746638c3ab72657175697265"
    "5f746c73c3a965696768745f626974c3a66f637465747307a36b6579c4206b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b"
    "6b6b6b6b6b6b6b6b6b6b6b6ba66669656c6473c400a871756575655f6964a0"
)


def test_the_stored_form_of_what_goes_out() -> None:
    """Every field comes back, and what the first version wrote is read."""
    written = encode_envelope(OUTGOING)
    # A field more: whether the service itself wrote the message.
    assert written == b"\x8a" + OUTGOING_SAMPLE[1:] + b"\xa7service\xc2"
    assert decode_outgoing(written) == decode_outgoing(OUTGOING_SAMPLE) == OUTGOING


@pytest.mark.parametrize(
    ("wish", "wanted"),
    [
        (Wish(), {Notify.FAILURE, Notify.DELAY}),
        (Wish(notify=frozenset({Notify.NEVER})), {Notify.NEVER}),
        (Wish(notify=frozenset({Notify.SUCCESS})), {Notify.SUCCESS}),
    ],
)
def test_what_senders_want_to_hear(wish: Wish, wanted: set[Notify]) -> None:
    """Who says nothing hears of failures and delays (RFC 3461 section 4.1)."""
    assert {what for what in Notify if wish.wants(what)} == wanted
