"""Administrative acts: what each changes, what it refuses, and that a community stays whole whatever is done to it."""

from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cjsm.community import acts
from cjsm.community.acts import By
from cjsm.community.address import Address
from cjsm.community.errors import BadValue, CommunityError, Conflict, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import (
    AccountId,
    ConnectionId,
    ListId,
    MailboxId,
    OrganisationId,
    RoleAssignmentId,
    SecretId,
)
from cjsm.community.invariants import problems
from cjsm.community.memory import MemoryView
from cjsm.community.records import (
    Account,
    Connection,
    ConnectionKind,
    Credential,
    DevicePassword,
    Life,
    MailList,
    Organisation,
    OrganisationState,
    Profile,
    Role,
    SharedMailbox,
)
from cjsm.community.view import Change
from tests.community.communities import (
    CRIME_LIST,
    DESK,
    FIRM_CONNECTION,
    FIRM_DOMAIN,
    NOW,
    SUFFIX,
    by,
    community,
    hosted,
    identifier,
    organisation,
    role,
    with_state,
)

VIEW = community()
JO = AccountId(identifier("jo.ward"))
PROFILE = Profile(first_name="New", last_name="Comer")


def new_account(name: str = "new.comer", where: str = "crime", abbreviation: str = "avon") -> Account:
    """Somebody who is not there yet."""
    return acts.new_hosted(
        AccountId(identifier(name)),
        MailboxId(identifier(f"m-{name}")),
        OrganisationId(identifier(where)),
        f"{name}@{abbreviation}",
        PROFILE,
        0,
    )


def device(name: str = "laptop", *protocols: str) -> DevicePassword:
    """A device password."""
    return DevicePassword(id=SecretId(identifier(name)), name=name, protocols=protocols or ("smtp",), created=NOW)


def account(view: MemoryView, name: str) -> Account:
    """Somebody who is there."""
    found = view.account(AccountId(identifier(name)))
    assert found is not None
    return found


def test_every_act_is_told() -> None:
    """The entry says what was done, when, by whom and why, without a name in it."""
    change = acts.add_hosted_account(VIEW, by("olive.marsh", "joined in May"), new_account())
    entry = change.entry
    assert entry is not None
    assert (entry.act, entry.moment, entry.reason) == ("user-add", NOW, "joined in May")
    assert entry.actor == identifier("olive.marsh")
    assert (entry.subject_kind, entry.subject) == ("account", identifier("new.comer"))
    assert "comer" not in str(entry.details)


def test_the_operator_breaks_the_glass() -> None:
    """Once somebody administers the community, what is done at the server's shell is marked."""
    change = acts.add_hosted_account(VIEW, by(), new_account())
    assert change.entry is not None
    assert ("break-glass", "yes") in change.entry.details
    assert change.entry.actor == b""


def test_new_people() -> None:
    """Get an address from their user ID; nobody gets one that is taken or still reserved."""
    after = VIEW.apply(acts.add_hosted_account(VIEW, by("olive.marsh"), new_account()))
    assert acts.primary_address(after, AccountId(identifier("new.comer"))) == f"new.comer@avon.{SUFFIX}"
    assert acts.account_of(after, "New.Comer@avon").life is Life.NEW
    with pytest.raises(Exists):
        acts.add_hosted_account(after, by(), new_account())
    assert acts.free_user_id(after, "new.comer", "avon") == "new.comer-2@avon"
    with pytest.raises(BadValue):
        acts.add_hosted_account(VIEW, by(), new_account(abbreviation="firm"))
    with pytest.raises(Conflict):
        acts.add_hosted_account(with_state(VIEW, "avon", OrganisationState.SUSPENDED), by(), new_account())


def test_relayed_people() -> None:
    """Have an address in a domain of their own organisation, and no mailbox here."""
    made = Account(
        id=AccountId(identifier("r.new")),
        organisation=OrganisationId(identifier("firm")),
        kind=account(VIEW, "re.layed").kind,
        user_id="r.new@firm",
        profile=PROFILE,
    )
    own = Address.parse(f"r.new@{FIRM_DOMAIN.name}")
    assert problems(VIEW.apply(acts.add_relayed_account(VIEW, by(), made, own))) == []
    with pytest.raises(BadValue):
        acts.add_relayed_account(VIEW, by(), made, Address.parse(f"r.new@avon.{SUFFIX}"))
    elsewhere = msgspec.structs.replace(made, organisation=OrganisationId(identifier("avon")))
    with pytest.raises(BadValue):
        acts.add_relayed_account(VIEW, by(), elsewhere, own)


