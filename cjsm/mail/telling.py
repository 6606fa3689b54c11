"""What the owner of delivery does about notices: follow the ledger, look at mailboxes, and send on both ways."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from cjsm.mail.fullness import Fullness
from cjsm.mail.noticemail import NoticeMail
from cjsm.notices.following import LedgerFollower
from cjsm.notices.ordinary import OrdinarySender
from cjsm.store.interfaces import StoreError

#: Rounds that are left out after one that failed.
_PAUSE = 10


class Telling:
    """Call :meth:`run` twice a second, and :meth:`run_ordinary` each second; neither again before it has fired."""

    _log = Logger()

    def __init__(
        self, follower: LedgerFollower, fullness: Fullness, inside: NoticeMail, ordinary: OrdinarySender
    ) -> None:
        self._follower = follower
        self._fullness = fullness
        self._inside = inside
        self._ordinary = ordinary
        self._begun = False
        self._stopped = False
        self._left_out = 0
        self._under_way: set[Deferred[Any]] = set()
        self._idle: list[Deferred[None]] = []

    def run(self) -> "Deferred[None]":
        """Keep notices of what is new, and send those that wait inside the community, some at a time."""
        if self._left_out:
            self._left_out -= 1
            return succeed(None)
        return self._watched(lambda: Deferred.fromCoroutine(self._run()).addErrback(self._wait))

    async def _run(self) -> None:
        if not self._begun:
            await self._inside.begin()
            self._begun = True
        for step in (self._follower.run, self._fullness.run, self._inside.run):
            if not self._stopped:
                await step()

    def _wait(self, failure: Failure) -> None:
        """A store that takes nothing is asked again after some rounds, and said once for these."""
        failure.trap(StoreError)
        self._log.error("notices have to wait: {error}", error=failure.value)
        self._left_out = _PAUSE

    def run_ordinary(self) -> "Deferred[None]":
        """Send some of what is due to ordinary addresses."""
        if self._left_out:
            return succeed(None)
        return self._watched(lambda: self._ordinary.run().addErrback(self._wait))

    def stop(self) -> "Deferred[None]":
        """Fire when nothing is under way. A letter that is on its way is broken off, and sent again another time."""
        self._stopped = True
        self._ordinary.stop()
        if not self._under_way:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._idle.append(done)
        return done

    def _watched(self, begin: "Callable[[], Deferred[Any]]") -> "Deferred[None]":
        if self._stopped:
            return succeed(None)
        begun = begin()
        self._under_way.add(begun)

        def ended(result: Any) -> Any:
            self._under_way.discard(begun)
            if self._stopped and not self._under_way:
                idle, self._idle = self._idle, []
                for waiter in idle:
                    waiter.callback(None)
            return result

        return begun.addBoth(ended)
