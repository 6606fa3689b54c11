"""Shared mailboxes: who reads what, before and after joining, leaving and resets; and attacks."""

import os
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred, fail

from cjsm.access import keyjobs, keyring
from cjsm.access.errors import AccessRefused, NotOffered
from cjsm.access.keylife import KeyLife
from cjsm.access.mailboxkeys import read_mailbox_keys
from cjsm.access.sharing import Sharing
from cjsm.access.signedin import Opener
from cjsm.community.acts import organisations, transfers
from cjsm.community.acts import shared as acts
from cjsm.community.acts.lives import LifeStep, change_life
from cjsm.community.acts.renaming import OldAddress
from cjsm.community.address import Address
from cjsm.community.errors import BadValue, CommunityError, Conflict, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import AccountId, ActId, OrganisationId
from cjsm.community.records import Account, MailboxRight, Organisation, SharedMailbox, SharedMember
from cjsm.community.view import Change, View
from cjsm.configuration import KeySettings
from cjsm.store.interfaces import Unavailable
from cjsm.vault.errors import NotAuthentic, UnknownSuite
from cjsm.vault.slots import new_account_key

from .support import ORGANISATION, OTHER_PASSWORD, PASSWORD, PROFILE, House, now, read

READ, DELETE, SEND = MailboxRight.READ, MailboxRight.DELETE, MailboxRight.SEND


class Desk:
    """A shared mailbox that Jo made and manages."""

    def __init__(self, house: House, **settings: int) -> None:
        self.house = house
        self.jo = house.join()
        self.life = KeyLife(house.enrolment, community=house.community, keys=house.keys, secrets=house.secrets)
        self.sharing = Sharing(
            house.enrolment,
            self.life.generations,
            KeySettings(**settings),
            community=house.community,
            keys=house.keys,
            secrets=house.secrets,
            entropy=os.urandom,
        )
        member = SharedMember(account=self.jo.id, rights=(READ, DELETE, SEND))
        by = house.enrolment.by
        self.id = now(self.sharing.add(by(), ORGANISATION, "desk", "The Desk", member, 1 << 20)).id

    @property
    def record(self) -> SharedMailbox:
        found = self.house.community.read_now(lambda view: view.shared_mailbox(self.id))
        assert found is not None
        return found

    def join(self, who: Account, *rights: MailboxRight, by: Account | None = None, **more: Any) -> Any:
        acting = self.house.enrolment.by(by.id if by else self.jo.id)
        return now(self.sharing.join(acting, self.id, who.id, rights or (READ,), **more))

    def leave(self, who: Account, by: Account | None = None) -> int:
        return now(self.sharing.leave(self.house.enrolment.by(by.id if by else self.jo.id), self.id, who.id))

    def open(self, who: Account, secret: bytes = PASSWORD) -> Any:
        return now(self.sharing.open_old(self.house.enrolment.by(who.id), self.id, Opener(who.id, secret)))

    def delete(self, by: Account | None = None) -> None:
        acting = self.house.enrolment.by(by.id if by else None, "requested")
        now(self.house.community.commit(acting.act_id, lambda view: acts.delete(view, acting, self.id)))

    def undelete(self, by: Account | None = None, within: int = 30 * 86_400) -> tuple[AccountId, ...]:
        return now(self.sharing.undelete(self.house.enrolment.by(by.id if by else None), self.id, within))

    def deliver(self, content: bytes) -> None:
        self.house.deliver(self.id, content)

    def letters(self, who: str, secret: bytes = PASSWORD) -> list[bytes]:
        """What a member reads over POP3."""
        drop, logout = self.house.maildrop(f"{who}@avon/desk", secret)
        try:
            return [read(drop, index) for index in range(len(drop.messages))]
        finally:
            logout()


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk(house)


def test_first_member(desk: Desk) -> None:
    """Mail that came from the beginning is read by who made it; the address is taken."""
    desk.deliver(b"one\r\n")
    assert desk.letters("jo.ward") == [b"one\r\n"]
    member = SharedMember(account=desk.jo.id, rights=(READ,))
    by = desk.house.enrolment.by
    with pytest.raises(Exists):
        now(desk.sharing.add(by(), ORGANISATION, "desk", "Again", member, 1))
    with pytest.raises(BadValue):
        now(desk.sharing.add(by(), ORGANISATION, "other", "O", msgspec.structs.replace(member, rights=(SEND,)), 1))
    with pytest.raises(NotAllowed):
        now(desk.sharing.add(by(desk.jo.id), ORGANISATION, "other", "O", member, 1))


