"""Any organisation becomes part of any other: all is whole after each commit, mail arrives, nobody rises."""

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cjsm.community import finding, states
from cjsm.community.acts import mergechecks, merging
from cjsm.community.acts.merging import Merge
from cjsm.community.address import Address
from cjsm.community.admission import Accept, expand
from cjsm.community.authority import Action, may
from cjsm.community.identifiers import (
    AccountId,
    ConnectionId,
    ListId,
    MailboxId,
    OrganisationId,
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
    Domain,
    Life,
    MailboxRight,
    MailList,
    Organisation,
    OrganisationState,
    OwnerKind,
    Record,
    Role,
    SharedMailbox,
    SharedMember,
    WhoMayPost,
)
from cjsm.community.verdicts import Service, ServiceOrigin
from tests.community.communities import (
    NOW,
    SUFFIX,
    address,
    hosted,
    identifier,
    organisation,
    relayed,
    role,
)

from .test_merging import OLD, OPERATOR, commits, place

NOTICE = ServiceOrigin(service=Service.NOTICE)
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
        known = text in taken
        taken.add(text)
        return not known

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
