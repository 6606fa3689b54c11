"""How values are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.directory.folding import fold
from cjsm.directory.matching import Rule, in_order, prepare, prepare_piece


@pytest.mark.parametrize(
    ("rule", "first", "second"),
    [
        (Rule.TEXT, "Jane  SMITH ", "jane smith"),
        (Rule.TEXT, "STRASSE", "straße"),
        (Rule.TEXT, "Müller", "Mu\u0308ller"),
        (Rule.EXACT, "a  b", "a b"),
        (Rule.TELEPHONE, "+44 (117) 496-0001", "441174960001"),
        (Rule.BOOLEAN, "true", "TRUE"),
        (Rule.INTEGER, "007", "7"),
        (Rule.TIME, "20260101120000Z", "202601011300+0100"),
        (Rule.TIME, "2026010112Z", "20260101120000.000Z"),
        (Rule.IDENTIFIER, "inetOrgPerson", "INETORGPERSON"),
        (Rule.NAME, "UID=Jane, o=people", "uid=jane,O=people"),
        (Rule.UUID, "00000000-0000-0000-0000-00000000000A", "00000000-0000-0000-0000-00000000000a"),
    ],
)
def test_equal(rule: Rule, first: str, second: str) -> None:
    """Different ways to write the same thing match."""
    assert prepare(rule, first) == prepare(rule, second) is not None


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (Rule.TELEPHONE, "smith"),
        (Rule.BOOLEAN, "yes"),
        (Rule.INTEGER, "1.5"),
        (Rule.INTEGER, ""),
        (Rule.INTEGER, "9" * 40),
        (Rule.TIME, "yesterday"),
        (Rule.TIME, "20261301000000Z"),
        (Rule.TIME, "00010101000000+2359"),
        (Rule.TIME, "2026010112"),
        (Rule.NAME, "jane"),
        (Rule.UUID, "jane"),
    ],
)
def test_not_of_the_syntax(rule: Rule, value: str) -> None:
    """An assertion that cannot be a value is undefined, not false."""
    assert prepare(rule, value) is None


def test_spaces_at_the_ends_of_a_piece() -> None:
    """A typed space goes on counting: it ends a word."""
    assert prepare_piece(Rule.TEXT, "jane ") == "jane "
    assert prepare_piece(Rule.TEXT, "  ") == " "
    assert prepare_piece(Rule.TELEPHONE, "ab") is None


def test_order() -> None:
    """Numbers are ordered as numbers."""
    assert in_order(Rule.INTEGER, "9", "10")
    assert not in_order(Rule.TIME, "20270101000000Z", "20260101000000Z")


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    """A comparable form is its own comparable form."""
    assert fold(fold(text)) == fold(text)


@given(st.sampled_from(Rule), st.text(max_size=40))
def test_total(rule: Rule, text: str) -> None:
    """Every rule answers, whatever is asserted."""
    prepare(rule, text)
    prepare_piece(rule, text)
