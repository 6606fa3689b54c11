"""One client's connection: messages are taken one by one, and no more read than can be worked on and answered.

A door subclasses :class:`MessageConnection`. Reading stops while a message has to wait or answers are not taken.
"""

from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from zope.interface import implementer

from cjsm.ldap.grammar.framing import Framer
from cjsm.wire.connections import ConnectionLimits
from cjsm.wire.door import Door, DoorTimes
from cjsm.wire.tls import ServerTls


@implementer(IPushProducer)
class MessageConnection(Door):
    """One connection.

    :ivar framer: what was received and not yet taken.
    """

    steps_in_a_turn: ClassVar[int] = 16

    def __init__(
        self, *, clock: IReactorTime, limits: ConnectionLimits, framer: Framer, times: DoorTimes, implicit: bool
    ) -> None:
        super().__init__(clock=clock, limits=limits, times=times, implicit=implicit)
        self.framer = framer
        self._room: Deferred[None] | None = None

    # What a door says.

    @property
    def holds(self) -> bool:
        """Whether a message that was received has to wait."""
        raise TypeError("a door says whether it holds a message")

    @property
    def works(self) -> bool:
        """Whether anything is at work, so that waiting for more is no idleness."""
        raise TypeError("a door says whether it works")

    def message(self) -> bool:
        """Take the next message; False when there is none, or it has to wait."""
        raise TypeError("a door says what it does with messages")

    # What a door does.

    def something_ended(self) -> None:
        """What waited for it may go on."""
        if self.holds or self.framer.buffered:
            self.go_on_later()

    def begin_tls(self, tls: ServerTls) -> None:
        """Begin TLS: what comes from now on is the handshake."""
        self.expect_nothing()
        self._handshake_timer.start(self.times.handshake)
        self._transport.startTLS(tls)

    def room(self) -> Deferred[None] | None:
        """Return a Deferred that fires when the client has taken its answers; None when it has."""
        if self._room is None:
            return None
        own: Deferred[None] = Deferred()
        self._room.addCallback(lambda _: own.callback(None))
        return own

    # What the connection calls.

    def opened(self) -> None:
        """Learn when the client does not take its answers."""
        self._transport.registerProducer(self, True)

    def take(self, data: bytes) -> None:
        """See :class:`Door`."""
        self.framer.feed(data)

    def step(self) -> bool:
        """Take a message, unless the client does not take its answers."""
        return self._room is None and self.message()

    @property
    def wants_pause(self) -> bool:
        """Whether a message has to wait, answers are not taken, or it is the turn of others."""
        return self.holds or self._room is not None or self._turn.running

    def silent(self) -> None:
        """Who waits for an answer is not idle; who does not take it is."""
        if self.works and self._room is None:
            self.expect()
        else:
            self.time_over("idle for too long")

    def stopped(self) -> None:
        """See :class:`Door`."""
        self.framer.clear()

    def close(self, why: str) -> None:
        """See :class:`Door`."""
        if self._is_open and not self.ended:
            self._transport.unregisterProducer()
        super().close(why)

    # What the transport calls.

    def pauseProducing(self) -> None:
        """The client does not take its answers as fast as they come."""
        if self._room is None:
            self._room = Deferred()
            self.regulate()

    def resumeProducing(self) -> None:
        """The client has taken its answers."""
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)
        self.go_on()

    def stopProducing(self) -> None:
        """The connection is lost, which :meth:`connectionLost` will say too."""
        self.end("closed by the client")
