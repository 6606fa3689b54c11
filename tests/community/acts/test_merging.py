"""One organisation merged into another: whole after every commit, mail on its way, nobody with more to say."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cjsm.community import finding, states
from cjsm.community.acts import mergechecks, merging, moving, organisations
from cjsm.community.acts.acting import By
from cjsm.community.acts.merging import Merge
from cjsm.community.acts.renaming import OldAddress
from cjsm.community.address import Address
from cjsm.community.admission import Accept, expand
from cjsm.community.authority import Action, may
from cjsm.community.errors import CommunityError, NotAllowed
from cjsm.community.identifiers import (
    AccountId,
    ConnectionId,
    Entropy,
    ListId,
    MailboxId,
    OrganisationId,
    RequestId,
    RoleAssignmentId,
)
from cjsm.community.invariants import problems
from cjsm.community.memory import MemoryView
from cjsm.community.recipients import route
from cjsm.community.records import (
    Account,
    AddressRecord,
    Connection,
    ConnectionKind,
    ConnectionState,
    Credential,
    Domain,
    LedgerEntry,
    Life,
    MailboxRight,
    MailList,
    Organisation,
    OrganisationState,
    OwnerKind,
    Record,
    RecoveryRequest,
    RequestState,
    Role,
    SharedMailbox,
    SharedMember,
    WhoMayPost,
)
from cjsm.community.verdicts import Service, ServiceOrigin
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
    relayed,
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
NOTICE = ServiceOrigin(service=Service.NOTICE)


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


# Any community

PLACES = tuple(f"n{number}" for number in range(6))
LOCALS = ("all", "desk", "jo.ward")


@st.composite
def any_merge(draw: st.DrawFn) -> tuple[MemoryView, Merge]:
    """Six organisations with people, lists, shared mailboxes and a mail system, and two that are to become one."""
    parents: dict[str, str | None] = {}
    short: dict[str, str] = {}
    made: list[Record] = []
    for number, slug in enumerate(PLACES):
        above = draw(st.sampled_from([None, *PLACES[:number]]))
        own = above is None or draw(st.booleans())
        parents[slug], short[slug] = above, slug if own else short[above or ""]
        named = draw(st.sampled_from(["a", "b", slug])) if above else slug
        state = draw(st.sampled_from([OrganisationState.ACTIVE] * 8 + [*OrganisationState]))
        made.append(
            msgspec.structs.replace(
                organisation(slug, above, abbreviation=slug if own else None, state=state), slug=named
            )
        )
    assume(len({(each.parent, each.slug) for each in made if isinstance(each, Organisation)}) == len(PLACES))
    where = st.sampled_from(PLACES)
    taken: set[str] = set()

    def fresh(text: str) -> bool:
        return text not in taken and not taken.add(text)  # type: ignore[func-returns-value]

    people: list[Account] = []
    for number in range(draw(st.integers(2, 7))):
        at, local = draw(where), draw(st.sampled_from(["jo.ward", "sam.hill", "jo.ward-2"]))
        if not fresh(f"{local}@{short[at]}"):
            continue
        found, _ = hosted(local, at, short[at], life=draw(st.sampled_from(Life)), locked=draw(st.booleans()))
        found = msgspec.structs.replace(
            found, id=AccountId(identifier(f"p{number}")), mailbox=MailboxId(identifier(f"m{number}"))
        )
        people.append(found)
        made += [found, address(f"{local}@{short[at]}.{SUFFIX}", found.id)]
        alias = f"alias{number}@{short[at]}.{SUFFIX}"
        if draw(st.booleans()):
            made.append(address(alias, found.id, alias=True))
    assume(people)
    serves = draw(where)
    below = [slug for slug in PLACES if serves in _up(parents, slug)]
    at = draw(st.sampled_from(below))
    connection = Connection(id=ConnectionId(identifier("server")), organisation=OrganisationId(identifier(serves)),
                            kind=ConnectionKind.SERVER, name="Server", state=ConnectionState.LIVE)  # fmt: skip
    own = Domain(name=f"own.example.{SUFFIX}", connection=connection.id, organisation=OrganisationId(identifier(at)))
    inside = draw(st.sampled_from([slug for slug in PLACES if at in _up(parents, slug)]))
    away, away_address = relayed("r.x", inside, own.name)
    made += [connection, own, away, away_address]
    accounts = st.sampled_from([*people, away]).map(lambda found: found.id)
    things: list[Record] = []
    for number in range(draw(st.integers(0, 4))):
        at, local = draw(where), draw(st.sampled_from(LOCALS))
        name = f"{local}@{short[at]}"
        if not fresh(name):
            continue
        inside_ = OrganisationId(identifier(at))
        if draw(st.booleans()):
            members = draw(st.lists(st.sampled_from(_addresses([*made, *things])), max_size=4, unique=True))
            one = MailList(id=ListId(identifier(f"l{number}")), organisation=inside_, slug=local, name="List",
                           members=tuple(members), managers=tuple(draw(st.lists(accounts, max_size=2, unique=True))),
                           who_may_post=WhoMayPost.COMMUNITY)  # fmt: skip
            things += [one, address(f"{name}.{SUFFIX}", one.id, OwnerKind.LIST)]
        else:
            top = _up(parents, at)[-1]
            may_join = [each.id for each in people if _up(parents, _text(each.organisation))[-1] == top]
            chosen = draw(st.lists(st.sampled_from(may_join), max_size=3, unique=True)) if may_join else []
            box = SharedMailbox(
                id=MailboxId(identifier(f"s{number}")), organisation=inside_, slug=local, name="Shared", keys=1,
                members=tuple(SharedMember(account=each, rights=(MailboxRight.READ,)) for each in chosen),
            )  # fmt: skip
            things += [box, address(f"{name}.{SUFFIX}", box.id, OwnerKind.SHARED_MAILBOX)]
    for number in range(draw(st.integers(0, 4))):
        held = role("x", draw(st.sampled_from(Role)), draw(st.sampled_from([None, *PLACES])))
        officer = held.role is Role.ORGANISATION_ADMINISTRATOR and held.organisation is not None and draw(st.booleans())
        things.append(
            msgspec.structs.replace(
                held, id=RoleAssignmentId(identifier(f"o{number}")), account=draw(accounts), recovery_officer=officer
            )
        )
    view = MemoryView([*made, *things], suffix=SUFFIX, moment=NOW, number=1)
    one, into = draw(st.lists(where, min_size=2, max_size=2, unique=True))
    names = {each.address: f"x{number}" for number, each in enumerate(things) if isinstance(each, AddressRecord)}
    asked = Merge(
        organisation=OrganisationId(identifier(one)),
        into=OrganisationId(identifier(into)),
        old=OLD,
        slug=draw(st.sampled_from([None, "other"])),
        names={name: slug for name, slug in names.items() if _belongs(view, name, one) and draw(st.booleans())},
        most=draw(st.integers(1, 5)),
    )
    return view, asked


def _text(identifier_: bytes) -> str:
    return identifier_.decode().rstrip(".")


def _up(parents: dict[str, str | None], slug: str) -> list[str]:
    above = parents[slug]
    return [slug, *(_up(parents, above) if above is not None else [])]


def _addresses(made: list[Record]) -> list[str]:
    return [record.address for record in made if isinstance(record, AddressRecord)]


def _belongs(view: MemoryView, name: str, slug: str) -> bool:
    record = view.address(name)
    assert record is not None
    owner = view.mail_list(ListId(record.owner)) or view.shared_mailbox(MailboxId(record.owner))
    return owner is not None and _text(owner.organisation) == slug


def _reached(view: MemoryView, wanted: list[str]) -> list[object]:
    """Where mail to each address goes, and whom each list reaches."""
    found: list[object] = []
    for name in wanted:
        verdict = route(view, NOTICE, Address.parse(name))
        found.append(verdict.route if isinstance(verdict, Accept) else None)
    for each in view.lists():
        reached = expand(view, each.id)
        assert isinstance(reached, tuple)
        found.append((each.id, frozenset(str(accepted.route) for _, accepted in reached)))
    return found


def _powers(view: MemoryView, who: AccountId, protected: set[AccountId]) -> set[tuple[Action, bytes]]:
    """What somebody may do, where, and to whom: but to those whose roles end, who are protected by them no longer."""
    places = {
        (action, each.id)
        for action in Action
        for each in view.organisations()
        if may(view, who, action, each.id).allowed
    }
    people = {
        (action, each.id)
        for action in (Action.MANAGE_USERS, Action.RESET, Action.LOCK)
        for each in view.accounts()
        if each.id not in protected and may(view, who, action, each.organisation, account=each.id).allowed
    }
    return places | people


def _plain(view: MemoryView) -> set[Record]:
    """The records without their versions: how often one was changed on the way is nothing to anybody."""
    return {
        msgspec.structs.replace(each, version=0) if hasattr(each, "version") else each
        for each in view._records.values()
    }


@given(any_merge())
@settings(max_examples=100)
def test_any_merge(drawn: tuple[MemoryView, Merge]) -> None:
    """Where nothing keeps it: no act is refused, every commit leaves a whole community, and it comes to an end.

    Mail goes where it went at every address, and to the same people through every list; nobody but those above the
    other organisation may do what they could not; killed after any commit, and gone on with in commits of any size, it
    ends the same.
    """
    view, asked = drawn
    assert problems(view) == []
    kept = list(mergechecks.obstacles(view, OPERATOR, asked))
    assert all(f"{each}" and each.cure for each in kept)
    if kept:
        return
    everything = _addresses(list(view._records.values()))
    reached = _reached(view, everything)
    above = {None, *(found.id for found in states.chain(view, asked.into))}
    watched = [
        each.id for each in view.accounts() if not {held.organisation for held in view.roles_of(each.id)} & above
    ]
    protected = {held.account for held in view.roles_over(asked.organisation)}
    powers = {who: _powers(view, who, protected) for who in watched}
    steps = list(commits(view, asked))
    for after, entries in steps:
        assert problems(after) == []
        assert entries
        assert _reached(after, everything) == reached
        for who in watched:
            assert _powers(after, who, protected) <= powers[who]
    after = steps[-1][0]
    gone = place(after, asked.organisation)
    assert merging.is_over(gone, asked.into)
    assert not list(after.accounts_in(asked.organisation))
    for found in after.accounts():
        record = after.address(finding.primary_address(after, found.id))
        assert record is not None
        assert record.owner == found.id
    half = steps[len(steps) // 2][0]
    assert list(mergechecks.obstacles(half, OPERATOR, asked)) == [] or merging.is_over(
        place(half, asked.organisation), asked.into
    )
    again = [each for each, _ in commits(half, msgspec.structs.replace(asked, most=100))]
    assert _plain(again[-1] if again else half) == _plain(after)
