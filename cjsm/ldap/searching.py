"""A connection with searches at work: each goes on in small steps, by turns with those of all other connections."""

import traceback
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import CooperativeTask, Cooperator, TaskStopped
from twisted.python.failure import Failure

from cjsm.ldap.connection import MessageConnection
from cjsm.ldap.lookups import Lookup

_Steps = Iterator[Deferred[None] | None]


class SearchingConnection(MessageConnection):
    """One connection that searches.

    :param cooperator: gives all searches of the process their turns.
    """

    def __init__(self, *, cooperator: Cooperator, **common: Any) -> None:
        super().__init__(**common)
        self._cooperator = cooperator
        self._tasks: dict[int, CooperativeTask[_Steps]] = {}

    # What a door says.

    def work_done(self, message_id: int, answer: bytes) -> None:
        """An operation ended with *answer*."""
        raise TypeError("a door says what it does with answers")

    def work_broken(self, message_id: int, failure: Failure) -> None:
        """An operation failed unexpectedly."""
        raise TypeError("a door says what it does with failures")

    # What a door does.

    def start_search(self, message_id: int, begin: Callable[[], Lookup]) -> None:
        """Begin a search; what one step is enough for is answered at once."""
        steps = self._steps(message_id, begin)
        try:
            next(steps)
        except StopIteration:
            return
        task = self._cooperator.cooperate(steps)
        self._tasks[message_id] = task
        task.whenDone().addErrback(self._search_ended, message_id)

    def stop_search(self, message_id: int) -> None:
        """Nobody wants this one any more."""
        task = self._tasks.pop(message_id, None)
        if task is not None:
            task.stop()

    def note(self, failure: Failure) -> None:
        """Log an unexpected failure without its own words: they may be the client's."""
        where = "".join(traceback.format_tb(failure.getTracebackObject()))
        kind = failure.type.__name__ if failure.type is not None else "?"
        self._log.critical("unexpected failure in an operation: {kind}\n{where}", kind=kind, where=where)

    def stopped(self) -> None:
        """See :class:`Door`."""
        super().stopped()
        for message_id in list(self._tasks):
            self.stop_search(message_id)

    # How it works.

    def _steps(self, message_id: int, begin: Callable[[], Lookup]) -> _Steps:
        lookup = begin()
        while True:
            found = lookup.step()
            # In a write of its own: see docs/decisions/0004-ldap-records.md.
            if found:
                self.say(found)
            if lookup.result is not None:
                self._tasks.pop(message_id, None)
                self.work_done(message_id, lookup.result)
                return
            yield self.room()

    def _search_ended(self, failure: Failure, message_id: int) -> None:
        self._tasks.pop(message_id, None)
        if not isinstance(failure.value, TaskStopped):
            self.work_broken(message_id, failure)
