"""Envelopes: sealed for one entry of the spool, opened by delivery alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjsm.vault.errors import Malformed, MissingSecret, NotAuthentic, UnknownSuite
from cjsm.vault.queue import EnvelopeSealer, open_envelope
from cjsm.vault.secrets import ServiceSecrets, generate

HELD = generate()


def _sealed(secrets: ServiceSecrets, envelope: bytes = b"MAIL FROM:<jo@firm.cjsm.test>") -> bytes:
    public = secrets.queue_public
    return EnvelopeSealer(public.current, public.number).seal(b"entry 1", envelope)


@settings(deadline=None, max_examples=20)
@given(st.binary(max_size=500))
def test_round_trip(envelope: bytes) -> None:
    """Delivery gets the envelope back."""
    assert open_envelope(HELD.queue, b"entry 1", _sealed(HELD, envelope)) == envelope


def test_keys_are_renewed() -> None:
    """Envelopes share a key for a while, not for ever; each opens, and no two look the same."""
    public = HELD.queue_public
    sealer = EnvelopeSealer(public.current, public.number)
    sealed = [sealer.seal(bytes((number % 256,)), b"the same") for number in range(1_001)]
    assert len({octets[:1_170] for octets in sealed}) == 2
    assert len({octets[1_170:] for octets in sealed}) == 1_001
    for number in (0, 999, 1_000):
        assert open_envelope(HELD.queue, bytes((number % 256,)), sealed[number]) == b"the same"


def test_anything_else_does_not_open() -> None:
    """Another entry's, a changed, shortened or extended one, or another service's."""
    sealed = _sealed(HELD)
    assert b"firm" not in sealed
    attempts = [
        (b"entry 2", sealed),
        (b"entry 1", sealed[:-1]),
        (b"entry 1", sealed + b"\0"),
        (b"entry 1", sealed[:50] + bytes((sealed[50] ^ 1,)) + sealed[51:]),
        (b"entry 1", _sealed(generate())),
    ]
    for entry, octets in attempts:
        with pytest.raises(NotAuthentic):
            open_envelope(HELD.queue, entry, octets)


def test_told_apart() -> None:
    """Damage, a newer version and a lost key have errors of their own."""
    sealed = _sealed(HELD)
    for octets in (b"", b"\x01"):
        with pytest.raises(Malformed):
            open_envelope(HELD.queue, b"entry 1", octets)
    with pytest.raises(UnknownSuite):
        open_envelope(HELD.queue, b"entry 1", b"\x02" + sealed[1:])
    with pytest.raises(MissingSecret):
        open_envelope(HELD.queue, b"entry 1", b"\x01\x05" + sealed[2:])
