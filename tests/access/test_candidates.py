"""Whom a login name means, and whether states let them in."""

import pytest

from cjsm.access.candidates import Candidate, Matched, found, guarded, still_admitted
from cjsm.access.interfaces import LoginAttempt
from cjsm.access.protocols import UNLOCKS
from cjsm.community.acts import accounts, lives
from cjsm.community.acts.lives import LifeStep
from cjsm.community.address import LoginName
from cjsm.community.identifiers import AccountId

from .support import House


def attempt(protocol: str = "pop3") -> LoginAttempt:
    return LoginAttempt("x", b"", protocol=protocol, source="192.0.2.1")


def admitted(house: House, name: str, protocol: str = "pop3") -> tuple[AccountId | None, bool]:
    login = LoginName.parse(name)
    account, let_in = house.community.read_now(lambda view: found(view, login, attempt(protocol)))
    return account.id if account is not None else None, let_in


def test_names(house: House) -> None:
    """User ID and address, in any case and with a shared name behind; others are nobody's."""
    jo = house.join()
    for name in ("jo.ward@avon", "JO.WARD@Avon", "jo.ward@avon.cjsm.test", "jo.ward@avon/duty"):
        assert admitted(house, name) == (jo.id, True)
    for name in ("jo.ward@other", "nobody@avon", "nobody@avon.cjsm.test"):
        assert admitted(house, name) == (None, False)


def test_locked(house: House) -> None:
    """Lets nobody in but whoever is about to unlock the own account; suspended not even those."""
    jo = house.join()
    house.commit(lambda view, by: accounts.set_locked(view, by, jo.id, locked=True))
    assert admitted(house, "jo.ward@avon") == (jo.id, False)
    assert admitted(house, "jo.ward@avon", UNLOCKS) == (jo.id, True)
    assert not house.community.read_now(lambda view: still_admitted(view, jo.id, attempt()))
    assert house.community.read_now(lambda view: still_admitted(view, jo.id, attempt(UNLOCKS)))
    house.commit(lambda view, by: lives.change_life(view, by, jo.id, LifeStep.SUSPEND), "absent")
    assert admitted(house, "jo.ward@avon", UNLOCKS) == (jo.id, False)
    assert not house.community.read_now(lambda view: still_admitted(view, AccountId(bytes(16)), attempt()))


@pytest.mark.parametrize(("protocol", "kept_out"), [("pop3", True), ("smtp", True), ("act", True), (UNLOCKS, False)])
def test_whom_a_guard_keeps_out(house: House, protocol: str, kept_out: bool) -> None:
    """Everybody but who is about to end it."""
    jo = house.join()
    assert (guarded(Candidate(jo.id, None, jo), attempt(protocol)) is jo) is kept_out
    assert guarded(Candidate(b"s" * 16, None), attempt(protocol)) is None


def test_which_secret(house: House) -> None:
    """The own password has no id, a device password its own."""
    jo = house.join()
    house.add_device(jo.id)
    (device,) = house.account_keys(jo.id).devices
    assert Matched(device=device).secret == device.id
    assert Matched(chosen=True).secret is None
    assert Matched(chosen=True).mail_keys == {}
