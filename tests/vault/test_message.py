"""A message for one mailbox: it opens there and nowhere else, and only as it was accepted."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.vault.errors import Malformed, MissingSecret, NotAuthentic, UnknownSuite, VaultError
from cjsm.vault.hybrid import PrivateKey, PublicKey, new_seed
from cjsm.vault.message import (
    PREFIX,
    MessageSealer,
    OpenedMessage,
    SealedBody,
    Summary,
    Wrap,
    decode_wrap,
    encode_wrap,
    open_wrap,
    verify_body,
    verify_wrap,
)
from cjsm.vault.secrets import ServiceSecrets, Versions, generate
from cjsm.vault.signing import Verifies

from .conftest import (
    BODY,
    DELIVERY,
    MAILBOX,
    MOMENT,
    OTHER_BODY,
    OTHER_DELIVERY,
    OTHER_MAILBOX,
    Reader,
)

PLAINTEXT = b"Subject: canary\r\n\r\nFor the judge only.\r\n"
PREFIX_LINES = b"Return-Path: <jo@firm.cjsm.test>\r\n"
SUMMARY = Summary(sender="Josephine", to="Samantha", subject="canary", date="Thu, 1 Jan 2026 00:00:00 +0000", octets=40)


class Sealed:
    """One message, sealed and wrapped for the first mailbox."""

    def __init__(self, secrets: ServiceSecrets, to: PublicKey, plaintext: bytes = PLAINTEXT) -> None:
        self.sealer = MessageSealer(BODY)
        first = self.sealer.write(plaintext)
        last, self.known = self.sealer.finish()
        self.body = first + last
        self.wrap = self.sealer.wrap(
            MAILBOX, 1, DELIVERY, to=to, prefix=PREFIX_LINES, acceptance=secrets.acceptance, moment=MOMENT
        )


@pytest.fixture(scope="module")
def sealed(secrets: ServiceSecrets, reader: Reader) -> Sealed:
    """A message."""
    return Sealed(secrets, reader.public)


def opened(wrap: Wrap, secrets: ServiceSecrets, reader: Reader) -> OpenedMessage:
    """Open *wrap* where it was delivered."""
    return open_wrap(wrap, MAILBOX, 1, DELIVERY, acceptance=secrets.acceptance, key=reader.private)


def resigned(wrap: Wrap, secrets: ServiceSecrets, **changes: Any) -> Wrap:
    """*wrap* changed and signed again, by somebody who had got hold of an acceptance key."""
    from cjsm.vault.message import _signed

    changed = msgspec.structs.replace(wrap, **changes)
    return msgspec.structs.replace(changed, signature=secrets.acceptance.current.sign(_signed(changed)))


def test_delivered_message_opens(sealed: Sealed, secrets: ServiceSecrets, reader: Reader) -> None:
    """The reader gets prefix, body and summary, and the length promised at delivery."""
    message = opened(decode_wrap(encode_wrap(sealed.wrap)), secrets, reader)
    body = message.body()
    body.check_length(len(sealed.body))
    told = message.prefix + body.open(sealed.body)
    assert told == PREFIX_LINES + PLAINTEXT
    assert len(told) == sealed.wrap.octets
    assert message.summary(sealed.sealer.seal_summary(SUMMARY)) == SUMMARY
    verify_body(sealed.wrap.body_digest, [sealed.body])


def test_nothing_readable(sealed: Sealed) -> None:
    """What is stored and what objects show of themselves holds no word of the message."""
    stored = encode_wrap(sealed.wrap) + sealed.body + sealed.sealer.seal_summary(SUMMARY)
    shown = repr((sealed.sealer, sealed.known, SUMMARY)).encode()
    for word in (b"canary", b"judge", b"Josephine", b"jo@firm"):
        assert word not in stored + shown


def test_one_body_for_many(secrets: ServiceSecrets, reader: Reader) -> None:
    """Recipients share a body; each has its own prefix."""
    sealer = MessageSealer(BODY)
    body = sealer.write(PLAINTEXT)
    body += sealer.finish()[0]
    for prefix in (b"", b"List-Id: <a>\r\n", bytes(PREFIX)):
        wrap = sealer.wrap(
            MAILBOX, 1, DELIVERY, to=reader.public, prefix=prefix, acceptance=secrets.acceptance, moment=MOMENT
        )
        message = opened(wrap, secrets, reader)
        assert message.prefix + message.body().open(body) == prefix + PLAINTEXT


def test_prefix_is_limited(sealed: Sealed, secrets: ServiceSecrets, reader: Reader) -> None:
    """A prefix over 16 KiB is refused."""
    with pytest.raises(Malformed):
        sealed.sealer.wrap(
            MAILBOX,
            1,
            DELIVERY,
            to=reader.public,
            prefix=bytes(PREFIX + 1),
            acceptance=secrets.acceptance,
            moment=MOMENT,
        )


def test_wrap_needs_the_whole_body(secrets: ServiceSecrets, reader: Reader) -> None:
    """No wrap before the body's digest is known."""
    with pytest.raises(Malformed):
        MessageSealer(BODY).wrap(
            MAILBOX, 1, DELIVERY, to=reader.public, prefix=b"", acceptance=secrets.acceptance, moment=MOMENT
        )


