"""Indexes find what looking at everything finds: for generated communities, readers and questions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjsm.community.memory import MemoryView
from cjsm.community.records import Record
from cjsm.directory import ordering, schema
from cjsm.directory import search as searching
from cjsm.directory.loading import load
from cjsm.directory.planning import plan
from cjsm.directory.query import Equal, Filter, Limits, NoSuchEntry, Or, Query, Scope, SortKey, Substrings, Window
from cjsm.directory.reading import Reading
from cjsm.directory.search import Outcome, Search
from tests.directory.generated import FILTERS, SCOPES, SORTS, THOROUGH, bases, communities, readers
from tests.directory.support import COMMUNITY, catalogue

_ALL = Limits(entries=10_000, administrator_entries=10_000, term_characters=0)


def both(seen: Reading, query: Query, limits: Limits = _ALL) -> tuple[Search, Search]:
    """The same question, once with a plan."""
    return Search(seen, query, limits), Search(seen, query, limits, planned=False)


@settings(max_examples=60 * THOROUGH, deadline=None)
@given(communities(), st.lists(FILTERS, min_size=1, max_size=8), SCOPES, bases(), st.integers(1, 6), st.data())
def test_a_plan_finds_what_looking_at_everything_finds(
    made: list[Record], filters: list[Filter], scope: Scope, base: str, few: int, data: st.DataObject
) -> None:
    """All of it in the same order where it fits; else as many as are allowed of the same."""
    seen = Reading(load(MemoryView(made), schema.load()), data.draw(st.sampled_from(readers(made))))
    for filter_ in filters:
        query = Query(base=base, scope=scope, filter=filter_)
        try:
            planned, scanned = both(seen, query)
        except NoSuchEntry:
            return
        expected = scanned.run()
        assert planned.run() == expected
        limited, _ = both(seen, query, Limits(entries=few, administrator_entries=few, term_characters=0))
        found = limited.run()
        assert set(found) <= set(expected)
        assert len(found) == len(set(found)) == min(few, len(expected))
        assert limited.outcome is (Outcome.SIZE_LIMIT if len(expected) > few else Outcome.COMPLETE)


@settings(max_examples=40 * THOROUGH, deadline=None)
@given(communities(), FILTERS, bases(), SORTS, st.integers(0, 12), st.integers(0, 5), st.data())
def test_sorted_answers_and_windows(
    made: list[Record],
    filter_: Filter,
    base: str,
    sort: tuple[SortKey, ...],
    offset: int,
    after: int,
    data: st.DataObject,
) -> None:
    """Walking through indexes gives the order that comparing gives."""
    seen = Reading(load(MemoryView(made), schema.load()), data.draw(st.sampled_from(readers(made))))
    window = Window(before=1, after=after, offset=offset)
    keys = ordering.resolved(sort, seen.schema)
    try:
        planned, scanned = both(seen, Query(base=base, filter=filter_, sort=sort))
    except NoSuchEntry:
        return
    expected = scanned.run()
    found = planned.run()
    assert sorted(found) == sorted(expected)
    assert _terms(seen, found, keys) == _terms(seen, expected, keys)
    *_, walked = ordering.walked(sorted(expected), keys, seen)
    assert walked is not None
    assert sorted(walked) == sorted(expected)
    assert _terms(seen, list(walked), keys) == _terms(seen, expected, keys)
    search, _ = both(seen, Query(base=base, filter=filter_, sort=sort, window=window))
    shown = search.run()
    assert search.found_window is not None
    assert search.found_window.count == len(expected)
    place = search.found_window.target
    first = max(place - 2, 0)
    assert _terms(seen, shown, keys) == _terms(seen, expected[first : place + after], keys)


def _terms(seen: Reading, positions: list[int], keys: tuple[ordering.Key, ...]) -> list[list[str | None]]:
    return [[key.of(seen, position) for key in keys] for position in positions]


def test_what_clients_ask_is_planned() -> None:
    """None of it looks at everything."""
    names = ("cn", "sn", "givenName", "mail", "displayName", "o", "ou", "telephoneNumber", "postalAddress", "IMHandle")
    found = catalogue()
    for filter_ in (
        Or(tuple(Substrings(name, "zz") for name in names)),
        Or(tuple(Substrings(name, "", ("zz", "yy")) for name in names)),
        Equal("anr", "jane smith"),
        Equal("entryUUID", "00000000-0000-0000-0000-000000000064"),
    ):
        assert plan(filter_, found, flat=False) is not None


@pytest.mark.parametrize("steps", [True, False])
def test_long_lists_are_walked_in_slices(monkeypatch: pytest.MonkeyPatch, steps: bool) -> None:
    """What is too much to sort at once comes in the same order, and a second time at once."""
    seen = Reading(catalogue(), COMMUNITY)
    query = Query(sort=(SortKey(attribute="cn"),))
    expected = Search(seen, query, _ALL).run()
    if steps:
        monkeypatch.setattr(searching, "_FEW", 3)
    assert Search(seen, query, _ALL).run() == expected
    assert Search(seen, query, _ALL).run() == expected
