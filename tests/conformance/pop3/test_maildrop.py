"""STAT, LIST, UIDL, DELE, RSET and QUIT: what is in the maildrop, and what becomes of it."""

import re

import pytest

from tests.conformance.pop3.caller import ORDINARY, Caller, cut, finish, totals


def test_stat(caller: Caller) -> None:
    """STAT tells how many messages and how many octets there are, in that form (RFC 1939 5)."""
    wire = caller.holding()
    assert re.match(r"3 [1-9]\d*(?: |\Z)", wire.say("STAT").text)
    assert totals(wire)[1] == sum(int(octets) for _, octets in wire.rows("LIST"))


def test_list(caller: Caller) -> None:
    """LIST gives number and size of each message, numbered from 1, and of one the same (RFC 1939 5)."""
    wire = caller.holding()
    rows = wire.rows("LIST")
    assert [row[0] for row in rows] == ["1", "2", "3"]
    for number, octets in rows:
        assert wire.say(f"LIST {number}").text.split(" ")[:2] == [number, octets]


def test_uidl(caller: Caller) -> None:
    """UIDL gives different unique-ids of 1 to 70 printable characters, and of one message the same (RFC 1939 7)."""
    caller.needs("UIDL")
    wire = caller.holding()
    rows = wire.rows("UIDL")
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert len({unique for _, unique in rows}) == 3
    for number, unique in rows:
        assert re.fullmatch(r"[!-~]{1,70}", unique)
        assert wire.say(f"UIDL {number}").text.split(" ")[:2] == [number, unique]


def test_unique_ids_stay(caller: Caller) -> None:
    """A unique-id is the same in the next session, also when other messages went and came (RFC 1939 7)."""
    caller.needs("UIDL")
    wire = caller.holding()
    before = dict(wire.rows("UIDL"))
    finish(wire)
    wire = caller.ready()
    assert dict(wire.rows("UIDL")) == before
    caller.spoil()
    assert wire.say("DELE 1").ok
    assert finish(wire).ok
    wire = caller.ready()
    assert [unique for _, unique in wire.rows("UIDL")] == [before["2"], before["3"]]


def test_an_empty_maildrop(caller: Caller) -> None:
    """In an empty maildrop nothing is listed, and nothing can be fetched (RFC 1939 5)."""
    caller.fill([])
    wire = caller.ready()
    assert totals(wire) == (0, 0)
    assert wire.rows("LIST") == []
    if "UIDL" in caller.offered:
        assert wire.rows("UIDL") == []
    assert not wire.say("RETR 1").ok
    assert finish(wire).ok


def test_a_deleted_message(caller: Caller) -> None:
    """Whoever refers to a message marked as deleted gets an error; the others keep their numbers (RFC 1939 5)."""
    wire = caller.holding()
    count, octets = totals(wire)
    size = int(wire.say("LIST 2").text.split(" ")[1])
    assert wire.say("DELE 2").ok
    for command in ("RETR 2", "LIST 2", "TOP 2 0", "UIDL 2", "DELE 2"):
        assert not wire.say(command).ok, command
    assert totals(wire) == (count - 1, octets - size)
    assert [row[0] for row in wire.rows("LIST")] == ["1", "3"]
    if "UIDL" in caller.offered:
        assert [row[0] for row in wire.rows("UIDL")] == ["1", "3"]
    assert caller.sent(wire.ask("RETR 3")).endswith(ORDINARY[2])
    cut(wire)


def test_rset(caller: Caller) -> None:
    """RSET takes every mark away: nothing is deleted at QUIT (RFC 1939 5)."""
    wire = caller.holding()
    before = totals(wire)
    assert wire.say("DELE 1").ok
    assert wire.say("DELE 3").ok
    assert wire.say("RSET").ok
    assert totals(wire) == before
    assert len(wire.rows("LIST")) == 3
    assert finish(wire).ok
    assert totals(caller.ready()) == before


def test_quit_deletes(caller: Caller) -> None:
    """What was marked is gone at the next session, and nothing else (RFC 1939 6)."""
    wire = caller.holding()
    caller.spoil()
    kept = wire.ask("RETR 2")
    assert wire.say("DELE 1").ok
    assert wire.say("DELE 3").ok
    assert finish(wire).ok
    wire = caller.ready()
    assert totals(wire)[0] == 1
    assert wire.ask("RETR 1") == kept


@pytest.mark.parametrize("when", ["idle", "in a command", "in a message"])
def test_cut_before_quit(caller: Caller, when: str) -> None:
    """A session that ends without QUIT deletes nothing (RFC 1939 3, 6)."""
    wire = caller.holding()
    before = totals(wire)
    for number in (1, 2, 3):
        assert wire.say(f"DELE {number}").ok
    wire.send({"idle": b"", "in a command": b"QUI", "in a message": b"RSET\r\nRETR 1\r\nDELE 1\r\nDEL"}[when])
    cut(wire)
    assert totals(caller.ready_when_free()) == before


def test_numbers_stay_in_a_session(caller: Caller) -> None:
    """Mail that arrives meanwhile moves nothing; it is there at the next session (RFC 1939 5)."""
    wire = caller.holding()
    before, rows = totals(wire), wire.rows("LIST")
    caller.spoil()
    assert caller.target.deliverer is not None
    caller.target.deliverer.deliver(caller.sent(wire.ask("RETR 1")))
    assert wire.say("NOOP").ok
    caller.promise(totals(wire) == before, "mail that arrives shows in a session that is open")
    assert [row for row in wire.rows("LIST") if row[0] in "123"] == rows
    finish(wire)
    caller.arrived(4)
