"""TLS: nothing of value goes before it, nothing said before it counts after it (RFC 2595, RFC 8314)."""

import ssl

import pytest

from tests.conformance.pop3.caller import Caller, capabilities, finish
from tests.conformance.pop3.client import Wire
from tests.conformance.target import Security
from tests.conformance.wire import Ended, Malformed


def _clear(caller: Caller) -> Wire:
    """Return a greeted connection that is not inside TLS yet."""
    caller.needs_tls(Security.STARTTLS)
    return caller.met()


def test_stls_is_offered_until_it_is_said(caller: Caller) -> None:
    """STLS stands in the list before TLS and not inside (RFC 2595 4)."""
    assert "STLS" in capabilities(_clear(caller))
    assert "STLS" not in capabilities(caller.secured())


@pytest.mark.parametrize("line", ["USER {U}", "AUTH PLAIN", "AUTH PLAIN AHgAeA==", "UTF8", "LANG en", "NOOP"])
def test_nothing_before_tls(caller: Caller, line: str) -> None:
    """Where TLS is required nothing goes before it but CAPA, STLS and QUIT (RFC 8314 3)."""
    wire = _clear(caller)
    reply = wire.say(line.format(U=caller.target.user))
    caller.promise(reply.status == "-ERR", f"{line.split(' ')[0]} is taken before TLS")


def test_passwords_are_not_asked_for_in_the_clear(caller: Caller) -> None:
    """Neither USER nor SASL PLAIN is offered before TLS (RFC 2595 2.5, RFC 8314 3)."""
    offered = capabilities(_clear(caller))
    caller.promise("USER" not in offered, "USER is offered before TLS")
    caller.promise("PLAIN" not in offered.get("SASL", "").split(" "), "SASL PLAIN is offered before TLS")


def test_everything_before_tls_is_forgotten(caller: Caller) -> None:
    """A USER that was said before TLS does not count inside it (RFC 2595 4)."""
    wire = _clear(caller)
    wire.say(f"USER {caller.target.user}")
    assert wire.say("STLS").ok
    wire.secure(caller.target.context(), caller.target.host)
    assert not wire.say(f"PASS {caller.target.password}").ok
    finish(caller.ready(wire))


@pytest.mark.parametrize("injected", [b"NOOP\r\n", b"CAPA\r\n", b"USER x\r\nPASS y\r\n", b"X"])
def test_injection(caller: Caller, injected: bytes) -> None:
    """Octets behind STLS in the same write are never a command inside TLS: the server closes, or forgets them
    (RFC 2595 4).
    """
    wire = _clear(caller)
    wire.send(b"STLS\r\n" + injected)
    try:
        wire.reply()
        wire.secure(caller.target.context(), caller.target.host)
    except (OSError, Malformed, Ended):
        return
    caller.promise(False, "octets behind STLS do not end the connection")
    wire.send(b"CAPA\r\n")
    first = wire.reply()
    assert first.ok, "the first reply inside TLS is not that to CAPA"
    wire.block()
    wire.send(b"QUIT\r\n")
    assert len(wire.rest()) == 1, "something that was said before TLS is answered inside it"


def test_stls_with_words(caller: Caller) -> None:
    """STLS has no arguments (RFC 2595 4)."""
    wire = _clear(caller)
    reply = wire.say("STLS now")
    caller.promise(not reply.ok, "STLS with an argument is taken")


def test_stls_inside_tls(caller: Caller) -> None:
    """TLS is begun once, before signing in (RFC 2595 4)."""
    caller.needs_tls(Security.STARTTLS, Security.IMPLICIT)
    wire = caller.secured()
    assert not wire.say("STLS").ok
    caller.ready(wire)
    assert not wire.say("STLS").ok
    finish(wire)


def test_clear_text_where_tls_is_implicit(caller: Caller) -> None:
    """A client that speaks in the clear hears no POP3 (RFC 8314 3.3)."""
    caller.needs_tls(Security.IMPLICIT)
    wire = caller.wire()
    wire.send(b"CAPA\r\n" * 5)
    try:
        assert wire.rest() == []
    except Malformed:
        return  # A TLS alert.


def test_certificate(caller: Caller) -> None:
    """The certificate is one that a client can verify for the name it called (RFC 8314 3.3, RFC 7817)."""
    caller.needs_tls(Security.STARTTLS, Security.IMPLICIT)
    assert caller.target.context().verify_mode is ssl.CERT_REQUIRED
    wire = caller.secured()
    assert wire.encrypted
    finish(wire)