def test_organisations() -> None:
    """Are found by their path; names and abbreviations are there once; depth has an end."""
    after = VIEW.apply(acts.add_organisation(VIEW, by("olive.marsh"), organisation("homicide", "crime")))
    found = acts.organisation_of(after, "Avon/crime/homicide")
    assert acts.path_of(after, found.id) == "avon/crime/homicide"
    assert acts.abbreviation_for(after, found.id) == "avon"
    with pytest.raises(Exists):
        acts.add_organisation(after, by(), organisation("homicide", "crime"))
    with pytest.raises(Exists):
        acts.add_organisation(VIEW, by(), organisation("other", abbreviation="avon"))
    with pytest.raises(NotFound):
        acts.add_organisation(VIEW, by(), organisation("orphan", "nowhere"))
    with pytest.raises(NotAllowed):
        acts.add_organisation(VIEW, by("olive.marsh"), organisation("another-top"))
    for path in ("avon/nothing", "", "//"):
        with pytest.raises(NotFound):
            acts.organisation_of(VIEW, path)
    view: MemoryView = VIEW
    for depth in range(31):
        above = f"d{depth - 1}" if depth else None
        view = view.apply(acts.add_organisation(view, by(), organisation(f"d{depth}", above)))
    with pytest.raises(BadValue):
        acts.add_organisation(view, by(), organisation("d31", "d30"))


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 201])
def test_names_are_printable(name: str) -> None:
    """And neither empty nor endless."""
    with pytest.raises(BadValue):
        acts.add_organisation(VIEW, by(), msgspec.structs.replace(organisation("new"), name=name))


def test_choosing_a_password() -> None:
    """Makes a new user active; only the person does it; sessions notice."""
    view = community(*hosted("jo.ward", "crime", "avon", life=Life.NEW, credential=Credential.ONE_TIME))
    after = view.apply(acts.choose_password(view, by("jo.ward"), JO, 2))
    found = account(after, "jo.ward")
    assert (found.life, found.credential, found.keys, found.password_version) == (Life.ACTIVE, Credential.CHOSEN, 2, 1)
    assert found.version > account(view, "jo.ward").version
    with pytest.raises(NotAllowed):
        acts.choose_password(view, by("olive.marsh"), JO, 2)


def test_device_passwords() -> None:
    """Have a name each, for some doors, twenty at most; an administrator may take one away but not make one."""
    after = VIEW.apply(acts.add_device_password(VIEW, by("jo.ward"), JO, device(), 2))
    assert account(after, "jo.ward").device_passwords == (device(),)
    with pytest.raises(Exists):
        acts.add_device_password(after, by("jo.ward"), JO, device(), 3)
    with pytest.raises(BadValue):
        acts.add_device_password(VIEW, by("jo.ward"), JO, device("x", "imap"), 2)
    with pytest.raises(NotAllowed):
        acts.add_device_password(VIEW, by("olive.marsh"), JO, device(), 2)
    gone = after.apply(acts.revoke_device_password(after, by("olive.marsh"), JO, device().id, 3))
    assert account(gone, "jo.ward").device_passwords == ()
    with pytest.raises(NotFound):
        acts.revoke_device_password(gone, by("jo.ward"), JO, device().id, 4)
    with pytest.raises(NotAllowed):
        acts.revoke_device_password(after, by("sam.hill"), JO, device().id, 3)
    full = VIEW
    for number in range(20):
        full = full.apply(acts.add_device_password(full, by("jo.ward"), JO, device(f"d{number}"), number))
    with pytest.raises(Conflict):
        acts.add_device_password(full, by("jo.ward"), JO, device("one more"), 30)


def test_locking() -> None:
    """Leaves everything else as it was. The helpdesk lets people in again, it does not keep them out."""
    locked = VIEW.apply(acts.set_locked(VIEW, by("olive.marsh"), JO, locked=True))
    assert account(locked, "jo.ward").locked
    free = locked.apply(acts.set_locked(locked, by("henry.desk"), JO, locked=False))
    assert msgspec.structs.replace(account(free, "jo.ward"), version=1) == account(VIEW, "jo.ward")
    with pytest.raises(NotAllowed):
        acts.set_locked(VIEW, by("henry.desk"), JO, locked=True)


