"""Secrets that are kept in an older way are kept in today's after the next sign-in."""

from typing import Any

import bcrypt
import msgspec
import pytest
from twisted.internet.defer import fail

from cjsm.access.errors import AccessRefused, TryLater
from cjsm.access.interfaces import ISubmitter
from cjsm.access.secretkeys import is_dated
from cjsm.configuration import AccessSettings
from cjsm.sources import SharedNetworks
from cjsm.store.interfaces import Unavailable
from cjsm.vault import passwords
from cjsm.vault.secrets import ServiceSecrets, Versions

from .support import OTHER_PASSWORD, PASSWORD, SECRETS, House, logged, read

HIGHER = {
    "bcrypt": {"bcrypt_cost": 5},
    "memory": {"argon2_memory": 16},
    "passes": {"argon2_iterations": 2},
}


def settle(house: House, **changes: int) -> AccessSettings:
    """Let new settings be in force, as after a restart."""
    house.settings = msgspec.structs.replace(house.settings, **changes)
    house.close()
    house.open()
    return house.settings


def acts_of(house: House) -> list[str]:
    return [entry.act for entry in house.entries()]


@pytest.mark.parametrize("higher", HIGHER)
@pytest.mark.parametrize("protocol", ["pop3", "smtp", "ldap"])
def test_raised_settings(house: House, higher: str, protocol: str) -> None:
    """The password is kept as the settings say from the next sign-in on, once; mail stays readable, sessions go on."""
    account = house.join()
    assert account.mailbox is not None
    house.deliver(account.mailbox, b"letter\r\n")
    session, _ = house.avatar(house.sign_in(protocol="smtp"), ISubmitter)
    settings = settle(house, **HIGHER[higher])
    assert is_dated(house.account_keys(account.id), settings, house.secrets)
    house.sign_in(protocol=protocol)
    keys = house.account_keys(account.id)
    assert not is_dated(keys, settings, house.secrets)
    assert keys.password is not None
    assert passwords.cost_of(keys.password) == settings.bcrypt_cost
    house.sign_in(protocol=protocol)
    assert read(house.maildrop()[0], 0) == b"letter\r\n"
    with pytest.raises(AccessRefused):
        house.sign_in(secret=OTHER_PASSWORD)
    assert acts_of(house)[2:] == ["password-chosen", "keys-renewed"]
    assert house.account(account.id).password_version == account.password_version
    assert (session.still_valid(), house.account(account.id).password_since) == (True, account.password_since)


def test_before_it_is_renewed_it_is_refused_no_sooner(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept at the cost of before, a wrong password takes what an unknown name's does: nobody hears who is here."""
    house.join()
    settle(house, bcrypt_cost=6)
    check, make = bcrypt.checkpw, bcrypt.hashpw
    spent: list[int] = []

    def rounds(given: bytes) -> None:
        spent.append(1 << int(given.split(b"$")[2]))

    monkeypatch.setattr(bcrypt, "checkpw", lambda secret, hashed: (rounds(hashed), check(secret, hashed))[1])
    monkeypatch.setattr(bcrypt, "hashpw", lambda secret, salt: (rounds(salt), make(secret, salt))[1])
    for name in ("jo.ward@avon", "nobody@avon"):
        with pytest.raises(AccessRefused):
            house.sign_in(name, OTHER_PASSWORD)
        assert sum(spent) == 1 << 6, name
        spent.clear()


def test_lowered_settings_weaken_nothing(house: House) -> None:
    """What is kept in a stronger way stays."""
    account = house.join()
    settle(house, bcrypt_cost=5, argon2_memory=16)
    house.sign_in()
    keys = house.account_keys(account.id)
    settle(house, bcrypt_cost=4, argon2_memory=8)
    house.sign_in()
    assert house.account_keys(account.id) == keys


def rotated() -> ServiceSecrets:
    """The service's secrets with a newer pepper."""
    made = ServiceSecrets.__new__(ServiceSecrets)
    for slot in ServiceSecrets.__slots__:
        setattr(made, slot, getattr(SECRETS, slot))
    made.peppers = Versions("pepper", {1: SECRETS.peppers.of(1), 2: b"n" * 32})
    return made


def test_a_new_pepper(house: House) -> None:
    """Own password and device passwords come under it one by one, as they are used; unused ones go on as they were."""
    account = house.join()
    used, unused = house.add_device(account.id, name="used"), house.add_device(account.id, name="unused")
    assert account.mailbox is not None
    house.deliver(account.mailbox, b"letter\r\n")
    house.secrets = rotated()
    settle(house)
    house.sign_in(secret=used, protocol="smtp")
    house.sign_in()
    keys = house.account_keys(account.id)
    assert [device.verifier.pepper for device in keys.devices] == [2, 1]
    assert [slot.pepper for device in keys.devices for slot in device.slots] == [2, 1]
    assert keys.password is not None
    assert keys.password.pepper == 2
    for secret in (PASSWORD, used, unused):
        drop, logout = house.maildrop(secret=secret)
        assert read(drop, 0) == b"letter\r\n"
        logout()


def test_it_waits_for_nobody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the pool is full or a store does not answer the person is in all the same; the next stretching does it."""
    account = house.join()
    settings = settle(house, bcrypt_cost=5)
    run = house.pool.run

    def busy_after_the_first(*work: Any) -> Any:
        house.pool.failure = TryLater() if house.pool.sources else None
        return run(*work)

    monkeypatch.setattr(house.pool, "run", busy_after_the_first)
    house.sign_in()
    monkeypatch.undo()
    house.pool.failure = None
    assert is_dated(house.account_keys(account.id), settings, house.secrets)
    house.moment += house.settings.verification_cache
    monkeypatch.setattr(house.keys, "put", lambda *_: fail(Unavailable("no disk")))
    with logged() as texts:
        house.sign_in()
    assert texts == ["error: secrets could not be renewed: no disk"]
    monkeypatch.undo()
    house.sign_in()
    assert is_dated(house.account_keys(account.id), settings, house.secrets)
    house.moment += house.settings.verification_cache
    house.sign_in()
    assert not is_dated(house.account_keys(account.id), settings, house.secrets)


def test_a_password_changed_meanwhile_stays(house: House) -> None:
    """The old one that is being renewed does not come back."""
    account = house.join()
    settle(house, bcrypt_cost=5)
    calls: list[int] = []

    def change_it() -> None:
        calls.append(1)
        if len(calls) == 2:
            house.choose(account.id, PASSWORD, OTHER_PASSWORD)

    house.pool.before = change_it
    house.sign_in()
    house.pool.before = lambda: None
    house.sign_in(secret=OTHER_PASSWORD)
    with pytest.raises(AccessRefused):
        house.sign_in(secret=PASSWORD)


def test_settings_that_are_read_again(house: House) -> None:
    """Change nothing of what is kept before a restart, which also gives unknown names their cost."""
    account = house.join()
    house.checker.renew(msgspec.structs.replace(house.settings, bcrypt_cost=5), SharedNetworks())
    house.sign_in()
    assert acts_of(house)[-1] == "password-chosen"
    assert house.account_keys(account.id).password is not None
