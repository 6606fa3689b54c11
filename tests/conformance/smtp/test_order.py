"""The order of commands: what comes too early or twice is refused, and what was begun goes on."""

import pytest

from tests.conformance.smtp.caller import Caller, finish

_OUT_OF_ORDER = (503, 530)


@pytest.mark.parametrize("line", ["MAIL FROM:<{A}>", "RCPT TO:<{B}>", "DATA"])
def test_before_ehlo(caller: Caller, line: str) -> None:
    """Nothing is sent before EHLO (RFC 5321 4.1.4)."""
    reply = caller.secured().say(caller.fill(line))
    caller.promise(reply.code in _OUT_OF_ORDER, f"{line[:4]} before EHLO is answered {reply.code}")
    assert line.startswith("MAIL") or reply.code in (*_OUT_OF_ORDER, 554)


@pytest.mark.parametrize(
    "line", ["NOOP", "RSET", "HELP", "VRFY x", "EHLO client.example", "QUIT"], ids=lambda line: line.split()[0]
)
def test_allowed_at_any_time(caller: Caller, line: str) -> None:
    """These commands need no EHLO (RFC 5321 4.1.4)."""
    assert caller.secured().say(line).code in (211, 214, 221, 250, 252, 500, 502, 550, 553, 554)


def test_rcpt_before_mail(caller: Caller) -> None:
    """A recipient needs a sender (RFC 5321 4.1.4)."""
    wire = caller.ready()
    assert wire.say(caller.rcpt).code == 503
    finish(wire)


def test_data_before_mail(caller: Caller) -> None:
    """A message needs a sender (RFC 5321 4.1.4)."""
    wire = caller.ready()
    assert wire.say("DATA").code == 503
    finish(wire)


def test_data_before_rcpt(caller: Caller) -> None:
    """A message needs a recipient (RFC 5321 3.3)."""
    wire = caller.in_mail()
    assert wire.say("DATA").code in (503, 554)
    assert wire.say(caller.rcpt).code == 250
    assert wire.say("DATA").code == 354


def test_data_with_refused_recipients_only(caller: Caller) -> None:
    """A recipient that was refused is none (RFC 5321 3.3)."""
    wire = caller.in_mail()
    assert 400 <= wire.say(f"RCPT TO:<{caller.target.refused}>").code < 600
    assert wire.say("DATA").code in (503, 554)
    finish(wire)


def test_second_mail(caller: Caller) -> None:
    """A message that is begun is not begun again; the first goes on (RFC 5321 4.1.4)."""
    wire = caller.in_mail()
    assert wire.say(caller.mail).code == 503
    assert wire.say(caller.rcpt).code == 250
    assert wire.say("DATA").code == 354


@pytest.mark.parametrize("line", ["RSET", "EHLO client.example", "HELO client.example"])
def test_what_forgets(caller: Caller, line: str) -> None:
    """RSET and a new greeting forget sender and recipients; a new message may begin (RFC 5321 4.1.1.5, 4.1.4)."""
    wire = caller.addressed()
    assert wire.say(line).code == 250
    assert wire.say("DATA").code == 503
    assert wire.say(caller.rcpt).code == 503
    assert wire.say(caller.mail).code == 250
    finish(wire)


@pytest.mark.parametrize("line", ["NOOP", "VRFY x", "EXPN x", "HELP", "XYZZY", "MAIL", "RCPT TO:<"])
def test_what_does_not_forget(caller: Caller, line: str) -> None:
    """Questions and mistakes in the middle of a message leave it as it is (RFC 5321 4.1.1.6 to 4.1.1.9)."""
    wire = caller.addressed()
    wire.say(line)
    assert wire.say("DATA").code == 354
    wire.send(caller.target.message() + b".\r\n")
    assert wire.reply().code == 250
    finish(wire)


def test_one_message_after_another(caller: Caller) -> None:
    """After a message the next begins with MAIL, not with the recipients of the one before (RFC 5321 3.3)."""
    wire = caller.ready()
    for _ in range(3):
        assert [reply.code for reply in map(wire.say, (caller.mail, caller.rcpt, "DATA"))] == [250, 250, 354]
        wire.send(caller.target.message() + b".\r\n")
        assert wire.reply().code == 250
        assert wire.say(caller.rcpt).code == 503
        assert wire.say("DATA").code == 503
    finish(wire)


def test_sign_in_twice(caller: Caller) -> None:
    """Who is signed in does not sign in again (RFC 4954 4)."""
    caller.needs("AUTH")
    caller.needs_user()
    wire = caller.ready()
    assert wire.say(caller.sign_in()).code == 503
    assert wire.say(caller.mail).code == 250
    finish(wire)


def test_sign_in_in_the_middle(caller: Caller) -> None:
    """Nobody signs in while a message is begun (RFC 4954 4)."""
    caller.needs("AUTH")
    caller.needs_user()
    assert caller.in_mail().say(caller.sign_in()).code == 503


def test_nothing_without_sign_in(caller: Caller) -> None:
    """Where people sign in, nobody sends before (RFC 4954 6, RFC 6409 4.3)."""
    caller.needs_user()
    wire = caller.greeted()
    assert wire.say(caller.mail).code == 530
    assert wire.say(caller.rcpt).code in (503, 530)
    assert wire.say("DATA").code in (503, 530)
    finish(wire)


def test_goodbye(caller: Caller) -> None:
    """QUIT is answered with 221, then the server closes; what follows is not read (RFC 5321 4.1.1.10)."""
    wire = caller.addressed()
    wire.send(b"QUIT\r\nNOOP\r\n")
    assert [reply.code for reply in wire.rest()] == [221]
