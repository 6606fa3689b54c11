"""Doors behind a load balancer: nothing is said before the PROXY header told who the client is.

The connection waits for the header alone, then steps aside: the door, or its TLS, gets the transport as if the client
had connected to it, and ``getPeer`` is the client. So greeting, handshake, STARTTLS and the limits on connections are
the door's as ever.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IProtocol, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from cjsm.sources import SharedNetworks
from cjsm.wire.connections import ConnectionLimits
from cjsm.wire.proxy import BadHeader, Client, HeaderReader
from cjsm.wire.timing import Timer

#: Seconds in which a load balancer that is set up wrongly is spoken of once.
_SELDOM = 60.0


class LoadBalancers:
    """The load balancers of all doors: whose connections begin with a header, and those that have not sent it yet.

    :ivar networks: where they are; like :attr:`seconds` it may be replaced, for connections that come then.
    :ivar seconds: that a header may take.
    :param limits: the places of all doors: who waits for a header takes one of them.
    """

    _log = Logger()

    def __init__(
        self, networks: SharedNetworks, seconds: float, *, limits: ConnectionLimits, clock: IReactorTime
    ) -> None:
        self.networks = networks
        self.seconds = seconds
        self.clock = clock
        self.waiting = 0
        self._limits = limits
        self._unsaid = 0
        self._say_after = clock.seconds()

    def full(self) -> bool:
        """Whether one more connection would be too many."""
        return self._limits.connected + self.waiting >= self._limits.in_all

    def complain(self, problem: str, source: str) -> None:
        """Log what is wrong with *source*, seldom: it is wrong each time."""
        now = self.clock.seconds()
        if now < self._say_after:
            self._unsaid += 1
            return
        self._log.warn(
            "a connection of the load balancer {source} was closed: {problem}; {more} more since this was last said",
            source=source,
            problem=problem,
            more=self._unsaid,
        )
        self._say_after, self._unsaid = now + _SELDOM, 0


class ProxiedFactory(Factory):
    """Listens for a door that load balancers connect to, and clients too.

    A connection from one of the *balancers* begins with a header or is closed; any other one is a client's own and is
    the door's at once, where a header is as wrong as anything else that is no command.

    :param door: the factory of the door, or of its TLS.
    """

    noisy = False

    def __init__(self, door: Any, balancers: LoadBalancers) -> None:
        self._door = door
        self._balancers = balancers

    def doStart(self) -> None:
        """See :class:`Factory`."""
        self._door.doStart()

    def doStop(self) -> None:
        """See :class:`Factory`."""
        self._door.doStop()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """See :class:`Factory`."""
        if str(getattr(addr, "host", "")) in self._balancers.networks:
            return AwaitHeader(self._door.buildProtocol, self._balancers)
        return self._door.buildProtocol(addr)


class AwaitHeader(Protocol):
    """A connection of a load balancer until its header is there.

    :param begin: makes the door's connection for the client's address.
    """

    def __init__(self, begin: Callable[[Any], IProtocol | None], balancers: LoadBalancers) -> None:
        self._begin = begin
        self._balancers = balancers
        self._reader = HeaderReader()
        self._timer = Timer(balancers.clock, self._late)
        self._waits = False

    def connectionMade(self) -> None:
        """See :class:`Protocol`."""
        if self._balancers.full():
            self._give_up("too many connections")
            return
        self._waits = True
        self._balancers.waiting += 1
        self._timer.start(self._balancers.seconds)

    def dataReceived(self, data: bytes) -> None:
        """See :class:`Protocol`."""
        if not self._waits:
            return
        try:
            found = self._reader.feed(data)
        except BadHeader as error:
            self._give_up(str(error))
            return
        if found is not None:
            self._wait_no_more()
            self._step_aside(*found)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See :class:`Protocol`: a probe that only connects is no fault."""
        self._wait_no_more()

    def _step_aside(self, client: Client, rest: bytes) -> None:
        transport: Any = self.transport
        peer: Any = transport.getPeer()
        if client.address:
            kind = IPv6Address if ":" in client.address else IPv4Address
            peer = kind("TCP", client.address, client.port)
            transport.getPeer = lambda: peer
        made = self._begin(peer)
        if made is None:
            transport.abortConnection()
            return
        # As Twisted's own startTLS puts another protocol on a transport.
        transport.protocol = made
        made.makeConnection(transport)
        if rest:
            made.dataReceived(rest)

    def _late(self) -> None:
        self._give_up("no PROXY header in time")

    def _give_up(self, problem: str) -> None:
        transport: Any = self.transport
        self._wait_no_more()
        self._balancers.complain(problem, str(getattr(transport.getPeer(), "host", "")))
        transport.abortConnection()

    def _wait_no_more(self) -> None:
        self._timer.retire()
        if self._waits:
            self._waits = False
            self._balancers.waiting -= 1
