"""Secrets that the system makes: device passwords, one-time passwords and recovery codes.

Their own shape (a prefix, groups of base32 and a checksum) alone picks their path through the checker: one HMAC, as
they have at least 100 bits and need no stretching. ``d-abcd-efgh-…``: capitals, spaces and hyphens do not matter.
"""

import base64
import hmac
import os
from enum import StrEnum

from msgspec import Struct

from cjsm.community.identifiers import Entropy
from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import WrongSecret
from cjsm.vault.primitives import derive, mac
from cjsm.vault.secrets import Versions

_GROUP = 4
_CHECKSUM = 2
_LONGEST = 128
#: Base32 (RFC 4648 section 6) in small letters, and the digits that Python counts with to the same base.
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz234567")
_DIGITS = str.maketrans("abcdefghijklmnopqrstuvwxyz234567", "0123456789abcdefghijklmnopqrstuv")


class SecretKind(StrEnum):
    """What a system-made secret is for; the value is its prefix."""

    DEVICE = "d"
    ONE_TIME = "o"
    RECOVERY = "r"


#: Random octets of each kind: with the checksum a whole number of base32 groups.
_RANDOM = {SecretKind.DEVICE: 18, SecretKind.ONE_TIME: 13, SecretKind.RECOVERY: 18}


class SystemSecret(Struct, frozen=True):
    """A system-made secret, parsed."""

    kind: SecretKind
    octets: bytes

    def __repr__(self) -> str:
        return f"<SystemSecret {self.kind.name}>"


class SecretVerifier(Struct, frozen=True, kw_only=True, array_like=True):
    """What a system-made secret is checked against."""

    suite: int
    pepper: int
    tag: bytes

    def __repr__(self) -> str:
        return "<SecretVerifier>"


def make(kind: SecretKind, entropy: Entropy = os.urandom) -> str:
    """Return a fresh secret as it is shown to the person, once."""
    octets = entropy(_RANDOM[kind])
    told = base64.b32encode(octets + _checksum(kind, octets)).decode("ascii").lower().rstrip("=")
    groups = (told[start : start + _GROUP] for start in range(0, len(told), _GROUP))
    return "-".join((kind.value, *groups))


def parse(typed: bytes) -> SystemSecret | None:
    """Return the secret of that shape in *typed*; None when it has another: then a person chose it."""
    if len(typed) > _LONGEST:
        return None
    try:
        squeezed = typed.decode("ascii").replace("-", "").replace(" ", "").lower()
        kind = SecretKind(squeezed[:1])
    except ValueError:
        return None
    coded, length = squeezed[1:], _RANDOM[kind] + _CHECKSUM
    if len(coded) * 5 != length * 8 or not _LETTERS.issuperset(coded):
        return None
    # Much faster than the library's own decoding, and each sign-in of a mail program comes here.
    octets = int(coded.translate(_DIGITS), 32).to_bytes(length, "big")
    secret, checksum = octets[:-_CHECKSUM], octets[-_CHECKSUM:]
    return SystemSecret(kind, secret) if checksum == _checksum(kind, secret) else None


def _checksum(kind: SecretKind, octets: bytes) -> bytes:
    return mac(b"cjsm secret checksum", bound(kind.value.encode(), octets))[:_CHECKSUM]


def verifier(secret: SystemSecret, peppers: Versions[bytes]) -> SecretVerifier:
    """Return what *secret* is checked against from now on."""
    return SecretVerifier(suite=SUITE, pepper=peppers.number, tag=_tag(secret, peppers.current))


def verify(known: SecretVerifier, secret: SystemSecret, peppers: Versions[bytes]) -> None:
    """Check *secret* against *known*.

    :raises WrongSecret: when it is not the one.
    """
    check_suite(known.suite)
    if not hmac.compare_digest(known.tag, _tag(secret, peppers.of(known.pepper))):
        raise WrongSecret


def _tag(secret: SystemSecret, pepper: bytes) -> bytes:
    return mac(pepper, bound(b"cjsm system secret", secret.kind.value.encode(), secret.octets))


def key(secret: SystemSecret, pepper_number: int, peppers: Versions[bytes]) -> bytes:
    """Return the key-encryption key that *secret* gives, 32 octets."""
    info = bound(b"cjsm system secret key", SUITE, secret.kind.value.encode())
    return derive(secret.octets, peppers.of(pepper_number), info)
