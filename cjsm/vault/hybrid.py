"""The hybrid key pair: ML-KEM-768 and X25519 under HPKE (RFC 9180), kept as a seed of 32 octets.

The seed is stretched as X-Wing does: SHAKE-256 to 96 octets, 64 for ML-KEM and 32 for X25519.
"""

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from cjsm.community.identifiers import Entropy
from cjsm.vault.errors import Malformed, NotAuthentic

SEED = 32
_MLKEM_PUBLIC = 1184
PUBLIC = _MLKEM_PUBLIC + 32
#: What sealing adds to a plaintext: encapsulated key 1,120 octets and tag 16.
OVERHEAD = 1120 + 16

_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class PublicKey:
    """The public half; :attr:`octets` is its stored form of 1,216 octets.

    :raises Malformed: when *octets* is not a public key.
    """

    __slots__ = ("_key", "octets")

    def __init__(self, octets: bytes) -> None:
        if len(octets) != PUBLIC:
            raise Malformed(f"a public key has {PUBLIC} octets")
        try:
            self._key = MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(octets[:_MLKEM_PUBLIC]),
                X25519PublicKey.from_public_bytes(octets[_MLKEM_PUBLIC:]),
            )
        except ValueError as error:
            raise Malformed("not a public key") from error
        self.octets = octets

    def seal(self, plaintext: bytes, info: bytes) -> bytes:
        """Seal *plaintext* to this key, bound to *info*; :data:`OVERHEAD` octets longer."""
        return _SUITE.encrypt(plaintext, self._key, info)


class PrivateKey:
    """The private half, made from its seed; shows nothing of itself.

    :ivar seed: the 32 octets it was made from.
    :raises Malformed: when *seed* has not 32 octets.
    """

    __slots__ = ("_key", "_mlkem", "_x25519", "seed")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED:
            raise Malformed(f"a seed has {SEED} octets")
        stretched = hashlib.shake_256(seed).digest(96)
        self.seed = seed
        self._mlkem = MLKEM768PrivateKey.from_seed_bytes(stretched[:64])
        self._x25519 = X25519PrivateKey.from_private_bytes(stretched[64:])
        self._key = MLKEM768X25519PrivateKey(self._mlkem, self._x25519)

    @property
    def public(self) -> bytes:
        """The stored form of the public half, worked out each time: whoever only opens does not need it."""
        return self._mlkem.public_key().public_bytes_raw() + self._x25519.public_key().public_bytes_raw()

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Open what was sealed to this key with the same *info*.

        :raises NotAuthentic: when it was not.
        """
        try:
            return _SUITE.decrypt(sealed, self._key, info)
        except (InvalidTag, ValueError) as error:
            raise NotAuthentic("sealed value does not open with this key") from error


def new_seed(entropy: Entropy = os.urandom) -> bytes:
    """Return a fresh seed."""
    return entropy(SEED)
