"""Sorted answers and the windows that clients open on them."""

import pytest

from cjsm.directory.ordering import NO_ORDERING, NO_SUCH_ATTRIBUTE, Reason, Unsortable, WindowFound
from cjsm.directory.query import Equal, Filter, Limits, Present, Query, Scope, SortKey, Substrings, Window
from cjsm.directory.search import Outcome, Search
from tests.directory.support import ADA, HELP, JANE, LOU, first_names, reading

_PEOPLE = Present("uid")
_BY_NAME = SortKey(attribute="sn")


def asked(
    reader: bytes,
    *keys: SortKey,
    window: Window | None = None,
    filter_: Filter = _PEOPLE,
    limits: Limits | None = None,
    size: int = 0,
) -> tuple[list[str], Search]:
    """Return what *reader* gets, and the search."""
    seen = reading(reader)  # type: ignore[arg-type]
    query = Query(filter=filter_, sort=keys, window=window, size_limit=size)
    search = Search(seen, query, limits or Limits())
    return first_names([seen.dn(position) for position in search.run()]), search


def test_by_one_key() -> None:
    """Up and down; those of the same name in any order."""
    expected = ["uid=ada.admin", "uid=carl.community", "uid=helen.desk", "uid=bob.muller"]
    found, search = asked(LOU, _BY_NAME)
    assert found[:4] == expected
    assert set(found[4:6]) == {"uid=jane.smith", "uid=lou.smith"}
    assert search.outcome is Outcome.COMPLETE
    down, _ = asked(LOU, SortKey(attribute="sn", descending=True))
    assert down[-4:] == expected[::-1]


def test_by_two_keys() -> None:
    """The first counts most."""
    found, _ = asked(LOU, SortKey(attribute="sn", descending=True), SortKey(attribute="givenName"))
    assert found[:3] == ["uid=enid.wire", "uid=jane.smith", "uid=lou.smith"]
    found, _ = asked(LOU, SortKey(attribute="sn"), SortKey(attribute="givenName", descending=True))
    assert found[-3:] == ["uid=lou.smith", "uid=jane.smith", "uid=enid.wire"]


def test_without_a_value() -> None:
    """They come last, or first where the order is descending; so does what may not be read."""
    up, _ = asked(JANE, SortKey(attribute="mobile"))
    assert up[:2] == ["uid=jane.smith", "uid=bob.muller"]
    assert "uid=lou.smith" in up[2:]
    down, _ = asked(JANE, SortKey(attribute="mobile", descending=True))
    assert down[-2:] == ["uid=bob.muller", "uid=jane.smith"]


def test_of_several_values_the_first_counts() -> None:
    """As RFC 2891 has it."""
    found, _ = asked(LOU, SortKey(attribute="uid"))
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("attribute", "rule", "reason"),
    [
        ("jpegPhoto", None, NO_SUCH_ATTRIBUTE),
        ("sn;lang-cy", None, NO_SUCH_ATTRIBUTE),
        ("entryDN", None, NO_ORDERING),
        ("sn", "caseExactOrderingMatch", NO_ORDERING),
        ("sn", "2.5.13.15", NO_ORDERING),
    ],
)
def test_what_has_no_order(attribute: str, rule: str | None, reason: Reason) -> None:
    """It is said at once, with the attribute's name."""
    with pytest.raises(Unsortable) as caught:
        asked(LOU, SortKey(attribute=attribute, rule=rule))
    assert (caught.value.reason, caught.value.attribute) == (reason, attribute)


@pytest.mark.parametrize("rule", ["2.5.13.3", "CaseIgnoreOrderingMatch"])
def test_a_rule_by_name_or_oid(rule: str) -> None:
    """Clients name the usual one."""
    assert asked(LOU, SortKey(attribute="sn", rule=rule))[0] == asked(LOU, _BY_NAME)[0]


