"""The form of each command: what is right is understood however it is written, what is wrong is refused by its code."""

import base64

import pytest

from tests.conformance.smtp.caller import NO_COMMAND, SYNTAX, Caller, finish
from tests.conformance.wire import Ended

_REFUSALS = (*SYNTAX, 551, 554)


@pytest.mark.parametrize(
    "line",
    [
        "EHLO client.example",
        "ehlo client.example",
        "eHlO client.example",
        "EHLO client.example ",
        "EHLO [127.0.0.1]",
        "EHLO [IPv6:::1]",
        "EHLO xn--bcher-kva.example",
        "EHLO " + "a" * 60 + ".example",
        "HELO client.example",
        "helo client.example",
    ],
)
def test_greetings(caller: Caller, line: str) -> None:
    """A client may name itself by domain or address, in either case, with a space behind (RFC 5321 4.1.1.1)."""
    wire = caller.secured()
    reply = wire.say(line)
    assert reply.code == 250
    if line[:4].upper() == "HELO":
        assert len(reply.lines) == 1, "HELO lists no extensions"
    finish(wire)


@pytest.mark.parametrize("line", ["EHLO", "EHLO ", "HELO", "HELO ", "EHLO  "])
def test_greetings_without_a_name(caller: Caller, line: str) -> None:
    """A client that does not say who it is gets 501, and may say it again (RFC 5321 4.1.1.1, 4.3.2)."""
    wire = caller.secured()
    assert wire.say(line).code in (501, 504, 550)
    assert wire.say("EHLO client.example").code == 250
    finish(wire)


def test_list_of_extensions(caller: Caller) -> None:
    """The reply to EHLO begins with the server's name and lists each extension once, as the grammar has it (RFC 5321
    4.1.1.1).
    """
    reply = caller.secured().say("EHLO client.example")
    assert "." in reply.lines[0].split(" ")[0] or reply.lines[0].startswith("localhost")
    keywords = [line.split(" ")[0].upper() for line in reply.lines[1:]]
    assert len(keywords) == len(set(keywords)), keywords
    for line in reply.lines[1:]:
        keyword, *parameters = line.split(" ")
        assert keyword.replace("-", "a").isalnum(), line
        assert keyword.isascii(), line
        assert all(parameter and parameter.isprintable() for parameter in parameters), line


@pytest.mark.parametrize(
    "line",
    [
        "MAIL FROM:<{A}>",
        "mail from:<{A}>",
        "Mail From:<{A}>",
        "MAIL FROM:<{A}> ",
        "MAIL FROM:<{A}>  ",
    ],
)
def test_senders(caller: Caller, line: str) -> None:
    """The sender is understood in either case, with spaces behind (RFC 5321 4.1.1.2, 4.1.1)."""
    wire = caller.ready()
    assert wire.say(caller.fill(line)).code == 250
    finish(wire)


@pytest.mark.parametrize(
    ("keyword", "parameter"),
    [
        ("SIZE", "SIZE=1000"),
        ("SIZE", "size=1000"),
        ("SIZE", "SIZE=0"),
        ("8BITMIME", "BODY=8BITMIME"),
        ("8BITMIME", "BODY=7BIT"),
        ("8BITMIME", "body=8bitmime"),
        ("8BITMIME", "BODY=8BITMIME SIZE=1000"),
        ("AUTH", "AUTH=<>"),
        ("AUTH", "AUTH=somebody+40example.org"),
    ],
)
def test_parameters_of_mail(caller: Caller, keyword: str, parameter: str) -> None:
    """Parameters of extensions that are offered are taken, in either case (RFC 1870 6, RFC 6152 3, RFC 4954 5)."""
    caller.needs(keyword)
    wire = caller.ready()
    reply = wire.say(f"{caller.mail} {parameter}")
    assert reply.code == 250, reply
    finish(wire)


@pytest.mark.parametrize(
    ("line", "promised"),
    [
        ("MAIL", 501),
        ("MAIL ", 501),
        ("MAIL FROM", 501),
        ("MAIL FROM:", 501),
        ("MAIL <{A}>", 501),
        ("MAIL TO:<{A}>", 501),
        ("MAIL FROM:<{A}", 501),
        ("MAIL FROM:<{A}>x", 501),
        ("MAIL FROM:<{A}><{A}>", 501),
        ("MAIL FROM:<{A}> X-UNKNOWN", 555),
        ("MAIL FROM:<{A}> X-UNKNOWN=1", 555),
        ("MAIL FROM:<{A}> SIZE=1 X-UNKNOWN=1", 555),
        ("MAIL FROM:<{A}> =1", 501),
        ("MAIL FROM:<{A}> SIZE=abc", 501),
        ("MAIL FROM:<{A}> SIZE=-1", 501),
        ("MAIL FROM:<{A}> SIZE=" + "1" * 21, 501),
        ("MAIL FROM:<{A}> BODY=9BIT", 501),
    ],
)
def test_bad_mail(caller: Caller, line: str, promised: int) -> None:
    """A wrong MAIL is refused and begins nothing: 501 for its form, 555 for a parameter that is not known (RFC 5321
    4.1.1.2, 4.1.1.11).
    """
    wire = caller.ready()
    reply = wire.say(caller.fill(line))
    caller.answers(reply, (*SYNTAX, 552), promised, line[:60])
    assert wire.say(caller.rcpt).code == 503
    finish(wire)


