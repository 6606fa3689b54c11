"""Long work gives others their turn."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cjsm.mail.turns import SLICE, Turns


def test_turns() -> None:
    """At once within a slice, after the others when it is over."""
    clock = Clock()
    turns = Turns(clock)
    order: list[int] = []

    async def work() -> None:
        for number in range(4):
            await turns.next_one()
            order.append(number)
            clock.rightNow += SLICE / 2

    done = Deferred.fromCoroutine(work())
    assert order == [0, 1]
    clock.advance(0)
    assert order == [0, 1, 2, 3]
    assert done.called
