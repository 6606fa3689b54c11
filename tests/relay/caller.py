"""An organisation's server as it calls the relay door: says exactly what a test tells it to."""

import ssl
from collections.abc import Sequence

from tests.conformance.smtp.client import Reply, Wire
from tests.peers.certificates import Identity
from tests.running import Community

NAME = "outgoing.client.example"


def trusting(community: Community, shown: Identity | None = None) -> ssl.SSLContext:
    """Return what trusts the community and shows a certificate, or none."""
    context = ssl.create_default_context(cafile=community.told["ca_file"])
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    return context


class Calls:
    """Sessions with one community's relay door, all ended together."""

    def __init__(self, community: Community) -> None:
        self.community = community
        self._wires: list[Wire] = []

    def wire(self, door: str = "relay") -> Wire:
        """Return a connection on which nothing has been read or said."""
        wire = Wire("localhost", self.community.port(door))
        self._wires.append(wire)
        return wire

    def call(self, shown: Identity | None = None) -> Wire:
        """Return a session inside TLS, after EHLO; *shown* is the certificate for it."""
        wire = self.wire()
        assert wire.reply().code == 220
        assert wire.say(f"EHLO {NAME}").code == 250
        assert wire.say("STARTTLS").code == 220
        wire.secure(trusting(self.community, shown), "localhost")
        assert wire.say(f"EHLO {NAME}").code == 250
        return wire

    def close(self) -> None:
        """Hang up everywhere."""
        for wire in self._wires:
            wire.close()


def addressed(wire: Wire, sender: str, recipients: Sequence[str]) -> None:
    """Say from whom and to whom; all of it is taken."""
    for said in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients)):
        answer = wire.say(said)
        assert answer.code == 250, f"{said}: {answer}"


def send(wire: Wire, sender: str, recipients: Sequence[str], message: bytes) -> Reply:
    """Send a message; return what is answered at its end."""
    addressed(wire, sender, recipients)
    assert wire.say("DATA").code == 354
    wire.send(message + b".\r\n")
    return wire.reply()
