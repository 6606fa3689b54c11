"""What is not offered is refused, so that no client relies on what nobody promised (RFC 5321 4.1.1.11, 2.2.1)."""

import pytest

from tests.conformance.smtp.caller import NO_COMMAND, NO_PARAMETER, Caller, finish


@pytest.mark.parametrize(
    ("keyword", "parameter"),
    [
        ("SIZE", "SIZE=1000"),
        ("8BITMIME", "BODY=8BITMIME"),
        ("BINARYMIME", "BODY=BINARYMIME"),
        ("DSN", "RET=HDRS"),
        ("DSN", "ENVID=abc"),
        ("SMTPUTF8", "SMTPUTF8"),
        ("REQUIRETLS", "REQUIRETLS"),
        ("DELIVERBY", "BY=120;R"),
        ("FUTURERELEASE", "HOLDFOR=60"),
        ("MT-PRIORITY", "MT-PRIORITY=3"),
        ("CONPERM", "CONPERM"),
    ],
)
def test_parameters_of_mail(caller: Caller, keyword: str, parameter: str) -> None:
    """A parameter of MAIL whose extension is not offered is refused with 555 and begins nothing."""
    if keyword in caller.offered:
        pytest.skip(f"{keyword} is offered and has tests of its own")
    wire = caller.ready()
    reply = wire.say(f"{caller.mail} {parameter}")
    allowed = (555, 501) if parameter.startswith("BODY=BINARY") else (555,)
    caller.promise(reply.code in allowed, f"{parameter} is not offered, and answered {reply.code}")
    assert reply.code in (250, *NO_PARAMETER)
    finish(wire)


@pytest.mark.parametrize(
    ("keyword", "parameter"),
    [("DSN", "NOTIFY=NEVER"), ("DSN", "ORCPT=rfc822;a@b.example"), ("RRVS", "RRVS=2014-04-03T23:01:00Z")],
)
def test_parameters_of_rcpt(caller: Caller, keyword: str, parameter: str) -> None:
    """A parameter of RCPT whose extension is not offered is refused with 555 and adds nobody."""
    if keyword in caller.offered:
        pytest.skip(f"{keyword} is offered and has tests of its own")
    wire = caller.in_mail()
    reply = wire.say(f"{caller.rcpt} {parameter}")
    caller.promise(reply.code == 555, f"{parameter} is not offered, and answered {reply.code}")
    assert reply.code in (250, *NO_PARAMETER)
    finish(wire)


@pytest.mark.parametrize(
    ("keyword", "line"),
    [
        ("CHUNKING", "BDAT 0 LAST"),
        ("ETRN", "ETRN example.org"),
        ("ATRN", "ATRN"),
        ("BURL", "BURL imap://example.org/a LAST"),
        ("XCLIENT", "XCLIENT NAME=spike.example"),
        ("XFORWARD", "XFORWARD NAME=spike.example"),
    ],
)
def test_commands(caller: Caller, keyword: str, line: str) -> None:
    """A command whose extension is not offered is not known (RFC 5321 4.2.4)."""
    if keyword in caller.offered:
        pytest.skip(f"{keyword} is offered")
    wire = caller.addressed()
    reply = wire.say(line)
    caller.promise(reply.code in NO_COMMAND, f"{keyword} is not offered, and {line[:4]} answered {reply.code}")
    assert 500 <= reply.code < 600, reply
    finish(wire)
