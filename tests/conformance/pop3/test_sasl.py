"""AUTH (RFC 5034): PLAIN with and without an initial response, and what is no response."""

import base64

import pytest

from tests.conformance.pop3.caller import Caller, finish, totals
from tests.conformance.pop3.client import Wire


@pytest.fixture
def plain(caller: Caller) -> Caller:
    """A caller of a server that offers PLAIN inside TLS."""
    if "PLAIN" not in caller.needs("SASL").split(" "):
        caller.leave_out("SASL PLAIN is not offered")
    return caller


def _challenged(caller: Caller) -> Wire:
    wire = caller.secured()
    asked = wire.say("AUTH PLAIN")
    assert (asked.status, asked.text) == ("+", ""), asked
    return wire


def _goes_on(caller: Caller, wire: Wire) -> None:
    """The connection is still one on which somebody can sign in."""
    caller.ready(wire)
    finish(wire)


def test_initial_response(plain: Caller) -> None:
    """AUTH PLAIN takes its response in the same line, in any case of letters (RFC 5034 4)."""
    for line in (f"AUTH PLAIN {plain.plain()}", f"auth plain {plain.plain()}"):
        wire = plain.secured()
        assert wire.say(line).ok
        totals(wire)
        finish(wire)


def test_challenge(plain: Caller) -> None:
    """An empty challenge is a plus and a space; its answer signs in (RFC 5034 4)."""
    wire = _challenged(plain)
    assert wire.say(plain.plain()).ok
    totals(wire)
    finish(wire)


def test_acting_as_oneself(plain: Caller) -> None:
    """The name that one acts as may be one's own (RFC 4616 2)."""
    wire = plain.secured()
    assert wire.say(f"AUTH PLAIN {plain.plain(acting_as=plain.target.user)}").ok


def test_acting_as_somebody_else(plain: Caller) -> None:
    """Nobody acts as somebody else without the right to (RFC 4616 2)."""
    wire = plain.secured()
    assert not wire.say(f"AUTH PLAIN {plain.plain(acting_as='somebody-else')}").ok
    _goes_on(plain, wire)


def test_cancelled(plain: Caller) -> None:
    """A star cancels, and is an error; then one may sign in otherwise (RFC 5034 4)."""
    wire = _challenged(plain)
    assert wire.say("*").status == "-ERR"
    _goes_on(plain, wire)


@pytest.mark.parametrize("response", ["!!!!", "AGEAYg", "AGEA=Yg=", "AGE AYg==", "é", "====", "A"])
def test_no_base64(plain: Caller, response: str) -> None:
    """What is no base64 is an error, as initial response and as answer (RFC 5034 4)."""
    wire = plain.secured()
    assert wire.say(f"AUTH PLAIN {response}").status == "-ERR"
    wire = _challenged(plain)
    assert wire.say(response).status == "-ERR"
    _goes_on(plain, wire)


@pytest.mark.parametrize(
    "message", [b"", b"\0", b"\0\0", b"a", b"a\0b", b"\0a\0", b"\0\0b", b"\0a\0b\0c", b"\xff\0a\0b"]
)
def test_no_message_of_plain(plain: Caller, message: bytes) -> None:
    """What is no message of PLAIN is an error (RFC 4616 2)."""
    coded = base64.b64encode(message).decode()
    wire = plain.secured()
    assert wire.say(f"AUTH PLAIN {coded or '='}").status == "-ERR"
    wire = _challenged(plain)
    assert wire.say(coded).status == "-ERR"
    _goes_on(plain, wire)


def test_wrong_password(plain: Caller) -> None:
    """A wrong password is an error, with the code AUTH where that is offered; the right one is taken (RFC 5034 4)."""
    wire = plain.secured()
    reply = wire.say(f"AUTH PLAIN {plain.plain('wrong')}")
    assert reply.status == "-ERR"
    if "AUTH-RESP-CODE" in plain.offered:
        assert reply.code == "AUTH"
    assert wire.say(f"AUTH PLAIN {plain.plain()}").ok


def test_long_response(plain: Caller) -> None:
    """A response may be longer than a command (RFC 5034 4)."""
    wire = _challenged(plain)
    reply = wire.say(plain.plain("wrong" * 160))
    assert reply.status == "-ERR"
    _goes_on(plain, wire)


@pytest.mark.parametrize("mechanism", ["X-NO-SUCH", "GSSAPI", "PLAI", "PLAINX", "CRAM-MD5-X", "-"])
def test_unknown_mechanism(plain: Caller, mechanism: str) -> None:
    """A mechanism that is not offered is an error (RFC 5034 4)."""
    if mechanism in plain.offered["SASL"].split(" "):
        plain.leave_out(f"{mechanism} is offered")
    wire = plain.secured()
    assert wire.say(f"AUTH {mechanism}").status == "-ERR"
    _goes_on(plain, wire)


def test_commands_are_no_answers(plain: Caller) -> None:
    """After a challenge a line is an answer and not a command (RFC 5034 4)."""
    wire = _challenged(plain)
    assert wire.say("CAPA").status == "-ERR"
    _goes_on(plain, wire)
