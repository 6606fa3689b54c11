"""Who calls the server: a wire with whole LDAP messages, and the states that tests begin with."""

import ssl
from dataclasses import dataclass
from typing import Any

from cjsm.ldap.grammar.framing import Framer
from tests.conformance.judgement import Judge, Notes
from tests.conformance.target import Security, Server
from tests.conformance.wire import Connection, Ended
from tests.ldap import support
from tests.ldap.support import Result

START_TLS = "1.3.6.1.4.1.1466.20037"
WHO_AM_I = "1.3.6.1.4.1.4203.1.11.3"
NOTICE = "1.3.6.1.4.1.1466.20036"


@dataclass(frozen=True, kw_only=True)
class Target(Server):
    """The server that is spoken to.

    :ivar base: the distinguished name of a tree in which the user may search, and where there are several people.
    """

    base: str


class Wire(Connection):
    """One connection."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._framer = Framer(16 * 1024 * 1024)

    def answer(self) -> Any:
        """Return the next message."""
        while (message := self._framer.next_message()) is None:
            self._receive()
            self._framer.feed(self._buffer)
            self._buffer = b""
        (found,) = support.answers(message)
        return found

    def ask(self, octets: bytes) -> list[Any]:
        """Send, and return all answers to the first result."""
        self.send(octets)
        found = [self.answer()]
        while not isinstance(found[-1], Result):
            found.append(self.answer())
        return found

    def result(self, octets: bytes) -> Result:
        """Send, and return the result."""
        found: Result = self.ask(octets)[-1]
        return found

    def rest(self) -> list[Any]:
        """Return what is said until the server hangs up."""
        found = []
        try:
            while True:
                found.append(self.answer())
        except (Ended, TimeoutError, ssl.SSLError):
            return found


class Caller(Judge):
    """Speaks to one target on behalf of one test."""

    def __init__(self, target: Target, offered: dict[str, str], notes: Notes, test: str) -> None:
        super().__init__(target, offered, notes, test)
        self.target = target
        self._wires: list[Wire] = []

    def wire(self) -> Wire:
        """Return a connection; inside TLS where that comes first."""
        wire = Wire(self.target.host, self.target.port)
        self._wires.append(wire)
        if self.target.security is Security.IMPLICIT:
            wire.secure(self.target.context(), self.target.host)
        return wire

    def secured(self) -> Wire:
        """Return a connection inside TLS."""
        wire = self.wire()
        if self.target.security is Security.STARTTLS:
            assert wire.result(support.extended(1, START_TLS)).code == 0
            wire.secure(self.target.context(), self.target.host)
        return wire

    def signed_in(self) -> Wire:
        """Return a connection that is the user's."""
        wire = self.secured()
        assert wire.result(self.signing_in(1)).code == 0
        return wire

    def signing_in(self, message_id: int) -> bytes:
        """Return the user's bind."""
        return support.bind(message_id, self.target.user, self.target.password.encode())

    def close(self) -> None:
        """Hang up all."""
        for wire in self._wires:
            wire.close()


def offers(target: Target) -> dict[str, str]:
    """Return what the root DSE lists of controls, extensions, features and mechanisms."""
    caller = Caller(target, {}, Notes(), "")
    listed = ["supportedControl", "supportedExtension", "supportedFeatures", "supportedSASLMechanisms"]
    root, _ = caller.secured().ask(support.search(1, support.present("objectClass"), scope=0, attributes=listed))
    caller.close()
    return {value: name for name, values in root.attributes.items() for value in values}
