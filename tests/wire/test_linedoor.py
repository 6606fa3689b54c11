"""The line door: order, back-pressure, time limits and places, without a network."""

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from cjsm.wire.connections import ConnectionLimits, Refusal
from cjsm.wire.door import FAREWELL, DoorTimes
from cjsm.wire.flow import Outflow
from cjsm.wire.linedoor import LineDoor
from cjsm.wire.lines import Line, LineReader
from cjsm.wire.tls import ServerTls
from tests.wire.support import certificate_files, connected_over_tls, settle


class Echo(LineDoor):
    """Answers each line; ``wait`` answers when the test says so, ``fail`` fails."""

    def __init__(self, clock: Clock, limits: ConnectionLimits, *, implicit: bool = False) -> None:
        super().__init__(
            clock=clock,
            limits=limits,
            reader=LineReader(100, pause_at=1_000),
            times=DoorTimes(handshake=10, silence=60, session=300),
            implicit=implicit,
        )
        self.work: Deferred[None] = Deferred()
        self.ends: list[str] = []

    def greet(self) -> None:
        self.say(b"hello\r\n")

    def refused(self, why: Refusal) -> bytes:
        return why.name.encode() + b"\r\n"

    def line_received(self, line: Line) -> None:
        if line == b"wait":
            self.perform(self.wait())
        elif line == b"fail":
            raise ZeroDivisionError
        elif line == b"quit":
            self.say(b"bye\r\n")
            self.close("quit")
        elif line == b"raw":
            self.read_raw(self.raw, 20)
        else:
            self.say(b"got %r\r\n" % (line,))

    def raw(self, data: bytes) -> bytes | None:
        text, end, rest = data.partition(b"!")
        self.say(b"raw " + text + b"\r\n")
        return rest if end else None

    async def wait(self) -> None:
        await self.work
        self.say(b"waited\r\n")

    def broken(self, failure: Failure) -> None:
        self.say(b"sorry\r\n")

    def finished(self, why: str) -> None:
        self.ends.append(why)


class Bench:
    """One door on a string transport."""

    def __init__(self, limits: ConnectionLimits | None = None) -> None:
        self.clock = Clock()
        self.limits = limits or ConnectionLimits(per_source=1, per_account=1, in_all=1)
        self.door = Echo(self.clock, self.limits)
        self.transport = StringTransport()
        self.door.makeConnection(self.transport)

    def said(self) -> bytes:
        said: bytes = self.transport.value()
        self.transport.clear()
        return said


def test_one_command_at_a_time_and_replies_in_order() -> None:
    """Pipelined lines wait for the one that is being worked on."""
    bench = Bench()
    bench.door.dataReceived(b"a\r\nwait\r\nb\r\n")
    assert bench.said() == b"hello\r\ngot b'a'\r\n"
    bench.door.work.callback(None)
    assert bench.said() == b"waited\r\ngot b'b'\r\n"


