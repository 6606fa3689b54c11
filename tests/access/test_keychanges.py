"""Changing what is kept of an account's secrets."""

from typing import Any

import msgspec
import pytest

from cjsm.access import keyring
from cjsm.access.errors import AccessRefused
from cjsm.access.keychanges import KeyChanges, Opened, anew, inline
from cjsm.access.keyring import AccountKeys
from cjsm.access.opening import open_password_slots
from cjsm.access.secretkeys import with_password
from cjsm.community.acts import credentials
from cjsm.community.errors import NotFound, Overtaken
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Account
from cjsm.store.interfaces import VersionTaken
from cjsm.vault.device import SecretKind
from cjsm.vault.slots import new_account_key

from .support import PASSWORD, House, now


def changes(house: House) -> KeyChanges:
    return KeyChanges(house.community, house.keys, house.secrets, house.clock)


def name_keys(house: House, account: Account, keys: AccountKeys) -> None:
    """Let the community name *keys*."""
    step = now(changes(house).write(account, keys))
    by = house.enrolment.by(account.id)
    now(house.community.commit(by.act_id, lambda view: credentials.renew_keys(view, by, account.id, step)))


def test_made_anew_until_nobody_came_first() -> None:
    """Five times at most; other errors are told at once."""
    for failures, error in ((4, Overtaken("first")), (4, VersionTaken("first"))):
        told: list[Any] = [error] * failures + ["done"]

        async def act(told: list[Any] = told) -> str:
            outcome = told.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return str(outcome)

        assert now(anew(act)) == "done"
    calls: list[int] = []

    async def never() -> None:
        calls.append(1)
        raise Overtaken("first")

    with pytest.raises(Overtaken):
        now(anew(never))
    assert len(calls) == 5


def test_nobody(house: House) -> None:
    """An account that is not there has no keys."""
    with pytest.raises(NotFound):
        changes(house).read(AccountId(bytes(16)))


def test_what_each_secret_opens(house: House) -> None:
    """Kind and id of the secret, and the mail key."""
    account = house.join()
    device = house.add_device(account.id)
    codes = now(house.factors.new_codes(house.enrolment.by(account.id), account.id, PASSWORD, None))
    found, keys = changes(house).read(account.id)
    own = changes(house).open(found, keys, PASSWORD)
    assert (own.kind, own.secret, set(own.mail_keys)) == (None, None, {1})
    for secret, kind, known in (
        (device, SecretKind.DEVICE, keys.devices[0]),
        (codes[2].encode(), SecretKind.RECOVERY, keys.recovery[2]),
    ):
        opened = changes(house).open(found, keys, secret)
        assert (opened.kind, opened.secret, opened.mail_keys) == (kind, known.id, own.mail_keys)
        assert repr(opened) == f"<Opened by {kind.name}>"
        assert len(opened.used_up(keys).recovery) == (9 if kind is SecretKind.RECOVERY else 10)


def test_a_secret_that_does_not_reach_the_newest_key(house: House) -> None:
    """After keys began anew, what opens the earlier ones only chooses no password: newer mail would be lost with it."""
    account = house.join()
    device = house.add_device(account.id)
    code = now(house.factors.new_codes(house.enrolment.by(account.id), account.id, PASSWORD, None))[0].encode()
    account, keys = changes(house).read(account.id)
    seed, public = new_account_key(account.id, 2)
    opened = open_password_slots(keys, PASSWORD, house.secrets)
    begun = with_password(keys, PASSWORD, PASSWORD, opened | {2: seed}, house.settings, house.secrets)
    name_keys(house, account, msgspec.structs.replace(begun, epochs=(*keys.epochs, public)))
    found, keys = changes(house).read(account.id)
    for secret in (device, code):
        with pytest.raises(AccessRefused):
            changes(house).open(found, keys, secret)
    assert set(changes(house).open(found, keys, PASSWORD).mail_keys) == {1, 2}


def test_older_records_are_read(house: House) -> None:
    """What was stored before there were second factors, recovery codes and former passwords."""
    account = house.join()
    keys = house.account_keys(account.id)
    plain = msgspec.msgpack.decode(keyring.encode(keys)[1:])
    for later in ("former", "factor", "recovery"):
        del plain[later]
    stored = b"\x01" + msgspec.msgpack.encode(plain)
    assert keyring.decode(stored, AccountKeys) == keys


def test_inline() -> None:
    """Work is done at once, and its errors are the caller's."""
    assert now(inline(lambda: 7)) == 7
    with pytest.raises(ZeroDivisionError):
        now(inline(lambda: 1 // 0))
    assert Opened({}).used_up(AccountKeys(account=AccountId(bytes(16)))).recovery == ()
