"""Cells that spreadsheets would work out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.directory.forms.guarded import guarded, plain

_NASTY = st.text(alphabet="'=+-@\t\r＝a1 ", max_size=6)


@given(st.one_of(_NASTY, st.text()))
def test_read_back(value: str) -> None:
    """As it was, whatever it was."""
    assert plain(guarded(value)) == value


@given(_NASTY)
def test_no_formula_is_left(value: str) -> None:
    """Nothing that is written begins one."""
    assert guarded(value)[:1] not in tuple("=+-@\t\r＝")


@pytest.mark.parametrize("value", ["=1+1", "+44 117", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "'=1"])
def test_what_is_one(value: str) -> None:
    """An apostrophe in front; nothing else is changed."""
    assert guarded(value) == f"'{value}"


@pytest.mark.parametrize("value", ["", "O'Brien", "'quoted'", "a=b", "1-2", "jane@avon"])
def test_what_is_none(value: str) -> None:
    """Stays."""
    assert guarded(value) == value
    assert plain(value) == value
