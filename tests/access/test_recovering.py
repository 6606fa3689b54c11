"""Recovery by two people: who opens what when, and everybody who cannot."""

import os
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import fail

from cjsm.access import keyring
from cjsm.access.errors import AccessRefused, NotOffered
from cjsm.access.keyjobs import Rotation
from cjsm.access.keylife import KeyLife
from cjsm.access.keyring import ReleasedKeys
from cjsm.access.mailboxkeys import read_mailbox_keys
from cjsm.access.protocols import ACTS
from cjsm.access.recovering import Recovering
from cjsm.access.recoveryends import RecoveryEnds
from cjsm.access.sharing import Sharing
from cjsm.community.acts import lives, roles
from cjsm.community.acts import recovery as acts
from cjsm.community.acts.lives import LifeStep
from cjsm.community.errors import BadValue, CommunityError, Conflict, NotAllowed
from cjsm.community.identifiers import JobId, MailboxId, OrganisationId, RoleAssignmentId
from cjsm.community.records import (
    COMMUNITY,
    Account,
    Job,
    MailboxRight,
    Recovery,
    RecoveryRequest,
    RequestState,
    Role,
    RoleAssignment,
    SharedMember,
)
from cjsm.community.view import Change
from cjsm.configuration import KeySettings
from cjsm.store.interfaces import Unavailable
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.slots import KeyUse

from .support import ORGANISATION, OTHER_PASSWORD, PASSWORD, House, now, organisation, read

JOB = Job(id=JobId(b"j" * 16), kind="x", due=0)
DAY = 86_400
OLIVE, UNA = b"green tractor lamp nineteen", b"tall copper window eighteen"


class Place:
    """Avon with Olive as recovery officer, the community with Una, and Jo, whose mail is at stake."""

    def __init__(self, house: House, **settings: int) -> None:
        self.house = house
        self.life = KeyLife(house.enrolment, community=house.community, keys=house.keys, secrets=house.secrets)
        self.acting: dict[str, Any] = {"community": house.community, "clock": house.clock, "entropy": os.urandom}
        self.recovering = Recovering(
            house.enrolment,
            self.life.generations,
            KeySettings(**settings),
            keys=house.keys,
            secrets=house.secrets,
            **self.acting,
        )
        self.olive, self.una = house.join("olive.marsh", OLIVE), house.join("una.above", UNA)
        self.grant(self.olive, Role.ORGANISATION_ADMINISTRATOR, ORGANISATION)
        self.grant(self.una, Role.COMMUNITY_ADMINISTRATOR, None)
        self.appoint(self.olive, ORGANISATION, OLIVE)
        self.appoint(self.una, COMMUNITY, UNA)
        self.jo = house.join()

    def grant(self, who: Account, role: Role, where: OrganisationId | None) -> None:
        held = RoleAssignment(id=RoleAssignmentId(who.id), account=who.id, role=role, organisation=where)
        self.house.commit(lambda view, by: roles.grant(view, by, held))

    def appoint(self, who: Account, place: OrganisationId, password: bytes) -> None:
        now(self.recovering.appoint(self.house.enrolment.by(), place, who.id, password))

    @property
    def mailbox(self) -> MailboxId:
        assert self.jo.mailbox is not None
        return self.jo.mailbox

    def deliver(self, content: bytes) -> None:
        self.house.deliver(self.mailbox, content)

    def reset(self) -> None:
        made = now(self.life.reset(self.house.enrolment.by(reason="forgotten"), self.jo.id))
        assert (made.closed, made.recoverable) == (True, True)
        self.house.choose(self.jo.id, made.one_time_password.encode(), OTHER_PASSWORD)

    def request(self, **more: Any) -> RecoveryRequest:
        return now(self.recovering.request(self.house.enrolment.by(reason="forgotten"), self.jo.id, **more))

    def approve(self, request: RecoveryRequest, who: Account, password: bytes) -> Any:
        officer = self.recovering.officer(who.id, password)
        return now(self.recovering.approve(self.house.enrolment.by(who.id), request.id, officer))

    def both(self, request: RecoveryRequest) -> None:
        assert not self.approve(request, self.una, UNA).opened
        assert self.approve(request, self.olive, OLIVE).opened

    def letters(self, name: str = "jo.ward@avon", secret: bytes = OTHER_PASSWORD) -> list[bytes]:
        drop, logout = self.house.maildrop(name, secret)
        try:
            return [read(drop, index) for index in range(len(drop.messages))]
        finally:
            logout()

    def state(self, request: RecoveryRequest) -> RecoveryRequest:
        found = self.house.community.read_now(lambda view: view.recovery_request(request.id))
        assert found is not None
        return found

    def rotate(self) -> str:
        job = Rotation(self.life.generations, KeySettings(rotate_after=0), **self.acting)
        return now(job.run(JOB))

    def ends(self) -> str:
        return now(RecoveryEnds(self.life.generations, keys=self.house.keys, **self.acting).run(JOB))


