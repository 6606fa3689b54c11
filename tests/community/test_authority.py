"""Who may do what: deny by default, nobody gives more than they have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.authority import (
    COMMUNITY_ROLES,
    OPERATOR,
    POWERS,
    Action,
    may,
    may_grant,
    may_manage_members,
    may_see_members,
    require,
    within,
)
from cjsm.community.errors import NotAllowed
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.memory import MemoryView
from cjsm.community.records import Credential, Life, MailboxRight, Role, SharedMember
from cjsm.community.states import chain, may_sign_in
from tests.community.communities import CRIME_LIST, DESK, communities, community, hosted, identifier, records

PEOPLE = ("ada.central", "olive.marsh", "henry.desk", "erin.wright", "jo.ward")
PLACES = ("crime", "avon", "firm", None)


def account(name: str) -> AccountId:
    """Somebody's identifier."""
    return AccountId(identifier(name))


def place(slug: str | None) -> OrganisationId | None:
    """An organisation's identifier."""
    return OrganisationId(identifier(slug)) if slug else None


#: Who may do it, by the first letters of their names, at crime, avon, firm and to the whole community.
TABLE = {
    Action.MAKE_TOP_ORGANISATION: ("a", "a", "a", "a"),
    Action.GIVE_ABBREVIATION: ("a", "a", "a", "a"),
    Action.MAKE_SUB_ORGANISATION: ("ao", "ao", "a", "a"),
    Action.CHANGE_ORGANISATION: ("ao", "ao", "a", "a"),
    Action.SEE_ORGANISATIONS: ("aohe", "aohe", "ahe", "ahe"),
    Action.MANAGE_USERS: ("ao", "ao", "a", "a"),
    Action.FIND_USERS: ("aoh", "aoh", "ah", "ah"),
    Action.LOCK: ("ao", "ao", "a", "a"),
    Action.UNLOCK: ("aoh", "aoh", "ah", "ah"),
    Action.RESET: ("aoh", "aoh", "ah", "ah"),
    Action.ASK_RECOVERY: ("aoh", "aoh", "ah", "ah"),
    Action.GRANT_ROLE: ("ao", "ao", "a", "a"),
    Action.MANAGE_LISTS: ("ao", "ao", "a", "a"),
    Action.MANAGE_SHARED_MAILBOXES: ("ao", "ao", "a", "a"),
    Action.SET_QUOTA: ("ao", "ao", "a", "a"),
    Action.SET_LARGE_QUOTA: ("a", "a", "a", "a"),
    Action.MANAGE_CONNECTIONS: ("a", "a", "a", "a"),
    Action.SEE_CONNECTIONS: ("aohe", "aohe", "ahe", "ahe"),
    Action.TEST_CONNECTIONS: ("ae", "ae", "ae", "ae"),
    Action.SEE_QUEUES: ("ae", "ae", "ae", "ae"),
    Action.CHANGE_QUEUES: ("ae", "ae", "ae", "ae"),
    Action.TRACE: ("ah", "ah", "ah", "ah"),
    Action.REPORTS: ("ao", "ao", "a", "a"),
    Action.READ_LEDGER: ("ao", "ao", "a", "a"),
    Action.SEE_MAILBOXES: ("aohe", "aohe", "ahe", "ahe"),
    Action.CHANGE_MAILBOXES: ("ao", "ao", "a", "a"),
    Action.VERIFY_MAILBOXES: ("ae", "ae", "ae", "ae"),
    Action.BACK_UP_MAILBOXES: ("a", "a", "a", "a"),
    Action.OWN_MAIL: ("", "", "", ""),
    Action.OWN_SETTINGS: ("", "", "", ""),
    Action.CHOOSE_PASSWORD: ("", "", "", ""),
    Action.OWN_SECRETS: ("", "", "", ""),
    Action.UNLOCK_SELF: ("", "", "", ""),
    Action.REMOVE_FACTOR: ("ao", "ao", "a", "a"),
    Action.SEND_NOTICES: ("a", "a", "a", "a"),
    Action.ASSESS_APPLICATIONS: ("ahe", "ahe", "ahe", "ahe"),
    Action.DECIDE_APPLICATIONS: ("a", "a", "a", "a"),
}