@pytest.mark.parametrize(
    ("window", "expected", "place"),
    [
        (Window(before=0, after=1, offset=1), ["ada", "carl"], 1),
        (Window(before=1, after=1, offset=3), ["carl", "helen", "bob"], 3),
        (Window(before=1, after=1, offset=1), ["ada", "carl"], 1),
        (Window(before=1, after=5, offset=7), [["jane", "lou"], "enid"], 7),
        (Window(before=0, after=0, offset=50, count=100), ["helen"], 3),
        (Window(before=0, after=0, offset=100, count=100), ["enid"], 7),
        (Window(before=0, after=0, offset=99), ["enid"], 7),
        (Window(before=0, after=1, at_least="d"), ["helen", "bob"], 3),
        (Window(before=1, after=0, at_least="desk"), ["carl", "helen"], 3),
        (Window(before=1, after=3, at_least="zz"), ["enid"], 8),
        (Window(before=0, after=0, at_least=""), ["ada"], 1),
    ],
)
def test_windows(window: Window, expected: list[str | list[str]], place: int) -> None:
    """By place and by value; the count is of what the reader sees."""
    found, search = asked(LOU, _BY_NAME, window=window)
    short = [name.removeprefix("uid=").partition(".")[0] for name in found]
    assert len(short) == len(expected)
    assert all(name == wanted or name in wanted for name, wanted in zip(short, expected, strict=True))
    assert search.found_window == WindowFound(place, 7)


def test_a_descending_window() -> None:
    """The first that is not before the value, seen from the end."""
    found, search = asked(LOU, SortKey(attribute="sn", descending=True), window=Window(before=0, after=0, at_least="e"))
    assert found == ["uid=helen.desk"]
    assert search.found_window == WindowFound(5, 7)


def test_counts_are_of_what_is_seen() -> None:
    """Nobody learns from a count how many are hidden."""
    window = Window(before=0, after=0, offset=1)
    counts = [asked(reader, _BY_NAME, window=window)[1].found_window for reader in (LOU, JANE, ADA, HELP)]
    assert [found.count for found in counts if found] == [7, 8, 10, 12]


def test_an_empty_list_has_an_empty_window() -> None:
    """Nothing is at no place."""
    found, search = asked(
        LOU, _BY_NAME, window=Window(before=0, after=9, offset=1), filter_=Equal("sn", "nobody at all")
    )
    assert (found, search.found_window) == ([], WindowFound(0, 0))


def test_limits_hold_for_sorted_answers() -> None:
    """The first of them in order, and a window is no way round."""
    found, search = asked(LOU, _BY_NAME, limits=Limits(entries=2))
    assert (found, search.outcome) == (["uid=ada.admin", "uid=carl.community"], Outcome.SIZE_LIMIT)
    found, search = asked(LOU, _BY_NAME, window=Window(before=0, after=9, offset=1), limits=Limits(entries=2))
    assert (found, search.outcome) == (["uid=ada.admin", "uid=carl.community"], Outcome.COMPLETE)


@pytest.mark.parametrize("keys", [(), (_BY_NAME,)])
@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_a_page_ends_exactly(keys: tuple[SortKey, ...], page: int) -> None:
    """The same search goes on with the next page; nothing is lost or comes twice."""
    seen = reading(LOU)
    search = Search(seen, Query(filter=_PEOPLE, sort=keys), Limits())
    pages: list[list[int]] = []
    while search.outcome is None:
        found: list[int] = []
        while search.outcome is None and len(found) < page:
            found += search.step(page - len(found))
        pages.append(found)
    assert all(len(found) == page for found in pages[:-1])
    assert [position for found in pages for position in found] == Search(
        seen, Query(filter=_PEOPLE, sort=keys), Limits()
    ).run()


def test_limits_count_over_pages() -> None:
    """A member gets no more by asking for pages."""
    search = Search(reading(LOU), Query(filter=_PEOPLE), Limits(entries=3))
    found: list[int] = []
    while search.outcome is None:
        found += search.step(2)
    assert (len(found), search.outcome) == (3, Outcome.SIZE_LIMIT)


def test_of_a_base_alone() -> None:
    """Sorting one entry is allowed."""
    seen = reading(LOU)
    query = Query(scope=Scope.BASE, filter=Substrings("dc", "cj"), sort=(_BY_NAME,))
    assert len(Search(seen, query, Limits()).run()) == 1
