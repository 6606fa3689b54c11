"""One organisation merged into another: whole after every commit, mail on its way, nobody with more to say."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec
import pytest

from cjsm.community import finding, states
from cjsm.community.acts import mergechecks, merging, moving, organisations
from cjsm.community.acts.acting import By
from cjsm.community.acts.merging import Merge
from cjsm.community.acts.renaming import OldAddress
from cjsm.community.authority import Action, may
from cjsm.community.errors import CommunityError, NotAllowed
from cjsm.community.identifiers import (
    AccountId,
    Entropy,
    ListId,
    MailboxId,
    OrganisationId,
    RequestId,
)
from cjsm.community.invariants import problems
from cjsm.community.memory import MemoryView
from cjsm.community.records import (
    Credential,
    LedgerEntry,
    Life,
    MailboxRight,
    MailList,
    Organisation,
    OrganisationState,
    OwnerKind,
    RecoveryRequest,
    RequestState,
    Role,
    SharedMember,
)
from cjsm.community.view import Change
from tests.community.communities import (
    DESK,
    FIRM_DOMAIN,
    NOW,
    SUFFIX,
    address,
    by,
    community,
    hosted,
    identifier,
    organisation,
    role,
    with_state,
)

from .support import account

AVON, CRIME, FIRM, REFUGE, OFFICE = (
    OrganisationId(identifier(name)) for name in ("avon", "crime", "firm", "refuge", "office")
)
LAWYER, OLIVE, HIDDEN = (AccountId(identifier(name)) for name in ("law.yer", "olive.marsh", "hid.den"))
OLD = OldAddress(90, 270)
OPERATOR = by(None, "requested")


VIEW = community()


def merge(organisation: OrganisationId = FIRM, into: OrganisationId = AVON, **more: Any) -> Merge:
    return Merge(organisation=organisation, into=into, old=OLD, **more)


def entropy() -> Entropy:
    numbers = count(1)
    return lambda length: b"act" + next(numbers).to_bytes(length - 3, "big")


def commits(view: MemoryView, asked: Merge, who: By = OPERATOR) -> Iterator[tuple[MemoryView, list[LedgerEntry]]]:
    """Yield the community after each commit, with the entries of that."""
    random = entropy()
    while True:
        entries: list[LedgerEntry] = []
        for act in merging.acts(view, who, asked, random):
            change = act(view)
            assert change.entry is not None
            entries += [change.entry, *change.further]
            view = view.apply(change)
        if not entries:
            return
        yield view, entries


def merged(view: MemoryView, asked: Merge, who: By = OPERATOR) -> tuple[MemoryView, list[LedgerEntry]]:
    """The community when it is over, and what the ledger has of it."""
    assert [f"{each}" for each in mergechecks.obstacles(view, who, asked)] == []
    done = list(commits(view, asked, who))
    return done[-1][0], [entry for _, entries in done for entry in entries]


def told(view: MemoryView, asked: Merge, who: By = OPERATOR) -> str:
    """What keeps it from being merged, each with its cure."""
    found = list(mergechecks.obstacles(view, who, asked))
    assert all(each.cure for each in found)
    return "\n".join(f"{each} ({each.cure})" for each in found)


def place(view: MemoryView, identifier_: OrganisationId) -> Organisation:
    found = view.organisation(identifier_)
    assert found is not None
    return found


def test_a_firm_with_its_own_mail_system() -> None:
    """People come with another user ID, relayed ones as they are; the mail system serves the other organisation."""
    after, entries = merged(VIEW, merge())
    assert problems(after) == []
    assert (account(after, "law.yer").user_id, account(after, "law.yer").organisation) == ("law.yer@avon", AVON)
    was = after.address("law.yer@firm.cjsm.test")
    assert was is not None
    assert (was.owner, was.delivers_until, was.reserved_until) == (LAWYER, NOW + 90, NOW + 270)
    assert account(after, "re.layed") == msgspec.structs.replace(
        account(VIEW, "re.layed"), organisation=AVON, moved=NOW, version=2
    )
    domain = after.domain(FIRM_DOMAIN.name)
    assert domain is not None
    connection = after.connection(domain.connection)
    assert connection is not None
    assert domain.organisation == connection.organisation == AVON
    gone = place(after, FIRM)
    assert (gone.state, gone.state_reason, gone.parent, gone.merging) == ("deleted", "requested", AVON, NOW)
    assert {entry.act for entry in entries} == {
        *("organisation-merge", "connection-move", "domain-move", "user-move", "organisation-deleted")
    }
    assert list(commits(after, merge())) == []


def test_a_force_with_lists_and_branches() -> None:
    """Lists and shared mailboxes have addresses in the other domain, and go on getting mail at those of before."""
    outer = MailList(id=ListId(identifier("outer")), organisation=FIRM, slug="outer", name="Outer",
                     members=(f"desk@avon.{SUFFIX}", f"sam.hill@avon.{SUFFIX}", f"news@avon.{SUFFIX}"))  # fmt: skip
    news = MailList(id=ListId(identifier("news")), organisation=AVON, slug="news", name="News")
    view = community(outer, address(f"outer@firm.{SUFFIX}", outer.id, OwnerKind.LIST), news,
                     address(f"news@avon.{SUFFIX}", news.id, OwnerKind.LIST))  # fmt: skip
    after, entries = merged(view, merge(AVON, OFFICE))
    assert problems(after) == []
    for was, now, owner in (("desk@avon", "desk@office", DESK.id), ("news@avon", "news@office", news.id)):
        assert finding.primary_address(after, owner) == f"{now}.{SUFFIX}"
        record = after.address(f"{was}.{SUFFIX}")
        assert record is not None
        assert record.owner == owner
    found = after.mail_list(outer.id)
    assert found is not None
    assert found.members == tuple(f"{name}@office.{SUFFIX}" for name in ("desk", "sam.hill", "news"))
    assert finding.path_of(after, CRIME) == "office/crime"
    assert account(after, "jo.ward").user_id == "jo.ward@avon", "who is in a branch stays as with a move"
    ended = [dict(entry.details) for entry in entries if entry.act == "role-revoke"]
    assert [(each["role"], each["organisation"]) for each in ended] == [("organisation-administrator", AVON.hex())]
    assert list(after.roles_of(OLIVE)) == []
    shared = after.shared_mailbox(DESK.id)
    assert shared is not None
    assert (shared.organisation, shared.moved) == (OFFICE, NOW), "its keys begin anew for the officers there"


def test_into_what_is_above() -> None:
    """Nothing moves first, and addresses stay."""
    after, entries = merged(VIEW, merge(CRIME, AVON))
    assert (account(after, "jo.ward").user_id, account(after, "jo.ward").organisation) == ("jo.ward@avon", AVON)
    assert finding.primary_address(after, ListId(identifier("crime-list"))) == f"all@avon.{SUFFIX}"
    assert dict(entries[0].details)["from"] == dict(entries[0].details)["to"] == AVON.hex()
    assert problems(after) == []


def test_everybody_is_carried() -> None:
    """Suspended, locked, with a one-time password, deleted: all are there and what they were."""
    people = [
        hosted("su.spended", "firm", "firm", life=Life.SUSPENDED),
        hosted("lo.cked", "firm", "firm", locked=True),
        hosted("one.time", "firm", "firm", credential=Credential.ONE_TIME, life=Life.NEW),
        hosted("de.leted", "firm", "firm", life=Life.DELETED, state_since=NOW - 5),
        hosted("de.stroyed", "firm", "firm", life=Life.DELETED, keys=0),
    ]
    view = community(*(record for pair in people for record in pair))
    after, _ = merged(view, merge())
    for before, _ in people:
        found = after.account(before.id)
        assert found is not None
        assert found == msgspec.structs.replace(
            before, organisation=AVON, moved=NOW, version=2, user_id=before.user_id.replace("firm", "avon")
        )
    assert problems(after) == []


def test_a_deleted_shared_mailbox_is_carried() -> None:
    """So that it can still be had back, with its own address or the one there."""
    gone = msgspec.structs.replace(DESK, life=Life.DELETED, state_since=NOW - 5)
    after, _ = merged(community(gone), merge(AVON, OFFICE))
    found = after.kept_shared_mailbox(DESK.id)
    assert found == msgspec.structs.replace(gone, organisation=OFFICE, moved=NOW, version=gone.version + 1)
    assert finding.primary_address(after, DESK.id) == f"desk@office.{SUFFIX}"
    assert problems(after) == []


def test_namesakes() -> None:
    """Everybody keeps what stands before the @ where it is free; else gets a number that nobody has on either side.

    Nobody comes to have what a colleague had: mail for one would be sealed to the other.
    """
    view = community(
        *hosted("jo.ward-2", "firm", "firm"),
        *hosted("jo.ward-4", "firm", "firm"),
        *hosted("annie.b", "firm", "firm"),
        *hosted("jo.ward-3", "crime", "avon"),
    )
    for most in (1, 2, 100):
        after, _ = merged(view, merge(most=most))
        names = {each: account(after, each).user_id for each in ("jo.ward", "jo.ward-2", "jo.ward-4", "annie.b")}
        assert names == {each: f"{each}@avon" for each in names}
    taken, _ = hosted("x.y", "crime", "avon")
    view = community(
        *hosted("law.yer", "firm", "firm"),
        *hosted("law.yer-2", "firm", "firm"),
        msgspec.structs.replace(taken, user_id="law.yer@avon"),
        address(f"law.yer@avon.{SUFFIX}", taken.id),
    )
    for most in (1, 100):
        after, _ = merged(view, merge(most=most))
        assert account(after, "law.yer-2").user_id == "law.yer-2@avon"
        assert account(after, "law.yer").user_id == "law.yer-3@avon"


def test_officers_keep_what_they_open() -> None:
    """Mail of before was sealed to them alone: that they are officers stays, over an organisation that is no more."""
    officer = msgspec.structs.replace(role("law.yer", Role.ORGANISATION_ADMINISTRATOR, "firm"), recovery_officer=True)
    view = community(officer, role("re.layed", Role.ORGANISATION_ADMINISTRATOR, "firm"))
    after, _ = merged(view, merge())
    assert list(after.roles_over(FIRM)) == [officer]
    for action in (Action.MANAGE_USERS, Action.MAKE_SUB_ORGANISATION):
        assert not may(after, LAWYER, action, AVON).allowed


def test_who_may() -> None:
    """Who could make organisations in both places and looks after people in both; nobody else hears what is there."""
    for who in ("olive.marsh", "jo.ward", "henry.desk"):
        with pytest.raises(NotAllowed):
            merging.permitted(VIEW, by(who), merge())
        with pytest.raises(NotAllowed):
            merging.begin(VIEW, by(who, "requested"), merge())
    region = community(organisation("firm", "avon", abbreviation="firm"))
    assert merging.permitted(region, by("olive.marsh"), merge()).allowed
    _, entries = merged(region, merge(), by("olive.marsh", "requested"))
    assert {entry.actor for entry in entries} == {OLIVE}
    assert not any("break-glass" in dict(entry.details) for entry in entries)
    _, entries = merged(region, merge())
    assert all("break-glass" in dict(entry.details) for entry in entries)
    beyond = region.apply(Change(put=(role("law.yer", Role.HELPDESK), role("jo.ward", Role.ENGINEER, "firm"))))
    said = told(beyond, merge(), by("olive.marsh", "requested"))
    assert "law.yer@firm: this person is helpdesk" in said
    assert "jo.ward@avon is engineer of it" in said


def test_a_reason_is_needed() -> None:
    with pytest.raises(CommunityError, match="reason"):
        merging.begin(VIEW, by(None, ""), merge())


def test_not_at_all() -> None:
    """Into itself, into what is below it, deleted, suspended, too deep."""
    assert "part of itself" in told(VIEW, merge(AVON, AVON))
    assert "cjsm organisation merge avon/crime avon" in told(VIEW, merge(AVON, CRIME))
    for slug, word in (("firm", "resume firm"), ("avon", "resume avon")):
        assert word in told(with_state(VIEW, slug, OrganisationState.SUSPENDED), merge())
    assert "undelete" in told(with_state(VIEW, "avon", OrganisationState.DELETED), merge())
    above, deep = "office", VIEW
    for number in range(states.DEEPEST - 2):
        deep = deep.apply(Change(put=(organisation(f"d{number}", above),)))
        above = f"d{number}"
    assert "deep" in told(deep, merge(into=OrganisationId(identifier(above))))


def test_everything_is_told_at_once() -> None:
    """Names, addresses, roles, lists, shared mailboxes, requests: before anything is begun, with the cure of each."""
    twin, below = organisation("twin", "firm"), organisation("under", "twin")
    desk = MailList(id=ListId(identifier("twin-desk")), organisation=FIRM, slug="desk", name="Desk")
    away = MailList(id=ListId(identifier("away")), organisation=OFFICE, slug="away", name="Away")
    ours = MailList(id=ListId(identifier("ours")), organisation=CRIME, slug="ours", name="Ours", managers=(LAWYER,))
    waiting = RecoveryRequest(
        id=RequestId(identifier("r")), mailbox=MailboxId(identifier("m-law.yer")), account=LAWYER, beneficiary=LAWYER,
        organisation=FIRM, counter_signer=FIRM, generations=(1,), reason="other", state=RequestState.REQUESTED,
    )  # fmt: skip
    across = msgspec.structs.replace(
        DESK, members=(*DESK.members, SharedMember(account=LAWYER, rights=(MailboxRight.READ,)))
    )
    view = community(
        *(twin, below, msgspec.structs.replace(organisation("av-twin", "avon"), slug="twin"), desk, away, ours, across),
        *(organisation("av-firm", "avon"), waiting, role("law.yer", Role.HELPDESK, "office")),
        address(f"desk@firm.{SUFFIX}", desk.id, OwnerKind.LIST),
        address(f"away@office.{SUFFIX}", away.id, OwnerKind.LIST),
        address(f"ours@avon.{SUFFIX}", ours.id, OwnerKind.LIST),
    )
    view = view.apply(
        Change(put=(msgspec.structs.replace(place(view, OrganisationId(identifier("av-firm"))), slug="firm"),))
    )
    said = told(view, merge())
    for cure in (
        "--rename firm/twin=OTHER-NAME",
        f"--rename desk@firm.{SUFFIX}=OTHER-NAME",
        "--rename firm=OTHER-NAME",
        f"cjsm shared leave desk@avon.{SUFFIX} law.yer@firm",
        f"cjsm recovery refuse {identifier('r').hex()}",
        "cjsm role revoke law.yer@firm helpdesk --organisation office",
    ):
        assert cure in said
    assert "ours@avon" not in said, "that list is where they go"
    with pytest.raises(CommunityError):
        merging.begin(view, OPERATOR, merge())


def test_a_list_that_stays_behind() -> None:
    """Is not for those who leave to manage."""
    ours = MailList(id=ListId(identifier("ours")), organisation=CRIME, slug="ours", name="Ours", managers=(HIDDEN,))
    view = community(ours, address(f"ours@avon.{SUFFIX}", ours.id, OwnerKind.LIST))
    assert f"cjsm list dismiss ours@avon.{SUFFIX} hid.den@avon" in told(view, merge(REFUGE, OFFICE))
    assert "dismiss" not in told(view, merge(REFUGE, CRIME))


def test_who_is_hidden_stays_so() -> None:
    """A refuge's people are not in the directory: nobody lists them by a merge."""
    assert "cjsm organisation change avon/refuge --listed" in told(VIEW, merge(REFUGE, CRIME))
    for slug in ("crime", "avon"):
        hidden = msgspec.structs.replace(place(VIEW, OrganisationId(identifier(slug))), ex_directory=True)
        assert told(community(hidden), merge(REFUGE, CRIME)) == ""


