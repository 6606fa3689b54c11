"""Who calls the server: opens wires in the states that tests begin with, and knows what is in the mailbox."""

import base64
import itertools
import time
from collections.abc import Sequence
from contextlib import suppress

from tests.conformance.judgement import Judge, Notes
from tests.conformance.pop3.client import Reply, Wire
from tests.conformance.pop3.target import Target, number_of
from tests.conformance.target import Security

_WAIT = 60.0
_NUMBERS = itertools.count(int(time.time()) * 1_000)

#: Bodies of ordinary messages that most tests do with.
ORDINARY = (b"one\r\n", b"two\r\n.two\r\n..\r\n", b"three\r\nthree\r\nthree\r\n")


class Mailbox:
    """What the user's mailbox holds, put there once for all tests that want the same.

    :ivar held: messages as they were delivered, by number.
    """

    def __init__(self) -> None:
        self.held: dict[int, bytes] = {}
        self.wanted: tuple[tuple[bytes, bytes], ...] | None = None


class Caller(Judge):
    """Speaks to one target on behalf of one test."""

    def __init__(self, target: Target, offered: dict[str, str], notes: Notes, test: str, mailbox: Mailbox) -> None:
        super().__init__(target, offered, notes, test)
        self.target = target
        self.wires: list[Wire] = []
        self._mailbox = mailbox

    # Wires in the states that tests begin with.

    def wire(self) -> Wire:
        """Return a connection on which nothing has been read or said."""
        wire = Wire(self.target.host, self.target.port)
        self.wires.append(wire)
        return wire

    def met(self) -> Wire:
        """Return a connection that was greeted; inside TLS where that comes first."""
        wire = self.wire()
        if self.target.security is Security.IMPLICIT:
            wire.secure(self.target.context(), self.target.host)
        greeting = wire.reply()
        assert greeting.ok, greeting
        return wire

    def secured(self) -> Wire:
        """Return a connection inside TLS on which nothing has been said since."""
        wire = self.met()
        if self.target.security is Security.STARTTLS:
            assert wire.say("STLS").ok
            wire.secure(self.target.context(), self.target.host)
        return wire

    def ready(self, wire: Wire | None = None) -> Wire:
        """Return a connection that is signed in."""
        wire = wire or self.secured()
        named = wire.say(f"USER {self.target.user}")
        assert named.ok, named
        entered = wire.say(f"PASS {self.target.password}")
        assert entered.ok, entered
        return wire

    def ready_when_free(self, seconds: float = _WAIT) -> Wire:
        """Return a connection that is signed in, once the session before it is over."""
        ends = time.monotonic() + seconds
        while True:
            try:
                return self.ready()
            except AssertionError:
                if time.monotonic() > ends:
                    raise
            time.sleep(0.05)

    def plain(self, password: str | None = None, *, user: str | None = None, acting_as: str = "") -> str:
        """Return the response of SASL PLAIN."""
        name = self.target.user if user is None else user
        secret = self.target.password if password is None else password
        return base64.b64encode(f"{acting_as}\0{name}\0{secret}".encode()).decode()

    # What is in the mailbox.

    def holding(self, *bodies: bytes, fields: bytes = b"") -> Wire:
        """Return a connection that is signed in to a mailbox with messages of these bodies, ordinary ones if none."""
        self.fill([(fields, body) for body in bodies or ORDINARY])
        return self.ready()

    def fill(self, wanted: Sequence[tuple[bytes, bytes]]) -> None:
        """Let the mailbox hold messages of these further header fields and bodies, and nothing else."""
        if self._mailbox.wanted == tuple(wanted):
            return
        self.spoil()
        if self.target.deliverer is None:
            self.leave_out("there is no way to put messages into the mailbox")
        self._empty()
        self._mailbox.held = {}
        for fields, body in wanted:
            number = next(_NUMBERS)
            self._mailbox.held[number] = self.target.message(body, number, fields)
            self.target.deliverer.deliver(self._mailbox.held[number])
        self.arrived(len(wanted))
        self._mailbox.wanted = tuple(wanted)

    def spoil(self) -> None:
        """What the mailbox holds is another thing after this test."""
        self._mailbox.wanted = None

    def sent(self, received: bytes) -> bytes:
        """Return the message as it was delivered that came as *received*, perhaps with lines in front."""
        return self._mailbox.held[number_of(received)]

    def _empty(self) -> None:
        wire = self.ready()
        for number, _ in wire.rows("LIST"):
            assert wire.say(f"DELE {number}").ok
        finish(wire)

    def arrived(self, count: int) -> None:
        """Wait until the mailbox holds so many messages: delivery may take a moment."""
        ends = time.monotonic() + _WAIT
        while True:
            wire = self.ready()
            found = int(wire.say("STAT").text.split(" ")[0])
            finish(wire)
            if found >= count:
                assert found == count
                return
            assert time.monotonic() < ends, f"{found} of {count} messages came"
            time.sleep(0.05)

    def close(self) -> None:
        """Close all wires."""
        for wire in self.wires:
            wire.close()


def capabilities(wire: Wire) -> dict[str, str]:
    """Return what CAPA lists: parameters by tag."""
    found = {}
    for line in wire.ask("CAPA").decode().split("\r\n")[:-1]:
        tag, _, parameters = line.partition(" ")
        found[tag.upper()] = parameters
    return found


def finish(wire: Wire) -> Reply:
    """Say QUIT and wait for the end, so that the server has no more to do for this connection."""
    reply = wire.say("QUIT")
    assert wire.rest() == []
    return reply


def cut(wire: Wire) -> None:
    """Hang up without QUIT, as a network does."""
    with suppress(OSError):
        wire.close()


def totals(wire: Wire) -> tuple[int, int]:
    """Return messages and octets as STAT says."""
    reply = wire.say("STAT")
    count, octets = reply.text.split(" ")[:2]
    return int(count), int(octets)