@pytest.fixture
def place(house: House) -> Place:
    return Place(house)


def test_recovered(place: Place) -> None:
    """A reset closes mail; two officers open it again to its owner, and each step is in the ledger before."""
    place.deliver(b"before\r\n")
    place.reset()
    place.deliver(b"after\r\n")
    assert place.letters() == [b"after\r\n"]
    request = place.request()
    assert place.letters() == [b"after\r\n"]
    assert not place.approve(request, place.una, UNA).opened
    assert place.letters() == [b"after\r\n"]
    assert place.approve(request, place.olive, OLIVE).opened
    assert place.letters() == [b"before\r\n", b"after\r\n"]
    told = [(each.act, each.actor) for each in place.house.entries() if each.act.startswith("recovery")]
    assert told[-3:] == [
        ("recovery-request", b""),
        ("recovery-counter-sign", place.una.id),
        ("recovery-open", place.olive.id),
    ]
    assert place.house.keys.latest(request.id) == 0
    with pytest.raises(CommunityError):
        place.approve(request, place.una, UNA)


def test_neither_alone(place: Place) -> None:
    """Not in the other order, not twice by one, not without the password, not by who is no officer there."""
    place.deliver(b"before\r\n")
    place.reset()
    request = place.request()
    with pytest.raises(NotAllowed):
        place.approve(request, place.olive, OLIVE)
    with pytest.raises(AccessRefused):
        place.approve(request, place.una, OLIVE)
    chief = place.house.join("chief.two", PASSWORD)
    place.grant(chief, Role.COMMUNITY_ADMINISTRATOR, None)
    with pytest.raises(NotAllowed):
        place.approve(request, chief, PASSWORD)
    place.approve(request, place.una, UNA)
    for who, password in ((place.una, UNA), (chief, PASSWORD), (place.jo, OTHER_PASSWORD)):
        with pytest.raises(NotAllowed):
            place.approve(request, who, password)
    assert place.letters() == []


def test_one_person_is_not_two(place: Place) -> None:
    """Nobody is an officer of two authorities, and an officer stays one until that is taken away."""
    held = RoleAssignment(
        id=RoleAssignmentId(b"another role 001"),
        account=place.una.id,
        role=Role.ORGANISATION_ADMINISTRATOR,
        organisation=ORGANISATION,
    )
    place.house.commit(lambda view, by: roles.grant(view, by, held))
    with pytest.raises(Conflict, match="elsewhere"):
        place.appoint(place.una, ORGANISATION, UNA)
    with pytest.raises(Conflict, match="officer"):
        place.house.commit(lambda view, by: roles.revoke(view, by, place.olive.id, RoleAssignmentId(place.olive.id)))
    with pytest.raises(Conflict):
        place.house.commit(lambda view, by: lives.change_life(view, by, place.olive.id, LifeStep.DELETE), "left")
    with pytest.raises(Conflict, match="left"):
        now(place.recovering.dismiss(place.house.enrolment.by(), ORGANISATION, place.olive.id))


