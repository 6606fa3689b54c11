"""Which mail keys a secret opens."""

import msgspec
import pytest

from cjsm.access.opening import open_password_slots, open_system_slots
from cjsm.vault import device
from cjsm.vault.errors import NotAuthentic

from .support import OTHER_PASSWORD, PASSWORD, House


def parsed(typed: bytes) -> device.SystemSecret:
    secret = device.parse(typed)
    assert secret is not None
    return secret


def test_password(house: House) -> None:
    """The chosen password opens every epoch it reaches, another none; without a password there is nothing to open."""
    keys = house.account_keys(house.join().id)
    opened = open_password_slots(keys, PASSWORD, house.secrets)
    assert set(opened) == {1}
    assert opened == house.sign_in().mail_keys
    with pytest.raises(NotAuthentic):
        open_password_slots(keys, OTHER_PASSWORD, house.secrets)
    assert open_password_slots(house.account_keys(house.add("al.new").account.id), PASSWORD, house.secrets) == {}


def test_system_secret(house: House) -> None:
    """A device password opens its own slots and no other's; one that is not for mail has none."""
    account = house.join()
    first, second = house.add_device(account.id, name="first"), house.add_device(account.id, name="second")
    sender = house.add_device(account.id, "smtp", name="sender")
    keys = house.account_keys(account.id)
    assert open_system_slots(keys.devices[0], parsed(first), house.secrets) == house.sign_in().mail_keys
    with pytest.raises(NotAuthentic):
        open_system_slots(keys.devices[0], parsed(second), house.secrets)
    assert open_system_slots(keys.devices[2], parsed(sender), house.secrets) == {}


def test_moved_slots(house: House) -> None:
    """A slot that was put under another device's verifier, or another account's, does not open."""
    jo, al = house.join(), house.join("al.other")
    first, second = house.add_device(jo.id, name="first"), house.add_device(jo.id, name="second")
    ones, others = house.account_keys(jo.id), house.account_keys(al.id)
    moved = msgspec.structs.replace(ones.devices[0], slots=ones.devices[1].slots)
    with pytest.raises(NotAuthentic):
        open_system_slots(moved, parsed(first), house.secrets)
    # Even with the right secret it says whose it is.
    renamed = msgspec.structs.replace(ones.devices[1].slots[0], secret=ones.devices[0].id)
    with pytest.raises(NotAuthentic):
        open_system_slots(msgspec.structs.replace(moved, slots=(renamed,)), parsed(second), house.secrets)
    swapped = tuple(msgspec.structs.replace(slot, account=al.id) for slot in ones.password_slots)
    with pytest.raises(NotAuthentic):
        open_password_slots(msgspec.structs.replace(ones, password_slots=swapped), PASSWORD, house.secrets)
    with pytest.raises(NotAuthentic):
        open_password_slots(
            msgspec.structs.replace(ones, password_slots=others.password_slots), PASSWORD, house.secrets
        )
