"""Organisations moved in the hierarchy."""

import msgspec
import pytest

from cjsm.community import finding, states
from cjsm.community.acts import moving
from cjsm.community.authority import Action, may
from cjsm.community.errors import BadValue, CommunityError, Conflict, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import AccountId, ListId, MailboxId, OrganisationId
from cjsm.community.invariants import problems
from cjsm.community.memory import MemoryView
from cjsm.community.records import (
    MailboxRight,
    MailList,
    OrganisationState,
    OwnerKind,
    Role,
    SharedMailbox,
    SharedMember,
    WhoMayPost,
)
from cjsm.community.view import Change
from tests.community.communities import (
    CRIME_LIST,
    NOW,
    SUFFIX,
    address,
    by,
    community,
    identifier,
    organisation,
    role,
    with_state,
)

from .support import JO, VIEW, account

CRIME, AVON, FIRM = (OrganisationId(identifier(name)) for name in ("crime", "avon", "firm"))
NORTH = OrganisationId(identifier("north"))


def with_north(view: MemoryView) -> MemoryView:
    """A second top organisation, and no shared mailbox that ties anybody to the first."""
    shared = tuple(found for place in view.organisations() for found in view.shared_mailboxes_in(place.id))
    return view.apply(Change(put=(organisation("north", None, abbreviation="north"),), removed=shared))


WITH_NORTH = with_north(VIEW)


def test_moved() -> None:
    """Everybody below goes along, keeps their names, and is administered by who is above now."""
    after = WITH_NORTH.apply(moving.move(WITH_NORTH, by("ada.central"), CRIME, NORTH))
    assert finding.path_of(after, CRIME) == "north/crime"
    assert problems(after) == []
    found = after.organisation(CRIME)
    assert found is not None
    assert (found.moved, found.parent) == (NOW, NORTH)
    assert account(after, "jo.ward") == account(VIEW, "jo.ward")
    olive = AccountId(identifier("olive.marsh"))
    assert may(WITH_NORTH, olive, Action.MANAGE_USERS, CRIME).allowed
    assert not may(after, olive, Action.MANAGE_USERS, CRIME).allowed
    assert AVON not in {above.id for above in states.chain(after, CRIME)}


def test_who_may() -> None:
    """Who could make organisations in both places."""
    view = WITH_NORTH
    for who in ("olive.marsh", "jo.ward", "henry.desk"):
        with pytest.raises(NotAllowed):
            moving.move(view, by(who), CRIME, NORTH)
        with pytest.raises(NotAllowed):
            moving.move(view, by(who), CRIME, None)
    both = with_north(community(role("olive.marsh", Role.ORGANISATION_ADMINISTRATOR, "north")))
    assert moving.move(both, by("olive.marsh"), CRIME, NORTH).put


def test_not_there() -> None:
    """Nowhere, where it is, below itself, below what is not active, beside its namesake, at the top without a name."""
    below = WITH_NORTH.apply(Change(put=(organisation("inner", "crime"), organisation("other", "north"))))
    inner = OrganisationId(identifier("inner"))
    cases: list[tuple[OrganisationId, OrganisationId | None, type[CommunityError]]] = [
        (OrganisationId(b"nowhere at all.."), NORTH, NotFound),
        (CRIME, AVON, Conflict),
        (CRIME, inner, BadValue),
        (CRIME, CRIME, BadValue),
        (CRIME, OrganisationId(b"nowhere at all.."), CommunityError),
        (CRIME, None, Conflict),
    ]
    for what, where, kind in cases:
        with pytest.raises(kind):
            moving.move(below, by("ada.central"), what, where)
    namesake = organisation("twin", "north")
    twins = below.apply(Change(put=(msgspec.structs.replace(namesake, slug="crime"),)))
    with pytest.raises(Exists):
        moving.move(twins, by("ada.central"), CRIME, NORTH)
    with pytest.raises(Conflict):
        moving.move(with_state(WITH_NORTH, "north", OrganisationState.SUSPENDED), by("ada.central"), CRIME, NORTH)


def test_too_deep() -> None:
    view, above = WITH_NORTH, "north"
    for number in range(states.DEEPEST - 2):
        view = view.apply(Change(put=(organisation(f"d{number}", above),)))
        above = f"d{number}"
    with pytest.raises(BadValue, match="deep"):
        moving.move(view, by("ada.central"), CRIME, OrganisationId(identifier(above)))


def test_shared_mailboxes_stay_within_one_top_organisation() -> None:
    """Members on both sides keep it where it is; within the same top organisation nothing does."""
    shared = SharedMailbox(
        id=MailboxId(b"s" * 16),
        organisation=AVON,
        slug="duty",
        name="Duty",
        members=(SharedMember(account=JO, rights=(MailboxRight.READ,)),),
    )
    view = WITH_NORTH.apply(Change(put=(shared, organisation("region", "avon"))))
    with pytest.raises(Conflict, match="both sides"):
        moving.move(view, by("ada.central"), CRIME, NORTH)
    assert moving.move(view, by("ada.central"), CRIME, OrganisationId(identifier("region"))).put


def test_lists_go_on_reaching_lists() -> None:
    """A list of the one side that is a member of one of the other, and takes mail of its own top organisation only."""
    outer = msgspec.structs.replace(CRIME_LIST, id=ListId(identifier("outer")), organisation=AVON, slug="outer",
                                    members=(f"all@avon.{SUFFIX}",))  # fmt: skip
    records = (outer, address(f"outer@avon.{SUFFIX}", outer.id, OwnerKind.LIST))
    view = WITH_NORTH.apply(Change(put=records))
    for moved in (view, view.apply(Change(put=(
        msgspec.structs.replace(outer, organisation=CRIME), msgspec.structs.replace(CRIME_LIST, organisation=AVON)
    )))):  # fmt: skip
        with pytest.raises(Conflict, match="takes mail of its own") as caught:
            moving.move(moved, by("ada.central"), CRIME, NORTH)
        assert f"cjsm list leave outer@avon.{SUFFIX} all@avon.{SUFFIX}" in caught.value.cure
        inner = moved.mail_list(CRIME_LIST.id)
        assert isinstance(inner, MailList)
        everybody = msgspec.structs.replace(inner, who_may_post=WhoMayPost.COMMUNITY)
        assert moving.move(moved.apply(Change(put=(everybody,))), by("ada.central"), CRIME, NORTH).put
    assert moving.move(view.apply(Change(put=(organisation("region", "avon"),))), by(), CRIME,
                       OrganisationId(identifier("region"))).put  # fmt: skip


def test_connections_go_on_serving() -> None:
    """A domain, or a relayed member's address, that a connection from above serves keeps an organisation below it."""
    office = OrganisationId(identifier("office"))
    relayed = msgspec.structs.replace(account(VIEW, "re.layed"), organisation=office)
    view = WITH_NORTH.apply(Change(put=(relayed,)))
    if view.organisation(office) is None:
        view = view.apply(Change(put=(organisation("office", "firm"),)))
    with pytest.raises(Conflict, match="domain"):
        moving.move(view, by("ada.central"), office, NORTH)
