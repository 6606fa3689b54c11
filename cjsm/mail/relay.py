"""From the spool to other servers: each destination by itself, as many connections at once as it takes well.

Three things go on beside each other: destinations with something due get senders while their windows allow; each
sender takes one message after the other over one connection; what became of them is written in batches, with the
reports that their senders get in the same commit.
"""

from collections import deque
from collections.abc import Coroutine
from typing import Any

import msgspec
from msgspec import Struct, field
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from cjsm.community.identifiers import ConnectionId
from cjsm.configuration import RelaySettings
from cjsm.mail import sending
from cjsm.mail.attempts import Attempt, Attempts, Done
from cjsm.mail.idle import IdleLines, Line
from cjsm.mail.sending import CannotReach, Interrupted, IRelayConnector, NextHopPolicy
from cjsm.mail.traced import kept
from cjsm.mail.window import Window
from cjsm.store.interfaces import IOutgoingQueue, Missing, Queued, StoreError

#: Seconds between looks at a queue that nobody announced anything of: what was deferred comes due.
_LOOK = 0.25
#: Messages that one destination takes from the queue at once.
_GULP = 32
#: Seconds until what could not be written is tried again.
_WRITE_AGAIN = 5.0
#: Seconds until an engineer's word revives a destination that died, or died again.
_ASKED_AGAIN = 5.0


class _Destination(Struct):
    """One connection that something waits for.

    :ivar senders: connections under way.
    :ivar ready: taken from the queue.
    :ivar not_before: when a dead one is tried again, in the clock's seconds.
    :ivar asked: when it died, or was last tried because an engineer said so; an engineer's word counts again a little
        later.
    """

    window: Window
    senders: int = 0
    ready: deque[Queued] = field(default_factory=deque)
    taking: bool = False
    empty: bool = False
    not_before: float = 0.0
    asked: float = 0.0
    why: str = ""


