"""The bounded pool in which passwords are stretched: as many threads as cores, a short queue, fair by source."""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from cjsm.access.errors import TryLater

T = TypeVar("T")


class KdfPool:
    """Runs slow key derivations away from the reactor.

    Each source address has a queue of its own and the queues are served in turn, so that one client with many
    connections waits for itself and not others for it.

    :param threads: how many run at once.
    :param queue: how many may wait, over all sources; one more is told to try later.
    """

    def __init__(self, reactor: IReactorFromThreads, *, threads: int, queue: int) -> None:
        self._reactor = reactor
        self._threads = threads
        self._most = queue
        self._running = 0
        self._waiting: OrderedDict[str, deque[Callable[[], None]]] = OrderedDict()
        self._waiting_count = 0
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name="kdf")

    def start(self) -> None:
        """Start the threads."""
        self._pool.start()

    def stop(self) -> None:
        """End the threads after the derivations under way; what waits is forgotten."""
        self._waiting.clear()
        self._waiting_count = 0
        self._pool.stop()

    def run(self, source: str, derive: Callable[[], T]) -> "Deferred[T]":
        """Fire with the result of *derive*, run in a thread.

        :raises TryLater: when too many derivations wait already.
        """
        done: Deferred[T] = Deferred()

        def begin() -> None:
            self._running += 1
            self._pool.callInThreadWithCallback(
                lambda success, result: self._reactor.callFromThread(self._finish, done, success, result), derive
            )

        if self._running < self._threads:
            begin()
        elif self._waiting_count >= self._most:
            done.errback(TryLater())
        else:
            self._waiting.setdefault(source, deque()).append(begin)
            self._waiting_count += 1
        return done

    def _finish(self, done: "Deferred[Any]", success: bool, result: Any) -> None:
        self._running -= 1
        self._begin_next()
        if done.called:
            return
        if success:
            done.callback(result)
        else:
            done.errback(result if isinstance(result, Failure) else CancelledError())

    def _begin_next(self) -> None:
        if not self._waiting:
            return
        source, queue = self._waiting.popitem(last=False)
        begin = queue.popleft()
        self._waiting_count -= 1
        if queue:
            self._waiting[source] = queue
        begin()
