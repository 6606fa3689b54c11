"""RETR and TOP: octets, sizes, dots and lines."""

import pytest

from tests.conformance.pop3.caller import Caller, finish, totals
from tests.conformance.pop3.client import Wire

_BODIES = {
    "empty": b"",
    "one dot": b".\r\n",
    "two dots": b"..\r\n",
    "dots": b"...\r\n.\r\n..\r\n.a\r\na.\r\n. \r\n",
    "only blank lines": b"\r\n\r\n\r\n",
    "blank lines at the end": b"text\r\n\r\n\r\n",
    "a dot between blank lines": b"\r\n.\r\n\r\n",
    "spaces and tabs": b" \r\n\t\r\na \r\n b\r\n",
    "From at the beginning of a line": b"From here to there\r\n>From there\r\n",
    "lines of 998 octets": (b"x" * 998 + b"\r\n") * 5,
    "eight bits": "café, tŷ, ☃\r\n".encode() * 3,
    "control characters": b"\x01\x02\x08\x0b\x0c\x1b[0m\x7f\r\n",
    "what looks like replies": b"+OK 1 2\r\n-ERR no\r\n.\r\n+OK\r\n",
    "a hundred kilobytes": b"0123456789abcdef\r\n" * 6_000,
}


def _fetched(caller: Caller, wire: Wire, number: int) -> bytes:
    """Fetch a message, and hold it against what was delivered; what servers put in front is lines of a header."""
    received = wire.ask(f"RETR {number}")
    sent = caller.sent(received)
    assert received.endswith(sent), f"{received[-200:]!r} is not the end of {sent[-200:]!r}"
    front = received[: len(received) - len(sent)]
    assert not front or front.endswith(b"\r\n")
    assert b"\r\n\r\n" not in front
    return received


def _bodies(caller: Caller) -> Wire:
    return caller.holding(*_BODIES.values())


def test_octets(caller: Caller) -> None:
    """Every message comes as it was delivered, dots and all (RFC 1939 3, 5)."""
    wire = _bodies(caller)
    for number in range(1, len(_BODIES) + 1):
        _fetched(caller, wire, number)
    finish(wire)


def test_sizes(caller: Caller) -> None:
    """LIST and STAT tell the octets that RETR sends, CRLF counted, doubled dots and terminator not (RFC 1939 5, 11)."""
    wire = _bodies(caller)
    sizes = {int(number): int(octets) for number, octets in wire.rows("LIST")}
    sent = {number: len(wire.ask(f"RETR {number}")) for number in sizes}
    assert sizes == sent
    assert totals(wire)[1] == sum(sent.values())


def test_dots_at_every_edge(caller: Caller) -> None:
    """Dots are doubled wherever the server's blocks are cut (RFC 1939 3)."""
    # Lines of four octets, in messages that are one octet longer each: a dot at every place of a block.
    wire = caller.holding(*(b"x" * shift + b"\r\n" + b".a\r\n" * 40_000 for shift in range(4)))
    for number in range(1, 5):
        _fetched(caller, wire, number)
    finish(wire)


def test_a_large_message(caller: Caller) -> None:
    """Five megabytes come octet for octet, and a command behind them is answered."""
    line = b"." + b"x" * 74 + b"\r\n"
    wire = caller.holding(line * 65_000)
    wire.send(b"RETR 1\r\nNOOP\r\n")
    assert wire.reply().ok
    received = wire.block()
    assert received.endswith(caller.sent(received))
    assert wire.reply().ok
    size = int(wire.say("LIST 1").text.split(" ")[1])
    assert size == len(received)
    finish(wire)


def test_the_same_twice(caller: Caller) -> None:
    """RETR changes nothing (RFC 1939 5)."""
    wire = caller.holding()
    assert wire.ask("RETR 2") == wire.ask("RETR 2")
    first = wire.ask("RETR 1")
    finish(wire)
    assert caller.ready().ask("RETR 1") == first


def test_a_last_line_without_end(caller: Caller) -> None:
    """A last line that a Maildir has without its end is sent with one, and the size says so (RFC 1939 3, 11)."""
    wire = caller.holding(b"text\r\n.last")
    received = wire.ask("RETR 1")
    assert received.endswith(b"\r\n.last\r\n")
    assert int(wire.say("LIST 1").text.split(" ")[1]) == len(received)
    finish(wire)


@pytest.mark.parametrize("lines", [0, 1, 2, 5, 6, 99, 100_000])
def test_top(caller: Caller, lines: int) -> None:
    """TOP gives the header, the blank line and so many lines of the body, no more and no less (RFC 1939 7)."""
    caller.needs("TOP")
    wire = caller.holding(b".1\r\n..2\r\n\r\n.\r\n5\r\n", b"", b"\r\n\r\n")
    for number in (1, 2, 3):
        header, blank, body = wire.ask(f"RETR {number}").partition(b"\r\n\r\n")
        rest = body.split(b"\r\n")[:-1]
        expected = header + blank + b"".join(line + b"\r\n" for line in rest[:lines])
        assert wire.ask(f"TOP {number} {lines}") == expected


@pytest.mark.parametrize("lines", [2**31, 2**32, 2**32 + 1])
def test_top_of_more_lines_than_there_can_be(caller: Caller, lines: int) -> None:
    """A number of lines over that of the message is all of it (RFC 1939 7)."""
    caller.needs("TOP")
    wire = caller.holding()
    reply = wire.say(f"TOP 3 {lines}")
    caller.promise(reply.ok, "TOP of more than 2,147,483,647 lines is refused")
    if reply.ok:
        found = wire.block()
        assert found == wire.ask("RETR 3")


def test_top_of_long_headers(caller: Caller) -> None:
    """However long a header is, TOP gives all of it (RFC 1939 7)."""
    caller.needs("TOP")
    fields = b"".join(b"X-Field-%d: folded\r\n\tand folded again: .\r\n .\r\n" % number for number in range(500))
    wire = caller.holding(b"body\r\n", fields=fields)
    header = wire.ask("RETR 1").removesuffix(b"body\r\n")
    assert wire.ask("TOP 1 0") == header


def test_top_does_not_mark(caller: Caller) -> None:
    """TOP changes nothing (RFC 1939 7)."""
    caller.needs("TOP")
    wire = caller.holding()
    before = totals(wire), wire.ask("RETR 2")
    wire.ask("TOP 2 1")
    assert (totals(wire), wire.ask("RETR 2")) == before
    finish(wire)