@pytest.mark.parametrize(
    ("line", "promised"),
    [
        ("MAIL FROM:{A}", 501),
        ("MAIL FROM:<{A}> SIZE", 501),
        ("MAIL FROM:<{A}> SIZE=", 501),
        ("MAIL FROM:<{A}> BODY", 501),
        ("MAIL FROM:<{A}> BODY=", 501),
        ("MAIL FROM:<{A}> SIZE=1 SIZE=1", 501),
        ("MAIL FROM:<{A}> BODY=7BIT BODY=7BIT", 501),
        ("RCPT TO:{B}", 501),
        ("DATA now", 501),
        ("RSET now", 501),
        ("QUIT now", 501),
        ("EHLO", 501),
    ],
)
def test_what_others_let_pass(caller: Caller, line: str, promised: int) -> None:
    """What the grammar does not have is refused, though some servers understand it (RFC 5321 4.1.1)."""
    wire = caller.addressed() if line.startswith("DATA") else caller.ready()
    if line.startswith("RCPT"):
        assert wire.say(caller.mail).code == 250
    reply = wire.say(caller.fill(line))
    caller.promise(reply.code == promised, f"{line[:40]} is answered {reply.code}, not {promised}")


@pytest.mark.parametrize("line", ["RCPT TO:<{B}>", "rcpt to:<{B}>", "Rcpt To:<{B}>", "RCPT TO:<{B}> "])
def test_recipients(caller: Caller, line: str) -> None:
    """A recipient is understood in either case, with a space behind (RFC 5321 4.1.1.3)."""
    wire = caller.in_mail()
    assert wire.say(caller.fill(line)).code == 250
    finish(wire)


def test_case_of_domains(caller: Caller) -> None:
    """A domain is the same in capital letters (RFC 5321 2.3.5)."""
    local, _, domain = caller.target.recipient.partition("@")
    assert caller.in_mail().say(f"RCPT TO:<{local}@{domain.upper()}>").code == 250


def test_postmaster(caller: Caller) -> None:
    """Whoever answers for the server is reached without a domain, in either case (RFC 5321 4.5.1, 4.1.1.3)."""
    wire = caller.in_mail()
    for path in ("Postmaster", "postmaster"):
        reply = wire.say(f"RCPT TO:<{path}>")
        assert reply.code == 250, reply
    finish(wire)


def test_quoted_local_part(caller: Caller) -> None:
    """An address with its local part in quotation marks means the same person, or is declined (RFC 5321 4.1.2)."""
    local, _, domain = caller.target.recipient.partition("@")
    wire = caller.in_mail()
    assert wire.say(f'RCPT TO:<"{local}"@{domain}>').code in (250, 550, 553)
    assert wire.say(caller.rcpt).code == 250
    finish(wire)


def test_refused_recipient(caller: Caller) -> None:
    """Whoever is not here is refused as such; the next recipient is asked anew (RFC 5321 4.2.3)."""
    wire = caller.in_mail()
    reply = wire.say(f"RCPT TO:<{caller.target.refused}>")
    assert reply.code in (450, 451, 454, 550, 551, 553, 554), reply
    assert wire.say(caller.rcpt).code == 250
    finish(wire)


@pytest.mark.parametrize(
    "path",
    ['"no body"@{D}', '"a>b"@{D}', '"a\\"b"@{D}', "a" * 64 + "@{D}", "a@[127.0.0.1]", "a@" + "d" * 63 + ".example"],
)
def test_unusual_addresses(caller: Caller, path: str) -> None:
    """An unusual address is read as one, and refused for nobody being there (RFC 5321 4.1.2, 4.5.3.1)."""
    wire = caller.in_mail()
    reply = wire.say(f"RCPT TO:<{path.replace('{D}', caller.target.recipient.partition('@')[2])}>")
    assert reply.code in (250, 450, 451, 454, 550, 551, 553, 554), reply
    caller.promise(reply.code != 250, f"the address {path[:12]} is taken")
    assert wire.say(caller.rcpt).code == 250
    finish(wire)


