"""What every door's connections share: a place, times, turns, and an end.

A door subclasses :class:`Door` and takes what was received in steps. The rules that keep one client from harming
another are here:

* a few steps at a time, then others have their turn; a client that sends faster than it is served is not read from;
* handshake, silence and session each have their time; after goodbye the peer has a moment, then it is cut off;
* the connection's place is given back exactly once, however it ended.
"""

from typing import Any, ClassVar

from msgspec import Struct
from OpenSSL import SSL
from twisted.internet.interfaces import IHandshakeListener, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cjsm.wire.connections import Admission, ConnectionLimits, Refusal, arrived
from cjsm.wire.timing import Timer

LOST = "closed by the client"

_TURN = 0.005
"""Seconds of one client's steps before the reactor turns to others."""

FAREWELL = 5.0
"""Seconds that a peer has to take the last words and close."""


class DoorTimes(Struct, frozen=True):
    """Time limits in seconds: TLS handshake, silence before the next command, whole session."""

    handshake: float
    silence: float
    session: float


@implementer(IHandshakeListener)
class Door(Protocol):
    """One connection of a door.

    :ivar source: the peer's IP address.
    :ivar secure: True inside TLS.
    :ivar admission: this connection's place, from :meth:`opened` on.
    :ivar ended: True once nothing is read any more.
    :cvar steps_in_a_turn: steps of one client before the reactor turns to others.
    :param implicit: TLS begins before anything is said.
    """

    _log: ClassVar[Logger] = Logger()
    steps_in_a_turn: ClassVar[int]

    def __init__(self, *, clock: IReactorTime, limits: ConnectionLimits, times: DoorTimes, implicit: bool) -> None:
        self.clock = clock
        self.times = times
        self.implicit = implicit
        self.source = ""
        self.secure = False
        self.ended = False
        self.admission: Admission
        self._admitted = False
        self._limits = limits
        self._is_open = False
        self._why = ""
        self._transport: Any = None
        self._draining = False
        self._reading_paused = False
        self._silence_timer = Timer(clock, self.silent)
        self._session_timer = Timer(clock, self._session_over)
        self._handshake_timer = Timer(clock, lambda: self.abort("no TLS handshake in time"))
        self._farewell_timer = Timer(clock, self._cut)
        self._turn = Timer(clock, self.go_on)

    # What a door says.

    def opened(self) -> None:
        """The connection is admitted, and inside TLS where that is implicit."""

    def secured(self) -> None:
        """A handshake that began later is done."""

    def take(self, data: bytes) -> None:
        """Keep *data*, which was received."""
        raise TypeError("a door says what it does with what it receives")

    def step(self) -> bool:
        """Do the next thing that was asked for; False when there is none, or it has to wait."""
        raise TypeError("a door says what its steps are")

    @property
    def wants_pause(self) -> bool:
        """Whether no more should be read for now."""
        raise TypeError("a door says when it has enough")

    def turned_away(self, why: Refusal) -> None:
        """There is no place for this connection."""
        self.abort(why.value)

    def silent(self) -> None:
        """Nothing came in time."""
        self.time_over("no command in time")

    def time_over(self, why: str) -> None:
        """A time limit passed; a door may say goodbye first."""
        self.abort(why)

    def stopped(self) -> None:
        """Nothing is read any more: forget what was received; called exactly once."""

    def finished(self, why: str) -> None:
        """The connection is gone; called exactly once for each that was :meth:`opened`."""

    # What a door does.

    def is_wanted(self) -> bool:
        """Whether the client is still there to hear answers."""
        return not self.ended

    def say(self, data: bytes) -> None:
        """Send *data*, unless the connection has ended."""
        if not self.ended:
            self._transport.write(data)

    def expect(self, seconds: float | None = None) -> None:
        """Give the peer *seconds* from now for what comes next, or the time for a command."""
        if not self.ended:
            self._silence_timer.start(self.times.silence if seconds is None else seconds)

    def expect_nothing(self) -> None:
        """What comes next is ours: silence is no fault of the peer."""
        self._silence_timer.stop()

    def go_on(self) -> None:
        """Take steps, as many as are one turn, and read no more where there is enough."""
        if self._draining:
            return
        self._draining = True
        try:
            self._take_turn()
        except Exception:  # noqa: BLE001 - logged; nobody knows what this client may still expect.
            self._log.failure("unexpected failure of a connection")
            self.abort("unexpected failure")
        finally:
            self._draining = False
        self.regulate()

    def go_on_later(self) -> None:
        """Something ended: what waited may go on, in the next turn."""
        if not self._draining and not self.ended:
            self._turn.start(0)

    def regulate(self) -> None:
        """Read, or do not, as :attr:`wants_pause` says now."""
        pause = self.wants_pause
        if pause != self._reading_paused and not self.ended:
            self._reading_paused = pause
            (self._transport.pauseProducing if pause else self._transport.resumeProducing)()

    def close(self, why: str) -> None:
        """End the connection after what has been said; nothing more is read."""
        if self.ended:
            return
        self.end(why)
        self._farewell_timer.start(FAREWELL)
        # What is left unread would turn the goodbye into a reset that may overtake the last words.
        self._transport.resumeProducing()
        self._transport.loseConnection()

    def abort(self, why: str) -> None:
        """End the connection at once."""
        self.end(why)
        self._cut()

    def end(self, why: str) -> None:
        """Read nothing any more; the connection itself is closed by :meth:`close`, :meth:`abort` or the peer."""
        if self.ended:
            return
        self.ended = True
        self._why = why
        for timer in (self._silence_timer, self._session_timer, self._handshake_timer, self._turn):
            timer.stop()
        self.stopped()

    # What Twisted calls.

    def connectionMade(self) -> None:
        """See :class:`Protocol`."""
        self._transport = self.transport
        self.source = arrived(self._transport)
        place = self._limits.admit(self.source)
        if isinstance(place, Refusal):
            self._log.info("connection refused: {why}", why=place.value, source=self.source)
            self.turned_away(place)
            return
        self.admission = place
        self._admitted = True
        self._session_timer.start(self.times.session)
        if self.implicit:
            self._handshake_timer.start(self.times.handshake)
        else:
            self._open()

    def handshakeCompleted(self) -> None:
        """See :class:`IHandshakeListener`."""
        if self.ended:
            return
        self._handshake_timer.stop()
        self.secure = True
        if not self._is_open:
            self._open()
        else:
            self.expect()
            self.secured()

    def dataReceived(self, data: bytes) -> None:
        """See :class:`Protocol`."""
        if not self.ended:
            self.take(data)
            self.go_on()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See :class:`Protocol`."""
        self.end("TLS failed" if reason.check(SSL.Error) else LOST)
        if self._admitted:
            self._admitted = False
            self.admission.release()
        if self._is_open:
            self._is_open = False
            self.finished(self._why)
        for timer in (
            self._silence_timer,
            self._session_timer,
            self._handshake_timer,
            self._farewell_timer,
            self._turn,
        ):
            timer.retire()

    # How it works.

    def _open(self) -> None:
        self._is_open = True
        self.expect()
        self.opened()

    def _session_over(self) -> None:
        if self._is_open:
            self.time_over("session too long")
        else:
            self.abort("session too long")

    def _take_turn(self) -> None:
        until = self.clock.seconds() + _TURN
        for _ in range(self.steps_in_a_turn):
            if self.ended or not self.step():
                return
            if self.clock.seconds() >= until:
                break
        if not self.ended and not self._turn.running:
            self._turn.start(0)

    def _cut(self) -> None:
        self._transport.abortConnection()
