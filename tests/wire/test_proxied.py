"""Doors behind a load balancer, in memory."""

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, capturedLogs
from twisted.protocols.tls import TLSMemoryBIOFactory

from cjsm.sources import SharedNetworks
from cjsm.wire.connections import ConnectionLimits, arrived
from cjsm.wire.proxied import AwaitHeader, LoadBalancers, ProxiedFactory
from cjsm.wire.tls import ServerTls, over_tls
from tests.wire.support import AnyServer, Recorder, certificate_files

HEADER = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 465\r\n"
BALANCER = IPv4Address("TCP", "10.0.0.5", 40_000)
CLIENT = IPv4Address("TCP", "203.0.113.9", 40_000)


class Greeter(Protocol):
    """A door that says at once whom it greets, and then what it hears."""

    def __init__(self) -> None:
        self.lost = False

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(f"hello {arrived(self.transport)}\r\n".encode())

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(b"heard " + data)

    def connectionLost(self, reason: object = None) -> None:
        self.lost = True


class Transport(StringTransport):
    """One that delivers to whatever protocol it has now, as a real one does."""

    protocol: Any = None
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class House:
    """A door, its load balancers and a clock."""

    def __init__(self, door: Any = None, in_all: int = 10) -> None:
        self.clock = Clock()
        self.limits = ConnectionLimits(per_source=10, per_account=10, in_all=in_all)
        networks = SharedNetworks(["10.0.0.0/24", "fd00::/8"])
        self.balancers = LoadBalancers(networks, 5, limits=self.limits, clock=self.clock)
        self.factory = ProxiedFactory(door or Factory.forProtocol(Greeter), self.balancers)

    def connect(self, address: Any = BALANCER) -> Transport:
        """A new connection."""
        transport = Transport(peerAddress=address)
        transport.protocol = self.factory.buildProtocol(address)
        transport.protocol.makeConnection(transport)
        return transport


def test_the_door_begins_after_the_header() -> None:
    """Not a word before it; then the door sees the client, and what came behind the header."""
    house = House()
    transport = house.connect()
    for octet in HEADER[:-1]:
        transport.protocol.dataReceived(bytes((octet,)))
    assert transport.value() == b""
    assert house.balancers.waiting == 1
    transport.protocol.dataReceived(HEADER[-1:] + b"QUIT\r\n")
    assert transport.value() == b"hello 192.0.2.7\r\nheard QUIT\r\n"
    assert transport.getPeer() == IPv4Address("TCP", "192.0.2.7", 56_324)
    assert house.balancers.waiting == 0
    house.clock.advance(60)
    assert not transport.aborted


def test_a_client_with_ipv6() -> None:
    """Is one with an address of that family."""
    transport = House().connect(IPv6Address("TCP", "fd00::5", 1))
    transport.protocol.dataReceived(b"PROXY TCP6 2001:db8::7 fd00::1 7 465\r\n")
    assert transport.getPeer() == IPv6Address("TCP", "2001:db8::7", 7)


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", bytes.fromhex("0d0a0d0a000d0a515549540a20000000")])
def test_a_probe_of_the_load_balancer_is_greeted_as_itself(header: bytes) -> None:
    """It speaks for nobody else (section 2)."""
    transport = House().connect()
    transport.protocol.dataReceived(header)
    assert transport.value() == b"hello 10.0.0.5\r\n"


def test_a_client_of_its_own_is_served_as_itself() -> None:
    """And cannot say that it is somebody else: its header is words like any other."""
    transport = House().connect(CLIENT)
    assert transport.value() == b"hello 203.0.113.9\r\n"
    transport.protocol.dataReceived(HEADER)
    assert transport.value().endswith(b"heard " + HEADER)
    assert arrived(transport) == "203.0.113.9"


def test_without_a_header_nothing_is_said() -> None:
    """A load balancer that sends none, in time or at all, is closed, and hears nothing."""
    house = House()
    talks, waits = house.connect(), house.connect()
    talks.protocol.dataReceived(b"EHLO me\r\n")
    assert talks.aborted
    talks.protocol.dataReceived(HEADER)
    house.clock.advance(4.9)
    assert not waits.aborted
    house.clock.advance(0.2)
    assert waits.aborted
    assert talks.value() == waits.value() == b""
    assert house.balancers.waiting == 0


def test_a_load_balancer_that_is_set_up_wrongly_is_spoken_of_seldom() -> None:
    """Once a minute, with how often it happened."""
    house = House()
    with capturedLogs() as events:
        for _ in range(50):
            house.connect().protocol.dataReceived(b"GET / HTTP/1.1")
        house.clock.advance(61)
        house.connect().protocol.dataReceived(b"GET / HTTP/1.1")
    told = [event for event in events if event["log_level"] is LogLevel.warn]
    assert [event["more"] for event in told] == [0, 49]
    assert {event["source"] for event in told} == {"10.0.0.5"}


def test_a_connection_that_only_opens_and_closes_is_no_fault() -> None:
    """That is how some load balancers look whether the port answers."""
    house = House()
    with capturedLogs() as events:
        transport = house.connect()
        transport.protocol.connectionLost()
        house.clock.advance(60)
    assert (events, house.balancers.waiting, transport.aborted) == ([], 0, False)


def test_those_who_wait_are_as_many_as_there_are_places() -> None:
    """A load balancer that sends no headers cannot take every descriptor."""
    house = House(in_all=2)
    waiting = [house.connect() for _ in range(3)]
    assert [each.aborted for each in waiting] == [False, False, True]
    waiting[0].protocol.connectionLost()
    assert not house.connect().aborted


def test_a_door_that_refuses_the_client() -> None:
    """Some factories make nothing for an address: it is closed."""

    class Nobody(Factory):
        def buildProtocol(self, addr: object) -> None:
            return None

    transport = House(Nobody()).connect()
    transport.protocol.dataReceived(HEADER)
    assert transport.aborted


def test_renewed() -> None:
    """Networks may change while it runs."""
    house = House()
    house.balancers.networks = SharedNetworks()
    assert house.connect().value() == b"hello 10.0.0.5\r\n"
    house.balancers.networks, house.balancers.seconds = SharedNetworks(["203.0.113.0/24"]), 1
    assert isinstance(house.connect(CLIENT).protocol, AwaitHeader)


def test_starts_and_stops_with_the_door() -> None:
    """As a port starts and stops its factory."""
    said: list[str] = []

    class Door(Factory):
        def doStart(self) -> None:
            said.append("start")

        def doStop(self) -> None:
            said.append("stop")

    factory = House(Door()).factory
    factory.doStart()
    factory.doStop()
    assert said == ["start", "stop"]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_under_implicit_tls(tmp_path: Path, size: int) -> None:
    """The handshake begins behind the header, in the same packet or octet by octet, and the door sees the client."""
    clock = Clock()
    door = over_tls(Factory.forProtocol(Greeter), ServerTls(*certificate_files(tmp_path)), clock)
    transport = House(door).connect()
    client = Recorder()
    made = TLSMemoryBIOFactory(AnyServer(), True, Factory.forProtocol(lambda: client), clock).buildProtocol(None)
    wire = StringTransport()
    assert made is not None
    made.makeConnection(wire)
    to_server = HEADER
    for _ in range(6):
        to_server += wire.value()
        wire.clear()
        for place in range(0, len(to_server), size):
            transport.protocol.dataReceived(to_server[place : place + size])
        to_server = b""
        clock.advance(0)
        if transport.value():
            made.dataReceived(transport.value())
        transport.clear()
    assert client.received == b"hello 192.0.2.7\r\n"
