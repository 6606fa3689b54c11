"""Tuples that are hashed, signed or bound: no two different ones read the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import UnknownSuite

tuples = st.tuples(st.binary(max_size=6), st.lists(st.binary(max_size=6), max_size=4))


@given(one=tuples, two=tuples)
def test_different_tuples_differ(one: tuple[bytes, list[bytes]], two: tuple[bytes, list[bytes]]) -> None:
    """Octets cannot move from one field to its neighbour."""
    assert (bound(one[0], *one[1]) == bound(two[0], *two[1])) == (one == two)


@given(at=st.integers(0, 7), whole=st.binary(min_size=8, max_size=8))
def test_cut_elsewhere(at: int, whole: bytes) -> None:
    """The same octets cut in another place give another tuple."""
    assert bound(b"t", whole[:at], whole[at:]) != bound(b"t", whole, b"")


def test_form() -> None:
    """The form as the specification gives it."""
    assert bound(b"tag", 1, b"ab") == bytes.fromhex("01 00000003 746167 00000008 0000000000000001 00000002 6162")


def test_unknown_suite() -> None:
    """Only the known suite is taken."""
    check_suite(SUITE)
    for suite in (0, 2, 255):
        with pytest.raises(UnknownSuite):
            check_suite(suite)
