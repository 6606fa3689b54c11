"""Lines: how long, how they end, how many at once."""

import pytest

from tests.conformance.pop3.caller import Caller, capabilities, finish, totals
from tests.conformance.wire import Ended


def test_pipelining(caller: Caller) -> None:
    """Commands in one write are answered one after another (RFC 2449 6.6)."""
    caller.needs("PIPELINING")
    finish(caller.holding())
    wire = caller.secured()
    names = f"USER {caller.target.user}\r\nPASS {caller.target.password}\r\n".encode()
    wire.send(names + b"STAT\r\nRETR 1\r\nTOP 2 0\r\nBAD\r\nLIST\r\nRETR 99\r\nNOOP\r\nQUIT\r\n")
    assert [wire.reply().ok for _ in range(4)] == [True] * 4
    assert b"\r\n\r\n" in wire.block()
    assert wire.reply().ok
    assert wire.block().endswith(b"\r\n\r\n")
    assert not wire.reply().ok
    assert wire.reply().ok
    assert wire.block().count(b"\r\n") == 3
    assert [wire.reply().ok for _ in range(3)] == [False, True, True]
    assert wire.rest() == []


def test_many_commands_at_once(caller: Caller) -> None:
    """A client that reads only after it has said all loses nothing (RFC 2449 6.6)."""
    caller.needs("PIPELINING")
    wire = caller.holding()
    wire.send(b"NOOP\r\nTOP 1 0\r\nLIST\r\n" * 300)
    for _ in range(300):
        assert wire.reply().ok
        assert wire.reply().ok
        wire.block()
        assert wire.reply().ok
        wire.block()
    finish(wire)


def test_octet_by_octet(caller: Caller) -> None:
    """Commands are understood with every octet in a write of its own."""
    wire = caller.holding()
    wire.send(*(bytes((octet,)) for octet in b"STAT\r\nRETR 1\r\nNOOP\r\n"))
    assert wire.reply().ok
    assert wire.reply().ok
    wire.block()
    assert wire.reply().ok


def test_lines_of_255_octets(caller: Caller) -> None:
    """Commands of up to 255 octets are read whole (RFC 2449 4)."""
    wire = caller.secured()
    for octets in (254, 255):
        wire.send(b"USER " + b"a" * (octets - 7) + b"\r\n")
        wire.reply()
        assert wire.say("CAPA").ok
        wire.block()


@pytest.mark.parametrize("octets", [600, 5_000, 20_000, 200_000])
def test_lines_that_are_too_long(caller: Caller, octets: int) -> None:
    """A line that is too long is one error at most: no part of it is a command (RFC 2449 4)."""
    wire = caller.holding()
    before = totals(wire)
    wire.send(b"NOOP " + b"DELE 1 " * (octets // 7) + b"\r\n")
    try:
        replies = [wire.reply()]
        wire.send(b"STAT\r\n")
        replies.append(wire.reply())
        while not (replies[-1].ok and replies[-1].text.split(" ")[0].isdigit()):
            replies.append(wire.reply())
    except Ended:
        caller.promise(False, "a line that is too long ends the connection")
        assert totals(caller.ready_when_free()) == before
        return
    assert len(replies) == 2, replies
    assert totals(wire) == before


@pytest.mark.parametrize("stray", [b"\n", b"\r", b"\0"], ids=repr)
def test_stray_octets(caller: Caller, stray: bytes) -> None:
    """A line ends in CRLF and in nothing else (RFC 1939 3)."""
    wire = caller.holding()
    wire.send(b"NOOP" + stray + b"NOOP\r\n")
    first = wire.reply()
    wire.send(b"STAT\r\n")
    second = wire.reply()
    kept = not first.ok and second.ok and second.text.startswith("3 ")
    caller.promise(kept, f"{stray!r} in a command is taken for something else than an error")


def test_capabilities_in_both_states(caller: Caller) -> None:
    """What CAPA lists holds before and after signing in, but for what may differ (RFC 2449 5, 6, RFC 2595 4)."""
    if not caller.offered:
        caller.leave_out("CAPA is not offered")
    before, after = capabilities(caller.secured()), capabilities(caller.ready())
    may_differ = {"IMPLEMENTATION", "STLS"}
    assert set(before) - may_differ == set(after) - may_differ
    for tag in set(before) - may_differ - {"LOGIN-DELAY", "EXPIRE", "SASL"}:
        assert before[tag] == after[tag], tag


def test_capabilities_that_are_there(caller: Caller) -> None:
    """What works is listed: a client need not try (RFC 2449 6)."""
    for tag in ("TOP", "UIDL", "USER", "SASL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "EXPIRE", "UTF8", "LANG"):
        caller.promise(tag in caller.offered, f"{tag} is not offered")
    words = caller.offered.get("IMPLEMENTATION", "")
    caller.promise(not any(each.isdigit() for each in words), "IMPLEMENTATION tells a version")


def test_form_of_capabilities(caller: Caller) -> None:
    """Each tag once, words with single spaces between them, numbers where there are numbers (RFC 2449 3, 6)."""
    if not caller.offered:
        caller.leave_out("CAPA is not offered")
    lines = caller.secured().ask("CAPA").decode("ascii").split("\r\n")[:-1]
    tags = [line.split(" ")[0] for line in lines]
    assert len(tags) == len(set(tags))
    for line in lines:
        assert all(word and word.isprintable() for word in line.split(" ")), line
    if "EXPIRE" in caller.offered:
        first, *more = caller.offered["EXPIRE"].split(" ")
        assert first == "NEVER" or first.isdigit()
        assert more in ([], ["USER"])
    if "LOGIN-DELAY" in caller.offered:
        first, *more = caller.offered["LOGIN-DELAY"].split(" ")
        assert first.isdigit()
        assert more in ([], ["USER"])
