"""What becomes of the calls of stores in memory."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from twisted.internet.defer import Deferred, execute

T = TypeVar("T")


class Weather(Protocol):
    """What becomes of the calls of stores."""

    def run(self, name: str, act: Callable[[], T]) -> "Deferred[T]":
        """Do *act*, or not, and fire, or not."""


class Fate(NamedTuple):
    """What becomes of one call: whether it happens, what it fails with, and what it waits for."""

    error: Exception | None = None
    happens: bool = False
    until: "Deferred[None] | None" = None


class Forecast:
    """Fair weather, but for the fates that a test foretells."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._fates: dict[str, deque[Fate]] = {}

    def foretell(self, name: str, *fates: Fate) -> None:
        """The next calls of *name* have these fates."""
        self._fates.setdefault(name, deque()).extend(fates)

    def hold(self, name: str) -> "Deferred[None]":
        """The next call of *name* waits for what is returned."""
        until: Deferred[None] = Deferred()
        self.foretell(name, Fate(until=until))
        return until

    def run(self, name: str, act: Callable[[], T]) -> "Deferred[T]":
        """See :class:`Weather`."""
        self.calls.append(name)
        waiting = self._fates.get(name)
        fate = waiting.popleft() if waiting else Fate()

        def happen() -> T:
            if fate.error is None:
                return act()
            if fate.happens:
                act()
            raise fate.error

        if fate.until is None:
            return execute(happen)
        answer: Deferred[T] = Deferred()
        fate.until.addCallback(lambda _: execute(happen).chainDeferred(answer))
        return answer
