"""Messages are examined in a few threads; the reactor waits for none of them."""

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from cjsm.configuration import AuthenticationSettings
from cjsm.mail.authentication import signatures
from cjsm.mail.authentication.bodies import BodyHashes, BodyInspector
from cjsm.mail.authentication.interfaces import IAuthenticator, IResolver
from cjsm.mail.authentication.lookups import Lookups
from cjsm.mail.authentication.results import UNAVAILABLE, AuthenticationResult
from cjsm.mail.authentication.verification import Crossing, examine
from cjsm.mail.header import Header


@implementer(IAuthenticator)
class Authenticator:
    """See :class:`IAuthenticator`.

    :ivar settings: may be replaced; threads and queue stay as they were.
    :param reactor: for threads and time limits.
    :param clock: seconds since the epoch; signatures are dated.
    :param elapsed: seconds that only go forward, asked from threads.
    """

    _log = Logger()

    def __init__(
        self,
        settings: AuthenticationSettings,
        *,
        resolver: IResolver,
        reactor: IReactorTime,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._resolver = resolver
        self._threads = IReactorFromThreads(reactor)
        self._timing = reactor
        self._clock = clock
        self._elapsed = elapsed
        self._most = settings.threads + settings.queue
        self._under_way = 0
        self._stopped = False
        self._pool = ThreadPool(minthreads=0, maxthreads=settings.threads, name="authentication")

    def start(self) -> None:
        """Start taking work."""
        self._pool.start()

    def stop(self) -> None:
        """End the threads after the lookups under way; what is not known then is a temporary error."""
        self._stopped = True
        if not self._pool.joined:
            self._pool.stop()

    def inspector(self, header: Header) -> BodyInspector:
        """See :class:`IAuthenticator`."""
        return BodyInspector(signatures.wanted(header, self.settings.signatures))

    def verify(
        self, header: Header, bodies: BodyHashes, peer: str, helo: str, mail_from: str
    ) -> "Deferred[AuthenticationResult]":
        """See :class:`IAuthenticator`."""
        if self._stopped or self._under_way >= self._most:
            return succeed(UNAVAILABLE)
        crossing = Crossing(header=header, bodies=bodies, peer=peer, helo=helo, mail_from=mail_from)
        settings, until = self.settings, self._elapsed() + self.settings.message
        done: Deferred[AuthenticationResult] = Deferred(lambda cancelled: None)
        # A thread may be held up beyond its time; whoever waits is not.
        limit = self._timing.callLater(settings.message + settings.lookup, self._give_up, done)

        def work() -> AuthenticationResult:
            return self._examine(crossing, settings, until)

        def report(success: bool, result: Any) -> None:
            self._threads.callFromThread(self._finish, done, limit, success, result)

        self._under_way += 1
        self._pool.callInThreadWithCallback(report, work)
        return done

    def _examine(self, crossing: Crossing, settings: AuthenticationSettings, until: float) -> AuthenticationResult:
        lookups = Lookups(
            self._resolver,
            most=settings.lookups,
            until=until,
            seconds=settings.lookup,
            clock=lambda: until if self._stopped else self._elapsed(),
        )
        return examine(crossing, lookups, signatures=settings.signatures, now=self._clock())

    def _give_up(self, done: "Deferred[AuthenticationResult]") -> None:
        self._log.warn("a message could not be examined in time")
        if not done.called:
            done.callback(UNAVAILABLE)

    def _finish(self, done: "Deferred[AuthenticationResult]", limit: IDelayedCall, success: bool, result: Any) -> None:
        self._under_way -= 1
        if limit.active():
            limit.cancel()
        if not success:
            self._log.failure("a message could not be examined", result if isinstance(result, Failure) else None)
        if not done.called:
            done.callback(result if success else UNAVAILABLE)
