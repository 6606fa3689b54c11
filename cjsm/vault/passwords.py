"""Passwords that people choose: normalised, peppered, verified by bcrypt, stretched by Argon2id for keys.

bcrypt looks at 72 octets, so it gets base64(HMAC-SHA-384(pepper, password)) of 64. The key-encryption key comes from
Argon2id with a salt of its own and never from the bcrypt string.
"""

import base64
import os

import bcrypt
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from msgspec import Struct
from precis_i18n import get_profile

from cjsm.community.identifiers import Entropy
from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import BadPassword, Malformed, WrongSecret
from cjsm.vault.primitives import derive
from cjsm.vault.secrets import Versions

#: Octets of a password looked at; longer ones cannot have been set.
LONGEST = 4096
_SALT = 16
_OPAQUE_STRING = get_profile("OpaqueString")


class PasswordVerifier(Struct, frozen=True, kw_only=True, array_like=True):
    """What a chosen password is checked against."""

    suite: int
    pepper: int
    hashed: bytes

    def __repr__(self) -> str:
        return "<PasswordVerifier>"


class Stretch(Struct, frozen=True, kw_only=True, array_like=True):
    """How a chosen password becomes a key: salt and costs (memory in KiB), and the pepper's number."""

    suite: int
    pepper: int
    salt: bytes
    memory: int
    iterations: int


def normalise(secret: bytes) -> bytes:
    """Return *secret* as RFC 8265's OpaqueString profile makes it, in UTF-8.

    :raises BadPassword: when it is not UTF-8, empty, too long, or holds characters the profile excludes.
    """
    if len(secret) > LONGEST:
        raise BadPassword(f"a password has at most {LONGEST} octets")
    try:
        enforced: str = _OPAQUE_STRING.enforce(secret.decode("utf-8"))
    except UnicodeError as error:
        raise BadPassword("a password is text without control characters") from error
    return enforced.encode("utf-8")


def _peppered(pepper: bytes, secret: bytes) -> bytes:
    try:
        told = bound(b"cjsm password", normalise(secret))
    except BadPassword:
        # What cannot be a password takes the same path and matches nothing.
        told = bound(b"cjsm not a password", secret[:LONGEST])
    context = hmac.HMAC(pepper, hashes.SHA384())
    context.update(told)
    return base64.b64encode(context.finalize())


def hash_password(secret: bytes, peppers: Versions[bytes], *, cost: int) -> PasswordVerifier:
    """Return the verifier of *secret*; takes 2**cost rounds.

    :raises BadPassword: when :func:`normalise` refuses it.
    """
    normalise(secret)
    hashed = bcrypt.hashpw(_peppered(peppers.current, secret), bcrypt.gensalt(cost))
    return PasswordVerifier(suite=SUITE, pepper=peppers.number, hashed=hashed)


def dummy_verifier(peppers: Versions[bytes], *, cost: int) -> PasswordVerifier:
    """Return a verifier that nothing matches, so that an unknown user costs what a known one does."""
    hashed = bcrypt.hashpw(_peppered(os.urandom(32), os.urandom(32)), bcrypt.gensalt(cost))
    return PasswordVerifier(suite=SUITE, pepper=peppers.number, hashed=hashed)


def verify_password(verifier: PasswordVerifier, secret: bytes, peppers: Versions[bytes], *, cost: int = 0) -> None:
    """Check *secret*.

    :param cost: log2 of the rounds that a refusal takes at least, so that one by an older, cheaper verifier comes no
        sooner than others.
    :raises WrongSecret: when it is not the one.
    :raises Malformed: when the verifier is damaged.
    """
    check_suite(verifier.suite)
    peppered = _peppered(peppers.of(verifier.pepper), secret)
    try:
        matches = bcrypt.checkpw(peppered, verifier.hashed)
    except ValueError as error:
        raise Malformed("damaged password verifier") from error
    if not matches:
        # 2**n and 2**n, and 2**(n + 1), and so on: together 2**cost.
        for rounds in range(cost_of(verifier), cost):
            bcrypt.hashpw(peppered, bcrypt.gensalt(rounds))
        raise WrongSecret


def cost_of(verifier: PasswordVerifier) -> int:
    """Return log2 of the rounds that *verifier* was made with.

    :raises Malformed: when it is damaged.
    """
    parts = verifier.hashed.split(b"$")
    if len(parts) != 4 or not parts[2].isdigit():
        raise Malformed("damaged password verifier")
    return int(parts[2])


def new_stretch(peppers: Versions[bytes], *, memory: int, iterations: int, entropy: Entropy = os.urandom) -> Stretch:
    """Return fresh parameters for :func:`stretch`; *memory* in KiB."""
    salt = entropy(_SALT)
    return Stretch(suite=SUITE, pepper=peppers.number, salt=salt, memory=memory, iterations=iterations)


def stretch(parameters: Stretch, secret: bytes, peppers: Versions[bytes]) -> bytes:
    """Return the key-encryption key of a chosen password, 32 octets. Slow on purpose.

    :raises BadPassword: when :func:`normalise` refuses it.
    :raises Malformed: when the parameters are damaged.
    """
    check_suite(parameters.suite)
    normalised = normalise(secret)
    try:
        stretched = Argon2id(
            salt=parameters.salt,
            length=32,
            iterations=parameters.iterations,
            lanes=1,
            memory_cost=parameters.memory,
        ).derive(normalised)
    except (ValueError, OverflowError) as error:
        raise Malformed("damaged stretching parameters") from error
    return derive(stretched, peppers.of(parameters.pepper), bound(b"cjsm password key", parameters.suite))
