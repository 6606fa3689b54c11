"""Two sessions of one user."""

from tests.conformance.pop3.caller import ORDINARY, Caller, cut, finish, totals


def test_second_session(caller: Caller) -> None:
    """While a session is open, no other one takes messages away from it (RFC 1939 4)."""
    first = caller.holding()
    caller.spoil()
    second = caller.secured()
    second.say(f"USER {caller.target.user}")
    entered = second.say(f"PASS {caller.target.password}")
    caller.promise(not entered.ok, "a second session is let in")
    if not entered.ok:
        if "RESP-CODES" in caller.offered:
            caller.promise(entered.code == "IN-USE", f"a second session is refused with {entered.code or 'no code'}")
        assert totals(first)[0] == 3
        return
    assert second.say("DELE 1").ok
    assert finish(second).ok
    assert caller.sent(first.ask("RETR 1")).endswith(ORDINARY[0])


def test_after_quit(caller: Caller) -> None:
    """After QUIT the maildrop is free as soon as it is answered (RFC 1939 6)."""
    for _ in range(10):
        wire = caller.ready()
        assert wire.say("QUIT").ok


def test_after_a_cut_connection(caller: Caller) -> None:
    """A connection that ended keeps nobody waiting."""
    for _ in range(5):
        cut(caller.ready())
        finish(caller.ready_when_free(5))


def test_in_the_middle_of_a_message(caller: Caller) -> None:
    """A client that hangs up in the middle of a message keeps nobody waiting either."""
    wire = caller.holding(b"x" * 70 + b"\r\n" * 100_000)
    wire.send(b"RETR 1\r\n")
    assert wire.reply().ok
    cut(wire)
    finish(caller.ready_when_free(5))
