"""Sizes of messages and lines: announced, kept, and survived where a client does not tell the truth."""

import pytest

from tests.conformance.smtp.caller import Caller, finish
from tests.conformance.smtp.target import body_of

#: Larger announced sizes are not tried out with a whole message.
_MOST = 64 * 1024 * 1024


def _most(caller: Caller) -> int:
    """Return the announced size; leave the test out where there is none."""
    most = int(caller.needs("SIZE") or 0)
    if not most:
        caller.leave_out("SIZE is offered without a limit")
    return most


def test_size_is_announced(caller: Caller) -> None:
    """SIZE says how large a message may be, as a number (RFC 1870 3)."""
    announced = caller.needs("SIZE")
    assert announced == "" or (announced.isdecimal() and len(announced) <= 20)
    assert not int(announced or 0) or int(announced) >= 65_536, "less than every server must take (RFC 5321 4.5.3.1.7)"


def test_too_large_at_mail(caller: Caller) -> None:
    """A message that says it is too large is refused before it is sent; the next is taken (RFC 1870 6.1)."""
    most = _most(caller)
    wire = caller.ready()
    assert wire.say(f"{caller.mail} SIZE={most + 1}").code == 552
    assert wire.say(f"{caller.mail} SIZE={'9' * 20}").code in (501, 552)
    assert wire.say(f"{caller.mail} SIZE={most}").code == 250
    finish(wire)


def test_larger_than_said(caller: Caller) -> None:
    """A message may turn out larger than it said, within the limit; what follows it are commands (RFC 1870 6.3)."""
    caller.needs("SIZE")
    wire = caller.ready()
    wire.group([f"{caller.mail} SIZE=10", caller.rcpt])
    assert wire.say("DATA").code == 354
    wire.send(caller.target.message(b"evidence\r\n" * 100) + b".\r\nNOOP\r\n")
    assert wire.reply().code in (250, 552)
    assert wire.reply().code == 250
    finish(wire)


def test_smaller_than_said(caller: Caller) -> None:
    """A message that is smaller than it said is taken (RFC 1870 6.3)."""
    caller.needs("SIZE")
    wire = caller.ready()
    wire.group([f"{caller.mail} SIZE=60000", caller.rcpt])
    assert wire.say("DATA").code == 354
    wire.send(caller.target.message() + b".\r\n")
    assert wire.reply().code == 250
    finish(wire)


def test_too_large_without_saying(caller: Caller) -> None:
    """A message over the limit is read to its end and refused there; then the next is taken (RFC 1870 6.3, RFC 5321
    4.5.3.1.7).
    """
    most = _most(caller)
    if most > _MOST:
        caller.leave_out("the announced size is too large to try out")
    wire = caller.addressed()
    assert wire.say("DATA").code == 354
    wire.send(caller.target.message(), b"evidence\r\n" * (most // 10 + 1), b".\r\nRSET\r\n")
    assert wire.reply().code == 552
    assert wire.reply().code == 250
    assert [reply.code for reply in map(wire.say, (caller.mail, caller.rcpt, "DATA"))] == [250, 250, 354]
    wire.send(caller.target.message() + b".\r\n")
    assert wire.reply().code == 250
    finish(wire)


@pytest.mark.parametrize("line", [b"a" * 998, b"." + b"a" * 997], ids=["letters", "a dot first"])
def test_longest_text_line(caller: Caller, line: bytes) -> None:
    """A line of 1,000 octets with its CRLF is taken, a doubled dot not counted, and kept (RFC 5321 4.5.3.1.6)."""
    wire = caller.addressed()
    assert wire.say("DATA").code == 354
    number = caller.number()
    wire.send(caller.target.message(line.replace(b".", b"..") + b"\r\n", number=number) + b".\r\n")
    assert wire.reply().code == 250
    finish(wire)
    assert body_of(caller.arrived(number)[number]) == line + b"\r\n"


@pytest.mark.parametrize("octets", [1_001, 2_001, 4_097, 70_000])
def test_text_line_too_long(caller: Caller, octets: int) -> None:
    """A longer line is taken or the message refused; never does its rest become commands (RFC 5321 4.5.3.1.6)."""
    wire = caller.addressed()
    assert wire.say("DATA").code == 354
    line = (b"QUIT " * octets)[: octets - 2] + b"\r\n"
    wire.send(caller.target.message(line) + b".\r\nNOOP\r\n")
    reply = wire.reply()
    assert reply.code in (250, 500, 550, 552, 554), reply
    assert wire.reply().code == 250
    most = 2_000 if not caller.target.user else 1_000
    caller.promise(reply.code != 250 or octets <= most, "a text line over its limit is taken")
    finish(wire)


def test_eight_bits(caller: Caller) -> None:
    """Where 8BITMIME is offered, octets over 127 arrive as they were sent (RFC 6152 3)."""
    caller.needs("8BITMIME")
    body = bytes(octet for octet in range(128, 256)) + b"\r\n"
    wire = caller.ready()
    wire.group([f"{caller.mail} BODY=8BITMIME", caller.rcpt])
    assert wire.say("DATA").code == 354
    number = caller.number()
    text = caller.target.message(
        body,
        b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=iso-8859-1",
        b"Content-Transfer-Encoding: 8bit",
        number=number,
    )
    wire.send(text + b".\r\n")
    assert wire.reply().code == 250
    finish(wire)
    assert body_of(caller.arrived(number)[number]) == body
