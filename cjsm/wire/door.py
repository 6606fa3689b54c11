"""What the doors that speak in lines share: admission, handshake, order of commands, time limits and closing.

A door subclasses :class:`LineDoor` and says what to do with each line; the rules that keep one client from harming
another are here:

* one line at a time: after :meth:`LineDoor.perform` the next line waits until that work has ended;
* a pipelining client is no longer read from once too much is buffered, and gives way to others every few lines;
* handshake, command and session each have their time; after goodbye the peer has a moment, then it is cut off;
* the connection's place is given back exactly once, however it ended.
"""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from msgspec import Struct
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cjsm.wire.connections import Admission, ConnectionLimits, Refusal, arrived
from cjsm.wire.lines import Line, LineReader
from cjsm.wire.timing import Timer
from cjsm.wire.tls import ServerTls

LINES_IN_A_TURN = 64
"""Lines of one client handled before the reactor turns to others."""

_LOST = "closed by the client"

FAREWELL = 5.0
"""Seconds that a peer has to take the last reply and close."""


class DoorTimes(Struct, frozen=True):
    """Time limits in seconds: TLS handshake, wait for the next command, whole session."""

    handshake: float
    command: float
    session: float


@implementer(IHandshakeListener)
class LineDoor(Protocol):
    """One connection of a door.

    :ivar source: the peer's IP address.
    :ivar secure: True inside TLS.
    :ivar admission: this connection's place, from :meth:`opened` on.
    :ivar ended: True once nothing is read any more.
    :param implicit: TLS begins before anything is said.
    """

    _log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        *,
        clock: IReactorTime,
        limits: ConnectionLimits,
        reader: LineReader,
        times: DoorTimes,
        implicit: bool,
    ) -> None:
        self.clock = clock
        self.reader = reader
        self.times = times
        self.source = ""
        self.secure = False
        self.ended = False
        self.admission: Admission
        self._admitted = False
        self._limits = limits
        self._implicit = implicit
        self._is_open = False
        self._why = ""
        self._transport: Any = None
        self._busy = 0
        self._raw: Callable[[bytes], bytes | None] | None = None
        self._draining = False
        self._reading_paused = False
        self._command_timer = Timer(clock, lambda: self.time_over("no command in time"))
        self._session_timer = Timer(clock, lambda: self.time_over("session too long"))
        self._handshake_timer = Timer(clock, lambda: self.abort("no TLS handshake in time"))
        self._farewell_timer = Timer(clock, self._cut)
        self._turn = Timer(clock, self._drain)
        self._timers = (
            self._command_timer,
            self._session_timer,
            self._handshake_timer,
            self._farewell_timer,
            self._turn,
        )

    # What a door says.

    def opened(self) -> None:
        """The connection is admitted, and inside TLS where that is implicit: greet."""
        raise TypeError("a door says how it greets")

    def secured(self) -> None:
        """The handshake that :meth:`start_tls` began is done."""

    def line_received(self, line: Line) -> None:
        """A line came, or a fault of framing; the next one waits while :meth:`perform` has work."""
        raise TypeError("a door says what it does with a line")

    def refused(self, why: Refusal) -> bytes:
        """Return the last words for a connection that is not taken; they are not sent where TLS is implicit."""
        return b""

    def time_over(self, why: str) -> None:
        """A time limit passed; a door may say goodbye first."""
        self.abort(why)

    def broken(self, failure: Failure) -> None:
        """An unexpected exception ended a command; it has been logged. A door answers and goes on."""
        self.close("unexpected failure")

    def finished(self, why: str) -> None:
        """The connection has ended; called exactly once for each that was :meth:`opened`."""

    # What a door does.

    def say(self, data: bytes) -> None:
        """Send *data*, unless the connection has ended."""
        if not self.ended:
            self._transport.write(data)

    def perform(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        """Run *work*; no further line is looked at before it has ended."""
        self._busy += 1
        self._command_timer.stop()
        Deferred.fromCoroutine(work).addErrback(self._unexpected).addBoth(self._performed)

    def read_raw(self, receiver: Callable[[bytes], bytes | None]) -> None:
        """Give all that comes to *receiver* until it returns what it did not want: then lines go on from there.

        The command timer goes on: *receiver* calls :meth:`expect` for each block. :meth:`perform` holds it back too.
        """
        self._raw = receiver

    def expect(self, seconds: float) -> None:
        """Give the peer *seconds* from now for what comes next."""
        if not self.ended:
            self._command_timer.start(seconds)

    def start_tls(self, tls: ServerTls) -> None:
        """Begin TLS (RFC 3207, RFC 2595). Anything already received after the command is an injection: it ends here."""
        if self.reader.buffered:
            self.close("octets after the command that starts TLS")
            return
        self._busy += 1
        self._command_timer.stop()
        self._handshake_timer.start(self.times.handshake)
        self._transport.startTLS(tls)

    def close(self, why: str) -> None:
        """End the connection after what has been said; nothing more is read."""
        if self.ended:
            return
        self._end(why)
        self._farewell_timer.start(FAREWELL)
        # What is left unread would turn the goodbye into a reset that may overtake the last reply.
        self._transport.resumeProducing()
        self._transport.loseConnection()

    def abort(self, why: str) -> None:
        """End the connection at once."""
        self._end(why)
        self._cut()

    # What Twisted calls.

    def connectionMade(self) -> None:
        """See :class:`Protocol`."""
        self._transport = self.transport
        self.source = arrived(self._transport)
        place = self._limits.admit(self.source)
        if isinstance(place, Refusal):
            self._turn_away(place)
            return
        self.admission = place
        self._admitted = True
        self._session_timer.start(self.times.session)
        if self._implicit:
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
            self._busy -= 1
            self.expect(self.times.command)
            self.secured()

    def dataReceived(self, data: bytes) -> None:
        """See :class:`Protocol`."""
        if self.ended:
            return
        self.reader.feed(data)
        self._drain()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See :class:`Protocol`."""
        self._end(_ending(reason))
        if self._admitted:
            self._admitted = False
            self.admission.release()
        if self._is_open:
            self._is_open = False
            self.finished(self._why)
        for timer in self._timers:
            timer.retire()

    # How it works.

    def _open(self) -> None:
        self._is_open = True
        self.expect(self.times.command)
        self._guarded(self.opened)

    def _turn_away(self, why: Refusal) -> None:
        self._log.info("connection refused: {why}", why=why.value, source=self.source)
        if not self._implicit:
            self.say(self.refused(why))
            self.close(why.value)
        else:
            self.abort(why.value)

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
        for _ in range(LINES_IN_A_TURN):
            if self._busy or self.ended or not self._advance():
                return
        if self.reader.buffered and not self._turn.running:
            self._turn.start(0)

    def _advance(self) -> bool:
        if self._raw is not None:
            return self._pass_on(self._raw)
        line = self.reader.next_line()
        if line is None:
            return False
        self.expect(self.times.command)
        self._guarded(self.line_received, line)
        return True

    def _pass_on(self, receiver: Callable[[bytes], bytes | None]) -> bool:
        data = self.reader.take()
        if not data:
            return False
        rest = self._guarded(receiver, data)
        if rest is not None:
            self._raw = None
            self.reader.feed(rest)
        return True

    def _guarded(self, call: Callable[..., Any], *arguments: object) -> Any:
        try:
            return call(*arguments)
        except Exception:  # noqa: BLE001 - it costs this command only: logged, then answered by broken().
            self._unexpected(Failure())
            return None

    def _unexpected(self, failure: Failure) -> None:
        if self.ended:
            self._log.debug("work ended after its connection: {failure.value!r}", failure=failure)
            return
        if failure.check(ConnectionDone, ConnectionLost):
            # The transport tells its producer first; commands that are still buffered must not be carried out now.
            self._end(_LOST)
            return
        self._log.failure("unexpected failure in a command", failure=failure)
        self.broken(failure)

    def _performed(self, _result: object) -> None:
        self._busy -= 1
        if self.ended:
            return
        self.expect(self.times.command)
        self._drain()

    def _regulate(self) -> None:
        pause = self.reader.wants_pause
        if pause != self._reading_paused and not self.ended:
            self._reading_paused = pause
            (self._transport.pauseProducing if pause else self._transport.resumeProducing)()

    def _end(self, why: str) -> None:
        if self.ended:
            return
        self.ended = True
        self._why = why
        self.reader.take()
        for timer in (self._command_timer, self._session_timer, self._handshake_timer, self._turn):
            timer.stop()

    def _cut(self) -> None:
        self._transport.abortConnection()


def _ending(reason: Failure) -> str:
    if reason.check(SSL.Error):
        return "TLS failed"
    return _LOST
