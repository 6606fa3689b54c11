"""Visibility as a property of generated communities: what is invisible is never found, counted or compared."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.memory import MemoryView
from cjsm.community.records import Account, Life, Organisation, OrganisationState, Record, Role
from cjsm.directory import schema
from cjsm.directory.entries import PEOPLE
from cjsm.directory.loading import load
from cjsm.directory.query import And, Equal, Filter, Not, Or, Present, Scope, Substrings
from cjsm.directory.reading import Reading
from tests.directory.support import BASE, number, organisation, person, role, search

_ITEMS: list[Filter] = [
    Present("objectClass"),
    Present("mobile"),
    Equal("mobile", "07700900123"),
    Substrings("cn", "an"),
    Equal("cjsmLocked", "TRUE"),
    Equal("hasSubordinates", "TRUE"),
    Equal("numSubordinates", "1"),
    Equal("cjsmAccountStatus", "Suspended"),
]
_FILTERS = st.recursive(
    st.sampled_from(_ITEMS),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda parts: And(tuple(parts)), st.lists(inner, max_size=3)),
        st.builds(lambda parts: Or(tuple(parts)), st.lists(inner, max_size=3)),
    ),
    max_leaves=5,
)


@st.composite
def communities(draw: st.DrawFn) -> list[Record]:
    """Up to six organisations in any hierarchy, two people in each, roles anywhere."""
    made: list[Record] = []
    for count in range(1, draw(st.integers(1, 6)) + 1):
        parent = draw(st.sampled_from([None, *range(1, count)]))
        made.append(
            organisation(
                OrganisationId(number(count)),
                OrganisationId(number(parent)) if parent else None,
                f"org{count}",
                f"Org {count}",
                abbreviation=f"org{count}",
                ex_directory=draw(st.booleans()),
                protected=draw(st.integers(0, 4)) == 0,
                state=draw(st.sampled_from(OrganisationState)),
            )
        )
        for which in range(2):
            identifier = AccountId(number(count * 10 + which))
            made += person(
                identifier,
                OrganisationId(number(count)),
                f"p{which}.ann@org{count}",
                "Ann",
                f"Person{count}",
                mobile="07700 900123",
                life=draw(st.sampled_from(Life)),
                locked=draw(st.booleans()),
                ex_directory=draw(st.booleans()),
            )
            if draw(st.integers(0, 3)) == 0:
                where = draw(st.sampled_from([None, count]))
                covered = OrganisationId(number(where)) if where else None
                made.append(role(count * 10 + which, identifier, draw(st.sampled_from(Role)), covered))
    return made


class _Told:
    """The rules once more, from the records alone and without any of the code under test."""

    def __init__(self, made: list[Record], reader: AccountId) -> None:
        self._organisations = {found.id: found for found in made if isinstance(found, Organisation)}
        self._accounts = {found.id: found for found in made if isinstance(found, Account)}
        self._view = MemoryView(made)
        self._reader = self._accounts[reader]

    def _above(self, identifier: OrganisationId) -> list[Organisation]:
        found = self._organisations[identifier]
        return [found, *(self._above(found.parent) if found.parent else [])]

    def _in_charge(self, home: OrganisationId, *, states: bool) -> bool:
        covered = {None, *(found.id for found in self._above(home))}
        support = {Role.HELPDESK, Role.ENGINEER} if states else set()
        wanted = {Role.COMMUNITY_ADMINISTRATOR, Role.ORGANISATION_ADMINISTRATOR} | support
        return any(
            given.role in wanted and given.organisation in covered for given in self._view.roles_of(self._reader.id)
        )

    def _colleague(self, home: OrganisationId) -> bool:
        return self._above(home)[-1] == self._above(self._reader.organisation)[-1]

    def sees_organisation(self, home: OrganisationId) -> bool:
        if self._in_charge(home, states=True):
            return True
        above = self._above(home)
        if any(found.state is not OrganisationState.ACTIVE for found in above):
            return False
        return self._colleague(home) or not any(found.ex_directory or found.protected for found in above)

    def sees(self, identifier: AccountId) -> bool:
        account = self._accounts[identifier]
        if self._in_charge(account.organisation, states=True):
            return True
        if not self.sees_organisation(account.organisation) or account.life in (Life.SUSPENDED, Life.DELETED):
            return False
        return self._colleague(account.organisation) or not account.ex_directory

    def sees_mobile(self, identifier: AccountId) -> bool:
        home = self._accounts[identifier].organisation
        return self._colleague(home) or self._in_charge(home, states=False)

    def people(self) -> set[bytes]:
        return {identifier for identifier in self._accounts if self.sees(identifier)}


@settings(max_examples=150, deadline=None)
@given(communities(), _FILTERS, st.data())
def test_nothing_invisible_is_ever_found_or_guessable(made: list[Record], filter_: Filter, data: st.DataObject) -> None:
    """In both contexts, whoever asks, whatever the filter."""
    accounts = [found for found in made if isinstance(found, Account)]
    reader = data.draw(st.sampled_from(accounts)).id
    told = _Told(made, reader)
    seen = Reading(load(MemoryView(made), schema.load()), reader)
    expected = len(told.people())
    assert len(search(seen, Present("uid"), entries=999, administrator_entries=999)) == expected
    assert (
        len(search(seen, Present("uid"), base=PEOPLE, scope=Scope.ONE, entries=999, administrator_entries=999))
        == expected
    )
    visible = set(search(seen, Present("objectClass"), entries=999, administrator_entries=999))
    assert set(search(seen, filter_, entries=999, administrator_entries=999)) <= visible
    mobiles = search(
        seen, And((Present("uid"), Equal("mobile", "07700900123"))), entries=999, administrator_entries=999
    )
    assert len(mobiles) == sum(told.sees_mobile(account) for account in map(AccountId, told.people()))
    not_mobile = And((Present("uid"), Not(Equal("mobile", "07700900123"))))
    assert search(seen, not_mobile, base=BASE, entries=999) == []


@settings(max_examples=60, deadline=None)
@given(communities(), st.data())
def test_numbers_of_subordinates_are_those_that_can_be_listed(made: list[Record], data: st.DataObject) -> None:
    """A count never says more than a list would."""
    reader = data.draw(st.sampled_from([found for found in made if isinstance(found, Account)])).id
    seen = Reading(load(MemoryView(made), schema.load()), reader)
    counting = seen.schema.attribute("numSubordinates")
    assert counting is not None
    for position in seen.catalogue.positions():
        if seen.visible(position):
            below = search(seen, Present("objectClass"), base=seen.dn(position), scope=Scope.ONE, entries=999)
            assert seen.values(position, counting) == (str(len(below)),)