@pytest.mark.parametrize(
    ("mailbox", "generation", "delivery"),
    [(OTHER_MAILBOX, 1, DELIVERY), (MAILBOX, 2, DELIVERY), (MAILBOX, 1, OTHER_DELIVERY)],
    ids=["mailbox", "generation", "delivery"],
)
def test_moved_message(
    sealed: Sealed, secrets: ServiceSecrets, reader: Reader, mailbox: Any, generation: int, delivery: Any
) -> None:
    """A wrap put into another mailbox, generation or place is noticed with and without a key."""
    with pytest.raises(NotAuthentic):
        open_wrap(sealed.wrap, mailbox, generation, delivery, acceptance=secrets.acceptance, key=reader.private)
    with pytest.raises(NotAuthentic):
        verify_wrap(sealed.wrap, mailbox, generation, delivery, secrets.acceptance)


CHANGES: dict[str, dict[str, Any]] = {
    "body": {"body_id": OTHER_BODY},
    "octets": {"octets": 10_000},
    "digest": {"body_digest": bytes(32)},
    "time": {"signed_at": MOMENT + 1},
    "signature": {"signature": bytes(64)},
    "short signature": {"signature": b""},
    "sealed": {"sealed": bytes(1200)},
    "no sealed": {"sealed": b""},
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_wrap(sealed: Sealed, secrets: ServiceSecrets, reader: Reader, change: str) -> None:
    """Every field is under the signature."""
    with pytest.raises(NotAuthentic):
        opened(msgspec.structs.replace(sealed.wrap, **CHANGES[change]), secrets, reader)


@pytest.mark.parametrize("change", ["body", "octets", "digest", "sealed", "no sealed"])
def test_changed_wrap_with_good_signature(sealed: Sealed, secrets: ServiceSecrets, reader: Reader, change: str) -> None:
    """Where even the signature was made again, the seal to the mailbox still binds what matters to a reader."""
    with pytest.raises(NotAuthentic):
        opened(resigned(sealed.wrap, secrets, **CHANGES[change]), secrets, reader)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ((OTHER_MAILBOX, 1, DELIVERY), {"mailbox": OTHER_MAILBOX}),
        ((MAILBOX, 2, DELIVERY), {"generation": 2}),
        ((MAILBOX, 1, OTHER_DELIVERY), {"delivery_id": OTHER_DELIVERY}),
    ],
    ids=["mailbox", "generation", "delivery"],
)
def test_readdressed_wrap(
    sealed: Sealed, secrets: ServiceSecrets, reader: Reader, place: Any, change: dict[str, Any]
) -> None:
    """Re-addressed: the old signature does not hold, and with a new one the seal does not open."""
    for wrap in (msgspec.structs.replace(sealed.wrap, **change), resigned(sealed.wrap, secrets, **change)):
        with pytest.raises(NotAuthentic):
            open_wrap(wrap, *place, acceptance=secrets.acceptance, key=reader.private)


def test_planted_message(reader: Reader, secrets: ServiceSecrets) -> None:
    """Who can write the disk, and knows the mailbox's public key, cannot plant a message from the judge."""
    forged = Sealed(generate(), reader.public, b"From: judge@court.cjsm.test\r\n\r\nRelease him.\r\n")
    with pytest.raises(NotAuthentic, match="signature"):
        opened(forged.wrap, secrets, reader)


def test_signature_comes_before_the_key(sealed: Sealed, secrets: ServiceSecrets) -> None:
    """A bad signature is reported as such even where the key would not open it either."""
    wrap = msgspec.structs.replace(sealed.wrap, signature=bytes(64))
    with pytest.raises(NotAuthentic, match="signature"):
        open_wrap(wrap, MAILBOX, 1, DELIVERY, acceptance=secrets.acceptance, key=PrivateKey(new_seed()))


def test_another_generations_key(sealed: Sealed, secrets: ServiceSecrets) -> None:
    """Another seed does not open the wrap."""
    with pytest.raises(NotAuthentic):
        open_wrap(sealed.wrap, MAILBOX, 1, DELIVERY, acceptance=secrets.acceptance, key=PrivateKey(new_seed()))


def test_swapped_bodies(secrets: ServiceSecrets, reader: Reader) -> None:
    """Two messages of equal length, bodies and summaries exchanged: both notice."""
    one, two = Sealed(secrets, reader.public), Sealed(secrets, reader.public)
    for wrap, stranger in ((one.wrap, two), (two.wrap, one)):
        message = opened(wrap, secrets, reader)
        with pytest.raises(NotAuthentic):
            message.body().open(stranger.body)
        with pytest.raises(NotAuthentic):
            message.summary(stranger.sealer.seal_summary(SUMMARY))
        with pytest.raises(NotAuthentic):
            verify_body(wrap.body_digest, [stranger.body])


