"""TLS: nothing of value goes before it, nothing said before it counts after it."""

import ssl

import pytest

from tests.conformance.smtp.caller import Caller, finish, offered_by
from tests.conformance.smtp.client import Wire
from tests.conformance.target import Security
from tests.conformance.wire import Ended, Malformed


def _plain(caller: Caller) -> Wire:
    """Return a greeted connection that is not inside TLS yet."""
    caller.needs_tls(Security.STARTTLS)
    wire = caller.met()
    assert wire.say("EHLO client.example").code == 250
    return wire


def test_starttls_is_offered_until_it_is_said(caller: Caller) -> None:
    """STARTTLS stands in the list before TLS and not inside (RFC 3207 4, 4.2)."""
    wire = _plain(caller)
    assert "STARTTLS" in offered_by(wire.say("EHLO client.example"))
    assert "STARTTLS" not in offered_by(caller.secured().say("EHLO client.example"))


def test_passwords_are_not_asked_for_in_the_clear(caller: Caller) -> None:
    """AUTH is neither offered nor taken before TLS (RFC 4954 4, 6)."""
    wire = _plain(caller)
    caller.promise("AUTH" not in offered_by(wire.say("EHLO client.example")), "AUTH is offered before TLS")
    reply = wire.say("AUTH PLAIN AG5vYm9keQB3cm9uZw==")
    assert reply.code in (500, 502, 503, 504, 530, 535, 538), reply
    caller.promise(reply.code in (530, 538), f"AUTH before TLS is answered {reply.code}")


@pytest.mark.parametrize("line", ["MAIL FROM:<{A}>", "RCPT TO:<{B}>", "DATA", "RSET", "VRFY x", "HELP"])
def test_nothing_before_tls(caller: Caller, line: str) -> None:
    """Where TLS is required, only EHLO, NOOP, QUIT and STARTTLS go before it (RFC 3207 4)."""
    wire = _plain(caller)
    assert wire.say("NOOP").code == 250
    reply = wire.say(caller.fill(line))
    caller.promise(reply.code == 530, f"{line[:4]} before TLS is answered {reply.code}")
    if reply.code != 354:
        finish(wire)


def test_everything_before_tls_is_forgotten(caller: Caller) -> None:
    """Inside TLS the client has not greeted and has begun nothing (RFC 3207 4.2)."""
    wire = _plain(caller)
    wire.say(caller.mail)
    assert wire.say("STARTTLS").code == 220
    wire.secure(caller.target.context(), caller.target.host)
    assert wire.say(caller.rcpt).code in (503, 530)
    reply = wire.say(caller.mail)
    caller.promise(reply.code in (503, 530), f"inside TLS, MAIL before EHLO is answered {reply.code}")
    wire.say("RSET")
    assert wire.say("EHLO client.example").code == 250
    finish(wire)


@pytest.mark.parametrize("injected", [b"NOOP\r\n", b"EHLO evil.example\r\nRSET\r\n", b"X"])
def test_injection(caller: Caller, injected: bytes) -> None:
    """Commands in the same write behind STARTTLS are never carried out inside TLS: the server closes, or forgets them
    (RFC 3207 4.2, 6).
    """
    wire = _plain(caller)
    wire.send(b"STARTTLS\r\n" + injected)
    try:
        assert wire.reply().code in (220, 421, 501, 503, 554)
        wire.secure(caller.target.context(), caller.target.host)
    except (OSError, Malformed, Ended):
        return
    caller.promise(False, "octets behind STARTTLS do not end the connection")
    reply = wire.say("EHLO client.example")
    assert len(reply.lines) > 1, "the first reply inside TLS is not that to EHLO"
    finish(wire)


def test_starttls_with_words(caller: Caller) -> None:
    """STARTTLS has no arguments (RFC 3207 4)."""
    wire = _plain(caller)
    assert wire.say("STARTTLS now").code in (500, 501)
    assert wire.say("starttls ").code == 220
    wire.secure(caller.target.context(), caller.target.host)
    assert wire.say("EHLO client.example").code == 250
    finish(wire)


def test_starttls_inside_tls(caller: Caller) -> None:
    """TLS is begun once (RFC 3207 4.2)."""
    caller.needs_tls(Security.STARTTLS, Security.IMPLICIT)
    wire = caller.greeted()
    assert wire.say("STARTTLS").code in (454, 500, 502, 503, 554)
    finish(wire)


def test_starttls_in_the_middle_of_nothing(caller: Caller) -> None:
    """A client that says STARTTLS and goes on in the clear gets no answer to that (RFC 3207 4.1)."""
    wire = _plain(caller)
    assert wire.say("STARTTLS").code == 220
    wire.send(b"NOOP\r\nEHLO client.example\r\n" + b"MAIL FROM:<a@b.example>\r\n" * 20)
    try:
        codes = [reply.code for reply in wire.rest()]
    except Malformed:
        return  # A TLS alert, or half of one, is no reply; nothing was carried out.
    assert set(codes) <= {421, 454, 554}, codes


def test_clear_text_where_tls_is_implicit(caller: Caller) -> None:
    """A client that speaks in the clear hears no SMTP (RFC 8314 3.3)."""
    caller.needs_tls(Security.IMPLICIT)
    wire = caller.wire()
    wire.send(b"EHLO client.example\r\n" * 5)
    try:
        assert wire.rest() == []
    except Malformed:
        return  # A TLS alert.


def test_certificate(caller: Caller) -> None:
    """The certificate is one that a client can verify for the name it called (RFC 8314 3.3, RFC 7817)."""
    caller.needs_tls(Security.STARTTLS, Security.IMPLICIT)
    assert caller.target.context().verify_mode is ssl.CERT_REQUIRED
    wire = caller.greeted()
    assert wire.encrypted
    finish(wire)
