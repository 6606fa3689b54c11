"""Long work in slices, so that everybody else on the reactor thread gets a turn."""

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

#: Seconds of work in one slice (architecture, "Twisted idioms").
SLICE = 0.010


class Turns:
    """Say :meth:`next_one` before each piece of the work.

    :param reactor: tells the time and gives the turns.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._since = reactor.seconds()

    async def next_one(self) -> None:
        """Return at once while the slice lasts, else after others had their turn."""
        if self._reactor.seconds() - self._since >= SLICE:
            await deferLater(self._reactor, 0)
            self._since = self._reactor.seconds()
