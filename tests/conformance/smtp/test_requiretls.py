"""Messages that go over TLS or not at all (RFC 8689)."""

import pytest

from tests.conformance.smtp.caller import Caller, finish, offered_by
from tests.conformance.target import Security


@pytest.fixture
def requiretls(caller: Caller) -> None:
    """Leave a test out where this cannot be asked for."""
    assert caller.needs("REQUIRETLS") == ""


def test_offered_inside_tls_only(caller: Caller) -> None:
    """REQUIRETLS is offered inside TLS only (RFC 8689 2)."""
    caller.needs_tls(Security.STARTTLS, Security.PLAIN)
    wire = caller.met()
    assert "REQUIRETLS" not in offered_by(wire.say("EHLO client.example"))
    assert wire.say(f"{caller.mail} REQUIRETLS").code in (530, 501, 555)
    finish(wire)


@pytest.mark.usefixtures("requiretls")
@pytest.mark.parametrize("parameters", ["REQUIRETLS", "requiretls", "REQUIRETLS SIZE=100"])
def test_mail(caller: Caller, parameters: str) -> None:
    """A sender may ask for it (RFC 8689 2)."""
    wire = caller.ready()
    assert wire.say(f"{caller.mail} {parameters}").code == 250
    assert wire.say(caller.rcpt).code in (250, 550)
    finish(wire)


@pytest.mark.usefixtures("requiretls")
@pytest.mark.parametrize("parameters", ["REQUIRETLS=1", "REQUIRETLS=", "REQUIRETLS REQUIRETLS"])
def test_bad_mail(caller: Caller, parameters: str) -> None:
    """REQUIRETLS takes no value and stands once (RFC 8689 2)."""
    reply = caller.ready().say(f"{caller.mail} {parameters}")
    caller.promise(reply.code == 501, f"{parameters} is answered {reply.code}")


@pytest.mark.usefixtures("requiretls")
def test_not_with_rcpt(caller: Caller) -> None:
    """REQUIRETLS is no parameter of RCPT (RFC 8689 2)."""
    assert caller.in_mail().say(f"{caller.rcpt} REQUIRETLS").code in (501, 555)


@pytest.mark.usefixtures("requiretls")
def test_header_that_says_otherwise(caller: Caller) -> None:
    """A message whose header says that TLS is not required is one that a sender may send (RFC 8689 3)."""
    wire = caller.addressed()
    assert wire.say("DATA").code == 354
    wire.send(caller.target.message(b"text\r\n", b"TLS-Required: No") + b".\r\n")
    assert wire.reply().code == 250
    finish(wire)