def test_who_is_appointed(place: Place) -> None:
    """Administrators of just that place, with their own password; a device password is none."""
    by = place.house.enrolment.by
    with pytest.raises(Conflict, match="just that place"):
        place.appoint(place.jo, ORGANISATION, PASSWORD)
    device = now(
        place.house.enrolment.add_device(by(place.jo.id), place.jo.id, PASSWORD, name="x", protocols=("pop3",))
    )
    place.grant(place.jo, Role.ORGANISATION_ADMINISTRATOR, ORGANISATION)
    for wrong in (device.secret.encode(), OTHER_PASSWORD):
        with pytest.raises(AccessRefused):
            place.appoint(place.jo, ORGANISATION, wrong)
    with pytest.raises(NotAllowed):
        now(place.recovering.appoint(by(place.olive.id), COMMUNITY, place.una.id, UNA))


def test_a_later_officer_opens_nothing_earlier(place: Place) -> None:
    """Who was appointed after mail was sealed cannot open it; who was dismissed cannot open what comes later."""
    place.deliver(b"before\r\n")
    place.house.moment += 10
    ed = place.house.join("ed.later", PASSWORD)
    place.grant(ed, Role.ORGANISATION_ADMINISTRATOR, ORGANISATION)
    place.appoint(ed, ORGANISATION, PASSWORD)
    place.reset()
    request = place.request()
    place.approve(request, place.una, UNA)
    with pytest.raises(Conflict, match="before this officer"):
        place.approve(request, ed, PASSWORD)
    assert place.approve(request, place.olive, OLIVE).opened
    now(place.recovering.dismiss(place.house.enrolment.by(), ORGANISATION, place.olive.id))
    assert place.house.community.read_now(lambda view: acts.officers(view, ORGANISATION)) == (ed.id,)
    place.house.moment += 10
    assert place.rotate() == "4 mailboxes rotated"
    place.deliver(b"later\r\n")
    place.house.choose(place.jo.id, OTHER_PASSWORD, PASSWORD)
    place.reset()
    request = place.request()
    place.approve(request, place.una, UNA)
    with pytest.raises(NotAllowed):
        place.approve(request, place.olive, OLIVE)
    assert place.approve(request, ed, PASSWORD).opened
    assert b"later\r\n" in place.letters()


def test_sealed_in_the_background(house: House) -> None:
    """Mailboxes of before there were officers begin new generations; what came before stays out of reach."""
    al = house.join("al.early")
    assert al.mailbox is not None
    house.deliver(al.mailbox, b"early\r\n")
    house.moment += 5
    place = Place(house)
    assert read_mailbox_keys(house.keys, al.mailbox, al.mailbox_keys).recovery == ()
    house.moment += 5
    assert place.rotate() == "4 mailboxes rotated"
    assert place.rotate() == "0 mailboxes rotated"
    record = read_mailbox_keys(house.keys, al.mailbox, house.account(al.id).mailbox_keys)
    assert [wrap.generation for wrap in record.recovery] == [2]
    assert place.letters("al.early@avon", PASSWORD) == [b"early\r\n"]


def test_officer_changes_password(place: Place) -> None:
    """With the old password the authority key goes on; with a device password, or a reset, it is lost and said so."""
    place.deliver(b"before\r\n")
    place.reset()
    request = place.request()
    place.house.choose(place.una.id, UNA, PASSWORD)
    place.approve(request, place.una, PASSWORD)
    by = place.house.enrolment.by
    device = now(
        place.house.enrolment.add_device(by(place.olive.id), place.olive.id, OLIVE, name="x", protocols=("pop3",))
    )
    place.house.choose(place.olive.id, device.secret.encode(), PASSWORD)
    with pytest.raises(Conflict, match="officer was appointed"):
        place.approve(request, place.olive, PASSWORD)
    place.appoint(place.olive, ORGANISATION, PASSWORD)
    keys = place.house.account_keys(place.olive.id)
    assert [slot.epoch for slot in keys.authority_slots] == [2]
    assert {slot.use for slot in keys.authority_slots} == {KeyUse.AUTHORITY}


