"""A recovery officer's authority key, and the password that alone opens it."""

import msgspec
import pytest

from cjsm.access import officerkeys
from cjsm.access.keyring import AccountKeys
from cjsm.vault import passwords
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.slots import KeyUse, SlotKind, new_account_key

from .support import OTHER_PASSWORD, PASSWORD, House
from .test_recovering import OLIVE, Place


def officer(house: House) -> AccountKeys:
    return house.account_keys(Place(house).olive.id)


def test_opened_by_the_password(house: House) -> None:
    """By nothing else; somebody who is no officer has nothing to open."""
    keys = officer(house)
    assert set(officerkeys.open_slots(keys, OLIVE, house.secrets)) == {1}
    with pytest.raises(NotAuthentic):
        officerkeys.open_slots(keys, OTHER_PASSWORD, house.secrets)
    assert officerkeys.open_slots(house.account_keys(house.join("al.other").id), PASSWORD, house.secrets) == {}


def test_a_seed_that_is_not_its_own(house: House) -> None:
    """A slot with another seed, as who has the password could make one, does not pass for the officer's key."""
    keys = officer(house)
    assert keys.password_stretch is not None
    key = passwords.stretch(keys.password_stretch, OLIVE, house.secrets.peppers)
    planted = officerkeys.wrap(b"s" * 32, key, keys, 1, house.secrets)
    with pytest.raises(NotAuthentic, match="public key"):
        officerkeys.open_slots(msgspec.structs.replace(keys, authority_slots=(planted,)), OLIVE, house.secrets)


def test_rewrapped(house: House) -> None:
    """With the password of before every epoch goes on under the new key; with a system-made secret none does."""
    keys = officer(house)
    assert keys.password_stretch is not None
    key = passwords.stretch(keys.password_stretch, OLIVE, house.secrets.peppers)
    seed, public = new_account_key(keys.account, 2, KeyUse.AUTHORITY)
    second = officerkeys.wrap(seed, key, keys, 2, house.secrets)
    keys = msgspec.structs.replace(
        keys, authority=(*keys.authority, public), authority_slots=(*keys.authority_slots, second)
    )
    slots = officerkeys.rewrapped(keys, OLIVE, b"n" * 32, house.secrets)
    assert [(slot.epoch, slot.kind, slot.use) for slot in slots] == [
        (epoch, SlotKind.PASSWORD, KeyUse.AUTHORITY) for epoch in (1, 2)
    ]
    assert not {slot.wrapped for slot in slots} & {slot.wrapped for slot in keys.authority_slots}
    with pytest.raises(NotAuthentic):
        officerkeys.rewrapped(keys, OTHER_PASSWORD, b"n" * 32, house.secrets)
    device = house.add_device(keys.account, current=OLIVE)
    assert officerkeys.rewrapped(keys, device, b"n" * 32, house.secrets) == ()