def test_nobody_is_taken_down_from_below() -> None:
    """An organisation's administrator neither locks nor suspends somebody who has more than they could give."""
    view = community(role("sam.hill", Role.COMMUNITY_ADMINISTRATOR))
    sam = AccountId(identifier("sam.hill"))
    with pytest.raises(NotAllowed):
        acts.set_locked(view, by("olive.marsh"), sam, locked=True)
    with pytest.raises(NotAllowed):
        acts.set_life(view, by("olive.marsh"), sam, Life.SUSPENDED)
    assert acts.set_life(view, by("ada.central"), sam, Life.SUSPENDED).put


def test_life() -> None:
    """Suspending and deleting want a reason; resuming returns to what the credential says."""
    with pytest.raises(BadValue):
        acts.set_life(VIEW, by("olive.marsh", reason=""), JO, Life.SUSPENDED)
    suspended = VIEW.apply(acts.set_life(VIEW, by("olive.marsh", "left"), JO, Life.SUSPENDED))
    assert (account(suspended, "jo.ward").life, account(suspended, "jo.ward").state_reason) == (Life.SUSPENDED, "left")
    assert account(suspended.apply(acts.set_life(suspended, by(), JO, Life.NEW)), "jo.ward").life is Life.ACTIVE
    with pytest.raises(NotFound):
        acts.set_life(VIEW, by(), AccountId(identifier("nobody")), Life.ACTIVE)


def test_states_of_organisations() -> None:
    """Want a reason; only an empty one is deleted."""
    firm = OrganisationId(identifier("firm"))
    with pytest.raises(BadValue):
        acts.set_organisation_state(VIEW, by(reason=""), firm, OrganisationState.SUSPENDED)
    assert acts.set_organisation_state(VIEW, by(), firm, OrganisationState.SUSPENDED).put
    with pytest.raises(Conflict):
        acts.set_organisation_state(VIEW, by(), firm, OrganisationState.DELETED)
    with pytest.raises(NotFound):
        acts.set_organisation_state(VIEW, by(), OrganisationId(identifier("no")), OrganisationState.ACTIVE)


def test_roles() -> None:
    """Are given once, over an organisation where they need one; the last administrator stays."""
    made = role("jo.ward", Role.ORGANISATION_ADMINISTRATOR, "crime")
    after = VIEW.apply(acts.grant_role(VIEW, by("olive.marsh"), made))
    assert account(after, "jo.ward").version > account(VIEW, "jo.ward").version
    with pytest.raises(Exists):
        acts.grant_role(after, by(), made)
    with pytest.raises(BadValue):
        acts.grant_role(VIEW, by(), role("jo.ward", Role.ORGANISATION_ADMINISTRATOR))
    with pytest.raises(NotFound):
        acts.grant_role(VIEW, by(), role("jo.ward", Role.HELPDESK, "nowhere"))
    ada = AccountId(identifier("ada.central"))
    held = next(iter(VIEW.roles_of(ada)))
    with pytest.raises(Conflict):
        acts.revoke_role(VIEW, by(), ada, held.id)
    two = VIEW.apply(acts.grant_role(VIEW, by(), role("jo.ward", Role.COMMUNITY_ADMINISTRATOR)))
    assert list(two.apply(acts.revoke_role(two, by(), ada, held.id)).roles_of(ada)) == []
    with pytest.raises(NotFound):
        acts.revoke_role(VIEW, by(), JO, held.id)


def test_connections_and_domains() -> None:
    """A domain is approved once, with or without the suffix; only the community's administrators do it."""
    change = acts.add_domain(VIEW, by("ada.central"), "New.Example", FIRM_CONNECTION.id, listed_members_only=True)
    (domain,) = change.put
    assert getattr(domain, "name", None) == f"new.example.{SUFFIX}"
    after = VIEW.apply(change)
    with pytest.raises(Exists):
        acts.add_domain(after, by(), f"new.example.{SUFFIX}", FIRM_CONNECTION.id, listed_members_only=False)
    with pytest.raises(BadValue):
        acts.add_domain(VIEW, by(), "localhost", FIRM_CONNECTION.id, listed_members_only=False)
    with pytest.raises(NotFound):
        acts.add_domain(VIEW, by(), "a.example", ConnectionId(identifier("no")), listed_members_only=False)
    with pytest.raises(NotAllowed):
        acts.add_connection(VIEW, by("olive.marsh"), FIRM_CONNECTION)
    nowhere = Connection(
        id=ConnectionId(identifier("c")),
        organisation=OrganisationId(identifier("nowhere")),
        kind=ConnectionKind.CLOUD,
        name="C",
    )
    with pytest.raises(NotFound):
        acts.add_connection(VIEW, by(), nowhere)


