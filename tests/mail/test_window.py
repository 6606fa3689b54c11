"""How many connections a destination gets."""

from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.window import Window


def test_it_grows_by_one_for_each_round_of_successes() -> None:
    """From the first width to the greatest, never further."""
    window = Window(2, 4)
    widths = []
    for _ in range(12):
        window.succeeded()
        widths.append(window.width)
    assert widths == [2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4]


def test_a_cohort_of_failures_is_death() -> None:
    """As many in a row as the window is wide; then it begins anew."""
    window = Window(3, 10)
    window.failed()
    window.failed()
    assert not window.is_dead
    window.failed()
    assert window.is_dead
    window.revive()
    assert window.width == 3


def test_a_success_between_forgives() -> None:
    """Only failures in a row count."""
    window = Window(2, 10)
    for _ in range(20):
        window.failed()
        window.succeeded()
    assert not window.is_dead


def test_failures_make_it_narrow() -> None:
    """A step for each round of failures that successes interrupt."""
    window = Window(4, 4)
    for outcome in (window.failed, window.failed, window.failed, window.succeeded, window.failed):
        outcome()
    assert window.width == 3


@given(st.integers(1, 30), st.integers(1, 30), st.lists(st.booleans(), max_size=200))
def test_it_stays_within_its_bounds(first: int, most: int, history: list[bool]) -> None:
    """Whatever happens."""
    window = Window(first, most)
    for good in history:
        window.succeeded() if good else window.failed()
        assert 0 <= window.width <= most
        assert window.is_dead == (window.width == 0)
