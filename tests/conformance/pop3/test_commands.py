"""The form of each command: what is right is understood however it is written, what is wrong is an error."""

import pytest

from tests.conformance.pop3.caller import Caller, finish, totals

#: Numbers that no message has, and what is no number.
_BAD_NUMBERS = (
    *(
        "0",
        "-1",
        "4",
        "999",
        "99999999999",
        "4294967297",
        "18446744073709551617",
        "x",
        "1x",
        "+1",
        "1.0",
        "0x1",
        "²",
        "*",
    ),
    *("1 2", "1,2", "1:2"),
)


def test_greeting(caller: Caller) -> None:
    """A server greets with one positive line (RFC 1939 4)."""
    assert caller.met().heard[0].ok


@pytest.mark.parametrize("line", ["noop", "Noop", "nOOP", "NOOP"])
def test_keywords_in_any_case(caller: Caller, line: str) -> None:
    """Keywords are not case-sensitive (RFC 1939 3)."""
    assert caller.ready().say(line).ok


@pytest.mark.parametrize(
    "line",
    [
        "",
        "X",
        "NOOPX",
        "XYZZY 1 2 3",
        "HELO client.example",
        "LAST",
        "FETCH 1",
        "+OK",
        "-ERR no",
        "\t",
        "NO OP",
        "ÉTAT",
    ],
)
def test_unknown_commands(caller: Caller, line: str) -> None:
    """What is no command is an error, before and after signing in, and costs nothing else (RFC 1939 3)."""
    for wire in (caller.secured(), caller.ready()):
        assert not wire.say(line).ok
        assert wire.say("CAPA").ok
        wire.block()


@pytest.mark.parametrize("command", ["RETR", "DELE", "TOP", "LIST", "UIDL"])
@pytest.mark.parametrize("number", _BAD_NUMBERS)
def test_bad_numbers(caller: Caller, command: str, number: str) -> None:
    """A number that no message has, or no number at all, is an error and does nothing (RFC 1939 3, 5, 7)."""
    wire = caller.holding()
    before = totals(wire)
    line = f"{command} {number}" + (" 1" if command == "TOP" else "")
    reply = wire.say(line)
    assert not reply.ok, f"{line}: {reply}"
    assert totals(wire) == before


@pytest.mark.parametrize("line", ["RETR", "DELE", "TOP", "TOP 1", "RETR ", "DELE ", "TOP 1 "])
def test_missing_arguments(caller: Caller, line: str) -> None:
    """A command without what it needs is an error (RFC 1939 3)."""
    wire = caller.holding()
    assert not wire.say(line).ok
    assert totals(wire)[0] == 3


@pytest.mark.parametrize("lines", ["-1", "x", "1x", "1.5", "²", "1 2"])
def test_bad_counts_of_lines(caller: Caller, lines: str) -> None:
    """TOP takes a non-negative number of lines (RFC 1939 7)."""
    wire = caller.holding()
    assert not wire.say(f"TOP 1 {lines}").ok
    assert totals(wire)[0] == 3


@pytest.mark.parametrize("line", ["STAT 1", "NOOP 1", "RSET 1", "CAPA 1"])
def test_arguments_that_nobody_takes(caller: Caller, line: str) -> None:
    """Commands without arguments are given none (RFC 1939 3)."""
    wire = caller.holding()
    reply = wire.say(line)
    caller.promise(not reply.ok, f"{line[:4]} with an argument is carried out")
    if reply.ok and line[:4] == "CAPA":
        wire.block()
    assert wire.say("NOOP").ok


@pytest.mark.parametrize("line", ["NOOP ", "STAT ", "RETR 1 ", "LIST 1 "])
def test_spaces_at_the_end(caller: Caller, line: str) -> None:
    """Spaces at the end of a line do no harm."""
    wire = caller.holding()
    reply = wire.say(line)
    caller.promise(reply.ok, f"{line[:4]} with a space at the end is refused")
    if reply.ok and line.startswith("RETR"):
        wire.block()
    assert wire.say("NOOP").ok


def test_quit_before_signing_in(caller: Caller) -> None:
    """QUIT before signing in is answered, then the server closes (RFC 1939 4)."""
    wire = caller.secured()
    assert wire.say("QUIT").ok
    assert wire.rest() == []


def test_quit_after_signing_in(caller: Caller) -> None:
    """QUIT after signing in is answered, then the server closes (RFC 1939 6)."""
    wire = caller.ready()
    assert wire.say("QUIT").ok
    assert wire.rest() == []


def test_noop_and_rset(caller: Caller) -> None:
    """NOOP and RSET are answered with yes, and change nothing (RFC 1939 5)."""
    wire = caller.holding()
    before = totals(wire)
    assert wire.say("NOOP").ok
    assert wire.say("RSET").ok
    assert totals(wire) == before
    finish(wire)
