"""Short terms: what is left finds no more than was asked for, and never nearly everybody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.directory.query import And, Equal, Filter, Item, Not, Or, Present, Substrings, TermTooShort, Undefined
from cjsm.directory.rewriting import ambiguous, narrowed

SHORT, LONG = Substrings("cn", initial="s"), Substrings("sn", initial="smi")
BROWSING = Present("objectClass")


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (LONG, LONG),
        (BROWSING, BROWSING),
        (Equal("objectClass", "x"), Equal("objectClass", "x")),
        (Or((SHORT, LONG)), Or((Undefined(), LONG))),
        (And((SHORT, LONG)), And((SHORT, LONG))),
        (And((BROWSING, Or((SHORT, LONG)))), And((BROWSING, Or((Undefined(), LONG))))),
        (Not(LONG), Not(LONG)),
        (And((SHORT, Or((SHORT, LONG)))), And((SHORT, Or((Undefined(), LONG))))),
        (And((SHORT, Or((Undefined(), LONG)))), And((SHORT, Or((Undefined(), LONG))))),
    ],
)
def test_left(asked: Filter, left: Filter) -> None:
    """A short alternative goes, a short condition beside a longer one stays."""
    assert narrowed(asked, 2) == left


@pytest.mark.parametrize(
    "asked",
    [SHORT, Or((SHORT, SHORT)), Or((SHORT, Undefined())), And((BROWSING, SHORT)), Not(SHORT), Or((SHORT, BROWSING))],
)
def test_refused(asked: Filter) -> None:
    """Where nothing but short terms would choose, one is asked to type more."""
    with pytest.raises(TermTooShort, match="2 characters"):
        narrowed(asked, 2)


FILTERS = st.recursive(
    st.sampled_from((SHORT, LONG, BROWSING)),
    lambda parts: st.one_of(
        st.lists(parts, max_size=3).map(lambda found: And(tuple(found))),
        st.lists(parts, max_size=3).map(lambda found: Or(tuple(found))),
        parts.map(Not),
    ),
    max_leaves=10,
)


@given(FILTERS)
def test_twice_is_once(asked: Filter) -> None:
    """What was made fit is fit."""
    try:
        fit = narrowed(asked, 2)
    except TermTooShort:
        return
    assert narrowed(fit, 2) == fit


def test_ambiguous_names() -> None:
    """One word is any name's beginning; two are first and last name in either order."""
    one_word, two_words = ambiguous(Equal("anr", "jane")), ambiguous(Substrings("anr", initial="jane smith"))
    assert isinstance(one_word, Or)
    assert len(one_word.parts) == 6
    assert isinstance(two_words, Or)
    *_, one, other = two_words.parts
    assert one == And((Substrings("givenName", initial="jane"), Substrings("sn", initial="smith")))
    assert other == And((Substrings("givenName", initial="smith"), Substrings("sn", initial="jane")))


@pytest.mark.parametrize(
    "item",
    [Equal("anr", " "), Present("anr"), Substrings("anr", "jane", final="smith"), Substrings("anr", inner=("a",))],
)
def test_nothing_else_is_an_ambiguous_name(item: Item) -> None:
    """Neither true nor false of anybody."""
    assert ambiguous(item) == Undefined()