@pytest.mark.parametrize(
    ("line", "promised"),
    [
        ("RCPT", 501),
        ("RCPT ", 501),
        ("RCPT TO", 501),
        ("RCPT TO:", 501),
        ("RCPT TO:<>", None),
        ("RCPT <{B}>", 501),
        ("RCPT FROM:<{B}>", 501),
        ("RCPT TO:<{B}", 501),
        ("RCPT TO:<{B}>x", 501),
        ("RCPT TO:<{B}><{B}>", 501),
        ("RCPT TO:<{B}> X-UNKNOWN", 555),
        ("RCPT TO:<{B}> X-UNKNOWN=1", 555),
        ("RCPT TO:<{B}> SIZE=1", 555),
        ("RCPT TO:<@>", None),
        ("RCPT TO:<a@b@{B}>", None),
    ],
)
def test_bad_rcpt(caller: Caller, line: str, promised: int | None) -> None:
    """A wrong RCPT is refused and adds nobody; the message goes on with the next (RFC 5321 4.1.1.3)."""
    wire = caller.in_mail()
    caller.answers(wire.say(caller.fill(line)), _REFUSALS, promised, line)
    assert wire.say("DATA").code in (503, 554)
    assert wire.say(caller.rcpt).code == 250
    finish(wire)


def test_source_route(caller: Caller) -> None:
    """An old-fashioned route is taken off, or declined; it is never misunderstood (RFC 5321 C)."""
    wire = caller.in_mail()
    reply = wire.say(f"RCPT TO:<@a.example,@b.example:{caller.target.recipient}>")
    assert reply.code in (250, 501, 550, 551, 553, 554), reply
    assert wire.say(caller.rcpt).code == 250
    finish(wire)


@pytest.mark.parametrize("command", ["RSET", "NOOP", "QUIT", "DATA"])
def test_case_and_space_of_bare_commands(caller: Caller, command: str) -> None:
    """Commands without arguments are understood in either case, with a space behind (RFC 5321 4.1.1, 2.4)."""
    expected = {"QUIT": 221, "DATA": 354}.get(command, 250)
    for line in (command, command.lower(), command.capitalize(), f"{command} "):
        wire = caller.addressed() if command == "DATA" else caller.ready()
        assert wire.say(line).code == expected, line
        wire.close()


def test_noop_with_words(caller: Caller) -> None:
    """NOOP may say something, which does not matter (RFC 5321 4.1.1.9)."""
    wire = caller.ready()
    assert wire.say("NOOP is anybody there").code == 250
    finish(wire)


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("VRFY nobody.whatever", (250, 251, 252, 450, 500, 502, 550, 553, 554)),
        ("vrfy nobody.whatever", (250, 251, 252, 450, 500, 502, 550, 553, 554)),
        ("EXPN everybody", (250, 252, 500, 502, 550, 554)),
        ("HELP", (211, 214, 500, 502)),
        ("HELP MAIL", (211, 214, 500, 502, 504)),
    ],
)
def test_questions(caller: Caller, line: str, allowed: tuple[int, ...]) -> None:
    """Questions about people and commands are answered or declined (RFC 5321 3.5, 4.1.1.6 to 4.1.1.8)."""
    wire = caller.ready()
    assert wire.say(line).code in allowed
    finish(wire)


def test_nobody_is_named(caller: Caller) -> None:
    """VRFY tells nobody who has a mailbox here (RFC 5321 7.3)."""
    wire = caller.ready()
    real, unreal = (wire.say(f"VRFY {address}") for address in (caller.target.recipient, caller.target.refused))
    caller.promise(
        (real.code, real.lines) == (unreal.code, unreal.lines) == (252, real.lines), "VRFY tells who is here"
    )


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b" NOOP",
        b"HELOX",
        b"NOOPS",
        b"EHLOclient.example",
        b"MAILFROM:<a@b.example>",
        b"XYZZY",
        b"SEND FROM:<a@b.example>",
        b"TURN",
        b".",
        b"\xff\xfe\xfd",
        b"\xc3\xa9hlo client.example",
        b"\x01\x02\x03",
    ],
)
def test_unknown_commands(caller: Caller, line: bytes) -> None:
    """What is no command is refused, and the next command is heard (RFC 5321 4.2.4, 4.1.1)."""
    wire = caller.ready()
    reply = wire.say(line)
    caller.promise(reply.code == 500, f"{line!r} is answered {reply.code}, not 500")
    assert reply.code in (*NO_COMMAND, 501, 221, 421) or not line.strip().startswith(b"X"), reply
    if reply.code not in (221, 421, 521):
        assert wire.say("NOOP").code == 250
        finish(wire)


