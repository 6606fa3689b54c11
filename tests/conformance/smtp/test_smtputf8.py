"""Addresses and headers in every script (RFC 6531)."""

import pytest

from tests.conformance.smtp.caller import Caller, finish

_REFUSED = (500, 501, 550, 551, 553, 554)


def test_not_without_asking(caller: Caller) -> None:
    """An address outside ASCII is refused where the sender did not say SMTPUTF8 (RFC 6531 3.3)."""
    wire = caller.in_mail()
    domain = caller.target.recipient.partition("@")[2]
    for path in (f"siân@{domain}", "sian@exämple.org"):
        reply = wire.say(f"RCPT TO:<{path}>")
        caller.promise(
            reply.code in (*_REFUSED, 555), f"an address outside ASCII is answered {reply.code} without asking"
        )
        assert all(line.isascii() for line in reply.lines), "who does not know SMTPUTF8 gets ASCII (RFC 6531 3.7.4.1)"
    assert wire.say(caller.rcpt).code == 250
    finish(wire)


def test_sender_without_asking(caller: Caller) -> None:
    """So is a sender (RFC 6531 3.3)."""
    wire = caller.ready()
    reply = wire.say("MAIL FROM:<siân@exämple.org>")
    caller.promise(reply.code in (*_REFUSED, 555), f"a sender outside ASCII is answered {reply.code} without asking")
    finish(wire)


def test_offered_with_eight_bits(caller: Caller) -> None:
    """SMTPUTF8 has no parameters and comes with 8BITMIME (RFC 6531 3.1, 3.6)."""
    assert caller.needs("SMTPUTF8") == ""
    assert "8BITMIME" in caller.offered


@pytest.mark.parametrize("parameters", ["SMTPUTF8", "smtputf8", "BODY=8BITMIME SMTPUTF8", "SMTPUTF8 SIZE=100"])
def test_mail(caller: Caller, parameters: str) -> None:
    """A sender may say that the message needs it (RFC 6531 3.4)."""
    caller.needs("SMTPUTF8")
    wire = caller.ready()
    assert wire.say(f"{caller.mail} {parameters}").code == 250
    assert wire.say(caller.rcpt).code == 250
    finish(wire)


@pytest.mark.parametrize("parameters", ["SMTPUTF8=YES", "SMTPUTF8=", "SMTPUTF8 SMTPUTF8"])
def test_bad_mail(caller: Caller, parameters: str) -> None:
    """SMTPUTF8 takes no value and stands once (RFC 6531 3.4)."""
    caller.needs("SMTPUTF8")
    reply = caller.ready().say(f"{caller.mail} {parameters}")
    caller.promise(reply.code == 501, f"{parameters} is answered {reply.code}")


def test_not_with_rcpt(caller: Caller) -> None:
    """SMTPUTF8 is no parameter of RCPT (RFC 6531 3.4)."""
    caller.needs("SMTPUTF8")
    assert caller.in_mail().say(f"{caller.rcpt} SMTPUTF8").code in (501, 555)


@pytest.mark.parametrize("local", ["siân", "用户", "пользователь"])
def test_recipients_are_understood(caller: Caller, local: str) -> None:
    """An address in any script is looked up, and refused only for being nobody's (RFC 6531 3.3)."""
    caller.needs("SMTPUTF8")
    wire = caller.ready()
    wire.say(f"{caller.mail} SMTPUTF8")
    reply = wire.say(f"RCPT TO:<{local}@{caller.target.recipient.partition('@')[2]}>")
    assert reply.code in (250, 450, 550, 551, 553, 554), reply
    assert wire.say(caller.rcpt).code == 250
    finish(wire)


@pytest.mark.parametrize("octets", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf"], ids=repr)
def test_bad_utf8(caller: Caller, octets: bytes) -> None:
    """What is no UTF-8 is no address (RFC 6531 3.3, RFC 3629)."""
    caller.needs("SMTPUTF8")
    wire = caller.ready()
    wire.say(f"{caller.mail} SMTPUTF8")
    domain = caller.target.recipient.partition("@")[2].encode()
    reply = wire.say(b"RCPT TO:<a" + octets + b"@" + domain + b">")
    assert reply.code in _REFUSED, reply
    assert wire.say(caller.rcpt).code == 250
    finish(wire)


def test_header(caller: Caller) -> None:
    """A header in UTF-8 is taken and arrives as it was (RFC 6531 3.4, RFC 6532 3.2)."""
    caller.needs("SMTPUTF8")
    wire, number = caller.ready(), caller.number()
    wire.group([f"{caller.mail} BODY=8BITMIME SMTPUTF8", caller.rcpt])
    assert wire.say("DATA").code == 354
    field = "Comments: Llanfairpwll, Siân ac Óisín".encode()
    wire.send(caller.target.message(b"text\r\n", field, number=number) + b".\r\n")
    reply = wire.reply()
    assert reply.code == 250, reply
    finish(wire)
    assert field in caller.arrived(number)[number]


def test_vrfy(caller: Caller) -> None:
    """VRFY takes it too (RFC 6531 3.7.4.2)."""
    caller.needs("SMTPUTF8")
    assert caller.ready().say("VRFY siân SMTPUTF8").code in (250, 251, 252, 450, 502, 550, 553, 554)
