"""Keys that sign mail between servers."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from cjsm.vault.dkimkeys import ED25519, RSA, DkimSigningKey, DkimVerifyingKey, make_rsa
from cjsm.vault.errors import Malformed, NotAuthentic, WeakKey
from cjsm.vault.secrets import RSA_MOST

DIGEST = hashlib.sha256(b"message").digest()
STORED = make_rsa()
KEYS = [DkimSigningKey.rsa(STORED), DkimSigningKey.ed25519(b"s" * 32)]


@pytest.mark.parametrize("key", KEYS)
def test_signed_and_checked(key: DkimSigningKey) -> None:
    """By what is published of the key; one changed octet of either is seen."""
    public = DkimVerifyingKey.from_octets(key.kind, key.public)
    assert public.kind == key.kind
    signature = key.sign(DIGEST)
    public.verify(signature, DIGEST)
    changed = signature[:-1] + bytes([signature[-1] ^ 1])
    for other in ((changed, DIGEST), (signature, bytes(32)), (b"", DIGEST), (signature + b"x", DIGEST)):
        with pytest.raises(NotAuthentic):
            public.verify(*other)


def test_sizes() -> None:
    """RSA of 2,048 bits, Ed25519 as RFC 8463 has it; a stored key is no longer than its file may be."""
    assert [len(key.sign(DIGEST)) for key in KEYS] == [256, 64]
    assert [key.kind for key in KEYS] == [RSA, ED25519]
    assert len(KEYS[1].public) == 32
    assert len(STORED) <= RSA_MOST
    assert DkimSigningKey.rsa(STORED).public == KEYS[0].public != DkimSigningKey.rsa(make_rsa()).public


def rsa(bits: int, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    return RSAPublicNumbers(65_537, 2**bits - 1).public_key().public_bytes(Encoding.DER, form)


def test_published_sizes() -> None:
    """From 1,024 to 4,096 bits, in either form that is met (RFC 6376 §3.6.1)."""
    for form in (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1):
        for bits in (1_024, 4_096):
            DkimVerifyingKey.from_octets(RSA, rsa(bits, form))
        for bits in (512, 1_023, 4_097, 16_384):
            with pytest.raises(WeakKey):
                DkimVerifyingKey.from_octets(RSA, rsa(bits, form))


def test_no_keys() -> None:
    """What is no key, or one of another kind."""
    curve = generate_private_key(SECP256R1())
    public = curve.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    private = curve.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    for kind, octets in ((RSA, b""), (RSA, public), (ED25519, b"x"), (ED25519, rsa(2_048)), ("dsa", rsa(2_048))):
        with pytest.raises(Malformed):
            DkimVerifyingKey.from_octets(kind, octets)
    for octets in (b"", b"x" * 32, private):
        with pytest.raises(Malformed):
            DkimSigningKey.rsa(octets)


@given(st.sampled_from([RSA, ED25519, ""]), st.binary(max_size=100) | st.integers(0, 290).map(lambda n: rsa(2_048)[:n]))
def test_total(kind: str, octets: bytes) -> None:
    """Whatever strangers publish is a key or is not."""
    try:
        key = DkimVerifyingKey.from_octets(kind, octets)
    except (Malformed, WeakKey):
        return
    with pytest.raises(NotAuthentic):
        key.verify(b"no signature", DIGEST)


def test_shows_nothing() -> None:
    """Neither key is in what the object prints of itself."""
    assert "7373" not in repr(KEYS[1])
    assert repr(KEYS[0]).startswith("<cjsm.")


@pytest.mark.parametrize("offset", range(8, len(STORED), 61))
def test_a_damaged_key_is_none(offset: int) -> None:
    """One octet of the file changed: it is no key, or one whose signatures hold all the same."""
    changed = bytearray(STORED)
    changed[offset] ^= 1
    try:
        key = DkimSigningKey.rsa(bytes(changed))
    except Malformed:
        return
    DkimVerifyingKey.from_octets(RSA, key.public).verify(key.sign(DIGEST), DIGEST)


def test_a_modulus_that_is_not_its_primes() -> None:
    """The file has the form of a key, and signs nothing that anybody could verify."""
    key = load_der_private_key(STORED, None)
    assert isinstance(key, RSAPrivateKey)
    modulus = key.public_key().public_numbers().n.to_bytes(256, "big")
    with pytest.raises(Malformed):
        DkimSigningKey.rsa(STORED.replace(modulus, modulus[:100] + bytes(1) + modulus[101:]))
