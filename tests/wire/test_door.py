"""What every door's connections share, with steps of no protocol."""

from typing import ClassVar

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs

from cjsm.wire.connections import ConnectionLimits
from cjsm.wire.door import FAREWELL, Door, DoorTimes


class Counter(Door):
    """Each octet is a step."""

    steps_in_a_turn: ClassVar[int] = 4

    def __init__(self, clock: Clock, limits: ConnectionLimits, *, implicit: bool = False) -> None:
        times = DoorTimes(handshake=10, silence=60, session=300)
        super().__init__(clock=clock, limits=limits, times=times, implicit=implicit)
        self.waiting = 0
        self.told: list[str] = []

    def opened(self) -> None:
        self.told.append("opened")

    def take(self, data: bytes) -> None:
        self.waiting += len(data)

    def step(self) -> bool:
        if not self.waiting:
            return False
        self.waiting -= 1
        self.expect()
        self.told.append("step")
        return True

    @property
    def wants_pause(self) -> bool:
        return self.waiting > 6

    def stopped(self) -> None:
        self.told.append("stopped")

    def finished(self, why: str) -> None:
        self.told.append(why)


def connected(clock: Clock, *, implicit: bool = False, limits: ConnectionLimits | None = None) -> Counter:
    """A door on a string transport."""
    door = Counter(clock, limits or ConnectionLimits(per_source=1, per_account=1, in_all=1), implicit=implicit)
    door.makeConnection(StringTransport())
    return door


def test_turns() -> None:
    """A few steps, then others; nothing more is read while too much waits, and all is done in the end."""
    clock = Clock()
    door = connected(clock)
    door.dataReceived(b"x" * 11)
    assert door.told.count("step") == 4
    assert door.transport.producerState == "paused"
    clock.pump([0, 0, 0])
    assert door.told.count("step") == 11
    assert door.transport.producerState == "producing"


@pytest.mark.parametrize(
    ("implicit", "seconds", "why"),
    [(False, 60, "no command in time"), (True, 10, "no TLS handshake in time")],
)
def test_time(implicit: bool, seconds: int, why: str) -> None:
    """Silence and handshake have their time; what was not opened is not finished either."""
    clock = Clock()
    door = connected(clock, implicit=implicit)
    clock.advance(seconds - 1)
    assert not door.ended
    clock.advance(1)
    assert door.ended
    assert door.transport.disconnected
    door.connectionLost()
    assert door.told == (["stopped"] if implicit else ["opened", "stopped", why])
    assert not clock.getDelayedCalls()


def test_a_turn_ends_after_some_time() -> None:
    """Steps that take long are fewer in a turn."""
    clock = Clock()
    door = connected(clock)
    genuine = door.step

    def slow() -> bool:
        clock.rightNow += 0.003
        return genuine()

    door.step = slow  # type: ignore[method-assign]  # slower
    door.dataReceived(b"xxxx")
    assert door.told.count("step") == 2
    clock.advance(0)
    assert door.told.count("step") == 4


def test_session_has_its_time_whatever_comes() -> None:
    """Somebody who says something every few seconds goes too."""
    clock = Clock()
    door = connected(clock)
    for _ in range(299):
        clock.advance(1)
        door.dataReceived(b"x")
    assert not door.ended
    clock.advance(1)
    assert door.ended


def test_place_is_given_back_once() -> None:
    """The next connection from there is taken when the one before has gone, and turned away until then."""
    clock, limits = Clock(), ConnectionLimits(per_source=1, per_account=1, in_all=2)
    first, second = connected(clock, limits=limits), connected(clock, limits=limits)
    assert (first.ended, second.ended) == (False, True)
    second.connectionLost()
    assert second.told == ["stopped"]
    first.connectionLost()
    assert not connected(clock, limits=limits).ended


def test_a_step_that_fails() -> None:
    """Is logged, and ends this connection at once rather than leaving it waiting, in a later turn too."""
    clock = Clock()
    door = connected(clock)
    genuine = door.step

    def failing() -> bool:
        if door.told.count("step") == 5:
            raise ZeroDivisionError
        return genuine()

    door.step = failing  # type: ignore[method-assign]  # a bug
    with capturedLogs() as logged:
        door.dataReceived(b"x" * 11)
        clock.advance(0)
    assert len(logged) == 1
    assert door.ended
    assert door.transport.disconnected


def test_goodbye() -> None:
    """After goodbye nothing is read or said; the peer has a moment to take it, then it is cut off."""
    clock = Clock()
    door = connected(clock)
    door.say(b"bye")
    door.close("said goodbye")
    door.close("twice")
    door.say(b"more")
    door.dataReceived(b"xx")
    door.go_on_later()
    assert door.told == ["opened", "stopped"]
    assert door.transport.value() == b"bye"
    assert door.transport.disconnecting
    assert not door.transport.disconnected
    clock.advance(FAREWELL)
    assert door.transport.disconnected
    door.connectionLost()
    assert door.told[-1] == "said goodbye"
    assert not clock.getDelayedCalls()


def test_every_door_says_what_it_does() -> None:
    """A door that forgot is a mistake that shows at once."""
    times = DoorTimes(handshake=10, silence=60, session=300)
    limits = ConnectionLimits(per_source=1, per_account=1, in_all=1)
    door = Door(clock=Clock(), limits=limits, times=times, implicit=False)
    for forgotten in (lambda: door.take(b""), door.step, lambda: door.wants_pause):
        with pytest.raises(TypeError):
            forgotten()