@pytest.mark.parametrize("action", Action)
def test_the_whole_table(action: Action) -> None:
    """Every role, every act, here, below, elsewhere and everywhere."""
    view = community()
    for slug, expected in zip(PLACES, TABLE[action], strict=True):
        allowed = "".join(name[0] for name in PEOPLE if may(view, account(name), action, place(slug)).allowed)
        assert sorted(allowed) == sorted(expected), slug


def test_ones_own() -> None:
    """Only the person chooses their password and devices, not even the community's administrator."""
    view = community()
    for action in (Action.OWN_MAIL, Action.OWN_SETTINGS, Action.OWN_SECRETS, Action.CHOOSE_PASSWORD):
        assert may(view, account("jo.ward"), action, place("crime"), account=account("jo.ward")).allowed
        assert not may(view, account("ada.central"), action, place("crime"), account=account("jo.ward")).allowed


def test_unlocking_oneself() -> None:
    """Is for whoever could sign in without the lock: nobody else, and nobody who is suspended."""
    locked = community(*hosted("jo.ward", "crime", "avon", locked=True))
    jo = account("jo.ward")
    assert may(locked, jo, Action.UNLOCK_SELF, place("crime"), account=jo).allowed
    assert not may(locked, account("sam.hill"), Action.UNLOCK_SELF, place("crime"), account=jo).allowed
    assert not may(locked, jo, Action.OWN_SECRETS, place("crime"), account=jo).allowed
    for changed in ({"life": Life.SUSPENDED}, {"credential": Credential.ONE_TIME}):
        view = community(*hosted("jo.ward", "crime", "avon", locked=True, **changed))
        assert not may(view, jo, Action.UNLOCK_SELF, place("crime"), account=jo).allowed


@pytest.mark.parametrize("changed", [{"locked": True}, {"life": Life.SUSPENDED}, {"credential": Credential.ONE_TIME}])
def test_states_take_powers_away(changed: dict[str, object]) -> None:
    """Who may not sign in, or has to choose a password first, may do nothing else."""
    view = community(*hosted("olive.marsh", "avon", "avon", **changed))
    assert not may(view, account("olive.marsh"), Action.MANAGE_USERS, place("avon")).allowed
    chooses = may(view, account("olive.marsh"), Action.CHOOSE_PASSWORD, place("avon"), account=account("olive.marsh"))
    assert chooses.allowed is ("credential" in changed)


def test_the_operator() -> None:
    """May do everything; once somebody administers the community, everybody will hear of it."""
    permission = may(community(), OPERATOR, Action.MANAGE_USERS, place("avon"))
    assert (permission.allowed, permission.break_glass) == (True, True)
    for action in (Action.VERIFY_MAILBOXES, Action.BACK_UP_MAILBOXES, Action.SEE_MAILBOXES):
        permission = may(community(), OPERATOR, action, None)
        assert (permission.allowed, permission.break_glass) == (True, False), "this is what the operator is for"
    empty = MemoryView([record for record in records() if getattr(record, "role", None) is None], suffix="cjsm.test")
    permission = may(empty, OPERATOR, Action.MANAGE_USERS, place("avon"))
    assert (permission.allowed, permission.break_glass) == (True, False)


def test_nobody_reaches_up() -> None:
    """Helpdesk and organisation administrators do not take over those who have more than they could give."""
    view = community()
    for actor in ("henry.desk", "olive.marsh"):
        refused = may(view, account(actor), Action.RESET, place("avon"), account=account("ada.central"))
        assert not refused.allowed
    assert not may(view, account("henry.desk"), Action.RESET, place("avon"), account=account("olive.marsh")).allowed
    assert may(view, account("henry.desk"), Action.RESET, place("avon"), account=account("jo.ward")).allowed


def test_granting() -> None:
    """Organisation administrators appoint below themselves; community roles come from the community."""
    view = community()
    olive = account("olive.marsh")
    assert may_grant(view, olive, Role.ORGANISATION_ADMINISTRATOR, place("crime")).allowed
    assert not may_grant(view, olive, Role.ORGANISATION_ADMINISTRATOR, place("firm")).allowed
    for role in COMMUNITY_ROLES:
        assert not may_grant(view, olive, role, place("avon")).allowed
        assert may_grant(view, account("ada.central"), role, None).allowed


