"""The bounded pool in which passwords are stretched: as many threads as cores, short queues, fair by source."""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from cjsm.access.errors import TryLater
from cjsm.sources import source_of

T = TypeVar("T")


class _Waiting(Struct):
    """A derivation that has not begun."""

    derive: Callable[[], Any]
    wanted: Callable[[], bool]
    done: "Deferred[Any]"


class KdfPool:
    """Runs slow key derivations away from the reactor.

    Each source has a queue of its own and the queues are served in turn, so that one client with many connections
    waits for itself and not others for it. When there are too many, the longest queue gives way.

    :param threads: how many run at once.
    :param queue: how many may wait, over all sources; one more makes one of the longest queue try later.
    """

    def __init__(self, reactor: IReactorFromThreads, *, threads: int, queue: int) -> None:
        self._reactor = reactor
        self._threads = threads
        self._most = queue
        self._running = 0
        self._queues: OrderedDict[str, deque[_Waiting]] = OrderedDict()
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name="kdf")

    def start(self) -> None:
        """Start the threads."""
        self._pool.start()

    def stop(self) -> None:
        """End the threads after the derivations under way; what waits is forgotten."""
        self._queues.clear()
        self._pool.stop()

    def run(self, address: str, derive: Callable[[], T], wanted: Callable[[], bool] = lambda: True) -> "Deferred[T]":
        """Fire with the result of *derive*, run in a thread.

        :param address: whom it is for.
        :param wanted: whether somebody still waits for it, asked before it begins.
        :raises TryLater: when too many derivations wait already, or nobody wants it any more.
        """
        work = _Waiting(derive, wanted, Deferred())
        if self._running < self._threads:
            self._begin(work)
        else:
            self._queue(source_of(address), work)
        return work.done

    def _begin(self, work: _Waiting) -> None:
        self._running += 1
        self._pool.callInThreadWithCallback(
            lambda success, result: self._reactor.callFromThread(self._finish, work.done, success, result), work.derive
        )

    def _queue(self, source: str, work: _Waiting) -> None:
        if self._is_full():
            self._forget_unwanted()
        if self._is_full() and not self._make_room(source):
            work.done.errback(TryLater())
            return
        self._queues.setdefault(source, deque()).append(work)

    def _is_full(self) -> bool:
        return sum(map(len, self._queues.values())) >= self._most

    def _forget_unwanted(self) -> None:
        """Take out what clients asked for that have gone."""
        for source, queue in list(self._queues.items()):
            kept: deque[_Waiting] = deque()
            for work in queue:
                if work.wanted():
                    kept.append(work)
                else:
                    work.done.errback(TryLater())
            if kept:
                self._queues[source] = kept
            else:
                del self._queues[source]

    def _make_room(self, source: str) -> bool:
        """Let the last of the longest queue go, unless that is *source*'s own with one more."""
        own = len(self._queues.get(source, ()))
        longest = max(self._queues.values(), key=len)
        if len(longest) <= own + 1:
            return False
        longest.pop().done.errback(TryLater())
        return True

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
        while self._queues and self._running < self._threads:
            source, queue = self._queues.popitem(last=False)
            work = queue.popleft()
            if queue:
                self._queues[source] = queue
            if work.wanted():
                self._begin(work)
            else:
                work.done.errback(TryLater())


class InlineKdf(KdfPool):
    """Derives at once, on the caller's thread: for the command line, where nobody else waits."""

    def __init__(self) -> None:
        """Needs no threads."""

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to end."""

    def run(self, address: str, derive: Callable[[], T], wanted: Callable[[], bool] = lambda: True) -> "Deferred[T]":
        """Fire at once."""
        return execute(derive)
