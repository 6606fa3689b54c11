"""Signatures of the service."""

import pytest

from cjsm.vault.errors import Malformed, NotAuthentic
from cjsm.vault.signing import SigningKey, VerifyingKey

KEY = SigningKey.from_octets(b"s" * 32)


def test_signed_and_checked() -> None:
    """By the public half, which is all that a reader needs."""
    public = VerifyingKey.from_octets(KEY.public.octets)
    signature = KEY.sign(b"statement")
    public.public.verify(signature, b"statement")
    for other in ((signature, b"Statement"), (signature[:-1] + b"\0", b"statement"), (b"", b"statement")):
        with pytest.raises(NotAuthentic):
            public.verify(*other)
    with pytest.raises(NotAuthentic):
        SigningKey.from_octets(b"t" * 32).public.verify(signature, b"statement")


def test_no_key() -> None:
    """What is no key is said to be none; a private one shows nothing of itself."""
    with pytest.raises(Malformed):
        VerifyingKey.from_octets(b"short")
    assert "7373" not in repr(KEY)
