"""Keys begun anew: who reads what after a reset and a rotation, and attacks on the keys."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import fail

from cjsm.access import keyring
from cjsm.access.errors import AccessRefused, MustChoosePassword
from cjsm.access.interfaces import IMaildrop
from cjsm.access.keylife import KeyLife, Reset
from cjsm.access.keyring import MailboxKeys
from cjsm.access.mailboxkeys import read_mailbox_keys
from cjsm.community.acts import roles
from cjsm.community.acts.lives import LifeStep, change_life
from cjsm.community.address import Address
from cjsm.community.errors import BadValue, CommunityError, Conflict, NotAllowed, NotFound
from cjsm.community.identifiers import AccountId, MailboxId, RoleAssignmentId
from cjsm.community.records import Account, Credential, Recovery, Role, RoleAssignment
from cjsm.store.interfaces import Unavailable
from cjsm.vault.errors import BadPassword, NotAuthentic
from cjsm.vault.mailboxes import new_generation
from cjsm.vault.secrets import generate
from cjsm.vault.slots import new_account_key

from .support import ORGANISATION, OTHER_PASSWORD, PASSWORD, PROFILE, House, now, read


def life(house: House) -> KeyLife:
    return KeyLife(house.enrolment, community=house.community, keys=house.keys, secrets=house.secrets)


def reset(house: House, account: Account, reason: str = "forgotten") -> Reset:
    return now(life(house).reset(house.enrolment.by(reason=reason), account.id))


def mailbox_of(account: Account) -> MailboxId:
    assert account.mailbox is not None
    return account.mailbox


def letters(house: House, secret: bytes = PASSWORD) -> list[bytes]:
    drop, logout = house.maildrop(secret=secret)
    found = [read(drop, index) for index in range(len(drop.messages))]
    logout()
    return found


def test_reset(house: House) -> None:
    """New mail opens at once, old mail is closed; what signed in before does not any more."""
    jo = house.join()
    device = now(house.enrolment.add_device(house.enrolment.by(jo.id), jo.id, PASSWORD, name="x", protocols=("pop3",)))
    house.deliver(mailbox_of(jo), b"before\r\n")
    session = house.avatar(house.sign_in(secret=device.secret.encode()), IMaildrop)
    made = reset(house, jo)
    assert (made.closed, made.recoverable, made.recovery) == (True, False, Recovery.TWO_PERSON)
    assert made.one_time_password not in repr(made)
    assert not session[0].still_valid()
    session[1]()
    for secret in (PASSWORD, device.secret.encode()):
        with pytest.raises(AccessRefused):
            house.sign_in(secret=secret)
    house.deliver(mailbox_of(jo), b"between\r\n")
    with pytest.raises(MustChoosePassword):
        house.sign_in(secret=made.one_time_password.encode())
    house.choose(jo.id, made.one_time_password.encode(), OTHER_PASSWORD)
    house.deliver(mailbox_of(jo), b"after\r\n")
    assert letters(house, OTHER_PASSWORD) == [b"between\r\n", b"after\r\n"]
    entry = next(each for each in house.entries() if each.act == "password-reset")
    assert (entry.subject, entry.reason) == (jo.id, "forgotten")
    assert dict(entry.details)[f"generation-{mailbox_of(jo).hex()}"].startswith("2 ")


def test_the_password_of_before_does_not_come_back(house: House) -> None:
    """Whoever was reset chooses another one."""
    jo = house.join()
    made = reset(house, jo)
    with pytest.raises(BadPassword, match="already"):
        house.choose(jo.id, made.one_time_password.encode(), PASSWORD)
    house.choose(jo.id, made.one_time_password.encode(), OTHER_PASSWORD)


def test_sessions_of_the_old_password_end(house: House) -> None:
    jo = house.join()
    drop, logout = house.avatar(house.sign_in(), IMaildrop)
    assert drop.still_valid()
    reset(house, jo)
    assert not drop.still_valid()
    logout()


def test_what_a_reset_leaves_nobody(house: House) -> None:
    """No slot of any earlier epoch is left: not even who has every record and the old password opens old mail."""
    jo = house.join()
    reset(house, jo)
    record = house.account_keys(jo.id)
    assert (record.password, record.password_slots, record.devices) == (None, (), ())
    assert record.one_time is not None
    assert [slot.epoch for slot in record.one_time.slots] == [2]
    assert [key.epoch for key in record.epochs] == [1, 2]
    assert house.account(jo.id).credential is Credential.ONE_TIME


def test_reset_with_a_working_device_password(house: House) -> None:
    """Who has one chooses a new password with it: the epoch stays and nothing closes."""
    jo = house.join()
    device = now(house.enrolment.add_device(house.enrolment.by(jo.id), jo.id, PASSWORD, name="x", protocols=("pop3",)))
    house.deliver(mailbox_of(jo), b"before\r\n")
    house.choose(jo.id, device.secret.encode(), OTHER_PASSWORD)
    assert letters(house, OTHER_PASSWORD) == [b"before\r\n"]
    assert len(house.account_keys(jo.id).epochs) == 1


def test_twice(house: House) -> None:
    """A second reset takes the first one's password away, and closes what came between."""
    jo = house.join()
    first = reset(house, jo)
    house.deliver(mailbox_of(jo), b"between\r\n")
    second = reset(house, jo)
    with pytest.raises(AccessRefused):
        house.choose(jo.id, first.one_time_password.encode(), OTHER_PASSWORD)
    house.choose(jo.id, second.one_time_password.encode(), OTHER_PASSWORD)
    assert letters(house, OTHER_PASSWORD) == []
    assert house.account(jo.id).mailbox_generation == 3


