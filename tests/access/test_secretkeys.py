"""What is kept of a secret."""

import msgspec
import pytest

from cjsm.access.opening import open_password_slots, open_system_slots
from cjsm.access.secretkeys import is_dated, new_system_secret, renewed, slots_of, with_password
from cjsm.community.identifiers import AccountId, SecretId
from cjsm.vault import device, passwords
from cjsm.vault.device import SecretKind
from cjsm.vault.errors import BadPassword
from cjsm.vault.secrets import generate
from cjsm.vault.slots import SlotKind

from .support import OTHER_PASSWORD, PASSWORD, SECRETS, SETTINGS, House

ACCOUNT = AccountId(b"the account 0001")
SEEDS = {2: b"b" * 32, 1: b"a" * 32}


@pytest.mark.parametrize("kind", SecretKind)
def test_system_secret(kind: SecretKind) -> None:
    """It verifies, opens the seed of each epoch and nothing else, and what is kept does not hold it."""
    kept, typed = new_system_secret(ACCOUNT, kind, SecretId(b"i" * 16), SEEDS, 77, SECRETS)
    secret = device.parse(typed.encode())
    assert secret is not None
    assert secret.kind is kind
    device.verify(kept.verifier, secret, SECRETS.peppers)
    assert [(slot.epoch, slot.kind, slot.secret) for slot in kept.slots] == [
        (1, SlotKind[kind.name], b"i" * 16),
        (2, SlotKind[kind.name], b"i" * 16),
    ]
    assert open_system_slots(kept, secret, SECRETS) == SEEDS
    assert kept.expires == 77
    stored = msgspec.msgpack.encode(kept)
    assert secret.octets not in stored
    assert typed.encode() not in stored


def test_renewed() -> None:
    """The same secret, id, end and seeds."""
    kept, typed = new_system_secret(ACCOUNT, SecretKind.DEVICE, SecretId(b"i" * 16), SEEDS, 77, SECRETS)
    secret = device.parse(typed.encode())
    assert secret is not None
    fresh = renewed(kept, secret, ACCOUNT, SECRETS)
    assert (fresh.id, fresh.expires, fresh.verifier) == (kept.id, kept.expires, kept.verifier)
    assert open_system_slots(fresh, secret, SECRETS) == SEEDS
    assert fresh.slots != kept.slots


def test_password(house: House) -> None:
    """Another password opens the same seeds, and the one of before opens nothing of what is kept."""
    keys = house.account_keys(house.join().id)
    seeds = open_password_slots(keys, PASSWORD, house.secrets)
    following = with_password(keys, PASSWORD, OTHER_PASSWORD, seeds, house.settings, house.secrets)
    assert open_password_slots(following, OTHER_PASSWORD, house.secrets) == seeds
    assert following.password is not None
    passwords.verify_password(following.password, OTHER_PASSWORD, house.secrets.peppers)
    assert following.password_stretch is not None
    assert keys.password_stretch is not None
    assert following.password_stretch.salt != keys.password_stretch.salt
    assert not {slot.wrapped for slot in following.password_slots} & {slot.wrapped for slot in keys.password_slots}
    with pytest.raises(BadPassword):
        with_password(keys, PASSWORD, b"\xff", seeds, house.settings, house.secrets)


@pytest.mark.parametrize(
    ("changes", "dated"),
    [
        ({}, False),
        ({"bcrypt_cost": 5}, True),
        ({"argon2_memory": 9}, True),
        ({"argon2_memory": 7}, False),
        ({"argon2_iterations": 2}, True),
        ({"argon2_memory": 7, "argon2_iterations": 2}, False),
    ],
)
def test_dated(house: House, changes: dict[str, int], dated: bool) -> None:
    """Weaker than the settings; never stronger. More memory counts before more passes."""
    keys = house.account_keys(house.join().id)
    assert is_dated(keys, msgspec.structs.replace(SETTINGS, **changes), SECRETS) is dated


def test_dated_without_a_password_or_its_key(house: House) -> None:
    """A one-time password has nothing to renew; a password that opens nothing gets what does."""
    assert not is_dated(house.account_keys(house.add().account.id), SETTINGS, SECRETS)
    keys = house.account_keys(house.join("al.other").id)
    assert is_dated(msgspec.structs.replace(keys, password_stretch=None), SETTINGS, SECRETS)


def test_slots_name_the_pepper() -> None:
    """The current one, which went into the key; each slot is for one epoch."""
    slots = slots_of(ACCOUNT, SEEDS, b"k" * 32, SlotKind.PASSWORD, generate())
    assert [(slot.epoch, slot.pepper) for slot in slots] == [(1, 1), (2, 1)]
