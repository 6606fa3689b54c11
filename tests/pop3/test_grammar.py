"""POP3 commands: every line is something, and wrong arguments are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.pop3.grammar import (
    Auth,
    Capa,
    Code,
    Dele,
    List,
    Malformed,
    Noop,
    Pass,
    Quit,
    Retr,
    Stat,
    Top,
    Uidl,
    Unknown,
    User,
    error,
    listing,
    ok,
    parse,
)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"CAPA", Capa()),
        (b"stat ", Stat()),
        (b"Noop", Noop()),
        (b"QUIT", Quit()),
        (b"USER alex@unit.cjsm.test/shared", User("alex@unit.cjsm.test/shared")),
        (b"USER \xc3\xa9", User("é")),
        (b"LIST", List(None)),
        (b"LIST 12", List(12)),
        (b"UIDL ", Uidl(None)),
        (b"uidl 3", Uidl(3)),
        (b"RETR 99999999", Retr(99_999_999)),
        (b"TOP 1 0", Top(1, 0)),
        (b"DELE 1", Dele(1)),
    ],
)
def test_commands(line: bytes, command: object) -> None:
    """Keywords in any case, arguments after one space."""
    assert parse(line) == command


def test_a_password_is_all_that_follows_the_space() -> None:
    """Spaces belong to a password, at its ends too; it never shows in repr."""
    command = parse(b"PASS  a b \xff ")
    assert isinstance(command, Pass)
    assert command.secret == b" a b \xff "
    assert repr(command) == "<Pass>"


def test_auth_with_and_without_initial_response() -> None:
    """The mechanism is not case sensitive; the response is kept as sent and does not show."""
    bare, full = parse(b"AUTH plain"), parse(b"AUTH PLAIN AGEAYg==")
    assert isinstance(bare, Auth)
    assert isinstance(full, Auth)
    assert (bare.mechanism, bare.initial) == (b"PLAIN", None)
    assert (full.mechanism, full.initial) == (b"PLAIN", b"AGEAYg==")
    assert "AGEAYg" not in repr(full)


@pytest.mark.parametrize(
    "line",
    [
        *(b"RETR", b"RETR -1", b"RETR 99999999999", b"RETR 1 2", b"RETR x", b"RETR \xc2\xb2", b"RETR  1", b"RETR 1.0"),
        *(b"RETR +1", b"RETR 0x1", b"RETR 1_0", b"RETR \xd9\xa1"),
        *(b"TOP", b"TOP 1", b"TOP 1 -1", b"TOP x 1", b"TOP 1 2 3"),
        *(b"USER", b"USER ", b"USER a b", b"USER \xff", b"PASS", b"PASS "),
        *(b"LIST x", b"UIDL -1", b"DELE", b"STAT 1", b"NOOP x", b"QUIT now", b"CAPA x", b"RSET 1", b"STLS x"),
        *(b"AUTH", b"AUTH a b c", b"AUTH \xff"),
    ],
)
def test_wrong_arguments(line: bytes) -> None:
    """Each gets its usage."""
    command = parse(line)
    assert isinstance(command, Malformed)
    assert command.usage.split(" ")[0] == line.split(b" ")[0].decode()


@pytest.mark.parametrize("line", [b"", b" ", b" STAT", b"STAT\t", b"APOP a b", b"XTND", b"GET / HTTP/1.1", b"\xff\xfe"])
def test_unknown_commands(line: bytes) -> None:
    """Anything else is no command."""
    assert parse(line) == Unknown()


KEYWORDS = [b"USER", b"PASS", b"AUTH", b"LIST", b"UIDL", b"RETR", b"TOP", b"DELE", b"QUIT", b"STAT"]


@given(st.one_of(st.binary(max_size=40), st.tuples(st.sampled_from(KEYWORDS), st.binary(max_size=30)).map(b" ".join)))
def test_parsing_is_total(line: bytes) -> None:
    """No line raises."""
    parse(line)


def test_replies() -> None:
    """Status, response code and text as RFC 1939 and RFC 3206 write them."""
    assert ok("2 320") == b"+OK 2 320\r\n"
    assert error("no") == b"-ERR no\r\n"
    assert error("later", Code.SYS_TEMP) == b"-ERR [SYS/TEMP] later\r\n"
    assert b"".join(listing("here", ["1 120"])) == b"+OK here\r\n1 120\r\n.\r\n"
