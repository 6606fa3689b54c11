"""What a sign-in gives behind each door, and when it ends."""

from typing import Any

import pytest
from zope.interface.verify import verifyObject

from cjsm.access.delay import LoginDelay
from cjsm.access.errors import AccessRefused, AccessUnavailable, LoginTooSoon, MaildropInUse, NotOffered
from cjsm.access.interfaces import IDirectoryReader, IMaildrop, ISubmitter
from cjsm.community.acts import accounts, lives, organisations
from cjsm.community.acts.lives import LifeStep
from cjsm.community.address import Address
from cjsm.community.admission import AccountOrigin
from cjsm.community.records import OrganisationState
from cjsm.store.interfaces import Unavailable

from .support import MOMENT, ORGANISATION, OTHER_PASSWORD, PASSWORD, PROFILE, House, now

DOORS = [IMaildrop, ISubmitter, IDirectoryReader]


@pytest.mark.parametrize("door", DOORS)
def test_avatars(house: House, door: Any) -> None:
    """Each door gets what it asks for; logs get a name that means nothing."""
    account = house.join()
    avatar, logout = house.avatar(house.sign_in(), door)
    assert verifyObject(door, avatar)
    assert avatar.account == account.id
    assert "ward" not in avatar.pseudonym
    assert avatar.still_valid()
    logout()
    if door is ISubmitter:
        assert avatar.origin_for("") == AccountOrigin(account=account.id)


def test_relayed_member(house: House) -> None:
    """A member whose mail is elsewhere reads the directory, and is told where the mail is."""
    house.connect()
    enrolled = now(
        house.enrolment.add_relayed(
            house.enrolment.by(), ORGANISATION, "jo.ward@avon", PROFILE, Address.parse("jo@firm.co.uk.cjsm.test")
        )
    )
    house.choose(enrolled.account.id, enrolled.one_time_password.encode(), PASSWORD)
    house.avatar(house.sign_in("jo@firm.co.uk.cjsm.test"), IDirectoryReader)
    for door in (IMaildrop, ISubmitter):
        with pytest.raises(NotOffered, match="your organisation"):
            house.avatar(house.sign_in(), door)


def test_shared_mailbox_unknown(house: House) -> None:
    """A shared mailbox that is not there, or not for this person, is not offered."""
    house.join()
    with pytest.raises(NotOffered, match="no shared mailbox"):
        house.maildrop("jo.ward@avon/front-desk")


def test_one_session_each(house: House) -> None:
    """A maildrop is open once; it is free again after logout, and also when listing it failed."""
    house.join()
    _, logout = house.maildrop()
    with pytest.raises(MaildropInUse):
        house.maildrop()
    logout()
    house.maildrop()[1]()


def test_login_delay(house: House) -> None:
    """Where there is one, it counts from the login that succeeded; too soon leaves no lease behind."""
    now_is = [0.0]
    house.realm._delay = LoginDelay(60, lambda: now_is[0])
    house.join()
    _, logout = house.maildrop()
    with pytest.raises(MaildropInUse):
        house.maildrop()
    logout()
    with pytest.raises(LoginTooSoon):
        house.maildrop()
    now_is[0] = 60.0
    house.maildrop()[1]()


def test_store_down(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mailbox that cannot be listed is unavailable, and its lease is given back."""
    house.join()

    def fail(*_: object) -> None:
        raise Unavailable("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(house.mail, "list", fail)
        with pytest.raises(AccessUnavailable):
            house.maildrop()
    house.maildrop()


@pytest.mark.parametrize("door", DOORS)
def test_changed_password_ends_sessions(house: House, door: Any) -> None:
    """Sessions of the old password end at once; those of a device password go on."""
    account = house.join()
    by = house.enrolment.by(account.id)
    made = now(house.enrolment.add_device(by, account.id, PASSWORD, name="phone", protocols=("pop3",)))
    with_password, logout = house.avatar(house.sign_in(), door)
    logout()
    with_device, _ = house.avatar(house.sign_in(secret=made.secret.encode()), door)
    assert with_password.still_valid()
    house.choose(account.id, PASSWORD, OTHER_PASSWORD)
    assert not with_password.still_valid()
    assert not with_password.still_valid()
    assert with_device.still_valid()


@pytest.mark.parametrize("door", DOORS)
def test_revoked_device_ends_sessions(house: House, door: Any) -> None:
    """A revoked device password stops its session at once, no other, and signs in no more."""
    account = house.join()
    made = [
        now(
            house.enrolment.add_device(
                house.enrolment.by(account.id), account.id, PASSWORD, name=name, protocols=("pop3",)
            )
        )
        for name in ("phone", "desk")
    ]
    avatars = []
    for each in made:
        avatar, logout = house.avatar(house.sign_in(secret=each.secret.encode()), door)
        logout()
        avatars.append(avatar)
    now(house.enrolment.revoke_device(house.enrolment.by(account.id), account.id, made[0].password.id))
    assert [avatar.still_valid() for avatar in avatars] == [False, True]
    with pytest.raises(AccessRefused):
        house.sign_in(secret=made[0].secret.encode())
    house.sign_in(secret=made[1].secret.encode())


def test_expired_device_ends_sessions(house: House) -> None:
    """A device password's session ends at its time, though nothing in the community changed."""
    account = house.join()
    by = house.enrolment.by(account.id)
    made = now(
        house.enrolment.add_device(by, account.id, PASSWORD, name="phone", protocols=("pop3",), expires=MOMENT + 60)
    )
    avatar, _ = house.avatar(house.sign_in(secret=made.secret.encode()), ISubmitter)
    assert avatar.still_valid()
    house.moment += 60
    assert not avatar.still_valid()


def test_states_end_sessions(house: House) -> None:
    """Suspending, locking or deleting somebody, or suspending the organisation, ends sessions."""
    account = house.join()
    avatar, _ = house.avatar(house.sign_in(), ISubmitter)
    house.join("al.other")
    assert avatar.still_valid()
    for locked in (True, False):
        house.commit(lambda view, by, locked=locked: accounts.set_locked(view, by, account.id, locked=locked))
        assert avatar.still_valid() != locked
    for step in (LifeStep.SUSPEND, LifeStep.RESUME, LifeStep.DELETE, LifeStep.UNDELETE):
        house.commit(lambda view, by, step=step: lives.change_life(view, by, account.id, step), "left")
        assert avatar.still_valid() == (step in (LifeStep.RESUME, LifeStep.UNDELETE))
    house.commit(
        lambda view, by: organisations.set_state(view, by, ORGANISATION, OrganisationState.SUSPENDED),
        "terms",
    )
    assert not avatar.still_valid()


def test_a_store_that_does_not_answer_ends_no_session(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says nothing about the account; as soon as it answers, what changed counts."""
    account = house.join()
    avatar, _ = house.avatar(house.sign_in(), ISubmitter)

    def away(*_: object) -> None:
        raise Unavailable("no disk")

    house.commit(lambda view, by: lives.change_life(view, by, account.id, LifeStep.SUSPEND), "terms")
    with monkeypatch.context() as patched:
        patched.setattr(house.community, "number", away)
        assert avatar.still_valid()
    assert not avatar.still_valid()