def test_other_short_names() -> None:
    """As asked, where theirs are taken; those that are nobody's are told, and run again they may be there still."""
    desk = MailList(id=ListId(identifier("firm-desk")), organisation=FIRM, slug="desk", name="Desk")
    view = community(
        *(organisation("crew", "firm"), msgspec.structs.replace(organisation("av-crew", "avon"), slug="crew")),
        *(desk, address(f"desk@firm.{SUFFIX}", desk.id, OwnerKind.LIST)),
        *(msgspec.structs.replace(organisation("av-firm", "avon"), slug="firm"),),
    )
    names = {"crew": "firm-crew", f"desk@firm.{SUFFIX}": "firm-desk"}
    asked = merge(slug="old-firm", names=names, most=1)
    after, _ = merged(view, asked)
    assert finding.path_of(after, FIRM) == "avon/old-firm"
    assert finding.path_of(after, OrganisationId(identifier("crew"))) == "avon/firm-crew"
    found = after.mail_list(desk.id)
    assert found is not None
    assert (found.slug, finding.primary_address(after, desk.id)) == ("firm-desk", f"firm-desk@avon.{SUFFIX}")
    assert after.address(f"desk@firm.{SUFFIX}") is not None
    for half, _ in list(commits(view, asked))[:-1]:
        assert told(half, asked) == ""
    said = told(VIEW, merge(names={"nothing": "x", "none@firm.cjsm.test": "y", "crew": "Bad name"}))
    assert "nothing is no sub-organisation" in said
    assert "none@firm.cjsm.test is no" in said
    assert "'Bad name' is not a short name" in said


