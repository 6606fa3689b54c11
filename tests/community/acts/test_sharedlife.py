"""Shared mailboxes deleted, had back and destroyed: who may, in which order, and what is left of them where."""

import msgspec
import pytest

from cjsm.community import finding, sharing
from cjsm.community.acts import destruction, keys, lives, mailboxes, moving, organisations, quotas, recovery, shared
from cjsm.community.acts.acting import By
from cjsm.community.acts.keys import MailboxStep
from cjsm.community.acts.lives import LifeStep
from cjsm.community.acts.quotas import QuotaLimits
from cjsm.community.address import Address
from cjsm.community.admission import admit
from cjsm.community.errors import BadValue, CommunityError, Conflict, Exists, NotAllowed, NotFound, Overtaken
from cjsm.community.identifiers import AccountId, MailboxId, OrganisationId, RequestId
from cjsm.community.invariants import problems
from cjsm.community.memory import MemoryView
from cjsm.community.records import (
    Life,
    MailboxRight,
    OrganisationState,
    OwnerKind,
    RecoveryRequest,
    SharedMailbox,
    SharedMember,
)
from cjsm.community.senders import may_use
from cjsm.community.verdicts import Accept, AccountOrigin
from tests.community.communities import CRIME_LIST, DESK, NOW, SUFFIX, address, by, community, identifier, organisation

from .support import JO, account

SAM = AccountId(identifier("sam.hill"))
ADDRESS = Address("desk", f"avon.{SUFFIX}")
DAY = 86_400


OLIVE = by("olive.marsh", "requested")


def deleted(view: MemoryView | None = None, who: By = OLIVE, note: str = "") -> MemoryView:
    view = view or community()
    return view.apply(shared.delete(view, who, DESK.id, note=note))


def record(view: MemoryView) -> SharedMailbox:
    found = view.kept_shared_mailbox(DESK.id)
    assert found is not None
    return found


def step(view: MemoryView) -> MailboxStep:
    found = record(view)
    return MailboxStep(DESK.id, found.keys, found.keys + 1, found.generation + 1, "digest")


def undeleted(view: MemoryView, who: By = OLIVE, within: int | None = None) -> MemoryView:
    return view.apply(shared.undelete(view, who, DESK.id, shared.staying(view, record(view)), step(view), within))


def test_deleted_and_back() -> None:
    """With reason and note until then; its keys begin anew, nothing else is another."""
    view = deleted(note="closed\nfor now")
    found = record(view)
    assert (found.life, found.state_reason, found.state_note, found.state_since) == (
        Life.DELETED,
        "requested",
        "closed\nfor now",
        NOW,
    )
    assert (found.members, found.version) == (DESK.members, DESK.version + 1)
    back = record(undeleted(view))
    assert (back.life, back.members, back.managers, back.state_note) == (Life.ACTIVE, DESK.members, DESK.managers, "")
    assert (back.keys, back.generation, back.version) == (2, 1, DESK.version + 2)


def test_the_ledger() -> None:
    """Has the code and never the note, and what the key is that mail is sealed to from then on."""
    change = shared.delete(community(), by("olive.marsh", "misuse"), DESK.id, note="Jo sold it")
    assert change.entry is not None
    assert (change.entry.act, change.entry.reason, change.entry.words) == ("shared-deleted", "misuse", ())
    assert "sold" not in str(change.entry)
    view = deleted()
    entry = shared.undelete(view, by("olive.marsh"), DESK.id, DESK.members, step(view), None).entry
    assert entry is not None
    assert (entry.act, dict(entry.details)) == ("shared-undeleted", {"generation": "1", "key": "digest"})


@pytest.mark.parametrize("who", ["jo.ward", "sam.hill", "henry.desk", "erin.wright", "law.yer"])
def test_who_may_not(who: str) -> None:
    """Managers and members least of all; nor is it theirs to have back."""
    view = community(msgspec.structs.replace(DESK, managers=(JO, SAM)))
    with pytest.raises(NotAllowed):
        deleted(view, by(who, "requested"))
    with pytest.raises(NotAllowed):
        undeleted(deleted(view), by(who))


