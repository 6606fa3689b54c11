"""When a refusal of a system-made secret comes."""

import pytest
from twisted.internet.task import Clock

from cjsm.access.refusaltime import RefusalTime


@pytest.mark.parametrize("spent", [0.0, 0.4, 0.999])
def test_from_the_beginning_on(spent: float) -> None:
    """However long the look-up took, it comes so many seconds after the attempt began."""
    clock = Clock()
    refusals = RefusalTime(clock, 1.0)
    begun = refusals.now()
    clock.advance(spent)
    waiting = refusals.after(begun)
    clock.advance(0.999 - spent)
    assert not waiting.called
    clock.advance(0.002)
    assert waiting.called


def test_a_slow_look_up() -> None:
    """What took longer than that waits no more."""
    clock = Clock()
    refusals = RefusalTime(clock, 1.0)
    begun = refusals.now()
    clock.advance(5)
    waiting = refusals.after(begun)
    clock.advance(0)
    assert waiting.called


def test_a_clock_that_was_set_back() -> None:
    """Nobody waits longer than the setting says; a setting that is changed counts at once."""
    clock = Clock()
    clock.advance(1_000)
    refusals = RefusalTime(clock, 1.0)
    refusals.seconds = 2.0
    waiting = refusals.after(4_000.0)
    clock.advance(1.999)
    assert not waiting.called
    clock.advance(0.002)
    assert waiting.called


def test_at_the_server() -> None:
    """Commands wait for nothing: nobody guesses there from afar."""
    refusals = RefusalTime(None, 1.0)
    assert refusals.after(refusals.now()).called