def test_lists_and_shared_mailboxes() -> None:
    """Get an address in their organisation's domain that nobody else has."""
    found = MailList(id=ListId(identifier("new-list")), organisation=CRIME_LIST.organisation, slug="news", name="News")
    shared = SharedMailbox(
        id=MailboxId(identifier("new-box")), organisation=DESK.organisation, slug="box", name="Box", keys=1
    )
    after = VIEW.apply(acts.add_list(VIEW, by("olive.marsh"), found, Address.parse(f"news@avon.{SUFFIX}")))
    after = after.apply(acts.add_shared_mailbox(after, by("olive.marsh"), shared, Address.parse(f"box@avon.{SUFFIX}")))
    assert after.address(f"news@avon.{SUFFIX}") is not None
    assert problems(after) == []
    with pytest.raises(Exists):
        acts.add_list(VIEW, by(), found, Address.parse(f"jo.ward@avon.{SUFFIX}"))
    with pytest.raises(BadValue):
        acts.add_list(VIEW, by(), found, Address.parse(f"news@firm.{SUFFIX}"))


class AnyActs(RuleBasedStateMachine):
    """Acts in any order by anybody: refused ones change nothing, allowed ones leave a whole community."""

    def __init__(self) -> None:
        super().__init__()
        self.view = community()
        self.count = 0

    def try_(self, act: Callable[..., Change], *arguments: object, **options: object) -> None:
        with suppress(CommunityError):
            self.done(act(self.view, *arguments, **options))

    def done(self, change: Change) -> None:
        assert change.entry is not None
        self.view = self.view.apply(change, moment=self.view.moment + 1)

    def fresh(self) -> str:
        self.count += 1
        return f"n{self.count}"

    actors = st.sampled_from([None, "ada.central", "olive.marsh", "henry.desk", "jo.ward", "n1.x"]).map(by)
    people = st.sampled_from(["jo.ward", "sam.hill", "ada.central", "n1.x", "n2.x", "nobody"]).map(
        lambda name: AccountId(identifier(name))
    )
    places = st.sampled_from(["avon", "crime", "firm", "office", "n1", "nowhere"])

    @rule(who=actors, above=st.none() | places)
    def organisation(self, who: By, above: str | None) -> None:
        self.try_(acts.add_organisation, who, organisation(self.fresh(), above))

    @rule(who=actors, where=places)
    def person(self, who: By, where: str) -> None:
        abbreviation = "firm" if where == "firm" else "avon"
        self.try_(acts.add_hosted_account, who, new_account(f"{self.fresh()}.x", where, abbreviation))

    @rule(who=actors, whom=people, locked=st.booleans())
    def lock(self, who: By, whom: AccountId, locked: bool) -> None:
        self.try_(acts.set_locked, who, whom, locked=locked)

    @rule(who=actors, whom=people, life=st.sampled_from(Life))
    def life(self, who: By, whom: AccountId, life: Life) -> None:
        self.try_(acts.set_life, who, whom, life)

    @rule(who=actors, where=places, state=st.sampled_from(OrganisationState))
    def state(self, who: By, where: str, state: OrganisationState) -> None:
        self.try_(acts.set_organisation_state, who, OrganisationId(identifier(where)), state)

    @rule(who=actors, whom=people, kind=st.sampled_from(Role), where=st.none() | places)
    def grant(self, who: By, whom: AccountId, kind: Role, where: str | None) -> None:
        assignment = role("x", kind, where)
        identifier_ = RoleAssignmentId(identifier(self.fresh()))
        self.try_(acts.grant_role, who, msgspec.structs.replace(assignment, account=whom, id=identifier_))

    @rule(who=actors, whom=people)
    def revoke(self, who: By, whom: AccountId) -> None:
        held = next(iter(self.view.roles_of(whom)), None)
        if held is not None:
            self.try_(acts.revoke_role, who, whom, held.id)

    @rule(who=actors, whom=people)
    def password(self, who: By, whom: AccountId) -> None:
        self.try_(acts.choose_password, who, whom, 5)

    @invariant()
    def whole(self) -> None:
        assert problems(self.view) == []

    @invariant()
    def somebody_administers(self) -> None:
        held = [found for found in self.view.roles_over(None) if found.role is Role.COMMUNITY_ADMINISTRATOR]
        assert held

    @invariant()
    def names_are_whole(self) -> None:
        for found in self.view.organisations():
            assert isinstance(found, Organisation)
            assert acts.organisation_of(self.view, acts.path_of(self.view, found.id)).id == found.id


TestAnyActs = AnyActs.TestCase
TestAnyActs.settings = settings(deadline=None, max_examples=40, stateful_step_count=30)
