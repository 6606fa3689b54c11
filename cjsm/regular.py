"""Tasks that are done every few seconds as long as the service runs, whatever became of them the last time."""

from collections.abc import Callable

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger


class RegularTasks:
    """Does tasks again and again until :meth:`stop`; one that failed is logged, and done again when it is due."""

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._loops: list[LoopingCall] = []

    def every(self, seconds: float, task: Callable[[], object], *, now: bool = False) -> None:
        """Do *task* every *seconds*, and *now*; never again before what it returned has fired."""

        def once() -> "Deferred[object]":
            return maybeDeferred(task).addErrback(
                lambda failure: self._log.failure(
                    "a regular task failed, the next try is in {seconds} seconds", failure=failure, seconds=seconds
                )
            )

        loop = LoopingCall(once)
        loop.clock = self._clock
        self._loops.append(loop)
        loop.start(seconds, now=now)

    def stop(self) -> None:
        """Begin none any more."""
        for loop in self._loops:
            if loop.running:
                loop.stop()
        self._loops.clear()
