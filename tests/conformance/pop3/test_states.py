"""Which command is taken when."""

import pytest

from tests.conformance.pop3.caller import Caller, finish, totals
from tests.conformance.wire import Ended

_IN_MAILDROP = ("STAT", "LIST", "LIST 1", "RETR 1", "DELE 1", "NOOP", "RSET", "TOP 1 0", "UIDL", "UIDL 1")


@pytest.mark.parametrize("line", _IN_MAILDROP)
def test_before_signing_in(caller: Caller, line: str) -> None:
    """No command on the maildrop before signing in, nor between USER and PASS (RFC 1939 3, 4)."""
    wire = caller.secured()
    assert not wire.say(line).ok
    assert wire.say(f"USER {caller.target.user}").ok
    assert not wire.say(line).ok


@pytest.mark.parametrize(
    "line", ["USER x", "PASS x", "AUTH PLAIN", "AUTH PLAIN AHgAeA==", "APOP x c4c9334bac560ecc979e"]
)
def test_signing_in_twice(caller: Caller, line: str) -> None:
    """Who is signed in does not sign in again (RFC 1939 3, RFC 5034 4)."""
    wire = caller.holding()
    assert wire.say(line).status == "-ERR"
    assert totals(wire)[0] == 3


def test_pass_before_user(caller: Caller) -> None:
    """PASS comes after USER (RFC 1939 7)."""
    wire = caller.secured()
    assert not wire.say(f"PASS {caller.target.password}").ok
    assert not wire.say("STAT").ok
    caller.ready(wire)


def test_pass_after_a_failure(caller: Caller) -> None:
    """After a PASS that failed USER comes first again (RFC 1939 7)."""
    wire = caller.secured()
    assert wire.say(f"USER {caller.target.user}").ok
    assert not wire.say("PASS wrong").ok
    reply = wire.say(f"PASS {caller.target.password}")
    assert not reply.ok


def test_after_a_failure(caller: Caller) -> None:
    """After a wrong password the right one is taken on the same connection (RFC 1939 7)."""
    wire = caller.secured()
    wire.say(f"USER {caller.target.user}")
    assert not wire.say("PASS wrong").ok
    caller.ready(wire)
    finish(wire)


def test_wrong_password_and_unknown_user(caller: Caller) -> None:
    """Nobody learns which users there are."""
    texts = []
    for user in (caller.target.user, "nobody-of-that-name"):
        wire = caller.secured()
        named = wire.say(f"USER {user}")
        caller.promise(named.ok, "USER tells which users there are")
        if named.ok:
            texts.append(wire.say("PASS wrong").text)
    caller.promise(len(set(texts)) == 1, "PASS tells which users there are")


def test_response_code_of_a_wrong_password(caller: Caller) -> None:
    """A wrong password has the response code AUTH where AUTH-RESP-CODE is offered (RFC 3206 4, 6)."""
    caller.needs("AUTH-RESP-CODE")
    wire = caller.secured()
    wire.say(f"USER {caller.target.user}")
    assert wire.say("PASS wrong").code == "AUTH"


@pytest.mark.parametrize("password", [" {}", "{} ", "{}x", "{} {}"])
def test_a_password_is_all_of_it(caller: Caller, password: str) -> None:
    """Spaces belong to a password (RFC 1939 7)."""
    wire = caller.secured()
    wire.say(f"USER {caller.target.user}")
    secret = password.format(caller.target.password, caller.target.password)
    caller.promise(not wire.say(f"PASS {secret}").ok, "a password is taken with spaces or more around it")


@pytest.mark.parametrize("line", ["USER", "USER ", "PASS", "PASS "])
def test_signing_in_without_words(caller: Caller, line: str) -> None:
    """A name and a password are needed (RFC 1939 3, 7)."""
    wire = caller.secured()
    if line.startswith("PASS"):
        wire.say(f"USER {caller.target.user}")
    reply = wire.say(line)
    if line.startswith("USER"):
        caller.promise(not reply.ok, "USER without a name is taken")
    else:
        assert not reply.ok


def test_three_wrong_passwords(caller: Caller) -> None:
    """Who guesses is not served for ever, and others are."""
    wire = caller.secured()
    refused = 0
    try:
        while refused < 5:
            wire.say(f"USER {caller.target.user}")
            assert not wire.say("PASS wrong").ok
            refused += 1
    except Ended:
        pass
    caller.promise(refused <= 3, "more than three wrong passwords are tried on one connection")
    finish(caller.ready())
