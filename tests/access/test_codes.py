"""Codes of the second factor beside a secret."""

import msgspec
import pytest

from cjsm.access.codes import Codes, Shown
from cjsm.access.errors import CodeNeeded, CodeRefused
from cjsm.access.keychanges import Opened
from cjsm.access.lockout import SECOND_FACTOR
from cjsm.vault.device import SecretKind

from .support import Authenticator, House, now


def codes(house: House) -> Codes:
    return Codes(house.settings, house.activity, house.secrets, house.clock)


def test_taken_once_however_often_the_act_is_made(house: House) -> None:
    """An act that another came before is made anew with the same code, which another act does not get."""
    account = house.join()
    one, _ = house.turn_on(account.id)
    found, keys = house.account(account.id), house.account_keys(account.id)
    code = one.code()
    shown = Shown(codes(house), code)
    for _ in range(2):
        assert now(shown.beside(found, keys, Opened({}))) == keys
    with pytest.raises(CodeRefused):
        now(Shown(codes(house), code).beside(found, keys, Opened({})))


def test_where_it_is_asked_for(house: House) -> None:
    """Beside the own password of somebody with a second factor; nobody else is asked."""
    account = house.join()
    plain, before = house.account(account.id), house.account_keys(account.id)
    assert now(Shown(codes(house), None).beside(plain, before, Opened({}))) == before
    house.turn_on(account.id)
    found, keys = house.account(account.id), house.account_keys(account.id)
    with pytest.raises(CodeNeeded):
        now(Shown(codes(house), None).beside(found, keys, Opened({})))
    for kind in (SecretKind.DEVICE, SecretKind.ONE_TIME):
        assert now(Shown(codes(house), None).beside(found, keys, Opened({}, kind))) == keys


def test_recovery_code_in_its_place(house: House) -> None:
    """It is taken out of the record each time the act is made; one that is void, or another's, is refused."""
    account, other = house.join(), house.join("al.other")
    _, recovery = house.turn_on(account.id)
    found, keys = house.account(account.id), house.account_keys(account.id)
    shown = Shown(codes(house), recovery[3].encode())
    for _ in range(2):
        left = now(shown.beside(found, keys, Opened({})))
        assert [each.id for each in left.recovery] == [each.id for at, each in enumerate(keys.recovery) if at != 3]
    with pytest.raises(CodeRefused):
        now(Shown(codes(house), recovery[3].encode()).beside(found, left, Opened({})))
    _, others = house.turn_on(other.id)
    with pytest.raises(CodeRefused):
        now(Shown(codes(house), others[0].encode()).beside(found, keys, Opened({})))
    assert not house.activity.failures(account.id, SECOND_FACTOR).tags


def test_a_right_one_forgets_wrong_ones(house: House) -> None:
    """Mistyped codes end nothing as long as right ones come between."""
    account = house.join()
    one, _ = house.turn_on(account.id)
    keys = house.account_keys(account.id)
    for _ in range(3):
        for number in range(house.settings.second_factor_failures - 1):
            with pytest.raises(CodeRefused):
                now(codes(house).check(account.id, keys, b"%06d" % number))
        assert house.activity.failures(account.id, SECOND_FACTOR).tags
        now(codes(house).check(account.id, keys, one.code()))
        assert not house.activity.failures(account.id, SECOND_FACTOR).tags
        house.moment += 30


def test_without_a_factor(house: House) -> None:
    """Nobody's code is right where there is none, nor with the secret of somebody else."""
    account, other = house.join(), house.join("al.other")
    one, _ = house.turn_on(other.id)
    keys = house.account_keys(account.id)
    with pytest.raises(CodeRefused):
        now(codes(house).check(account.id, keys, one.code()))
    assert isinstance(one, Authenticator)
    stolen = msgspec.structs.replace(keys, factor=house.account_keys(other.id).factor)
    with pytest.raises(Exception, match="another account"):
        now(codes(house).check(account.id, stolen, one.code()))