@pytest.mark.parametrize("reason", ["", "because I say so"])
def test_needs_a_reason(reason: str) -> None:
    with pytest.raises(BadValue):
        deleted(who=by("olive.marsh", reason))


@pytest.mark.parametrize("note", ["x" * 1_001, "bell\a"])
def test_a_note_is_text(note: str) -> None:
    with pytest.raises(BadValue):
        deleted(note=note)


def test_in_the_wrong_order() -> None:
    """Twice, back when it is there, or one that never was; each says what it is."""
    view = community()
    with pytest.raises(Conflict, match="not deleted"):
        undeleted(view)
    with pytest.raises(Conflict, match="is deleted"):
        deleted(deleted(view))
    with pytest.raises(Conflict, match="not deleted"):
        undeleted(undeleted(deleted(view)))
    with pytest.raises(NotFound):
        shared.delete(view, by(reason="other"), MailboxId(identifier("none")))


def test_nothing_else_is_done_to_it() -> None:
    """Until it is back: the cure says how."""
    view, who = deleted(), by("olive.marsh", "other")
    member = SharedMember(account=AccountId(identifier("olive.marsh")), rights=(MailboxRight.READ,))
    request = RecoveryRequest(
        id=RequestId(identifier("r")), mailbox=DESK.id, account=JO, beneficiary=JO, organisation=DESK.organisation,
        counter_signer=DESK.organisation, generations=(1,), reason="other",
    )  # fmt: skip
    for act in (
        lambda: shared.change(view, who, DESK.id, name="Other"),
        lambda: shared.join(view, who, DESK.id, member, step(view)),
        lambda: shared.leave(view, by("jo.ward"), DESK.id, JO, step(view)),
        lambda: shared.open_old(view, by("jo.ward"), step(view), ()),
        lambda: quotas.set_quota(view, who, DESK.id, 5, QuotaLimits(10, 10)),
        lambda: recovery.request(view, who, request),
        lambda: keys.rotate(view, who, step(view)),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert "shared undelete" in str(refused.value.cure)


def test_for_its_members_it_is_not_there() -> None:
    """Neither opened nor written to nor sent as; back, all of that is as it was."""
    jo = account(community(), "jo.ward")

    def there(view: MemoryView) -> list[bool]:
        verdict = admit(view, AccountOrigin(account=SAM), Address("sam.hill", f"avon.{SUFFIX}"), ADDRESS)
        return [
            sharing.named(view, jo, "desk") is not None,
            sharing.named(view, jo, str(ADDRESS)) is not None,
            sharing.reads(view, JO, DESK.id),
            isinstance(verdict, Accept),
            may_use(view, AccountOrigin(account=JO), ADDRESS),
            list(view.shared_mailboxes_of(JO)) != [],
            list(view.shared_mailboxes_in(DESK.organisation)) != [],
        ]

    view = deleted()
    assert there(community()) == [True] * 7
    assert there(view) == [False] * 7
    assert there(undeleted(view)) == [True] * 7


def test_its_address_is_nobody_elses() -> None:
    view = deleted()
    again = msgspec.structs.replace(DESK, id=MailboxId(identifier("other")))
    with pytest.raises(Exists):
        shared.add(view, by("olive.marsh"), again, ADDRESS)


def test_its_time() -> None:
    """Had back until it is over; then never, whatever the setting says later."""
    view = deleted()
    assert record(undeleted(view, within=1)).life is Life.ACTIVE
    with pytest.raises(Conflict, match="over"):
        undeleted(view, within=0)
    ended = view.apply(destruction.begin(view, by(), DESK.id, NOW + 1))
    with pytest.raises(Conflict, match="destroyed"):
        undeleted(ended)


def test_members_who_can_be_none_any_more() -> None:
    """Moved to another top organisation they are left out, and the ledger says who; the others are members again."""
    view = deleted(community(msgspec.structs.replace(DESK, managers=(JO, SAM))))
    moved = msgspec.structs.replace(account(view, "jo.ward"), organisation=OrganisationId(identifier("firm")))
    away = MemoryView([*view._records.values(), moved], suffix=SUFFIX, moment=NOW)
    change = shared.undelete(away, by("olive.marsh"), DESK.id, shared.staying(away, record(away)), step(away), None)
    back = record(away.apply(change))
    assert ([each.account for each in back.members], back.managers) == ([SAM], (SAM,))
    assert change.entry is not None
    assert dict(change.entry.details)["left"] == JO.hex()
    with pytest.raises(Overtaken):
        shared.undelete(away, by("olive.marsh"), DESK.id, DESK.members, step(away), None)
    with pytest.raises(Overtaken):
        shared.undelete(view, by(), DESK.id, DESK.members, MailboxStep(DESK.id, 7, 8, 9, ""), None)


def test_its_last_reader_may_go() -> None:
    """Once it is deleted; then nobody could read it if it came back, until somebody is back who does."""
    view, who = community(), by("olive.marsh", "left")
    view = view.apply(lives.change_life(view, who, SAM, LifeStep.DELETE))
    with pytest.raises(Conflict, match="read desk") as refused:
        lives.change_life(view, who, JO, LifeStep.DELETE)
    assert "shared delete" in str(refused.value.cure)
    gone = deleted(view)
    gone = gone.apply(lives.change_life(gone, who, JO, LifeStep.DELETE))
    with pytest.raises(Conflict, match="nobody is left") as refused:
        undeleted(gone)
    assert refused.value.cure in [
        f"have one of its readers back: cjsm user undelete {account(gone, name).user_id}"
        for name in ("jo.ward", "sam.hill")
    ]
    back = gone.apply(lives.change_life(gone, who, JO, LifeStep.UNDELETE))
    assert record(undeleted(back)).members == DESK.members


def test_its_last_reader_moved_away() -> None:
    """Nobody could read it if it came back, until somebody is moved back."""
    one = msgspec.structs.replace(DESK, members=tuple(each for each in DESK.members if each.account == JO), managers=())
    view = deleted(community(one))
    moved = msgspec.structs.replace(account(view, "jo.ward"), organisation=OrganisationId(identifier("firm")))
    away = MemoryView([*view._records.values(), moved], suffix=SUFFIX, moment=NOW)
    with pytest.raises(Conflict, match="nobody is left") as refused:
        undeleted(away)
    assert (
        refused.value.cure
        == f"move one back: cjsm user move {moved.user_id} {finding.path_of(view, DESK.organisation)}"
    )


def test_an_organisation_of_deleted_ones_is_empty() -> None:
    """As one of deleted people is."""
    unit = organisation("unit", "avon")
    desk = msgspec.structs.replace(DESK, organisation=unit.id)
    view = community(unit, desk)
    delete = by("olive.marsh", "other")
    with pytest.raises(Conflict, match="shared mailbox desk"):
        organisations.set_state(view, delete, unit.id, OrganisationState.DELETED)
    gone = deleted(view)
    gone = gone.apply(organisations.set_state(gone, delete, unit.id, OrganisationState.DELETED))
    with pytest.raises(Conflict, match="organisation") as refused:
        undeleted(gone)
    assert "organisation undelete" in str(refused.value.cure)
    back = gone.apply(organisations.set_state(gone, delete, unit.id, OrganisationState.ACTIVE))
    assert record(undeleted(back)).life is Life.ACTIVE


def test_an_organisation_is_moved_away_from_a_deleted_one() -> None:
    """Its members on one side only are members when it is back."""
    north = organisation("north", None, abbreviation="north")
    view, crime = community(north), OrganisationId(identifier("crime"))
    with pytest.raises(Conflict, match="both sides"):
        moving.move(view, by("ada.central"), crime, north.id)
    gone = deleted(view)
    moved = gone.apply(moving.move(gone, by("ada.central"), crime, north.id))
    assert [each.account for each in record(undeleted(moved)).members] == [SAM]


def test_the_end() -> None:
    """Out of every list; the record goes with its words, the address stays reserved for its time."""
    members = (*CRIME_LIST.members, str(ADDRESS))
    view = deleted(community(msgspec.structs.replace(CRIME_LIST, members=members)), note="why")
    with pytest.raises(Conflict):
        destruction.begin(view, by(), DESK.id, NOW)
    begun = destruction.begin(view, by(), DESK.id, NOW + 1)
    assert begun.entry is not None
    assert (begun.entry.act, dict(begun.entry.details)["mailbox"]) == ("shared-destroyed", DESK.id.hex())
    assert begun.editions == ((DESK.id, 0),)
    ended = view.apply(begun)
    found = record(ended)
    assert (found.keys, found.members, found.managers, found.state_note) == (0, (), (), "")
    reached = ended.mail_list(CRIME_LIST.id)
    assert reached is not None
    assert reached.members == CRIME_LIST.members
    with pytest.raises(Conflict):
        destruction.begin(ended, by(), DESK.id, NOW + 1)
    finished = destruction.finish(ended, DESK.id, 100)
    assert finished.forgotten == (DESK.id,)
    after = ended.apply(finished)
    assert after.kept_shared_mailbox(DESK.id) is None
    assert after.address(str(ADDRESS)) is None
    assert after.reserved_address(str(ADDRESS)) is not None
    assert destruction.finish(after, DESK.id, 100).put == ()
    assert problems(after) == []


def test_not_the_end_of_one_that_is_there() -> None:
    view = community()
    with pytest.raises(Conflict):
        destruction.begin(view, by(), DESK.id, NOW + DAY)
    with pytest.raises(Conflict):
        destruction.finish(view, DESK.id, 1)


def test_destroyed_at_once_by_somebody() -> None:
    """`mailbox destroy`: not while it is there or can be had back; then it ends as a whole, and names who did it."""
    view, who = community(), by("olive.marsh", "retention ended")
    with pytest.raises(Conflict) as refused:
        mailboxes.destroy(view, who, DESK.id, 30 * DAY)
    assert "shared delete" in str(refused.value.cure)
    gone = deleted(view)
    with pytest.raises(Conflict, match="30 more days"):
        mailboxes.destroy(gone, who, DESK.id, 30 * DAY)
    change = mailboxes.destroy(gone, who, DESK.id, 0)
    assert change.entry is not None
    assert (change.entry.act, change.entry.actor) == ("shared-destroyed", AccountId(identifier("olive.marsh")))
    assert record(gone.apply(change)).keys == 0


def test_what_is_seen_of_it() -> None:
    """Administrators see how its mailbox is, its members no longer; names find it, so that it can be had back."""
    view = deleted()
    assert mailboxes.may_see(community(), JO, DESK.id).allowed
    assert not mailboxes.may_see(view, JO, DESK.id).allowed
    assert mailboxes.may_see(view, AccountId(identifier("olive.marsh")), DESK.id).allowed
    assert finding.shared_mailbox_of(view, str(ADDRESS)).id == DESK.id
    assert finding.mailbox_name(view, DESK.id) == str(ADDRESS)


def test_without_the_right_nothing_is_told() -> None:
    """Whoever may not act is told that first, not how the mailbox is."""
    with pytest.raises(NotAllowed):
        shared.delete(deleted(), by("law.yer", "other"), DESK.id)
    with pytest.raises(CommunityError):
        shared.undelete(community(), by("law.yer"), DESK.id, DESK.members, step(community()), None)


def test_somebody_elses_address() -> None:
    """A list's or a person's is no shared mailbox's."""
    view = community(address(f"odd@avon.{SUFFIX}", JO, OwnerKind.SHARED_MAILBOX))
    for name in (f"all@avon.{SUFFIX}", f"jo.ward@avon.{SUFFIX}", f"odd@avon.{SUFFIX}"):
        with pytest.raises(NotFound):
            finding.shared_mailbox_of(view, name)