def test_relayed(house: House) -> None:
    """Somebody without a mailbox here gets a one-time password, and nothing of theirs closes."""
    house.connect()
    added = now(
        house.enrolment.add_relayed(
            house.enrolment.by(), ORGANISATION, "al.b@avon", PROFILE, Address.parse("al@firm.co.uk.cjsm.test")
        )
    )
    made = reset(house, added.account)
    assert not made.closed
    house.choose(added.account.id, made.one_time_password.encode(), PASSWORD)
    house.sign_in("al.b@avon", PASSWORD, protocol="ldap")


def give(house: House, account: Account, role: Role) -> None:
    where = None if role is Role.HELPDESK else ORGANISATION
    held = RoleAssignment(id=RoleAssignmentId(account.id), account=account.id, role=role, organisation=where)
    house.commit(lambda view, by: roles.grant(view, by, held))


def test_who_may(house: House) -> None:
    """Helpdesk and administrators reset; neither others nor anybody somebody with more power; nothing is written."""
    jo, desk, chief = house.join(), house.join("desk.one"), house.join("chief.two")
    give(house, desk, Role.HELPDESK)
    give(house, chief, Role.ORGANISATION_ADMINISTRATOR)
    keys = life(house)
    for actor, whom in ((jo, chief), (jo, jo), (desk, chief), (chief, desk)):
        with pytest.raises(NotAllowed):
            now(keys.reset(house.enrolment.by(actor.id, "forgotten"), whom.id))
    assert house.keys.latest(chief.id) == chief.keys
    for actor in (desk, chief):
        now(keys.reset(house.enrolment.by(actor.id, "forgotten"), jo.id))
        assert house.entries()[-1].actor == actor.id
    with pytest.raises(NotAllowed):
        now(keys.rotate(house.enrolment.by(desk.id), mailbox_of(jo)))
    with pytest.raises(BadValue):
        now(keys.reset(house.enrolment.by(chief.id, "because"), jo.id))
    with pytest.raises(NotFound):
        now(keys.reset(house.enrolment.by(chief.id, "forgotten"), AccountId(b"nobody at all...")))
    with pytest.raises(NotFound):
        now(keys.rotate(house.enrolment.by(chief.id), MailboxId(b"nobody at all...")))


def test_deleted(house: House) -> None:
    jo = house.join()
    house.commit(lambda view, by: change_life(view, by, jo.id, LifeStep.DELETE), "left")
    with pytest.raises(Conflict) as refused:
        reset(house, jo)
    assert "undelete" in refused.value.cure