def test_a_client_that_sends_too_much_is_not_read_until_there_is_room() -> None:
    """What is buffered for one client is bounded."""
    bench = Bench()
    bench.door.dataReceived(b"wait\r\n" + b"a\r\n" * 400)
    assert bench.transport.producerState == "paused"
    bench.door.work.callback(None)
    for _ in range(400 // LineDoor.steps_in_a_turn + 1):
        bench.clock.advance(0)
    assert bench.transport.producerState == "producing"
    assert bench.said().count(b"got") == 400


def test_a_pipelining_client_gives_way_every_few_lines() -> None:
    """A thousand lines in one packet are not handled in one go."""
    bench = Bench()
    bench.door.dataReceived(b"a\r\n" * 1_000)
    assert bench.said().count(b"got") == LineDoor.steps_in_a_turn
    bench.clock.advance(0)
    assert bench.said().count(b"got") == 1_000 - LineDoor.steps_in_a_turn


def test_raw_data_and_the_way_back_to_lines() -> None:
    """After the data's end, lines go on exactly where it ended."""
    bench = Bench()
    bench.door.dataReceived(b"raw\r\nab")
    bench.door.dataReceived(b"c!x\r\n")
    assert bench.said() == b"hello\r\nraw ab\r\nraw c\r\ngot b'x'\r\n"


def test_an_unexpected_failure_costs_one_command() -> None:
    """It is logged once, answered, and the next command works."""
    bench = Bench()
    with capturedLogs() as logged:
        bench.door.dataReceived(b"fail\r\nwait\r\na\r\n")
        bench.door.work.errback(ZeroDivisionError())
    assert bench.said() == b"hello\r\nsorry\r\nsorry\r\ngot b'a'\r\n"
    assert [event["log_format"] for event in logged] == ["unexpected failure in a command"] * 2


def test_places_are_given_back_once() -> None:
    """A second connection is refused while the first is there, and told why."""
    first = Bench()
    second = Bench(first.limits)
    assert (second.said(), second.transport.disconnecting, second.door.ends) == (b"ALL\r\n", True, [])
    first.door.connectionLost()
    first.door.connectionLost()
    assert first.limits.connected == 0
    assert first.door.ends == ["closed by the client"]


def test_time_for_a_command_is_not_won_by_single_octets() -> None:
    """An octet now and then does not keep a connection open."""
    bench = Bench()
    for _ in range(7):
        assert not bench.transport.disconnected
        bench.clock.advance(9)
        bench.door.dataReceived(b"x")
    assert bench.transport.disconnected
    bench.door.connectionLost()
    assert bench.door.ends == ["no command in time"]
    assert not bench.clock.getDelayedCalls()


def test_a_session_ends_even_when_it_is_busy() -> None:
    """Commands do not prolong a session for ever."""
    bench = Bench()
    for _ in range(6):
        bench.door.dataReceived(b"a\r\n")
        bench.clock.advance(50)
    assert bench.transport.disconnected


def test_time_that_the_server_takes_is_not_the_clients() -> None:
    """A client does not lose its connection because its command takes long."""
    bench = Bench()
    bench.door.dataReceived(b"wait\r\n")
    bench.clock.advance(200)
    assert not bench.transport.disconnected
    bench.door.work.callback(None)
    bench.clock.advance(59)
    assert not bench.transport.disconnected
    bench.clock.advance(1)
    assert bench.transport.disconnected


def test_goodbye_is_sent_then_the_peer_is_cut_off() -> None:
    """After QUIT nothing more is read, and a peer that does not close is closed."""
    bench = Bench()
    bench.door.dataReceived(b"quit\r\na\r\n")
    assert bench.said() == b"hello\r\nbye\r\n"
    assert (bench.transport.disconnecting, bench.transport.disconnected) == (True, False)
    bench.clock.advance(FAREWELL)
    assert bench.transport.disconnected
    bench.door.connectionLost()
    assert bench.door.ends == ["quit"]


def test_octets_after_the_command_that_starts_tls(tmp_path: Path) -> None:
    """What was sent in the clear is never read as if it had come inside TLS (injection): the connection ends."""
    bench = Bench()
    bench.door.reader.feed(b"RSET\r\n")
    bench.door.start_tls(ServerTls(*certificate_files(tmp_path)))
    assert bench.transport.disconnecting
    assert bench.said() == b"hello\r\n"


def test_implicit_tls_greets_after_the_handshake(tmp_path: Path) -> None:
    """The greeting comes inside TLS."""
    clock = Clock()
    door = Echo(clock, ConnectionLimits(per_source=1, per_account=1, in_all=1), implicit=True)
    verifyObject(IHandshakeListener, door)
    client, pump = connected_over_tls(door, ServerTls(*certificate_files(tmp_path)), clock)
    assert client.take() == b"hello\r\n"
    assert door.secure
    assert client.transport is not None
    client.transport.write(b"a\r\nquit\r\n")
    settle(pump, clock)
    assert client.take() == b"got b'a'\r\nbye\r\n"
    assert client.lost
    assert door.ends == ["quit"]


def test_half_a_handshake_is_cut_off() -> None:
    """Somebody who connects and says nothing gives the place back after the time for the handshake."""
    clock, limits, transport = Clock(), ConnectionLimits(per_source=1, per_account=1, in_all=1), StringTransport()
    door = Echo(clock, limits, implicit=True)
    door.makeConnection(transport)
    clock.advance(10)
    assert transport.disconnected
    door.connectionLost()
    assert (limits.connected, door.ends, transport.value()) == (0, [], b"")


def test_outflow_waits_while_the_transport_is_full() -> None:
    """A coroutine writes no more than the peer takes, and learns that it is gone."""
    transport = StringTransport()
    outflow = Outflow(transport)

    async def send() -> None:
        for _ in range(3):
            await outflow.write(b"x" * 10)

    outflow.pauseProducing()
    sending = Deferred.fromCoroutine(send())
    assert transport.value() == b"x" * 10
    outflow.resumeProducing()
    assert outflow.written == 30
    assert sending.called
    outflow.pauseProducing()
    stopped = Deferred.fromCoroutine(send())
    lost: list[Failure] = []
    stopped.addErrback(lost.append)
    outflow.stopProducing()
    assert len(lost) == 1
    outflow.close()