def test_one_after_the_other() -> None:
    """What is becoming part of one of the two is finished first; a move in between ends what was begun."""
    view = community(organisation("crew", "firm"))
    crew = OrganisationId(identifier("crew"))
    half, _ = next(commits(view, merge(crew, FIRM)))
    assert "cjsm organisation merge firm/crew firm" in told(half, merge())
    half, _ = next(commits(view, merge()))
    assert "cjsm organisation merge avon/firm avon" in told(half, merge(AVON, OFFICE))
    assert "cjsm organisation merge avon/firm avon" in told(half, merge(FIRM, OFFICE))
    back = half.apply(moving.move(half, OPERATOR, FIRM, None))
    assert not place(back, FIRM).merging
    after, _ = merged(VIEW, merge())
    assert not place(
        after.apply(organisations.set_state(after, OPERATOR, FIRM, OrganisationState.ACTIVE)), FIRM
    ).merging


def test_what_comes_in_between() -> None:
    """Somebody who is added while it is under way comes along."""
    asked = merge(most=1)
    half = [view for view, _ in commits(VIEW, asked)][2]
    late, where = hosted("la.te", "firm", "firm")
    after, _ = merged(half.apply(Change(put=(late, where))), asked)
    assert account(after, "la.te").user_id == "la.te@avon"
    assert place(after, FIRM).state is OrganisationState.DELETED
