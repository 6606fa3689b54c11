"""The few operations that everything is made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.vault.errors import NotAuthentic
from cjsm.vault.primitives import NONCE, TAG, derive, expand, mac, open_once, seal_once

KEY = b"k" * 32


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_sealed_and_opened(text: bytes, bound_to: bytes) -> None:
    """28 octets longer, with what it is bound to, and not otherwise."""
    sealed = seal_once(KEY, text, bound_to)
    assert len(sealed) == NONCE + len(text) + TAG
    assert open_once(KEY, sealed, bound_to) == text
    for attempt in ((b"j" * 32, sealed, bound_to), (KEY, sealed, bound_to + b"x"), (KEY, sealed[:-1], bound_to)):
        with pytest.raises(NotAuthentic):
            open_once(*attempt)


@given(st.binary(max_size=40))
def test_anything_else(octets: bytes) -> None:
    """Whatever lies there does not open."""
    with pytest.raises(NotAuthentic):
        open_once(KEY, octets, b"")


def test_known_answers() -> None:
    """HMAC (RFC 4231, case 2) and HKDF (RFC 5869, case 1) are what the RFCs say."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert mac(b"Jefe", b"what do ya want for nothing?").hex() == expected
    derived = derive(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42)
    assert derived.hex() == ("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    prk = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    assert expand(prk, bytes(range(0xF0, 0xFA)), 42) == derived