def test_managers_of_lists() -> None:
    """Change its members and nothing else."""
    import msgspec

    managed = msgspec.structs.replace(CRIME_LIST, managers=(account("jo.ward"),))
    view = community(managed)
    assert may_manage_members(view, account("jo.ward"), managed).allowed
    assert not may_manage_members(view, account("sam.hill"), managed).allowed
    assert may_manage_members(view, account("olive.marsh"), managed).allowed
    assert not may(view, account("jo.ward"), Action.MANAGE_LISTS, managed.organisation).allowed


def test_seeing_who_reads_a_shared_mailbox() -> None:
    """Its members and managers, and who administers its organisation."""
    import msgspec

    member = SharedMember(account=account("jo.ward"), rights=(MailboxRight.READ,))
    shared = msgspec.structs.replace(DESK, members=(member,), managers=(account("sam.hill"),))
    for name, sees in (("jo.ward", True), ("sam.hill", True), ("olive.marsh", True), ("henry.desk", False)):
        assert may_see_members(community(), account(name), shared).allowed is sees
    assert may_see_members(community(), OPERATOR, shared).allowed
    locked = community(*hosted("jo.ward", "crime", "avon", locked=True))
    assert not may_see_members(locked, account("jo.ward"), shared).allowed


def test_refusals_say_why() -> None:
    """In words, with what to do."""
    with pytest.raises(NotAllowed) as refused:
        require(may(community(), account("jo.ward"), Action.MANAGE_USERS, place("avon")))
    assert "manage users" in str(refused.value)
    assert "community-administrator or organisation-administrator" in refused.value.cure
    with pytest.raises(NotAllowed) as refused:
        require(may(community(), account("olive.marsh"), Action.SEE_QUEUES, None))
    assert "community-administrator or engineer" in refused.value.cure


ACTORS = st.sampled_from([*(f"p{number}.x" for number in range(4)), "r.x", "stranger"]).map(account)


@given(communities(), ACTORS, st.sampled_from(Action), st.sampled_from(["north", "south", "east", None]).map(place))
def test_powers_come_from_roles(
    view: MemoryView, actor: AccountId, action: Action, where: OrganisationId | None
) -> None:
    """Whatever is allowed is in the table for a role that covers the place, of somebody who may sign in."""
    if not may(view, actor, action, where).allowed:
        return
    found = view.account(actor)
    assert found is not None
    assert may_sign_in(view, found)
    covering = {organisation.id for organisation in chain(view, where)}
    assert any(
        action in POWERS[held.role] and (held.organisation is None or held.organisation in covering)
        for held in view.roles_of(actor)
    )


@given(communities(), ACTORS, st.sampled_from(Role), st.sampled_from(["north", "south", "east", None]).map(place))
def test_nobody_gives_more_than_they_have(
    view: MemoryView, actor: AccountId, role: Role, where: OrganisationId | None
) -> None:
    """Every power of a role that somebody may give is one that the giver has there."""
    if not may_grant(view, actor, role, where).allowed:
        return
    for action in POWERS[role]:
        assert may(view, actor, action, where).allowed or role in COMMUNITY_ROLES
    if role in COMMUNITY_ROLES:
        assert any(held.role is Role.COMMUNITY_ADMINISTRATOR for held in view.roles_of(actor))


@given(communities(), ACTORS, st.sampled_from(Action))
def test_lists_show_what_may_be_seen(view: MemoryView, actor: AccountId, action: Action) -> None:
    """What tells for every place is what is told of each; whoever may nowhere is refused, and hears why."""
    places = [*(each.id for each in view.organisations()), None]
    allowed = {where for where in places if may(view, actor, action, where).allowed}
    if allowed:
        shown = within(view, actor, action)
        assert {where for where in places if shown(where)} == allowed
    else:
        with pytest.raises(NotAllowed):
            within(view, actor, action)
    operators = within(view, OPERATOR, action)
    assert all(operators(where) for where in places)
