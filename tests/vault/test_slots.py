"""Slots: the secret opens the account's key, in the place the slot was made for."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.identifiers import AccountId
from cjsm.vault.errors import Malformed, NotAuthentic, UnknownSuite
from cjsm.vault.hybrid import PrivateKey
from cjsm.vault.primitives import open_once, seal_once
from cjsm.vault.slots import KeyUse, Slot, SlotKind, new_account_key, open_slot, wrap_slot
from cjsm.vault.slots import _binding as binding

from .conftest import ACCOUNT, OTHER_ACCOUNT

KEY = bytes(range(32))
SEED = bytes(32)
SLOT = wrap_slot(SEED, KEY, account=ACCOUNT, epoch=1, kind=SlotKind.DEVICE, pepper=1, secret=b"secret id 000001")


@given(
    seed=st.binary(min_size=32, max_size=32),
    key=st.binary(min_size=32, max_size=32),
    account=st.binary(min_size=16, max_size=16),
    epoch=st.integers(0, 1 << 40),
    kind=st.sampled_from(SlotKind),
    secret=st.binary(max_size=16),
)
def test_round_trip(seed: bytes, key: bytes, account: bytes, epoch: int, kind: SlotKind, secret: bytes) -> None:
    """Every kind of slot gives the seed back, also after it was stored."""
    slot = wrap_slot(seed, key, account=AccountId(account), epoch=epoch, kind=kind, pepper=7, secret=secret)
    assert open_slot(msgspec.msgpack.decode(msgspec.msgpack.encode(slot), type=Slot), key) == seed


CHANGES: list[dict[str, Any]] = [
    {"account": OTHER_ACCOUNT},
    {"epoch": 2},
    {"kind": SlotKind.PASSWORD},
    {"secret": b"secret id 000002"},
    {"pepper": 2},
    {"use": KeyUse.AUTHORITY},
    {"wrapped": SLOT.wrapped[:-1]},
    {"wrapped": SLOT.wrapped + b"\0"},
    {"wrapped": b""},
]


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
def test_changed_slot(change: dict[str, Any]) -> None:
    """A slot moved to another account, epoch, kind, secret, pepper or use does not open."""
    with pytest.raises(NotAuthentic):
        open_slot(msgspec.structs.replace(SLOT, **change), KEY)


def test_wrong_key_and_suite() -> None:
    """Another secret's key opens nothing; another suite is told apart."""
    with pytest.raises(NotAuthentic):
        open_slot(SLOT, bytes(32))
    with pytest.raises(UnknownSuite):
        open_slot(msgspec.structs.replace(SLOT, suite=9), KEY)


def test_holds_a_seed() -> None:
    """Whatever else was sealed there is refused."""
    wrapped = seal_once(
        KEY, b"not a seed", binding(SLOT.account, SLOT.epoch, SLOT.kind, SLOT.secret, SLOT.pepper, SLOT.use)
    )
    with pytest.raises(NotAuthentic):
        open_slot(msgspec.structs.replace(SLOT, wrapped=wrapped), KEY)


def test_authority_key_by_password_only() -> None:
    """No device password opens the key that recovery and grants use."""
    seed, known = new_account_key(ACCOUNT, 1, KeyUse.AUTHORITY)
    assert (known.use, known.public) == (KeyUse.AUTHORITY, PrivateKey(seed).public)
    slot = wrap_slot(seed, KEY, account=ACCOUNT, epoch=1, kind=SlotKind.PASSWORD, pepper=1, use=KeyUse.AUTHORITY)
    assert open_slot(slot, KEY) == seed
    for kind in (SlotKind.DEVICE, SlotKind.ONE_TIME, SlotKind.RECOVERY):
        with pytest.raises(Malformed):
            wrap_slot(seed, KEY, account=ACCOUNT, epoch=1, kind=kind, pepper=1, use=KeyUse.AUTHORITY)


def test_nonces_differ() -> None:
    """Sealing the same twice gives two different octet strings, both of which open."""
    one, two = seal_once(KEY, b"x", b"a"), seal_once(KEY, b"x", b"a")
    assert one != two
    assert open_once(KEY, one, b"a") == open_once(KEY, two, b"a") == b"x"
