"""What the owner of delivery does about notices: follow the ledger, look at mailboxes, and send on both ways."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed

from cjsm.mail.fullness import Fullness
from cjsm.mail.noticemail import NoticeMail
from cjsm.notices.following import LedgerFollower
from cjsm.notices.ordinary import OrdinarySender


class Telling:
    """Call :meth:`run` twice a second, and :meth:`run_ordinary` each second; neither again before it has fired."""

    def __init__(
        self, follower: LedgerFollower, fullness: Fullness, inside: NoticeMail, ordinary: OrdinarySender
    ) -> None:
        self._follower = follower
        self._fullness = fullness
        self._inside = inside
        self._ordinary = ordinary
        self._begun = False
        self._stopped = False
        self._under_way: set[Deferred[Any]] = set()
        self._idle: list[Deferred[None]] = []

    def run(self) -> "Deferred[None]":
        """Keep notices of what is new, and send those that wait inside the community, some at a time."""
        return self._watched(lambda: Deferred.fromCoroutine(self._run()))

    async def _run(self) -> None:
        if not self._begun:
            await self._inside.begin()
            self._begun = True
        for step in (self._follower.run, self._fullness.run, self._inside.run):
            if not self._stopped:
                await step()

    def run_ordinary(self) -> "Deferred[None]":
        """Send some of what is due to ordinary addresses."""
        return self._watched(self._ordinary.run)

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
