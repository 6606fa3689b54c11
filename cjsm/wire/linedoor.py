"""What the doors that speak in lines share: one line at a time, each after the work of the one before it.

A door subclasses :class:`LineDoor` and says what to do with each line: after :meth:`LineDoor.perform` the next line
waits until that work has ended, and a client that pipelines too much is not read from.
"""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from cjsm.wire.connections import ConnectionLimits, Refusal
from cjsm.wire.door import LOST, Door, DoorTimes
from cjsm.wire.lines import Line, LineReader
from cjsm.wire.tls import ServerTls


class LineDoor(Door):
    """One connection of a door that speaks in lines."""

    steps_in_a_turn: ClassVar[int] = 64

    def __init__(
        self,
        *,
        clock: IReactorTime,
        limits: ConnectionLimits,
        reader: LineReader,
        times: DoorTimes,
        implicit: bool,
    ) -> None:
        super().__init__(clock=clock, limits=limits, times=times, implicit=implicit)
        self.reader = reader
        self._busy = 0
        self._raw: Callable[[bytes], bytes | None] | None = None
        self._raw_seconds = 0.0

    # What a door says.

    def greet(self) -> None:
        """Say the first words."""
        raise TypeError("a door says how it greets")

    def line_received(self, line: Line) -> None:
        """A line came, or a fault of framing; the next one waits while :meth:`perform` has work."""
        raise TypeError("a door says what it does with a line")

    def refused(self, why: Refusal) -> bytes:
        """Return the last words for a connection that is not taken; they are not sent where TLS is implicit."""
        return b""

    def broken(self, failure: Failure) -> None:
        """An unexpected exception ended a command; it has been logged. A door answers and goes on."""
        self.close("unexpected failure")

    # What a door does.

    def perform(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        """Run *work*; no further line is looked at before it has ended."""
        self._busy += 1
        self.expect_nothing()
        Deferred.fromCoroutine(work).addErrback(self._unexpected).addBoth(self._performed)

    def read_raw(self, receiver: Callable[[bytes], bytes | None], seconds: float) -> None:
        """Give all that comes to *receiver* until it returns what it did not want: then lines go on from there.

        The peer has *seconds* for each block. :meth:`perform` holds *receiver* back too.
        """
        self._raw = receiver
        self._raw_seconds = seconds
        self._expect_next()

    def start_tls(self, tls: ServerTls) -> None:
        """Begin TLS (RFC 3207, RFC 2595). Anything already received after the command is an injection: it ends here."""
        if self.reader.buffered:
            self.close("octets after the command that starts TLS")
            return
        self._busy += 1
        self.expect_nothing()
        self._handshake_timer.start(self.times.handshake)
        self._transport.startTLS(tls)

    # What the connection calls.

    def opened(self) -> None:
        """See :class:`Door`."""
        self._guarded(self.greet)

    def handshakeCompleted(self) -> None:
        """See :class:`Door`."""
        if self._is_open and not self.ended:
            self._busy -= 1
        super().handshakeCompleted()

    def take(self, data: bytes) -> None:
        """See :class:`Door`."""
        self.reader.feed(data)

    def step(self) -> bool:
        """Take the next line, or what came of something that is not in lines."""
        if self._busy:
            return False
        if self._raw is not None:
            return self._pass_on(self._raw)
        line = self.reader.next_line()
        if line is None:
            return False
        self._expect_next()
        self._guarded(self.line_received, line)
        return True

    @property
    def wants_pause(self) -> bool:
        """Whether too much is buffered."""
        return self.reader.wants_pause

    def turned_away(self, why: Refusal) -> None:
        """Say so where the client can hear it."""
        if self.implicit:
            self.abort(why.value)
        else:
            self.say(self.refused(why))
            self.close(why.value)

    def stopped(self) -> None:
        """See :class:`Door`."""
        self.reader.take()

    # How it works.

    def _pass_on(self, receiver: Callable[[bytes], bytes | None]) -> bool:
        data = self.reader.take()
        if not data:
            return False
        self._expect_next()
        rest = self._guarded(receiver, data)
        if rest is not None:
            self._raw = None
            self.reader.feed(rest)
        return True

    def _expect_next(self) -> None:
        self.expect(self._raw_seconds if self._raw is not None else None)

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
            self.end(LOST)
            return
        self._log.failure("unexpected failure in a command", failure=failure)
        self.broken(failure)

    def _performed(self, _result: object) -> None:
        self._busy -= 1
        if not self.ended:
            self._expect_next()
            self.go_on()