def test_joining(desk: Desk) -> None:
    """New mail at once, old mail when a member opens it; nobody else's act opens it."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.deliver(b"old\r\n")
    with pytest.raises(NotOffered):
        desk.letters("al.other", OTHER_PASSWORD)
    joined = desk.join(al)
    assert (joined.generation, joined.waiting) == (2, 1)
    desk.deliver(b"new\r\n")
    assert desk.letters("al.other", OTHER_PASSWORD) == [b"new\r\n"]
    assert desk.letters("jo.ward") == [b"old\r\n", b"new\r\n"]
    assert desk.sharing.waiting(desk.id) == {al.id: (1,)}
    with pytest.raises(Conflict, match="nobody waits"):
        desk.open(al, OTHER_PASSWORD)
    assert desk.open(desk.jo) == ((al.id, 1),)
    assert desk.letters("al.other", OTHER_PASSWORD) == [b"old\r\n", b"new\r\n"]
    assert desk.sharing.waiting(desk.id) == {}
    entries = {entry.act: entry for entry in desk.house.entries()}
    assert (entries["shared-open"].actor, dict(entries["shared-open"].details)[al.id.hex()]) == (desk.jo.id, "1")
    assert dict(entries["shared-join"].details)["rights"] == "read"


def test_joining_with_a_reader_beside(desk: Desk) -> None:
    """With a secret of a reader's everything opens at once; with a wrong one nothing happens."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.deliver(b"old\r\n")
    with pytest.raises(AccessRefused):
        desk.join(al, opener=Opener(desk.jo.id, OTHER_PASSWORD))
    assert desk.record.generation == 1
    assert desk.join(al, opener=Opener(desk.jo.id, PASSWORD)).waiting == 0
    assert desk.letters("al.other", OTHER_PASSWORD) == [b"old\r\n"]


def test_from_now(desk: Desk) -> None:
    """What was before stays closed, even when a member opens old mail to everybody."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.deliver(b"old\r\n")
    assert desk.join(al, from_now=True, opener=Opener(desk.jo.id, PASSWORD)).waiting == 0
    with pytest.raises(Conflict):
        desk.open(desk.jo)
    desk.deliver(b"new\r\n")
    assert desk.letters("al.other", OTHER_PASSWORD) == [b"new\r\n"]


def test_leaver_and_returner(desk: Desk) -> None:
    """Who left cannot open what comes later, not with every file and all their old keys; returned, only from then."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.join(al)
    desk.deliver(b"with\r\n")
    session, _ = desk.house.maildrop("al.other@avon/desk", OTHER_PASSWORD)
    assert session.still_valid()
    assert desk.leave(al) == 3
    assert not session.still_valid()
    desk.deliver(b"without\r\n")
    with pytest.raises(NotOffered):
        desk.letters("al.other", OTHER_PASSWORD)
    record = read_mailbox_keys(desk.house.keys, desk.id, desk.record.keys)
    assert al.id not in {granted.member for granted in record.grants}
    session.release()
    desk.join(al)
    desk.deliver(b"again\r\n")
    assert desk.letters("al.other", OTHER_PASSWORD) == [b"again\r\n"]
    assert desk.letters("jo.ward") == [b"with\r\n", b"without\r\n", b"again\r\n"]
    desk.open(desk.jo)
    assert len(desk.letters("al.other", OTHER_PASSWORD)) == 3


def test_reset_of_a_member(desk: Desk) -> None:
    """A reset member reads what comes from then on, and waits for the rest; the others read on."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.join(al, opener=Opener(desk.jo.id, PASSWORD))
    desk.deliver(b"before\r\n")
    made = now(desk.life.reset(desk.house.enrolment.by(reason="forgotten"), al.id))
    desk.deliver(b"after\r\n")
    desk.house.choose(al.id, made.one_time_password.encode(), PASSWORD)
    assert desk.letters("al.other") == [b"after\r\n"]
    assert desk.letters("jo.ward") == [b"before\r\n", b"after\r\n"]
    desk.open(desk.jo)
    assert desk.letters("al.other") == [b"before\r\n", b"after\r\n"]


def test_deleting_is_each_members_own(desk: Desk) -> None:
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.join(al)
    desk.deliver(b"one\r\n")
    drop, logout = desk.house.maildrop("al.other@avon/desk", OTHER_PASSWORD)
    now(drop.delete([0]))
    logout()
    assert desk.letters("al.other", OTHER_PASSWORD) == []
    assert desk.letters("jo.ward") == [b"one\r\n"]


def test_rights(desk: Desk) -> None:
    """Who only sends reads nothing and needs no key; given the right, they read, and lose it again."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    assert desk.join(al, SEND).generation == 1
    with pytest.raises(NotOffered):
        desk.letters("al.other", OTHER_PASSWORD)
    assert desk.join(al, SEND, READ).generation == 2
    desk.deliver(b"one\r\n")
    assert desk.letters("al.other", OTHER_PASSWORD) == [b"one\r\n"]
    assert desk.join(al, READ).generation == 2
    assert desk.join(al, SEND).generation == 3
    with pytest.raises(NotOffered):
        desk.letters("al.other", OTHER_PASSWORD)


