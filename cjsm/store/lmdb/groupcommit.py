"""Many acts in one commit. The writer never waits: it commits what gathered while the last commit ran."""

from collections.abc import Callable
from typing import Any

import lmdb
from msgspec import Struct
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from cjsm.store.lmdb.disk import Disk
from cjsm.store.lmdb.environment import Environment


class _Work(Struct):
    """One act for the next commit."""

    act: Callable[[lmdb.Transaction], Any]
    octets: int
    done: "Deferred[Any]"
    result: Any = None


class GroupCommit:
    """Commits to one environment, one at a time.

    :param acts: acts in one commit at most.
    :param octets: octets in one commit at most, unless a single act has more.
    """

    def __init__(self, environment: Environment, disk: Disk, *, acts: int, octets: int) -> None:
        self._environment = environment
        self._disk = disk
        self._most = (acts, octets)
        self._gathered: list[_Work] = []
        self._committing = False
        self._idle: list[Deferred[None]] = []

    def write(self, act: Callable[[lmdb.Transaction], Any], octets: int) -> "Deferred[Any]":
        """Fire with what *act* returned, when it is on stable storage; it may be run again where a commit failed."""
        work = _Work(act, octets, Deferred())
        self._gathered.append(work)
        if not self._committing:
            self._commit()
        return work.done

    def drained(self) -> "Deferred[None]":
        """Fire when everything that was gathered is written."""
        if not self._committing:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._idle.append(waiter)
        return waiter

    def _commit(self) -> None:
        self._committing = True
        self._together(self._next_batch())

    def _together(self, batch: list[_Work]) -> None:
        def all_of_them(transaction: lmdb.Transaction) -> None:
            for work in batch:
                work.result = work.act(transaction)

        writing = self._disk.run(lambda: self._environment.write(all_of_them))
        writing.addCallbacks(lambda _: self._committed(batch), lambda failure: self._singly(failure, batch))

    def _next_batch(self) -> list[_Work]:
        most, octets = self._most
        count = 0
        for work in self._gathered:
            if count and (count >= most or octets < work.octets):
                break
            count += 1
            octets -= work.octets
        batch, self._gathered = self._gathered[:count], self._gathered[count:]
        return batch

    def _committed(self, batch: list[_Work]) -> None:
        self._go_on()
        for work in batch:
            work.done.callback(work.result)

    def _singly(self, failure: Failure, batch: list[_Work]) -> None:
        """A batch failed: try each act alone, so that a bad one costs nobody else."""
        if len(batch) == 1:
            self._go_on()
            batch[0].done.errback(failure)
            return
        first, rest = batch[0], batch[1:]

        def following(result: Any) -> None:
            if isinstance(result, Failure):
                first.done.errback(result)
            else:
                first.done.callback(result)
            if len(rest) == 1:
                self._together(rest)
            else:
                self._singly(failure, rest)

        self._disk.run(lambda: self._environment.write(first.act)).addBoth(following)

    def _go_on(self) -> None:
        self._committing = False
        if self._gathered:
            self._commit()
            return
        idle, self._idle = self._idle, []
        for waiter in idle:
            waiter.callback(None)
