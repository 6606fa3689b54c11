"""A piece at a time, the directory says what it says as a whole: to everybody, of everything."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjsm.community.identifiers import AccountId
from cjsm.community.memory import MemoryView
from cjsm.community.records import Record
from cjsm.community.view import View
from cjsm.directory import asking, excerpt, names, schema
from cjsm.directory.catalogue import FLAT
from cjsm.directory.excerpt import Excerpt
from cjsm.directory.fields import SEARCHED
from cjsm.directory.loading import load
from cjsm.directory.query import And, Filter, Limits, Not, Or, Present, Query, TermTooShort, Undefined
from cjsm.directory.reading import Reading
from cjsm.directory.search import Search
from cjsm.directory.sieve import sieve
from tests.directory import support
from tests.directory.generated import FILTERS, THOROUGH, communities, readers
from tests.directory.support import ADA, AVON, BOB, COMMUNITY, CRIME, ENGINEER, HELP, JANE, LAW, RITA, catalogue

T = TypeVar("T")
READERS = (JANE, BOB, ADA, HELP, ENGINEER, COMMUNITY, RITA)
ALL = Limits(entries=10_000, administrator_entries=10_000)
#: Two of one local part in one organisation: one of them has a longer name.
MORE: list[Record] = [
    *support.person(AccountId(support.number(500)), CRIME, "jane.smith@law", "Jane", "Smith", town="Bath"),
    *support.person(AccountId(support.number(501)), CRIME, "jane.smith-2@avon", "Jane", "Smith", telephone="117496"),
]
WHOLE = catalogue(MORE)


class Store:
    """What is read."""

    def __init__(self, more: Sequence[Record]) -> None:
        self.view = MemoryView([*support.records(), *more], number=7)

    def read_now(self, function: Callable[[View], T]) -> T:
        return function(self.view)


def small(reader: AccountId | None, more: Sequence[Record] = MORE) -> Excerpt:
    return Excerpt(Store(more), schema.load(), reader)  # type: ignore[arg-type]


def as_a_whole(reader: AccountId, filter_: Filter, limits: Limits = ALL) -> list[str] | str:
    reading = Reading(WHOLE, reader)
    try:
        found = Search(reading, Query(filter=filter_), limits).run()
    except TermTooShort as error:
        return str(error)
    # The community itself is nobody's to be found in an organisation.
    return sorted(reading.dn(position) for position in found if reading.dn(position) != WHOLE.base)


def in_pieces(reader: AccountId | None, filter_: Filter) -> list[str] | str:
    made = small(reader)
    try:
        found = made.search(made.chains(), filter_, sieve(filter_, schema.load()), ALL.term_characters)
        return sorted(each.reading.dn(each.position) for each in found)
    except TermTooShort as error:
        return str(error)


_TEXTS = st.one_of(
    st.sampled_from(
        [
            *("jane", "smith", "Smith, Jane", "avon", "Avon Police", "crime", "0117", "+44 117 496", "117496", "bob"),
            *("müller", "MULLER", "jane.jones@avon", "cjsm.test", "law & sons", "desk", "duty-desk", "all", "bristol"),
            *(
                "1 High",
                "BS1",
                "ai",
                "h s",
                "e",
                "07700 900001",
                "Active",
                "Suspended",
                "detective",
                ", ",
                "(",
                "x y z",
            ),
        ]
    ),
    st.text(min_size=1, max_size=4),
)
_ITEMS = st.one_of(
    st.builds(asking.condition, st.sampled_from(asking.OPERATORS), st.sampled_from(list(SEARCHED)), _TEXTS),
    st.builds(asking.text, _TEXTS.filter(str.strip)),
    st.sampled_from([*asking.KINDS.values(), Present("mobile"), Undefined()]),
)
_FILTERS = st.recursive(
    _ITEMS,
    lambda inner: st.one_of(
        st.builds(lambda parts: And(tuple(parts)), st.lists(inner, max_size=3)),
        st.builds(lambda parts: Or(tuple(parts)), st.lists(inner, max_size=3)),
        st.builds(Not, inner),
    ),
    max_leaves=5,
)


@given(filter_=_FILTERS, reader=st.sampled_from(READERS), size=st.sampled_from([1, 2, 5, 2_000]))
def test_says_what_the_whole_says(filter_: Filter, reader: AccountId, size: int) -> None:
    """Whoever reads, whatever is asked, however small the pieces are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(excerpt, "_SIZE", size)
        assert in_pieces(reader, filter_) == as_a_whole(reader, filter_)