def test_sign_in_forms(caller: Caller) -> None:
    """AUTH names a mechanism that is offered and carries base64; anything else is refused by its code (RFC 4954 4)."""
    caller.needs("AUTH")
    for line, allowed in (
        ("AUTH", (501,)),
        ("AUTH ", (501,)),
        ("AUTH X-UNKNOWN", (504,)),
        ("AUTH PLAIN not-base64!", (501,)),
        ("AUTH PLAIN AGE= more", (501,)),
    ):
        wire = caller.greeted()
        reply = wire.say(line)
        assert reply.code in (*allowed, 535), f"{line}: {reply}"
        assert wire.say("NOOP").code == 250
        finish(wire)


def test_sign_in_given_up(caller: Caller) -> None:
    """A star ends an exchange that was begun; another may follow (RFC 4954 4)."""
    caller.needs("AUTH")
    wire = caller.greeted()
    assert wire.say("auth plain").code == 334
    assert wire.say("*").code == 501
    assert wire.say("AUTH PLAIN").code == 334
    if caller.target.user:
        assert wire.say(caller.sign_in().split()[2]).code == 235
        finish(wire)


def test_sign_in_with_a_wrong_password(caller: Caller) -> None:
    """It is refused with 535, and one may try again (RFC 4954 4, 6)."""
    caller.needs("AUTH")
    caller.needs_user()
    wire = caller.greeted()
    assert wire.say("AUTH PLAIN " + base64.b64encode(b"\0nobody.conformance\0wrong").decode()).code == 535
    assert wire.say(caller.sign_in()).code == 235
    finish(wire)


# Lengths


def test_longest_command(caller: Caller) -> None:
    """A line of 512 octets with its CRLF is understood (RFC 5321 4.5.3.1.4)."""
    wire = caller.ready()
    assert wire.say("NOOP " + "x" * 505).code == 250
    finish(wire)


@pytest.mark.parametrize("octets", [513, 2_048, 2_049, 12_289, 40_000])
def test_command_too_long(caller: Caller, octets: int) -> None:
    """A longer line is one command too, refused or understood: never the beginning of another (RFC 5321 4.5.3.1.4,
    4.5.3.1.10).
    """
    wire = caller.ready()
    line = b"NOOP " + b"NOOP " * (octets // 5)
    wire.send(line[: octets - 2] + b"\r\nVRFY x\r\nQUIT\r\n")
    replies = wire.rest()
    assert replies[0].code in (250, 421, 500, 501), replies[0]
    assert replies[0].code == 421 or [reply.code for reply in replies[1:]][-1] == 221
    assert len(replies) <= 3, replies
    caller.promise(replies[0].code == 500, "a command line over its limit is not refused with 500")


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
def test_longest_parameters(caller: Caller, command: str) -> None:
    """MAIL and RCPT have room for their parameters: 2,048 octets are read, more are refused as too long (RFC 5321
    4.5.3.1.4 and the sums of the extensions; RFC 4954 4 alone asks for 500 more).
    """
    for octets, promised in ((2_048, 555), (2_049, 500)):
        wire = caller.ready() if command == "MAIL" else caller.in_mail()
        line = (caller.mail if command == "MAIL" else caller.rcpt) + f" X-A={'a' * 900} X-B={'b' * 900} X-C="
        line += "c" * (octets - 2 - len(line))
        reply = wire.say(line)
        assert reply.code in (*SYNTAX, 421), reply
        caller.promise(reply.code == promised, f"{command} of {octets} octets is answered {reply.code}, not {promised}")
        wire.close()


def test_longest_sign_in(caller: Caller) -> None:
    """AUTH has room for 12,288 octets; one more is refused as too long (RFC 4954 4)."""
    caller.needs("AUTH")
    line = "AUTH PLAIN " + base64.b64encode(b"\0nobody.conformance\0".ljust(9_200, b"x")).decode()
    for octets, allowed in ((12_288, (501, 535)), (12_289, (500, 501))):
        wire = caller.greeted()
        reply = wire.say(line.ljust(octets - 2, "="))
        caller.promise(reply.code in allowed, f"AUTH of {octets} octets is answered {reply.code}")
        if reply.code != 421:
            assert wire.say("NOOP").code == 250


def test_many_bad_commands(caller: Caller) -> None:
    """Whoever says nothing but nonsense is answered each time, or sent away with 421 (RFC 5321 3.8, 4.2.3)."""
    wire = caller.ready()
    try:
        replies = [wire.say("XYZZY") for _ in range(30)]
    except Ended:
        replies = wire.heard
    assert {reply.code for reply in replies} - {220, 250, 235} <= {421, 500, 502}
    caller.promise(wire.heard[-1].code == 421, "thirty bad commands do not end in 421")