def test_who_may(desk: Desk) -> None:
    """Managers change members, members only leave; nobody opens what they do not read; nothing is written."""
    al, ed = desk.house.join("al.other", OTHER_PASSWORD), desk.house.join("ed.third", OTHER_PASSWORD)
    desk.join(al, SEND)
    for act in (
        lambda: desk.join(ed, by=al),
        lambda: desk.leave(desk.jo, by=al),
        lambda: desk.open(al, OTHER_PASSWORD),
        lambda: desk.open(ed, OTHER_PASSWORD),
        lambda: now(desk.sharing.open_old(desk.house.enrolment.by(), desk.id, Opener(desk.jo.id, PASSWORD))),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert (desk.record.generation, desk.house.keys.latest(desk.id)) == (1, 1)
    desk.join(ed, manager=True)
    desk.leave(al, by=ed)
    desk.leave(ed, by=ed)
    assert (len(desk.record.members), desk.record.managers) == (1, (desk.jo.id,))
    with pytest.raises(NotFound):
        desk.leave(ed)


def test_somebody_reads_it(desk: Desk) -> None:
    """The last reader neither leaves, nor loses the right, nor is deleted."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.join(al, SEND)
    with pytest.raises(Conflict, match="read"):
        desk.leave(desk.jo)
    with pytest.raises(Conflict, match="read"):
        desk.join(desk.jo, SEND)
    with pytest.raises(Conflict, match="read"):
        desk.house.commit(lambda view, by: change_life(view, by, desk.jo.id, LifeStep.DELETE), "left")
    desk.join(al, READ)
    desk.leave(desk.jo)
    desk.deliver(b"one\r\n")
    assert desk.letters("al.other", OTHER_PASSWORD) == [b"one\r\n"]


def test_who_can_be_a_member(house: House) -> None:
    """People hosted here, of the same top organisation, not suspended or deleted; so many at most."""
    desk = Desk(house, shared_members=2)
    house.connect()
    by = house.enrolment.by
    address = Address.parse("re@firm.co.uk.cjsm.test")
    relayed = now(house.enrolment.add_relayed(by(), ORGANISATION, "re.lay@avon", PROFILE, address)).account
    firm = OrganisationId(b"another firm 001")
    other = Organisation(id=firm, parent=None, slug="firm", name="Firm", abbreviation="firm")
    house.commit(lambda view, by: organisations.add(view, by, other))
    stranger = now(house.enrolment.add_hosted(by(), firm, "st.ranger@firm", PROFILE, 1)).account
    al, ed = house.join("al.other", OTHER_PASSWORD), house.join("ed.third", OTHER_PASSWORD)
    house.commit(lambda view, by: change_life(view, by, ed.id, LifeStep.SUSPEND), "left")
    for who in (relayed, stranger, ed):
        with pytest.raises(CommunityError):
            desk.join(who)
    desk.join(al)
    desk.join(al, READ, SEND)
    house.commit(lambda view, by: change_life(view, by, ed.id, LifeStep.RESUME))
    with pytest.raises(Conflict, match="at most 2"):
        desk.join(ed)


def test_crash_in_the_middle(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that no act names give nobody anything; the act made again succeeds."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.deliver(b"old\r\n")
    for act in (lambda: desk.join(al), lambda: desk.open(desk.jo), lambda: desk.leave(al)):
        before = desk.record
        with monkeypatch.context() as patched:
            patched.setattr(desk.house.community, "commit", lambda *_: fail(Unavailable("no disk")))
            with pytest.raises(Unavailable):
                act()
        assert desk.record == before
        act()
    assert desk.letters("jo.ward") == [b"old\r\n"]


def test_swapped_key_of_a_member(desk: Desk) -> None:
    """Who puts a key of their own in a member's place is granted nothing, old or new."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    record = desk.house.account_keys(al.id)
    _, forged = new_account_key(al.id, 1)
    signed = msgspec.structs.replace(record.epochs[0], public=forged.public)
    now(desk.house.keys.destroy(al.id))
    now(desk.house.keys.put(al.id, al.keys, keyring.encode(msgspec.structs.replace(record, epochs=(signed,)))))
    with pytest.raises(NotAuthentic):
        desk.join(al)
    with pytest.raises(NotAuthentic):
        desk.join(al, opener=Opener(desk.jo.id, PASSWORD))


def test_grants_moved(desk: Desk) -> None:
    """A grant under another member's, generation's or mailbox's name opens nothing."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.deliver(b"old\r\n")
    desk.join(al)
    desk.deliver(b"new\r\n")
    record = read_mailbox_keys(desk.house.keys, desk.id, desk.record.keys)
    mine = next(each for each in record.grants if each.member == al.id)
    for change in ({"generation": 1}, {"member": desk.jo.id, "generation": 1}, {"suite": 2}):
        moved = msgspec.structs.replace(mine, **change)
        grants = tuple(each for each in record.grants if each.generation == 2 and each != mine)
        now(desk.house.keys.destroy(desk.id))
        put = msgspec.structs.replace(record, grants=(*grants, moved))
        now(desk.house.keys.put(desk.id, desk.record.keys, keyring.encode(put)))
        if "suite" in change:
            # Listed by who was granted what; opening tells that it is not one of ours.
            with pytest.raises(UnknownSuite):
                desk.letters("al.other", OTHER_PASSWORD)
        elif "member" in change:
            with pytest.raises(NotAuthentic):
                desk.letters("jo.ward")
        else:
            with pytest.raises(NotAuthentic):
                desk.letters("al.other", OTHER_PASSWORD)


def test_rolled_back(desk: Desk) -> None:
    """The keys of before somebody left, put back: mail is not sealed to them."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.join(al)
    before = read_mailbox_keys(desk.house.keys, desk.id, desk.record.keys)
    desk.leave(al)
    now(desk.house.keys.destroy(desk.id))
    now(desk.house.keys.put(desk.id, desk.record.keys, keyring.encode(before)))
    with pytest.raises(NotAuthentic):
        desk.deliver(b"secret\r\n")
    with pytest.raises(NotAuthentic):
        desk.join(al)


def test_not_somebodys_own(desk: Desk) -> None:
    """Nobody joins a person's own mailbox."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    assert desk.jo.mailbox is not None
    with pytest.raises(CommunityError):
        now(desk.sharing.join(desk.house.enrolment.by(), desk.jo.mailbox, al.id, (READ,)))


def test_deleted_and_back(desk: Desk) -> None:
    """Nobody opens it meanwhile; then everybody reads what they did, and what comes under keys of its own."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.deliver(b"one\r\n")
    desk.join(al)
    desk.deliver(b"two\r\n")
    with pytest.raises(NotAllowed):
        desk.delete(desk.jo)
    desk.delete()
    for who, secret in (("jo.ward", PASSWORD), ("al.other", OTHER_PASSWORD)):
        with pytest.raises(NotOffered):
            desk.letters(who, secret)
    with pytest.raises(NotAllowed):
        desk.undelete(desk.jo)
    assert desk.undelete() == ()
    assert desk.record.generation == 3
    desk.deliver(b"three\r\n")
    assert desk.letters("jo.ward") == [b"one\r\n", b"two\r\n", b"three\r\n"]
    assert desk.letters("al.other", OTHER_PASSWORD) == [b"two\r\n", b"three\r\n"]


def test_a_session_ends_with_it(desk: Desk) -> None:
    """Whoever has it open is out, and not in again by its being back."""
    drop, logout = desk.house.maildrop("jo.ward@avon/desk")
    assert drop.still_valid()
    desk.delete()
    assert not drop.still_valid()
    logout()
    desk.undelete()
    assert desk.letters("jo.ward") == []


def test_what_was_accepted_before_is_delivered(desk: Desk) -> None:
    """As to a person who was deleted: it is there when the mailbox is back."""
    waiting = desk.house.current.current(desk.id)
    desk.delete()
    assert desk.house.current.current(desk.id) == waiting
    desk.deliver(b"waited\r\n")
    desk.undelete()
    assert desk.letters("jo.ward") == [b"waited\r\n"]


def test_reset_meanwhile(desk: Desk) -> None:
    """Old keys open nothing that comes afterwards: a reset while it was deleted is one."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.deliver(b"old\r\n")
    desk.join(al, opener=Opener(desk.jo.id, PASSWORD))
    desk.delete()
    by = desk.house.enrolment.by(reason="compromised")
    secret = now(desk.life.reset(by, al.id)).one_time_password.encode()
    own = desk.house.enrolment.by(al.id)
    now(desk.house.enrolment.set_password(own, al.id, secret, b"second lamp entirely nine"))
    desk.undelete()
    desk.deliver(b"new\r\n")
    assert desk.letters("al.other", b"second lamp entirely nine") == [b"new\r\n"]
    assert desk.letters("jo.ward") == [b"old\r\n", b"new\r\n"]
    assert al.id in desk.sharing.waiting(desk.id)


def go_north(desk: Desk, who: Account) -> None:
    """Somebody is moved to another top organisation."""
    north = Organisation(id=OrganisationId(b"north"), parent=None, slug="north", name="North", abbreviation="north")
    desk.house.commit(lambda view, by: organisations.add(view, by, north))
    desk.house.commit(lambda view, by: transfers.move(view, by, who.id, north.id, OldAddress(0, 0)))


def test_left_out_when_it_is_back(desk: Desk) -> None:
    """Whoever is of another top organisation now has no keys of it, old or new."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.join(al, opener=Opener(desk.jo.id, PASSWORD))
    desk.delete()
    go_north(desk, al)
    assert desk.undelete() == (al.id,)
    assert [each.account for each in desk.record.members] == [desk.jo.id]
    record = read_mailbox_keys(desk.house.keys, desk.id, desk.record.keys)
    assert {granted.member for granted in record.grants} == {desk.jo.id}


def before_the_commit(desk: Desk, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something else be done between the keys and the act that names them."""
    commit = desk.house.community.commit

    def overtaken(act_id: ActId, decide: Callable[[View], Change]) -> "Deferred[Change]":
        monkeypatch.undo()
        act()
        return commit(act_id, decide)

    monkeypatch.setattr(desk.house.community, "commit", overtaken)


def test_back_twice_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds it there; its keys are those of the first."""
    desk.deliver(b"one\r\n")
    desk.delete()
    before_the_commit(desk, desk.undelete, monkeypatch)
    with pytest.raises(Conflict, match="not deleted"):
        desk.undelete()
    assert desk.record.generation == 2
    desk.deliver(b"two\r\n")
    assert desk.letters("jo.ward") == [b"one\r\n", b"two\r\n"]


def test_back_while_a_member_goes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that were made for somebody who is none any more are made again without them."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.join(al)
    desk.delete()
    before_the_commit(desk, lambda: go_north(desk, al), monkeypatch)
    assert desk.undelete() == (al.id,)
    record = read_mailbox_keys(desk.house.keys, desk.id, desk.record.keys)
    assert {granted.member for granted in record.grants} == {desk.jo.id}


def test_joining_while_it_is_deleted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody joins what is gone by then; its keys are as they were when it is back."""
    al = desk.house.join("al.other", OTHER_PASSWORD)
    desk.deliver(b"one\r\n")
    before_the_commit(desk, desk.delete, monkeypatch)
    with pytest.raises(Conflict, match="is deleted"):
        desk.join(al)
    desk.undelete()
    assert [each.account for each in desk.record.members] == [desk.jo.id]
    assert desk.letters("jo.ward") == [b"one\r\n"]


def test_back_in_a_crash(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that no act names leave it as it was: deleted, and to be had back again."""
    desk.deliver(b"one\r\n")
    desk.delete()
    with monkeypatch.context() as patched:
        patched.setattr(desk.house.community, "commit", lambda *_: fail(Unavailable("no disk")))
        with pytest.raises(Unavailable):
            desk.undelete()
    with pytest.raises(NotOffered):
        desk.letters("jo.ward")
    desk.undelete()
    assert desk.letters("jo.ward") == [b"one\r\n"]
    with pytest.raises(Conflict, match="not deleted"):
        desk.undelete()


def test_not_back_after_its_time(desk: Desk) -> None:
    """Nor are keys made for it."""
    desk.delete()
    before = desk.house.keys.latest(desk.id)
    with pytest.raises(Conflict, match="over"):
        desk.undelete(within=0)
    assert desk.house.keys.latest(desk.id) == before


def test_no_new_keys_while_it_is_deleted(desk: Desk) -> None:
    """Rotation waits for it to be back: its keys begin anew then."""
    owners_ = now(keyjobs.owners(desk.house.community, lambda view, owner: True))
    assert desk.id in owners_
    desk.delete()
    assert desk.id not in now(keyjobs.owners(desk.house.community, lambda view, owner: True))