def test_summary_and_body_keys_differ(sealed: Sealed, secrets: ServiceSecrets, reader: Reader) -> None:
    """A summary is no body and a body no summary."""
    message = opened(sealed.wrap, secrets, reader)
    with pytest.raises(NotAuthentic):
        message.summary(bytes((1,)) + sealed.body)
    with pytest.raises(Malformed):
        message.summary(b"")


def test_public_half_suffices_to_read(sealed: Sealed, secrets: ServiceSecrets, reader: Reader) -> None:
    """A door that only lets people read does not need the acceptance key's private half."""
    public: Versions[Verifies] = secrets.acceptance_public
    assert open_wrap(sealed.wrap, MAILBOX, 1, DELIVERY, acceptance=public, key=reader.private).prefix == PREFIX_LINES


def test_unknown_suite(sealed: Sealed, secrets: ServiceSecrets, reader: Reader) -> None:
    """What another version sealed is told apart from what somebody changed."""
    newer = msgspec.structs.replace(sealed.wrap, suite=2)
    with pytest.raises(UnknownSuite):
        opened(newer, secrets, reader)
    with pytest.raises(UnknownSuite):
        decode_wrap(encode_wrap(newer))
    with pytest.raises(UnknownSuite):
        opened(sealed.wrap, secrets, reader).summary(b"\x02" + sealed.body)


def test_rotated_acceptance_key(sealed: Sealed, secrets: ServiceSecrets, reader: Reader) -> None:
    """After a rotation old messages open; with the old key lost, the answer names what is missing."""
    old = secrets.acceptance.current
    new = generate().acceptance.current
    both: Versions[Verifies] = Versions("acceptance", {1: old, 2: new})
    assert open_wrap(sealed.wrap, MAILBOX, 1, DELIVERY, acceptance=both, key=reader.private)
    lost: Versions[Verifies] = Versions("acceptance", {2: new})
    with pytest.raises(MissingSecret, match=r"acceptance\.1"):
        open_wrap(sealed.wrap, MAILBOX, 1, DELIVERY, acceptance=lost, key=reader.private)
    crossed: Versions[Verifies] = Versions("acceptance", {1: new, 2: old})
    with pytest.raises(NotAuthentic):
        open_wrap(sealed.wrap, MAILBOX, 1, DELIVERY, acceptance=crossed, key=reader.private)


def test_damaged_wraps(sealed: Sealed) -> None:
    """Every truncation of the stored form is refused in the vault's own words."""
    stored = encode_wrap(sealed.wrap)
    for length in (0, 1, 2, 30, len(stored) - 65, len(stored) - 1):
        with pytest.raises(Malformed):
            decode_wrap(stored[:length])
    for change in ({"octets": -1}, {"generation": 1 << 63}, {"signed_at": -5}):
        with pytest.raises(Malformed):
            decode_wrap(encode_wrap(msgspec.structs.replace(sealed.wrap, **change)))


@given(st.binary(max_size=400))
def test_any_octets_for_a_wrap(octets: bytes) -> None:
    """Whatever lies where a wrap should be, the answer is one of the vault's own."""
    for stored in (octets, b"\x01" + octets, b"\x01\x9b\x01" + octets):
        with pytest.raises(VaultError):
            decode_wrap(stored)


def test_deeply_nested_wrap(sealed: Sealed) -> None:
    """Nesting that would exhaust the decoder is damage like any other."""
    stored = encode_wrap(sealed.wrap)
    with pytest.raises(Malformed):
        decode_wrap(b"\x01\x9c" + stored[2:] + b"\x91" * 100_000 + b"\xc0")


def test_contradicting_lengths(secrets: ServiceSecrets, reader: Reader) -> None:
    """A wrap whose prefix is longer than the whole message is refused, signed or not."""
    from cjsm.vault.message import _wrap_info

    known = SealedBody(body_id=BODY, octets=0, sealed_octets=16, digest=bytes(32))
    info = _wrap_info(MAILBOX, 1, DELIVERY, known.body_id, 3, known.digest)
    for plaintext in (bytes(32) + b"long", bytes(31), bytes(32 + PREFIX + 1)):
        wrap = Wrap(
            suite=1,
            mailbox=MAILBOX,
            generation=1,
            delivery_id=DELIVERY,
            body_id=BODY,
            octets=3,
            body_digest=known.digest,
            sealed=reader.public.seal(plaintext, info),
            signed_at=MOMENT,
            key_number=1,
            signature=b"",
        )
        with pytest.raises(NotAuthentic, match="lengths"):
            opened(resigned(wrap, secrets), secrets, reader)