def test_for_a_time(place: Place) -> None:
    """Somebody named reads what was approved until the date, as a mailbox beside their own; not what comes later."""
    al = place.house.join("al.other", PASSWORD)
    place.deliver(b"before\r\n")
    for wrong in ({"beneficiary": al.id}, {"days": 3}):
        with pytest.raises(BadValue):
            place.request(**wrong)
    request = place.request(beneficiary=al.id, days=3)
    name = f"al.other@avon/{acts.recovered_name(request)}"
    with pytest.raises(NotOffered):
        place.letters(name, PASSWORD)
    place.both(request)
    place.deliver(b"after\r\n")
    assert place.letters(name, PASSWORD) == [b"before\r\n"]
    assert place.letters("jo.ward@avon", PASSWORD) == [b"before\r\n", b"after\r\n"]
    with pytest.raises(NotOffered):
        place.letters(f"olive.marsh@avon/{acts.recovered_name(request)}", OLIVE)
    with pytest.raises(Conflict):
        place.request(beneficiary=al.id, days=3)
    drop, logout = place.house.maildrop(name, PASSWORD)
    now(drop.delete([0]))
    assert drop.still_valid()
    assert place.ends() == "0 ended, 0 lapsed"
    place.house.moment += 3 * DAY
    assert not drop.still_valid()
    logout()
    assert place.letters("jo.ward@avon", PASSWORD) == [b"before\r\n", b"after\r\n"]
    with pytest.raises(NotOffered):
        place.letters(name, PASSWORD)
    assert place.ends() == "1 ended, 0 lapsed"
    record = read_mailbox_keys(place.house.keys, place.mailbox, place.house.account(place.jo.id).mailbox_keys)
    assert {granted.member for granted in record.grants} == {place.jo.id}
    assert place.house.entries()[-1].act == "recovery-end"
    assert place.ends() == "0 ended, 0 lapsed"


def test_of_a_leaver(place: Place) -> None:
    """Mail of somebody who was deleted is read by a named person while it is there."""
    al = place.house.join("al.other", PASSWORD)
    place.deliver(b"evidence\r\n")
    place.house.commit(lambda view, by: lives.change_life(view, by, place.jo.id, LifeStep.DELETE), "left")
    request = place.request(beneficiary=al.id, days=3)
    place.both(request)
    assert place.letters(f"al.other@avon/{acts.recovered_name(request)}", PASSWORD) == [b"evidence\r\n"]


def test_not_for_oneself(place: Place) -> None:
    """An officer approves nothing that opens mail to themselves."""
    place.deliver(b"before\r\n")
    request = place.request(beneficiary=place.una.id, days=3)
    with pytest.raises(NotAllowed, match="themselves"):
        place.approve(request, place.una, UNA)


def shared_desk(place: Place, *members: SharedMember) -> MailboxId:
    """A shared mailbox that Jo reads, first of all, and mail in it."""
    house = place.house
    sharing = Sharing(
        house.enrolment,
        place.life.generations,
        KeySettings(),
        community=house.community,
        keys=house.keys,
        secrets=house.secrets,
        entropy=os.urandom,
    )
    first = SharedMember(account=place.jo.id, rights=(MailboxRight.READ,))
    desk = now(sharing.add(house.enrolment.by(), ORGANISATION, "desk", "Desk", first, 1 << 20)).id
    house.deliver(desk, b"at the desk\r\n")
    for each in members:
        now(sharing.join(house.enrolment.by(), desk, each.account, each.rights, from_now=bool(each.first)))
    return desk


