"""The bounded pool for everything that waits for the disk, and queues that keep order within it."""

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")


class Disk:
    """Runs functions in *threads* threads; answers come back on the reactor thread."""

    def __init__(self, reactor: IReactorFromThreads, threads: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name="disk")

    def start(self) -> None:
        """Start taking work."""
        self._pool.start()

    def stop(self) -> None:
        """Wait for the work under way and end the threads. Idempotent."""
        if not self._pool.joined:
            self._pool.stop()

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Fire with what *work* returns or raises."""
        done: Deferred[T] = Deferred()

        def report(success: bool, result: Any) -> None:
            self._reactor.callFromThread(done.callback if success else done.errback, result)

        self._pool.callInThreadWithCallback(report, work)
        return done


class InlineDisk(Disk):
    """Does the work at once, on the caller's thread: for the command line and for tests."""

    def __init__(self) -> None:
        """Needs no threads."""

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to end."""

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Fire at once."""
        return execute(work)


class Serial:
    """Runs functions on a :class:`Disk` one after the other, in the order they came."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._waiting: deque[tuple[Callable[[], Any], Deferred[Any]]] = deque()
        self._running = False
        self._idle: list[Deferred[None]] = []

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Fire with what *work* returns or raises, after everything before it."""
        done: Deferred[T] = Deferred()
        self._waiting.append((work, done))
        self._next()
        return done

    def drained(self) -> "Deferred[None]":
        """Fire when nothing is under way or waiting."""
        done: Deferred[None] = Deferred()
        if not self._running and not self._waiting:
            done.callback(None)
        else:
            self._idle.append(done)
        return done

    def _next(self) -> None:
        if self._running:
            return
        if not self._waiting:
            idle, self._idle = self._idle, []
            for waiter in idle:
                waiter.callback(None)
            return
        self._running = True
        work, done = self._waiting.popleft()

        def answered(result: Any) -> None:
            self._running = False
            self._next()
            if isinstance(result, Failure):
                done.errback(result)
            else:
                done.callback(result)

        self._disk.run(work).addBoth(answered)