class RelayWorker:
    """Sends while it is started. One for each spool: its process owns the spool's delivery."""

    _log = Logger()

    def __init__(
        self,
        settings: RelaySettings,
        *,
        queue: IOutgoingQueue,
        attempts: Attempts,
        connector: IRelayConnector,
        reactor: IReactorTime,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._attempts = attempts
        self._connector = connector
        self._reactor = reactor
        self._idle = IdleLines(reactor)
        self._running = False
        self._looking = False
        self._arrived = False
        self._recording = False
        self._going_on = False
        self._again = False
        self._active = 0
        self._under_way = 0
        self._destinations: dict[ConnectionId, _Destination] = {}
        self._done: list[Done] = []
        self._look: IDelayedCall | None = None
        self._pause: Deferred[None] | None = None
        self._stopped: list[Deferred[None]] = []

    def start(self) -> None:
        """Begin."""
        self._running = True
        self._look_again()

    def renew(self, settings: RelaySettings) -> None:
        """Take new settings; connections that wait for messages were made with other certificates, perhaps."""
        self._settings = settings
        self._idle.close()

    def stop(self) -> "Deferred[None]":
        """Fire when the messages under way are through and written; nothing more is begun."""
        self._running = False
        self._idle.close()
        if self._look is not None and self._look.active():
            self._look.cancel()
        if self._pause is not None:
            self._pause.cancel()
        if not self._under_way:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopped.append(stopped)
        return stopped

    def wake(self) -> None:
        """Something may have arrived."""
        self._arrived = True
        if self._running and not self._looking:
            self._looking = True
            self._begin(self._find())

    def _look_again(self) -> None:
        self._look = self._reactor.callLater(_LOOK, self._look_again)
        self.wake()

    def _begin(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        self._under_way += 1

        def after(result: object) -> None:
            self._under_way -= 1
            if isinstance(result, Failure) and result.check(StoreError):
                self._log.error("relay has to wait: {error}", error=result.value)
            elif isinstance(result, Failure):
                self._log.failure("a step of relay failed and will be taken again", failure=result)
            self._go_on()

        Deferred.fromCoroutine(work).addBoth(after)

    def _go_on(self) -> None:
        """Begin whatever can begin now; called whenever something ended, also while it is under way itself."""
        self._again = True
        if self._going_on:
            return
        self._going_on = True
        try:
            while self._again:
                self._again = False
                self._go_on_once()
        finally:
            self._going_on = False

    def _go_on_once(self) -> None:
        if self._done and not self._recording:
            self._recording = True
            self._begin(self._record())
        if self._running:
            for connection, destination in list(self._destinations.items()):
                self._drive(connection, destination)
        elif not self._under_way:
            stopped, self._stopped = self._stopped, []
            for waiter in stopped:
                waiter.callback(None)

    # Finding work

    async def _find(self) -> None:
        """Look which destinations have something due."""
        self._arrived = False
        try:
            due = await self._queue.destinations()
        finally:
            self._looking = False
        for connection in due:
            destination = self._destinations.get(connection)
            if destination is None:
                most = self._attempts.concurrency(connection, self._settings)
                destination = self._destinations[connection] = _Destination(
                    Window(self._settings.concurrency_first, most)
                )
            destination.empty = False
        if self._arrived:
            self.wake()

    def _drive(self, connection: ConnectionId, destination: _Destination) -> None:
        """Begin what this destination may have now."""
        window = destination.window
        if window.is_dead:
            if self._reactor.seconds() < destination.not_before:
                if not destination.empty and not destination.taking:
                    destination.taking = True
                    self._begin(self._put_off(connection, destination))
                return
            window.revive()
        if not destination.ready and not destination.empty and not destination.taking:
            destination.taking = True
            self._begin(self._take(connection, destination))
        while destination.ready and destination.senders < window.width and self._active < self._settings.active:
            destination.senders += 1
            self._active += 1
            self._begin(self._send_all(connection, destination, destination.ready.popleft()))
        busy = destination.senders or destination.taking or destination.ready or window.is_dead
        if destination.empty and not busy:
            del self._destinations[connection]

    async def _take(self, connection: ConnectionId, destination: _Destination) -> None:
        try:
            taken = await self._queue.claim(connection, _GULP)
        finally:
            destination.taking = False
        destination.empty = len(taken) < _GULP
        if not self._running:
            self._queue.give_back([queued.sequence for queued in taken])
            return
        destination.ready.extend(taken)

    async def _put_off(self, connection: ConnectionId, destination: _Destination) -> None:
        """A dead destination's messages are not tried: they wait, with its reason, and grow old."""
        left: deque[Queued] = deque()
        try:
            taken = await self._queue.claim(connection, _GULP)
            destination.empty = not taken and not destination.ready
            destination.ready.extend(taken)
            if self._is_asked_for(destination):
                destination.window.revive()
            if destination.window.is_dead:
                left, destination.ready = destination.ready, left
            while left:
                self._done.append(await self._attempts.put_off(left[0], destination.why))
                left.popleft()
        finally:
            self._queue.give_back([queued.sequence for queued in left])
            destination.taking = False

    def _is_asked_for(self, destination: _Destination) -> bool:
        """Whether an engineer wants a dead destination tried now; asking for all its mail is asking once."""
        now = self._reactor.seconds()
        if now - destination.asked < _ASKED_AGAIN or all(queued.state.due for queued in destination.ready):
            return False
        destination.asked = now
        return True

    # Sending

    async def _send_all(self, connection: ConnectionId, destination: _Destination, first: Queued) -> None:
        """Send one message after the other over one connection, while there are any."""
        line: Line | None = None
        queued: Queued | None = first
        try:
            while queued is not None:
                line = await self._send_one(connection, destination, line, queued)
                # It was sent: whatever happens now, it must not be given back.
                queued = None
                queued = await self._following(connection, destination)
        finally:
            if queued is not None:
                self._queue.give_back([queued.sequence])
            destination.senders -= 1
            self._active -= 1
            if line is not None:
                wanted = self._running and destination.senders < destination.window.width
                self._idle.keep(line, self._settings.idle_connection if wanted else 0)

    async def _send_one(
        self, connection: ConnectionId, destination: _Destination, line: Line | None, taken: Queued
    ) -> Line | None:
        """Send one message over *line*, or over another; return what the next may be sent over."""
        queued = await self._as_it_is(taken)
        if queued is None:
            return line
        attempt = await self._attempts.begin(queued)
        if not isinstance(attempt, Attempt):
            self._settle(attempt)
            return line
        try:
            line = await self._line(line, attempt.hops)
            line, done = await self._sent(attempt, line)
            destination.window.succeeded()
        except (CannotReach, Interrupted) as error:
            self._failed(connection, destination, str(error))
            line = None
            done = await self._attempts.put_off(queued, str(error), status=sending.status_of(error))
        except Exception as error:  # noqa: BLE001 - logged; it costs this message a wait, and nobody else anything
            self._log.failure("a message could not be sent")
            done = await self._attempts.put_off(queued, f"something went wrong here: {type(error).__name__}")
            if line is not None:
                line.session.close()
                line = None
        finally:
            attempt.close()
        self._settle(done)
        return line

    async def _sent(self, attempt: Attempt, line: Line) -> tuple[Line, Done]:
        """Send over *line*; where it broke because it had waited too long, over a new one at once."""
        try:
            done = await attempt.send(line.session)
        except Interrupted:
            if not line.waited:
                raise
            attempt.close()
            line = await self._connected(attempt.hops)
            done = await attempt.send(line.session)
        return Line(line.session), done

    async def _as_it_is(self, taken: Queued) -> Queued | None:
        """Return the message with what engineers said since it was taken; None where it is not to be sent now."""
        try:
            state = (await self._queue.found(taken.sequence)).state
        except Missing:
            state = None
        if state is None or state.held:
            self._queue.give_back([taken.sequence])
            return None
        return msgspec.structs.replace(taken, state=state)

    async def _line(self, line: Line | None, hops: tuple[NextHopPolicy, ...]) -> Line:
        """Return *line* if it is what *hops* ask for now, else one that waits, else a new one."""
        if line is not None and line.session.usable and line.session.policy in hops:
            return line
        if line is not None:
            line.session.close()
        return self._idle.take(hops) or await self._connected(hops)

    async def _connected(self, hops: tuple[NextHopPolicy, ...]) -> Line:
        """Connect to the first next hop that can be reached and trusted."""
        problem = CannotReach("the connection has no next hop")
        for hop in hops:
            try:
                return Line(await self._connector.connect(hop))
            except CannotReach as error:
                problem = error
        raise problem

    def _failed(self, connection: ConnectionId, destination: _Destination, why: str) -> None:
        window = destination.window
        was_dead = window.is_dead
        window.failed()
        # Every message that waits for it is put off with these words, and they are logged.
        destination.why = why = kept(why)
        if window.is_dead and not was_dead:
            destination.asked = self._reactor.seconds()
            destination.not_before = destination.asked + self._attempts.rest(connection)
            self._log.error("a destination is put off: {why}", why=why)

    def _settle(self, done: Done) -> None:
        self._done.append(done)
        self._go_on()

    async def _following(self, connection: ConnectionId, destination: _Destination) -> Queued | None:
        """Return the next message for this connection; None when there is none, or the window is too small now."""
        if not self._running or destination.senders > destination.window.width:
            return None
        if not destination.ready and not destination.empty and not destination.taking:
            destination.taking = True
            await self._take(connection, destination)
        return destination.ready.popleft() if destination.ready else None

    # Writing what became of it

    async def _record(self) -> None:
        done, self._done = self._done, []
        try:
            await self._queue.record(
                [each.attempted for each in done], [batch for each in done for batch in each.reports]
            )
        except StoreError as error:
            # They stay taken: what was sent must not be sent again because it could not be written down.
            self._log.error("the queue could not be told what was sent: {error}", error=error)
            self._done[:0] = done
            await self._wait()
        finally:
            self._recording = False

    async def _wait(self) -> None:
        if not self._running:
            self._done.clear()
            return
        self._pause = deferLater(self._reactor, _WRITE_AGAIN)
        try:
            await self._pause
        except CancelledError:
            self._done.clear()
