"""The contract's place in memory."""

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred, execute, fail

from cjsm.store.interfaces import Unavailable
from tests.mail.memory import MemoryBodies, MemorySpool, Platter, memory_mail

from ..support import Clock

T = TypeVar("T")


class MemoryPlace:
    """Stores in memory over one disk, of which the call with number *failing* fails.

    :param after: it fails when it is done; but a lease or claim that nobody heard of is nobody's.
    :ivar calls: how many calls there were.
    """

    def __init__(self, failing: int = -1, *, after: bool = False) -> None:
        self.clock = Clock()
        self.calls = 0
        self._failing = failing
        self._after = after
        self._platter = Platter()
        self.again()

    def again(self) -> None:
        self.spool = MemorySpool(self._platter, self, self.clock)
        self.bodies = MemoryBodies(self._platter, self, self.clock)
        self.mail = memory_mail(self._platter, self, self.clock)

    def run(self, name: str, act: Callable[[], T]) -> "Deferred[T]":
        """See :class:`~tests.mail.weather.Weather`."""
        self.calls += 1
        if self.calls != self._failing + 1:
            return execute(act)
        if self._after and name not in ("lease", "claim"):
            act()
        return fail(Unavailable("it was foretold", maybe_committed=self._after))
