"""What a sender may ask about delivery reports (RFC 3461)."""

import pytest

from tests.conformance.smtp.caller import NO_PARAMETER, Caller, finish

pytestmark = pytest.mark.usefixtures("dsn")


@pytest.fixture
def dsn(caller: Caller) -> None:
    """Leave these tests out where delivery reports cannot be asked for."""
    caller.needs("DSN")


@pytest.mark.parametrize(
    "parameters",
    [
        "RET=FULL",
        "RET=HDRS",
        "ret=hdrs",
        "ENVID=QQ314159",
        "ENVID=a+2Bb+3Dc",
        "ENVID=" + "e" * 100,
        "RET=HDRS ENVID=QQ314159",
        "ENVID=QQ314159 RET=FULL SIZE=100",
    ],
)
def test_mail(caller: Caller, parameters: str) -> None:
    """What comes back, and by what name, may be said with MAIL (RFC 3461 4.3, 4.4)."""
    wire = caller.ready()
    reply = wire.say(f"{caller.mail} {parameters}")
    assert reply.code == 250, reply
    finish(wire)


@pytest.mark.parametrize(
    "parameters",
    [
        "RET",
        "RET=",
        "RET=BODY",
        "RET=FULL,HDRS",
        "RET=FULL RET=FULL",
        "ENVID",
        "ENVID=",
        "ENVID=a ENVID=a",
        "NOTIFY=NEVER",
        "ORCPT=rfc822;a@b.example",
    ],
)
def test_bad_mail(caller: Caller, parameters: str) -> None:
    """Other values, values twice, and parameters of RCPT are refused with 501 or 555, and nothing begins (RFC 3461 4.3,
    4.4).
    """
    wire = caller.ready()
    reply = wire.say(f"{caller.mail} {parameters}")
    caller.promise(reply.code in (501, 555), f"MAIL with {parameters} is answered {reply.code}")
    if reply.code != 250:
        assert wire.say(caller.rcpt).code == 503
    finish(wire)


@pytest.mark.parametrize("envid", ["a+ZZ", "a+2", "a+", "a=b", "a+2b", "e" * 101, "\xe9"])
def test_bad_envelope_identifiers(caller: Caller, envid: str) -> None:
    """An envelope identifier is xtext of at most 100 characters: octets below 33 and ``+`` and ``=`` stand as + and two
    capital hexadecimal digits (RFC 3461 4, 4.4).
    """
    reply = caller.ready().say(f"{caller.mail} ENVID={envid}")
    caller.promise(reply.code == 501, f"ENVID={envid[:10]} is answered {reply.code}")


@pytest.mark.parametrize(
    "parameters",
    [
        "NOTIFY=NEVER",
        "NOTIFY=SUCCESS",
        "NOTIFY=FAILURE",
        "NOTIFY=DELAY",
        "NOTIFY=SUCCESS,FAILURE",
        "NOTIFY=FAILURE,DELAY",
        "NOTIFY=DELAY,SUCCESS,FAILURE",
        "notify=never",
        "notify=Success,delay",
        "ORCPT=rfc822;somebody@example.org",
        "ORCPT=RFC822;somebody@example.org",
        "orcpt=rfc822;a+2Bb@example.org",
        "ORCPT=rfc822;" + "a" * 480,
        "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;somebody@example.org",
        "ORCPT=rfc822;somebody@example.org NOTIFY=NEVER",
    ],
)
def test_rcpt(caller: Caller, parameters: str) -> None:
    """When to report, and about whom, may be said with RCPT (RFC 3461 4.1, 4.2)."""
    wire = caller.in_mail()
    reply = wire.say(f"{caller.rcpt} {parameters}")
    assert reply.code == 250, reply
    finish(wire)


@pytest.mark.parametrize(
    "parameters",
    [
        "NOTIFY",
        "NOTIFY=",
        "NOTIFY=MAYBE",
        "NOTIFY=NEVER,SUCCESS",
        "NOTIFY=SUCCESS,NEVER",
        "NOTIFY=NEVER,NEVER",
        "NOTIFY=SUCCESS,",
        "NOTIFY=,SUCCESS",
        "NOTIFY=SUCCESS,,DELAY",
        "NOTIFY=SUCCESS;DELAY",
        "NOTIFY=NEVER NOTIFY=NEVER",
        "ORCPT",
        "ORCPT=",
        "ORCPT=rfc822",
        "ORCPT=;somebody@example.org",
        "ORCPT=rfc822;a+ZZ@example.org",
        "ORCPT=rfc822;a+2@example.org",
        "ORCPT=rfc822;a=b@example.org",
        "ORCPT=rfc822;a@b.example ORCPT=rfc822;a@b.example",
        "RET=FULL",
        "ENVID=a",
    ],
)
def test_bad_rcpt(caller: Caller, parameters: str) -> None:
    """NEVER stands alone, addresses are xtext with a type; all else, values twice, and parameters of MAIL, are refused
    with 501 or 555, and nobody is added (RFC 3461 4.1, 4.2).
    """
    wire = caller.in_mail()
    reply = wire.say(f"{caller.rcpt} {parameters}")
    caller.promise(reply.code in (501, 555), f"RCPT with {parameters} is answered {reply.code}")
    if reply.code != 250:
        assert reply.code in (*NO_PARAMETER, 500)
        assert wire.say("DATA").code in (503, 554)
    finish(wire)


def test_original_recipient_too_long(caller: Caller) -> None:
    """An original recipient is at most 500 characters (RFC 3461 4.2)."""
    reply = caller.in_mail().say(f"{caller.rcpt} ORCPT=rfc822;{'a' * 500}")
    caller.promise(reply.code == 501, f"an ORCPT of 507 characters is answered {reply.code}")


def test_message_with_everything(caller: Caller) -> None:
    """A message that asks for all this is taken like any other (RFC 3461 5)."""
    wire = caller.ready()
    told = f"{caller.rcpt} NOTIFY=NEVER ORCPT=rfc822;somebody@example.org"
    assert [reply.code for reply in wire.group([f"{caller.mail} RET=HDRS ENVID=QQ314159", told, "DATA"])] == [
        250,
        250,
        354,
    ]
    wire.send(caller.target.message() + b".\r\n")
    assert wire.reply().code == 250
    finish(wire)
