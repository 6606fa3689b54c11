"""Long work lets others take their turns."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cjsm.mail.turns import SLICE, Turns

from .support import result


def test_work_within_a_slice_goes_on_at_once() -> None:
    """A turn costs something, so none is taken too early."""
    clock = Clock()
    turns = Turns(clock)
    for _ in range(100):
        result(turns.next_one())
    clock.advance(SLICE / 2)
    result(turns.next_one())
    assert not clock.getDelayedCalls()


def test_after_a_slice_others_come_first() -> None:
    """Then a new slice begins."""
    clock = Clock()
    turns = Turns(clock)
    clock.advance(SLICE)
    order: list[str] = []
    Deferred.fromCoroutine(turns.next_one()).addCallback(lambda _: order.append("work"))
    clock.callLater(0, order.append, "others")
    assert order == []
    clock.advance(0)
    assert sorted(order) == ["others", "work"]
    result(turns.next_one())
    clock.advance(SLICE)
    waiting = Deferred.fromCoroutine(turns.next_one())
    assert not waiting.called
    clock.advance(0)
    assert waiting.called
