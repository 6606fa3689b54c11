"""The second factor: time-based one-time passwords (TOTP, RFC 6238), by an authenticator on the person's telephone.

The secret must be known here to check a code, so it lies in the key store sealed under the pepper: who has the disk
without the service's secrets cannot make codes.
"""

import base64
import hmac
import os

import pyotp
from msgspec import Struct

from cjsm.community.identifiers import AccountId, Entropy
from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import NotAuthentic, WrongSecret
from cjsm.vault.primitives import derive, open_once, seal_once
from cjsm.vault.secrets import Versions

#: Octets of a secret: as many as HMAC-SHA-1's output (RFC 4226 section 4, R6).
SECRET = 20
#: Seconds that a code is good for.
STEP = 30
DIGITS = 6


class SealedFactor(Struct, frozen=True, kw_only=True, array_like=True):
    """The secret of one account's authenticator, sealed under the pepper of that number."""

    suite: int
    account: AccountId
    pepper: int
    sealed: bytes


def new_factor(
    account: AccountId, peppers: Versions[bytes], entropy: Entropy = os.urandom
) -> tuple[bytes, SealedFactor]:
    """Return a fresh secret of 20 octets and its sealed form."""
    secret = entropy(SECRET)
    return secret, seal_factor(secret, account, peppers, entropy)


def seal_factor(
    secret: bytes, account: AccountId, peppers: Versions[bytes], entropy: Entropy = os.urandom
) -> SealedFactor:
    """Return *secret* sealed under the current pepper, bound to *account*."""
    sealed = seal_once(_key(peppers.current), secret, _binding(account, peppers.number), entropy)
    return SealedFactor(suite=SUITE, account=account, pepper=peppers.number, sealed=sealed)


def open_factor(factor: SealedFactor, account: AccountId, peppers: Versions[bytes]) -> bytes:
    """Return the secret.

    :raises NotAuthentic: when it was changed, or is another account's.
    """
    check_suite(factor.suite)
    if factor.account != account:
        raise NotAuthentic("the second factor belongs to another account")
    return open_once(_key(peppers.of(factor.pepper)), factor.sealed, _binding(account, factor.pepper))


def _key(pepper: bytes) -> bytes:
    return derive(pepper, b"", bound(b"cjsm second factor key", SUITE))


def _binding(account: bytes, pepper: int) -> bytes:
    return bound(b"cjsm second factor", SUITE, account, pepper)


def step_of(secret: bytes, typed: bytes, moment: float, drift: int) -> int:
    """Return the time step whose code was typed; spaces do not matter.

    Whoever calls this takes each step once only, and no earlier one after it (RFC 6238 section 5.2).

    :param moment: seconds since the epoch.
    :param drift: steps before and after that still count.
    :raises WrongSecret: when it is none of their codes.
    """
    code = typed.replace(b" ", b"")
    totp, now = _totp(secret), int(moment) // STEP
    found = None
    for step in range(max(0, now - drift), now + drift + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode("ascii"), code):
            found = step
    if found is None:
        raise WrongSecret
    return found


def address(secret: bytes, user_id: str, service: str) -> str:
    """Return the otpauth address that authenticators read, as text or in a picture."""
    return _totp(secret).provisioning_uri(name=user_id, issuer_name=service)


def typed_form(secret: bytes) -> str:
    """Return *secret* as a person types it into an authenticator: base32 in groups of four."""
    coded = base64.b32encode(secret).decode("ascii")
    return " ".join(coded[at : at + 4] for at in range(0, len(coded), 4))


def _totp(secret: bytes) -> pyotp.TOTP:
    return pyotp.TOTP(base64.b32encode(secret).decode("ascii"), digits=DIGITS, interval=STEP)
