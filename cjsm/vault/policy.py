"""What a new password must be (community §7); profiles are values, see :mod:`cjsm.policies`."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from cjsm.policies import Policy
from cjsm.vault import device
from cjsm.vault.errors import BadPassword
from cjsm.vault.passwords import normalise

#: Parts of names shorter than this occur in too many words to be refused.
_TELLING = 4


#: What fingers run along; any stretch of these, forwards or backwards, is a first guess.
_RUNS = ("1234567890" * 13, "abcdefghijklmnopqrstuvwxyz" * 5, "qwertyuiopasdfghjklzxcvbnm" * 5)


@cache
def _common() -> frozenset[str]:
    # The package makes its lists as it is imported; only who chooses a password waits for that.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])


def is_for_administrators(secret: bytes, policy: Policy) -> bool:
    """Whether a password that somebody chose is as long as one of an administrator must be.

    Asked at each sign-in: a password in ASCII is the same when it is normalised, which takes 40 µs.
    """
    length = len(secret) if secret.isascii() else len(normalise(secret).decode("utf-8"))
    return length >= policy.administrator_length


def check_password(secret: bytes, policy: Policy, names: Iterable[str], *, administrator: bool) -> None:
    """Refuse what the policy does not allow.

    :param names: the person's own names and user ID; no part of theirs of four letters or more may occur in it.
    :raises BadPassword: saying what is wrong and what would do.
    """
    password = normalise(secret).decode("utf-8")
    if device.parse(secret) is not None:
        raise BadPassword("this has the form of a password that the system made; choose one of your own")
    shortest = policy.administrator_length if administrator else policy.user_length
    if len(password) < shortest:
        raise BadPassword(f"a password needs at least {shortest} characters; three random words do well")
    if len(password) > policy.longest:
        raise BadPassword(f"a password has at most {policy.longest} characters")
    if _classes(password) < policy.classes:
        raise BadPassword(f"use {policy.classes} of: small letters, capitals, digits, other characters")
    folded = password.casefold()
    if policy.deny_names and any(part in folded for name in names for part in _parts(name)):
        raise BadPassword("a password must not contain your own name")
    if policy.deny_common and _is_common(folded):
        raise BadPassword("this password is one of the first that anybody would try; three random words do well")


def _parts(name: str) -> Iterable[str]:
    return (part for part in re.split(r"[\W_]+", name.casefold()) if len(part) >= _TELLING)


def _classes(password: str) -> int:
    named = ("Ll", "Lu", "Nd")
    return len({kind if kind in named else "other" for kind in map(unicodedata.category, password)})


def _is_common(folded: str) -> bool:
    """Whether it is a common password, one with digits and signs around it, a repetition or a run of keys."""
    core = folded.strip("0123456789!?.,*#$-_ ")
    repeated = any(len(folded) % size == 0 and folded == folded[:size] * (len(folded) // size) for size in range(1, 7))
    if repeated or any(folded in run or folded in run[::-1] for run in _RUNS):
        return True
    return folded in _common() or (core in _common() and len(folded) - len(core) < 6)
