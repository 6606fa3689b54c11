"""Limits on how much in how much time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.buckets import Buckets, Limit, as_said


@given(
    st.integers(1, 20),
    st.sampled_from([60, 3_600, 86_400]),
    st.lists(st.floats(0, 30), max_size=60),
    st.floats(0, 2e9),
)
def test_never_more_than_the_limit_and_what_came_back(
    most: int, period: int, pauses: list[float], start: float
) -> None:
    """In any stretch of time at most the limit, and its share of that time, passes; a wait is as long as it says."""
    buckets, limit = Buckets(10), Limit("things", b"", most, period)
    now, taken = start, []
    for pause in pauses:
        now += pause
        wait = buckets.wait(limit, now)
        if wait:
            assert buckets.wait(limit, now + wait + 0.01) == 0
            assert buckets.wait(limit, now + wait - 0.01) > 0 or wait < 0.02
            continue
        buckets.take(limit, now)
        taken.append(now)
        for first, moment in enumerate(taken):
            assert len(taken) - first <= most + (now - moment) * most / period + 0.1


@given(
    st.integers(1, 200),
    st.sampled_from([60, 3_600, 86_400]),
    st.lists(st.tuples(st.floats(0, 3_000), st.integers(1, 150)), max_size=60),
    st.floats(0, 2e9),
)
def test_debts_are_made_up_for(most: int, period: int, takes: list[tuple[float, int]], start: float) -> None:
    """Whoever takes many at once waits until they are made up for, up to another bucket's worth."""
    buckets, limit = Buckets(10, debts=True), Limit("things", b"", most, period)
    now, taken = start, 0
    for pause, count in takes:
        now += pause
        if buckets.wait(limit, now):
            assert buckets.wait(limit, now) <= period + 0.01
            continue
        count = min(count, most)
        buckets.take(limit, now, count)
        taken += count
        assert taken <= 2 * most + (now - start) * most / period + 0.1


def test_those_not_asked_for_longest_are_forgotten() -> None:
    """Memory has a limit too."""
    buckets = Buckets(3)
    for name in b"abcd":
        buckets.take(Limit("things", bytes((name,)), 1, 60), 0)
    assert len(buckets) == 3
    assert not buckets.wait(Limit("things", b"a", 1, 60), 0)
    assert buckets.wait(Limit("things", b"d", 1, 60), 0)


def test_a_clock_that_is_put_back() -> None:
    """Keeps nobody out for longer than a bucket takes to fill."""
    for debts in (False, True):
        buckets, limit = Buckets(3, debts=debts), Limit("things", b"", 2, 60)
        buckets.take(limit, 100_000, 2)
        assert 0 < buckets.wait(limit, 10) <= 60 + 30


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 second"), (59.1, "60 seconds"), (119, "119 seconds"), (121, "3 minutes"), (7_201, "3 hours")],
)
def test_as_people_say_it(seconds: float, words: str) -> None:
    """Rounded up: whoever comes then is not sent away again."""
    assert as_said(seconds) == words
