"""The hybrid key pair: kept as a seed, opens only what was sealed to it and for that purpose."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjsm.vault.errors import Malformed, NotAuthentic
from cjsm.vault.hybrid import OVERHEAD, PUBLIC, PrivateKey, PublicKey, new_seed

SEED = bytes(range(32))
PRIVATE = PrivateKey(SEED)
PUBLIC_KEY = PublicKey(PRIVATE.public)


@settings(deadline=None, max_examples=25)
@given(plaintext=st.binary(max_size=300), info=st.binary(max_size=40))
def test_round_trip(plaintext: bytes, info: bytes) -> None:
    """What is sealed to the public half opens with the private one and has the length foretold."""
    sealed = PUBLIC_KEY.seal(plaintext, info)
    assert len(sealed) == len(plaintext) + OVERHEAD
    assert PRIVATE.open(sealed, info) == plaintext


def test_seed_expansion_is_x_wings() -> None:
    """The first test vector of X-Wing: seed and the beginning of its public key."""
    seed = bytes.fromhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
    assert PrivateKey(seed).public.hex().startswith("e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5")


def test_anything_else_does_not_open() -> None:
    """Another key, another purpose, a changed octet, a truncation or an extension."""
    sealed = PUBLIC_KEY.seal(b"seed", b"info")
    attempts = [
        (PrivateKey(new_seed()), sealed, b"info"),
        (PRIVATE, sealed, b"other"),
        (PRIVATE, sealed[:-1], b"info"),
        (PRIVATE, sealed + b"\0", b"info"),
        (PRIVATE, bytes((sealed[0] ^ 1,)) + sealed[1:], b"info"),
        (PRIVATE, sealed[:1100] + bytes((sealed[1100] ^ 1,)) + sealed[1101:], b"info"),
        (PRIVATE, b"", b"info"),
    ]
    for key, octets, info in attempts:
        with pytest.raises(NotAuthentic):
            key.open(octets, info)


def test_malformed_keys() -> None:
    """Keys of the wrong length or form are refused when they are read."""
    for octets in (b"", bytes(PUBLIC - 1), bytes(PUBLIC + 1), b"\xff" * PUBLIC):
        with pytest.raises(Malformed):
            PublicKey(octets)
    for seed in (b"", bytes(31), bytes(33)):
        with pytest.raises(Malformed):
            PrivateKey(seed)


def test_shows_nothing() -> None:
    """A private key does not print itself."""
    assert SEED.hex() not in repr(PRIVATE)
    assert len({new_seed() for _ in range(50)}) == 50
