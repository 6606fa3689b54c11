"""How often a maildrop may be opened."""

import pytest

from cjsm.access.delay import LoginDelay
from cjsm.access.errors import LoginTooSoon


def test_delay() -> None:
    """The first login begins the time; who comes too soon is told how long it is yet, and does not make it longer."""
    now = [0.0]
    delay = LoginDelay(60, lambda: now[0])
    delay.enter(b"a")
    delay.enter(b"b")
    for moment, left in ((0.0, 60), (0.5, 60), (59.5, 1)):
        now[0] = moment
        with pytest.raises(LoginTooSoon) as refused:
            delay.enter(b"a")
        assert refused.value.seconds == left
    now[0] = 60.0
    delay.enter(b"a")


def test_no_delay_and_another_one() -> None:
    """0 is none, at once; a new figure counts from the last login."""
    now = [0.0]
    delay = LoginDelay(0, lambda: now[0])
    delay.enter(b"a")
    delay.enter(b"a")
    delay.seconds = 10
    delay.enter(b"a")
    delay.seconds = 5
    now[0] = 5.0
    delay.enter(b"a")
    delay.seconds = 0
    delay.enter(b"a")
