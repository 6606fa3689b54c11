"""Short terms: what is left finds no more than was asked for, and never nearly everybody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.directory.query import And, Equal, Filter, Not, Or, Present, Substrings, TermTooShort, Undefined
from cjsm.directory.rewriting import narrowed, resolved_name

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
    assert len(resolved_name("jane").parts) == 6  # type: ignore[union-attr]  # an Or
    *_, one, other = resolved_name("jane smith").parts  # type: ignore[union-attr]  # an Or
    assert one == And((Substrings("givenName", initial="jane"), Substrings("sn", initial="smith")))
    assert other == And((Substrings("givenName", initial="smith"), Substrings("sn", initial="jane")))