def test_crash_before_the_act(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that no act names change nothing: the old password reads all mail, and a later reset works."""
    jo = house.join()
    house.deliver(mailbox_of(jo), b"before\r\n")
    with monkeypatch.context() as patched:
        patched.setattr(house.community, "commit", lambda *_: fail(Unavailable("no disk")))
        with pytest.raises(Unavailable):
            reset(house, jo)
    house.deliver(mailbox_of(jo), b"after\r\n")
    assert letters(house) == [b"before\r\n", b"after\r\n"]
    house.choose(jo.id, reset(house, jo).one_time_password.encode(), OTHER_PASSWORD)


def test_at_the_same_moment(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password chosen while a reset is made is not lost silently: the reset comes after it."""
    jo = house.join()
    commit = house.community.commit
    met = []

    def meanwhile(*arguments: Any) -> Any:
        if not met:
            met.append(True)
            house.choose(jo.id, PASSWORD, OTHER_PASSWORD)
        return commit(*arguments)

    monkeypatch.setattr(house.community, "commit", meanwhile)
    made = reset(house, jo)
    with pytest.raises(AccessRefused):
        house.sign_in(secret=OTHER_PASSWORD)
    house.choose(jo.id, made.one_time_password.encode(), PASSWORD)


def test_rotate(house: House) -> None:
    """Old and new mail stay readable; what is sealed from now on needs the new generation."""
    jo = house.join()
    house.deliver(mailbox_of(jo), b"before\r\n")
    step = now(life(house).rotate(house.enrolment.by(jo.id), mailbox_of(jo)))
    assert house.current.current(mailbox_of(jo))[0] == step.generation == 2
    house.deliver(mailbox_of(jo), b"after\r\n")
    assert letters(house) == [b"before\r\n", b"after\r\n"]
    told = dict(house.entries()[-1].details)
    assert (told["generation"], told["key"]) == ("2", step.digest)


# Attacks of who writes the key store


def put_back(house: House, jo: Account, change: Callable[[MailboxKeys], MailboxKeys]) -> None:
    """Write something else in place of the version of the mailbox's keys that is named."""
    named = house.account(jo.id).mailbox_keys
    record = change(read_mailbox_keys(house.keys, mailbox_of(jo), named))
    now(house.keys.destroy(mailbox_of(jo)))
    now(house.keys.put(mailbox_of(jo), named, keyring.encode(record)))


def test_rolled_back(house: House) -> None:
    """An earlier state of a mailbox's keys put back: mail is not sealed to what a former key opens."""
    jo = house.join()
    now(life(house).rotate(house.enrolment.by(jo.id), mailbox_of(jo)))
    put_back(house, jo, lambda record: msgspec.structs.replace(record, generations=record.generations[:1]))
    with pytest.raises(NotAuthentic):
        house.current.current(mailbox_of(jo))
    with pytest.raises(NotAuthentic):
        now(life(house).rotate(house.enrolment.by(jo.id), mailbox_of(jo)))


def test_member_key_swapped(house: House) -> None:
    """A public key of one's own in place of a member's gets nothing granted."""
    jo = house.join()
    record = house.account_keys(jo.id)
    _, forged = new_account_key(jo.id, 1)
    forged = msgspec.structs.replace(record.epochs[0], public=forged.public)
    now(house.keys.destroy(jo.id))
    now(house.keys.put(jo.id, jo.keys, keyring.encode(msgspec.structs.replace(record, epochs=(forged,)))))
    with pytest.raises(NotAuthentic):
        now(life(house).rotate(house.enrolment.by(jo.id), mailbox_of(jo)))


def test_generation_of_another_community(house: House) -> None:
    jo = house.join()
    _, forged = new_generation(mailbox_of(jo), 1, generate().community)
    put_back(house, jo, lambda record: msgspec.structs.replace(record, generations=(forged,)))
    with pytest.raises(NotAuthentic):
        now(life(house).rotate(house.enrolment.by(jo.id), mailbox_of(jo)))
    with pytest.raises(NotAuthentic):
        reset(house, jo)


def test_grant_of_the_new_epoch_alone(house: House) -> None:
    """A thief of the disk with the old password and the files of after the reset opens neither old nor new mail."""
    jo = house.join()
    reset(house, jo)
    keys = read_mailbox_keys(house.keys, mailbox_of(jo), house.account(jo.id).mailbox_keys)
    assert [(each.generation, each.epoch) for each in keys.grants] == [(1, 1), (2, 2)]


def test_key_from_before_they_were_signed(house: House) -> None:
    """It is granted nothing, and says what helps: choosing a password signs it."""
    jo = house.join()
    record = house.account_keys(jo.id)
    unsigned = tuple(msgspec.structs.replace(key, key_number=0, signature=b"") for key in record.epochs)
    now(house.keys.destroy(jo.id))
    now(house.keys.put(jo.id, jo.keys, keyring.encode(msgspec.structs.replace(record, epochs=unsigned))))
    with pytest.raises(CommunityError) as refused:
        now(life(house).rotate(house.enrolment.by(jo.id), mailbox_of(jo)))
    assert "set-password" in refused.value.cure
    house.choose(jo.id, PASSWORD, OTHER_PASSWORD)
    now(life(house).rotate(house.enrolment.by(jo.id), mailbox_of(jo)))


def test_secrets_are_not_on_disk(house: House, tmp_path: Path) -> None:
    """The one-time password is nowhere below the data directory."""
    made = reset(house, house.join())
    typed = made.one_time_password.encode()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or typed not in path.read_bytes()