def test_a_shared_mailbox(place: Place) -> None:
    """Whose only reader was reset: two officers open it again to them, and to nobody who does not read it."""
    desk = shared_desk(place)
    place.reset()
    place.house.deliver(desk, b"after\r\n")
    assert place.letters("jo.ward@avon/desk") == [b"after\r\n"]
    request = place.request(shared=desk)
    with pytest.raises(Conflict, match="already"):
        place.request(shared=desk)
    told = dict(place.house.entries()[-1].details)
    assert (told["mailbox"], told["generations"]) == (desk.hex(), "1")
    place.both(request)
    assert place.letters("jo.ward@avon/desk") == [b"at the desk\r\n", b"after\r\n"]
    assert place.letters() == []
    al = place.house.join("al.other", PASSWORD)
    by = place.house.enrolment.by
    with pytest.raises(Conflict, match="who reads it"):
        now(place.recovering.request(by(reason="other"), al.id, shared=desk))
    with pytest.raises(BadValue, match="who reads it"):
        place.request(shared=desk, beneficiary=al.id, days=3)


def test_a_shared_mailbox_left_meanwhile(place: Place) -> None:
    """Who was a reader when it was asked, and is none when it is approved, gets nothing."""
    al = place.house.join("al.other", PASSWORD)
    desk = shared_desk(place, SharedMember(account=al.id, rights=(MailboxRight.READ,)))
    place.reset()
    request = place.request(shared=desk)
    place.approve(request, place.una, UNA)
    shared = place.house.community.read_now(lambda view: view.shared_mailbox(desk))
    assert shared is not None
    kept = tuple(each for each in shared.members if each.account != place.jo.id)
    place.house.commit(lambda view, by: Change(put=(msgspec.structs.replace(shared, members=kept),)))
    with pytest.raises(Conflict, match="who reads it"):
        place.approve(request, place.olive, OLIVE)


def test_a_shared_mailbox_from_now_on(place: Place) -> None:
    """Recovery is no way to what a member was never to read."""
    al = place.house.join("al.other", PASSWORD)
    desk = shared_desk(place, SharedMember(account=al.id, rights=(MailboxRight.READ,), first=1))
    with pytest.raises(Conflict, match="nothing closed"):
        now(place.recovering.request(place.house.enrolment.by(reason="other"), al.id, shared=desk))
    assert place.letters("al.other@avon/desk", PASSWORD) == []


def test_refused_and_lapsed(place: Place) -> None:
    """A refused request opens nothing, and what was handed over goes; likewise one that nobody approved in time."""
    place.deliver(b"before\r\n")
    place.reset()
    first = place.request()
    place.approve(first, place.una, UNA)
    assert place.house.keys.latest(first.id) == 1
    with pytest.raises(NotAllowed):
        now(place.recovering.refuse(place.house.enrolment.by(place.jo.id), first.id))
    now(place.recovering.refuse(place.house.enrolment.by(place.olive.id), first.id))
    assert place.house.keys.latest(first.id) == 0
    with pytest.raises(Conflict):
        place.approve(first, place.olive, OLIVE)
    second = place.request()
    place.approve(second, place.una, UNA)
    place.house.moment += 14 * DAY
    with pytest.raises(Conflict, match="in time"):
        place.approve(second, place.olive, OLIVE)
    assert place.ends() == "0 ended, 1 lapsed"
    assert (place.state(second).state, place.house.keys.latest(second.id)) == (RequestState.REFUSED, 0)


def test_delay(house: House) -> None:
    """So much time lies between the approvals as the settings say."""
    place = Place(house, recovery_delay=3_600)
    place.deliver(b"before\r\n")
    place.reset()
    request = place.request()
    place.approve(request, place.una, UNA)
    with pytest.raises(Conflict, match="time between"):
        place.approve(request, place.olive, OLIVE)
    house.moment += 3_600
    assert place.approve(request, place.olive, OLIVE).opened


def test_none(place: Place) -> None:
    """An organisation that chose that nothing is recovered has nothing to be requested."""
    without = msgspec.structs.replace(organisation(), recovery=Recovery.NONE)
    place.house.commit(lambda view, by: Change(put=(without,)))
    al = place.house.join("al.other", PASSWORD)
    made = now(place.life.reset(place.house.enrolment.by(reason="forgotten"), al.id))
    assert made.recovery is Recovery.NONE
    with pytest.raises(Conflict, match="nothing closed"):
        now(place.recovering.request(place.house.enrolment.by(reason="forgotten"), al.id))


