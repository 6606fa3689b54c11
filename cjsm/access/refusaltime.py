"""When refusals of system-made secrets come: after one time, whatever was looked up before.

Stretching hides how long a person's own wrong password took. Nothing slow hides that of a system-made secret, and it
takes some microseconds longer where the account is there: enough samples would tell.
"""

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater


class RefusalTime:
    """Lets refusals wait, from the beginning of their attempt on.

    :param reactor: None at the server, where commands have nobody guessing from afar: nothing waits there.
    :ivar seconds: how long; may be changed at any time.
    """

    def __init__(self, reactor: IReactorTime | None, seconds: float) -> None:
        self.seconds = seconds
        self._reactor = reactor

    def now(self) -> float:
        """Return the moment at which an attempt begins."""
        return self._reactor.seconds() if self._reactor is not None else 0.0

    def after(self, begun: float) -> "Deferred[None]":
        """Fire when an attempt that began then may be refused."""
        if self._reactor is None:
            return succeed(None)
        remaining = begun + self.seconds - self._reactor.seconds()
        # A clock that was set meanwhile makes nobody wait for longer.
        return deferLater(self._reactor, min(max(0.0, remaining), self.seconds), lambda: None)