def _values(field: str) -> list[str]:
    """What entries have in a field."""
    whole = Reading(WHOLE, COMMUNITY)
    kinds = [kind for name in SEARCHED[field] if (kind := whole.schema.attribute(name)) is not None]
    slots = [position for position in WHOLE.positions() if position < FLAT]
    return sorted({value for kind in kinds for position in slots for value in whole.values(position, kind)})


@pytest.mark.parametrize("field", SEARCHED)
def test_every_value_is_found(field: str) -> None:
    """Whole, and a piece of it at its begin, inside and at its end."""
    values = _values(field)
    for value in values:
        pieces = {"is": value, "contains": value[1:-1], "begins": value[:4], "ends": value[-4:]}
        for operator, piece in pieces.items():
            if piece.strip():
                asked = asking.condition(operator, field, piece)
                assert in_pieces(COMMUNITY, asked) == as_a_whole(COMMUNITY, asked)
    assert values or field in ("business-type", "user-type")


@given(filter_=_FILTERS)
def test_operator_sees_what_community_administrators_see(filter_: Filter) -> None:
    """The shell on the server has no account."""
    assert in_pieces(None, filter_) == as_a_whole(COMMUNITY, filter_)


@settings(max_examples=25 * THOROUGH, deadline=None)
@given(communities(), st.lists(FILTERS, min_size=1, max_size=6), st.sampled_from([1, 3, 2_000]), st.data())
def test_generated_communities(made: list[Record], filters: list[Filter], size: int, data: st.DataObject) -> None:
    """Organisations of every depth and state, people of every kind, readers with any roles."""
    reader = data.draw(st.sampled_from(readers(made)))
    view = MemoryView(made)
    reading = Reading(load(view, schema.load()), reader)
    store = Store([])
    store.view = view
    asked = Excerpt(store, schema.load(), reader)  # type: ignore[arg-type]
    limits = Limits(entries=10_000, administrator_entries=10_000, term_characters=0)
    for filter_ in filters:
        # How much is below an entry is not to be seen in a piece, and nobody asks for it there.
        if "subordinates" in repr(filter_).lower():
            continue
        expected = [reading.dn(each) for each in Search(reading, Query(filter=filter_), limits).run()]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(excerpt, "_SIZE", size)
            found = list(asked.search(asked.chains(), filter_, sieve(filter_, schema.load())))
        names_found = [each.reading.dn(each.position) for each in found]
        assert sorted(names_found) == sorted(name for name in expected if name != reading.catalogue.base)
        for each in found:
            account = each.account
            assert (account is not None) is each.reading.is_person(each.position)


def test_most_is_not_even_made() -> None:
    """What cannot match is left out before it becomes an entry."""
    kept = sieve(asking.condition("begins", "last-name", "mül"), schema.load())
    made = small(JANE)
    (piece,) = made._pieces(made.chains(), kept, lambda looked_at: None)
    people = [account.user_id for account, _ in piece._people.values()]
    # Jane reads: her own place is around it.
    assert sorted(people) == ["bob.muller@avon", "jane.smith@avon"]


def test_organisations() -> None:
    """One is seen, or is not, as in LDAP."""
    made = small(JANE)
    by_name = {chain[-1].slug: chain for chain in made.chains()}
    assert {slug for slug, chain in by_name.items() if made.organisation(chain)} == {
        *("avon-police", "crime", "fraud", "law-firm"),
    }
    assert [chain[-1].slug for chain in made.chains(AVON)] == ["avon-police", "crime", "fraud"]
    assert [[found.slug for found in chain] for chain in made.chains(CRIME)] == [
        ["avon-police", "crime"],
        ["avon-police", "crime", "fraud"],
    ]
    assert len(by_name) == 6


def test_in_one_organisation() -> None:
    """With what is below it, and nothing above."""
    made = small(ADA)
    found = [names.parse(each.reading.dn(each.position)) for each in made.everything(made.chains(CRIME))]
    assert found
    above = names.parse("ou=crime,o=avon-police,dc=cjsm,dc=test")
    assert all(name[-len(above) :] == above for name in found)
    assert [each.account.user_id for each in made.everything(made.chains(LAW)) if each.account] == [
        *("carl.community@law", "enid.wire@law", "helen.desk@law", "lou.smith@law"),
    ]


def test_root() -> None:
    """The community's own entry."""
    found = small(JANE).root()
    assert found.reading.dn(found.position) == "dc=cjsm,dc=test"
