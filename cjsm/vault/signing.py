"""Ed25519 signatures (RFC 8032) of the service's own statements."""

from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cjsm.vault.errors import Malformed, NotAuthentic


class VerifyingKey:
    """The public half."""

    __slots__ = ("_key",)

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    @classmethod
    def from_octets(cls, octets: bytes) -> "VerifyingKey":
        """Return the key that :attr:`octets` gave.

        :raises Malformed: when they are no key.
        """
        try:
            return cls(Ed25519PublicKey.from_public_bytes(octets))
        except ValueError as error:
            raise Malformed("not a verifying key") from error

    @property
    def octets(self) -> bytes:
        """The 32 octets of the public key."""
        return self._key.public_bytes_raw()

    @property
    def public(self) -> "VerifyingKey":
        """Itself, so that whoever only verifies takes either half."""
        return self

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check *signature* over *message*.

        :raises NotAuthentic: when it does not hold.
        """
        try:
            self._key.verify(signature, message)
        except InvalidSignature as error:
            raise NotAuthentic("signature does not hold") from error


class Verifies(Protocol):
    """Either half of a signing key."""

    @property
    def public(self) -> VerifyingKey:
        """The public half."""


class SigningKey:
    """The private half; shows nothing of itself."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = VerifyingKey(key.public_key())

    @classmethod
    def from_octets(cls, octets: bytes) -> "SigningKey":
        """Return the key whose 32 secret octets these are."""
        return cls(Ed25519PrivateKey.from_private_bytes(octets))

    def sign(self, message: bytes) -> bytes:
        """Return the signature over *message*, 64 octets."""
        return self._key.sign(message)
