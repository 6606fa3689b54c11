"""Slots: a key of an account (one seed per epoch) wrapped for each secret that may open it.

An account has a mail key, which reads, and, where it holds recovery or grants, an authority key, which its password
alone opens. Both have slots of the same form.
"""

import os
from enum import StrEnum

from msgspec import Struct

from cjsm.community.identifiers import AccountId, Entropy
from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import Malformed, NotAuthentic
from cjsm.vault.hybrid import SEED, PrivateKey, new_seed
from cjsm.vault.primitives import open_once, seal_once


class SlotKind(StrEnum):
    """Which secret opens a slot."""

    PASSWORD = "password"
    DEVICE = "device"
    ONE_TIME = "one-time"
    RECOVERY = "recovery"


class KeyUse(StrEnum):
    """What an account's key is for."""

    MAIL = "mail"
    AUTHORITY = "authority"


class AccountKey(Struct, frozen=True, kw_only=True, array_like=True):
    """The public half of an account's key in one epoch."""

    suite: int
    account: AccountId
    epoch: int
    public: bytes
    use: KeyUse = KeyUse.MAIL


class Slot(Struct, frozen=True, kw_only=True, array_like=True):
    """The seed of one epoch, wrapped. ``secret`` is the id of the system-made secret, or empty."""

    suite: int
    account: AccountId
    epoch: int
    kind: SlotKind
    secret: bytes
    pepper: int
    wrapped: bytes
    use: KeyUse = KeyUse.MAIL


def new_account_key(
    account: AccountId, epoch: int, use: KeyUse = KeyUse.MAIL, entropy: Entropy = os.urandom
) -> tuple[bytes, AccountKey]:
    """Return a fresh seed and its public half."""
    seed = new_seed(entropy)
    return seed, AccountKey(suite=SUITE, account=account, epoch=epoch, public=PrivateKey(seed).public, use=use)


def _binding(account: bytes, epoch: int, kind: SlotKind, secret: bytes, pepper: int, use: KeyUse) -> bytes:
    return bound(b"cjsm slot", SUITE, use.value.encode(), account, epoch, kind.value.encode(), secret, pepper)


def wrap_slot(
    seed: bytes,
    key: bytes,
    *,
    account: AccountId,
    epoch: int,
    kind: SlotKind,
    pepper: int,
    secret: bytes = b"",
    use: KeyUse = KeyUse.MAIL,
) -> Slot:
    """Return *seed* wrapped under *key* (32 octets), bound to where it belongs.

    :param pepper: number of the pepper that went into *key*.
    :raises Malformed: when an authority key would get another slot than its password's.
    """
    if use is KeyUse.AUTHORITY and kind is not SlotKind.PASSWORD:
        raise Malformed("an authority key is opened by the password only")
    wrapped = seal_once(key, seed, _binding(account, epoch, kind, secret, pepper, use))
    return Slot(
        suite=SUITE, account=account, epoch=epoch, kind=kind, secret=secret, pepper=pepper, wrapped=wrapped, use=use
    )


def open_slot(slot: Slot, key: bytes) -> bytes:
    """Return the seed.

    :raises NotAuthentic: when *key* is another, or the slot was changed or moved.
    :raises UnknownSuite: when it was made by a newer version.
    """
    check_suite(slot.suite)
    binding = _binding(slot.account, slot.epoch, slot.kind, slot.secret, slot.pepper, slot.use)
    seed = open_once(key, slot.wrapped, binding)
    if len(seed) != SEED:
        raise NotAuthentic("a slot holds a seed")
    return seed
