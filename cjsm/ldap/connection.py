"""One client's connection: its place, its TLS, its time limits, and no more read than can be worked on.

A door subclasses :class:`MessageConnection` and takes messages one by one. What keeps one client from harming another
is here: messages are taken a few in a turn, reading stops while one has to wait or answers are not taken, handshake,
idleness and session have their time, and the place is given back exactly once.
"""

from typing import Any, ClassVar

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cjsm.ldap.grammar.framing import Framer
from cjsm.wire.connections import Admission, ConnectionLimits, Refusal, arrived
from cjsm.wire.timing import Timer

MESSAGES_IN_A_TURN = 16
"""Messages of one client handled before the reactor turns to others."""

FAREWELL = 5.0
"""Seconds that a peer has to take the last answer and close."""


class ConnectionTimes(Struct, frozen=True):
    """Time limits in seconds: TLS handshake, idleness, whole session."""

    handshake: float
    idle: float
    session: float


@implementer(IHandshakeListener, IPushProducer)
class MessageConnection(Protocol):
    """One connection, inside TLS from the first octet.

    :ivar source: the peer's IP address.
    :ivar framer: what was received and not yet taken.
    :ivar admission: this connection's place; None for one that was turned away.
    :ivar ended: True once nothing is read any more.
    """

    _log: ClassVar[Logger] = Logger()

    def __init__(
        self, *, clock: IReactorTime, limits: ConnectionLimits, framer: Framer, times: ConnectionTimes
    ) -> None:
        self.clock = clock
        self.framer = framer
        self.source = ""
        self.admission: Admission | None = None
        self.ended = False
        self._limits = limits
        self._times = times
        self._transport: Any = None
        self._open = False
        self._draining = False
        self._reading_paused = False
        self._room: Deferred[None] | None = None
        self._handshake_timer = Timer(clock, lambda: self._abort("no TLS handshake in time"))
        self._idle_timer = Timer(clock, self._idle)
        self._session_timer = Timer(clock, lambda: self._time_over("session too long"))
        self._farewell_timer = Timer(clock, self._cut)
        self._turn = Timer(clock, self._drain)
        self._timers = (
            self._handshake_timer,
            self._idle_timer,
            self._session_timer,
            self._farewell_timer,
            self._turn,
        )

    # What a door says.

    @property
    def holds(self) -> bool:
        """Whether a message that was received has to wait."""
        raise TypeError("a door says whether it holds a message")

    @property
    def works(self) -> bool:
        """Whether anything is at work, so that waiting for more is no idleness."""
        raise TypeError("a door says whether it works")

    def take(self) -> bool:
        """Take the next message; False when there is none, or it has to wait."""
        raise TypeError("a door says what it does with messages")

    def time_over(self, why: str) -> None:
        """A time limit passed: say goodbye and :meth:`close`."""
        raise TypeError("a door says how it says goodbye")

    def finished(self) -> None:
        """The connection has ended: give up what is at work. Called once."""

    # What a door does.

    def say(self, octets: bytes) -> None:
        """Send *octets*."""
        self._transport.write(octets)

    def expect(self) -> None:
        """Something came, or is awaited: idleness counts from now."""
        if not self.ended:
            self._idle_timer.start(self._times.idle)

    def go_on(self) -> None:
        """Something ended: what waited may go on, in the next turn."""
        if (self.holds or self.framer.buffered) and not self._draining and not self.ended:
            self._turn.start(0)

    def room(self) -> Deferred[None] | None:
        """Return a Deferred that fires when the client has taken its answers; None when it has."""
        if self._room is None:
            return None
        own: Deferred[None] = Deferred()
        self._room.addCallback(lambda _: own.callback(None))
        return own

    def close(self) -> None:
        """Close after what was said; read on, unheard, so that no reset overtakes the last answer."""
        if self.ended:
            return
        self._end()
        self._farewell_timer.start(FAREWELL)
        if self._reading_paused:
            self._transport.resumeProducing()
        if self._open:
            self._transport.unregisterProducer()
        self._transport.loseConnection()

    # What Twisted calls.

    def connectionMade(self) -> None:
        """See :class:`Protocol`."""
        self._transport = self.transport
        self.source = arrived(self._transport)
        place = self._limits.admit(self.source)
        if isinstance(place, Refusal):
            self._log.info("connection refused: {why}", why=place.value, source=self.source)
            self._abort(place.value)
            return
        self.admission = place
        self._handshake_timer.start(self._times.handshake)
        self._session_timer.start(self._times.session)

    def handshakeCompleted(self) -> None:
        """See :class:`IHandshakeListener`."""
        if self.ended:
            return
        self._handshake_timer.stop()
        self.expect()
        self._open = True
        self._transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """See :class:`Protocol`."""
        if not self.ended:
            self.framer.feed(data)
            self._drain()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See :class:`Protocol`."""
        self._end()
        if self.admission is not None:
            self.admission.release()
        for timer in self._timers:
            timer.retire()

    def pauseProducing(self) -> None:
        """The client does not take its answers as fast as they come."""
        if self._room is None:
            self._room = Deferred()
            self._regulate()

    def resumeProducing(self) -> None:
        """The client has taken its answers."""
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)
        self._drain()

    def stopProducing(self) -> None:
        """The connection is lost, which :meth:`connectionLost` will say too."""
        self._end()

    # How it works.

    def _drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        try:
            self._take_turn()
        finally:
            self._draining = False
        self._regulate()

    def _take_turn(self) -> None:
        for _ in range(MESSAGES_IN_A_TURN):
            if self.ended or self._room is not None or not self.take():
                return
        if not self.ended:
            self._turn.start(0)

    def _regulate(self) -> None:
        if self.ended or not self._open:
            return
        pause = self.holds or self._room is not None or self._turn.running
        if pause != self._reading_paused:
            self._reading_paused = pause
            (self._transport.pauseProducing if pause else self._transport.resumeProducing)()

    def _idle(self) -> None:
        if self.works:
            self.expect()
        else:
            self._time_over("idle for too long")

    def _time_over(self, why: str) -> None:
        if self._open:
            self.time_over(why)
        else:
            self._abort(why)

    def _abort(self, why: str) -> None:
        self._log.debug("connection ended: {why}", why=why, source=self.source)
        self._end()
        self._cut()

    def _cut(self) -> None:
        self._transport.abortConnection()

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        self.framer.clear()
        for timer in (self._handshake_timer, self._idle_timer, self._session_timer, self._turn):
            timer.stop()
        self.finished()
