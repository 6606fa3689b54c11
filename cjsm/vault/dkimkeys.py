"""Keys that sign mail between servers: RSA (RFC 6376 §3.3) and Ed25519 (RFC 8463), over a SHA-256 digest.

Sizes follow RFC 8301 §3.2: ours is 2,048 bits; what others published must have 1,024 at least and 4,096 at most.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from cjsm.vault.errors import Malformed, NotAuthentic, WeakKey

RSA: Final = "rsa"
ED25519: Final = "ed25519"
_OURS = 2_048
_LEAST, _MOST = 1_024, 4_096
_PUBLIC_MOST = 1_024
_DIGEST = Prehashed(SHA256())
_PROBE = bytes(32)


class DkimVerifyingKey:
    """A key that a domain published.

    :ivar kind: :data:`RSA` or :data:`ED25519`.
    """

    __slots__ = ("_key", "kind")

    def __init__(self, key: RSAPublicKey | Ed25519PublicKey) -> None:
        self._key = key
        self.kind = RSA if isinstance(key, RSAPublicKey) else ED25519

    @classmethod
    def from_octets(cls, kind: str, octets: bytes) -> "DkimVerifyingKey":
        """Return the key of a key record's ``p=``.

        :param kind: :data:`RSA`, then *octets* are DER, or :data:`ED25519`, then they are the key's 32 (RFC 8463 §4).
        :raises Malformed: when they are no such key.
        :raises WeakKey: when it has too few bits, or too many.
        """
        try:
            if kind == ED25519:
                return cls(Ed25519PublicKey.from_public_bytes(octets))
            if len(octets) > _PUBLIC_MOST:
                raise WeakKey(f"an RSA key is over {_MOST} bits")
            key = load_der_public_key(octets)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise Malformed("not a public key") from error
        if kind != RSA or not isinstance(key, RSAPublicKey):
            raise Malformed("not a public key of its kind")
        if not _LEAST <= key.key_size <= _MOST:
            raise WeakKey(f"an RSA key has {key.key_size} bits, not {_LEAST} to {_MOST}")
        return cls(key)

    def verify(self, signature: bytes, digest: bytes) -> None:
        """Check *signature* over a SHA-256 *digest*.

        :raises NotAuthentic: when it does not hold.
        """
        try:
            if isinstance(self._key, RSAPublicKey):
                self._key.verify(signature, digest, PKCS1v15(), _DIGEST)
            else:
                self._key.verify(signature, digest)
        except InvalidSignature as error:
            raise NotAuthentic("signature does not hold") from error


class DkimSigningKey:
    """Our own private half; shows nothing of itself.

    :ivar kind: :data:`RSA` or :data:`ED25519`.
    :ivar public: what the key record's ``p=`` carries, before base64.
    """

    __slots__ = ("_key", "kind", "public")

    def __init__(self, key: RSAPrivateKey | Ed25519PrivateKey) -> None:
        self._key = key
        if isinstance(key, RSAPrivateKey):
            self.kind = RSA
            self.public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            self.kind = ED25519
            self.public = key.public_key().public_bytes_raw()

    @classmethod
    def ed25519(cls, octets: bytes) -> "DkimSigningKey":
        """Return the Ed25519 key whose 32 secret octets these are."""
        return cls(Ed25519PrivateKey.from_private_bytes(octets))

    @classmethod
    def rsa(cls, octets: bytes) -> "DkimSigningKey":
        """Return the RSA key that :func:`make_rsa` gave.

        :raises Malformed: when the octets are no such key.
        """
        try:
            # Whether the primes are primes takes a tenth of a second to see, in every process and command that begins.
            # That it signs is what matters, and what a file that was damaged does not do.
            key = load_der_private_key(octets, password=None, unsafe_skip_rsa_key_validation=True)
            if not isinstance(key, RSAPrivateKey) or key.key_size < _OURS:
                raise Malformed(f"not an RSA key of {_OURS} bits")
            made = cls(key)
            DkimVerifyingKey(key.public_key()).verify(made.sign(_PROBE), _PROBE)
        except (ValueError, TypeError, UnsupportedAlgorithm, NotAuthentic) as error:
            raise Malformed("not a private key") from error
        return made

    def sign(self, digest: bytes) -> bytes:
        """Return the signature over a SHA-256 *digest*: 64 octets, or as many as the RSA key has."""
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(digest, PKCS1v15(), _DIGEST)
        return self._key.sign(digest)


def make_rsa() -> bytes:
    """Return a fresh RSA key in its stored form, PKCS #8 DER. Takes some tenths of a second."""
    key = generate_private_key(65_537, _OURS)
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