def test_who_asks(place: Place) -> None:
    """Who may reset may ask; nobody else, and nobody twice."""
    place.deliver(b"before\r\n")
    place.reset()
    by = place.house.enrolment.by
    with pytest.raises(NotAllowed):
        now(place.recovering.request(by(place.jo.id, "forgotten"), place.jo.id))
    now(place.recovering.request(by(place.olive.id, "forgotten"), place.jo.id))
    with pytest.raises(Conflict, match="already"):
        place.request()


@pytest.mark.parametrize("step", [0, 1])
def test_crash_in_the_middle(place: Place, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that no entry tells of open nothing; the approval made again succeeds."""
    place.deliver(b"before\r\n")
    place.reset()
    request = place.request()
    approvals = [(place.una, UNA), (place.olive, OLIVE)]
    for number, (who, password) in enumerate(approvals):
        if number == step:
            with monkeypatch.context() as patched:
                patched.setattr(place.house.community, "commit", lambda *_: fail(Unavailable("no disk")))
                with pytest.raises(Unavailable):
                    place.approve(request, who, password)
            assert place.letters() == []
        place.approve(request, who, password)
    assert place.letters() == [b"before\r\n"]


def test_released_keys_swapped(place: Place) -> None:
    """What was handed over for another request, or changed, is not opened."""
    place.deliver(b"before\r\n")
    place.reset()
    request = place.request()
    place.approve(request, place.una, UNA)
    kept = keyring.decode(place.house.keys.get_now(request.id, 1), ReleasedKeys)
    (wrap,) = kept.wraps
    changes: list[ReleasedKeys] = [
        msgspec.structs.replace(kept, wraps=(msgspec.structs.replace(wrap, sealed=wrap.sealed[:-1] + b"\0"),)),
        msgspec.structs.replace(kept, wraps=(msgspec.structs.replace(wrap, mailbox=MailboxId(b"x" * 16)),)),
        msgspec.structs.replace(kept, wraps=(msgspec.structs.replace(wrap, generation=2),)),
    ]
    for changed in changes:
        now(place.house.keys.destroy(request.id))
        now(place.house.keys.put(request.id, 1, keyring.encode(changed)))
        with pytest.raises(NotAuthentic):
            place.approve(request, place.olive, OLIVE)
    assert place.letters() == []


def test_authority_rolled_back(place: Place) -> None:
    """Recovery keys of before an officer was dismissed, put back: nothing is sealed to them."""
    ed = place.house.join("ed.later", PASSWORD)
    place.grant(ed, Role.ORGANISATION_ADMINISTRATOR, ORGANISATION)
    place.appoint(ed, ORGANISATION, PASSWORD)
    before = place.house.keys.get_now(ORGANISATION, 2)
    now(place.recovering.dismiss(place.house.enrolment.by(), ORGANISATION, ed.id))
    now(place.house.keys.destroy(ORGANISATION))
    now(place.house.keys.put(ORGANISATION, 3, before))
    with pytest.raises(NotAuthentic):
        place.house.join("new.one", PASSWORD)


def test_whom_the_checker_let_in(place: Place) -> None:
    """Their authority key opens without another look at the password; not with one that was changed meanwhile."""
    house = place.house
    shown = house.sign_in("olive.marsh@avon", OLIVE, protocol=ACTS)
    assert place.recovering.officer_of(shown, OLIVE) == place.recovering.officer(place.olive.id, OLIVE)
    assert place.recovering.officer_of(house.sign_in(protocol=ACTS), PASSWORD).seeds == {}
    house.choose(place.olive.id, OLIVE, OTHER_PASSWORD)
    with pytest.raises(AccessRefused):
        place.recovering.officer_of(shown, OLIVE)
