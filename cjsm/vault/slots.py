"""Slots: an account's mail key (one seed per epoch) wrapped for each secret that may open it."""

from enum import StrEnum

from msgspec import Struct

from cjsm.community.identifiers import AccountId, SecretId
from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.hybrid import PrivateKey, new_seed
from cjsm.vault.primitives import open_once, seal_once


class SlotKind(StrEnum):
    """Which secret opens a slot, or ``authority``: the key that only recovery and grants use."""

    PASSWORD = "password"
    DEVICE = "device"
    ONE_TIME = "one-time"
    RECOVERY = "recovery"
    AUTHORITY = "authority"


class AccountKey(Struct, frozen=True, kw_only=True, array_like=True):
    """The public half of an account's mail key in one epoch."""

    suite: int
    account: AccountId
    epoch: int
    public: bytes


class Slot(Struct, frozen=True, kw_only=True, array_like=True):
    """The seed of one epoch, wrapped. ``secret`` is the id of the device password, or empty."""

    suite: int
    account: AccountId
    epoch: int
    kind: SlotKind
    secret: bytes
    pepper: int
    wrapped: bytes


def new_account_key(account: AccountId, epoch: int) -> tuple[bytes, AccountKey]:
    """Return a fresh seed and its public half."""
    seed = new_seed()
    return seed, AccountKey(suite=SUITE, account=account, epoch=epoch, public=PrivateKey(seed).public)


def _binding(account: bytes, epoch: int, kind: SlotKind, secret: bytes, pepper: int) -> bytes:
    return bound(b"cjsm slot", SUITE, account, epoch, kind.value.encode(), secret, pepper)


def wrap_slot(
    seed: bytes, key: bytes, *, account: AccountId, epoch: int, kind: SlotKind, pepper: int, secret: bytes = b""
) -> Slot:
    """Return *seed* wrapped under *key* (32 octets), bound to where it belongs."""
    wrapped = seal_once(key, seed, _binding(account, epoch, kind, secret, pepper))
    return Slot(
        suite=SUITE, account=account, epoch=epoch, kind=kind, secret=secret, pepper=pepper, wrapped=wrapped
    )


def open_slot(slot: Slot, key: bytes) -> bytes:
    """Return the seed.

    :raises NotAuthentic: when *key* is another, or the slot was changed or moved.
    """
    check_suite(slot.suite)
    return open_once(
        key, slot.wrapped, _binding(slot.account, slot.epoch, slot.kind, SecretId(slot.secret), slot.pepper)
    )
