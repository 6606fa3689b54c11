"""The few symmetric operations that the other modules share."""

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from cjsm.community.identifiers import Entropy
from cjsm.vault.errors import NotAuthentic

NONCE = 12
TAG = 16


def mac(key: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA-256, 32 octets."""
    return hmac.digest(key, message, "sha256")


def derive(secret: bytes, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """Return HKDF-SHA-256 (extract and expand, RFC 5869)."""
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def expand(key: bytes, info: bytes, length: int = 32) -> bytes:
    """Return HKDF-SHA-256 expand only, for a *key* that is uniformly random already."""
    return HKDFExpand(hashes.SHA256(), length, info).derive(key)


def seal_once(key: bytes, plaintext: bytes, bound_to: bytes, entropy: Entropy = os.urandom) -> bytes:
    """Seal with AES-256-GCM under a random nonce, which goes in front.

    :param key: 32 octets, used for few things: nonces are random.
    """
    nonce = entropy(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound_to)


def open_once(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """Open what :func:`seal_once` made.

    :raises NotAuthentic: when it is not that, or bound to something else.
    """
    try:
        return AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], bound_to)
    except (InvalidTag, ValueError) as error:
        raise NotAuthentic("sealed value does not open") from error
