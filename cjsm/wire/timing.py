"""Time limits of a connection."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Timer:
    """One time limit that can be started, started anew and stopped.

    :param expired: called, without arguments, when the time is over.
    """

    def __init__(self, clock: IReactorTime, expired: Callable[[], None]) -> None:
        self._clock = clock
        self._expired = expired
        self._call: IDelayedCall | None = None

    def start(self, seconds: float) -> None:
        """Count *seconds* from now, whatever was counted before."""
        if self._call is None:
            self._call = self._clock.callLater(seconds, self._over)
        else:
            self._call.reset(seconds)

    def stop(self) -> None:
        """Count no more. Idempotent."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def retire(self) -> None:
        """Count nothing any more and forget whom to call.

        A connection and its timers hold each other; so it goes, with all it holds, as soon as it has ended.
        """
        self.stop()
        self._expired = _nothing

    @property
    def running(self) -> bool:
        """True while it counts."""
        return self._call is not None

    def _over(self) -> None:
        self._call = None
        self._expired()


def _nothing() -> None:
    """Whom a retired timer calls."""


class MinimumRate:
    """Whether a peer sends as fast as it must, after a time of grace. Pure: moments are arguments.

    :param rate: octets a second on average; 0 for no minimum.
    :param grace: seconds during which nothing is asked.
    :param since: the moment it begins, in the seconds of the caller's clock.
    """

    def __init__(self, rate: int, *, grace: float, since: float) -> None:
        self._rate = rate
        self._grace = grace
        self._since = since
        self._octets = 0

    def received(self, octets: int) -> None:
        """Count what arrived."""
        self._octets += octets

    def too_slow(self, now: float) -> bool:
        """True when less arrived until *now* than the rate asks."""
        elapsed = now - self._since
        return elapsed > self._grace and self._octets < self._rate * elapsed
