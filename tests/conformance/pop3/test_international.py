"""UTF8 and LANG (RFC 6856)."""

import re

import pytest

from tests.conformance.pop3.caller import Caller, finish, totals
from tests.conformance.pop3.client import Wire

_FIELDS = "X-Name: tŷ\r\nComments: café\r\n".encode()


def _utf8(caller: Caller) -> Wire:
    caller.needs("UTF8")
    caller.fill([(_FIELDS, "tŷ\r\n".encode())])
    wire = caller.secured()
    assert wire.say("UTF8").ok
    return caller.ready(wire)


def test_messages_with_utf8(caller: Caller) -> None:
    """After UTF8 a message comes as it is, and has the size that LIST says (RFC 6856 2.1)."""
    wire = _utf8(caller)
    received = wire.ask("RETR 1")
    assert received.endswith(caller.sent(received))
    assert int(wire.say("LIST 1").text.split(" ")[1]) == len(received)


def test_messages_without_utf8(caller: Caller) -> None:
    """Without UTF8 a header is ASCII, or the message is refused (RFC 6856 2.1, 5)."""
    finish(_utf8(caller))
    wire = caller.ready()
    for command in ("RETR 1", "TOP 1 1"):
        reply = wire.say(command)
        if not reply.ok:
            caller.promise(False, "a message with UTF-8 in its header is refused")
            continue
        header, _, body = wire.block().partition(b"\r\n\r\n")
        assert header.isascii()
        assert body == "tŷ\r\n".encode()


def test_utf8_after_signing_in(caller: Caller) -> None:
    """UTF8 is for before signing in (RFC 6856 2.1)."""
    caller.needs("UTF8")
    wire = caller.ready()
    assert not wire.say("UTF8").ok
    assert not wire.say("UTF8 x").ok
    totals(wire)


@pytest.mark.parametrize("password", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf"])
def test_passwords_that_are_no_utf8(caller: Caller, password: bytes) -> None:
    """Where names and passwords may be UTF-8, nothing else is one (RFC 6856 2.2)."""
    if caller.needs("UTF8") != "USER":
        caller.leave_out("UTF8 USER is not offered")
    wire = caller.secured()
    named = wire.say(b"USER " + password)
    caller.promise(not named.ok, "a name that is no UTF-8 is taken")
    wire.say(f"USER {caller.target.user}")
    assert not wire.say(b"PASS " + password).ok
    finish(caller.ready(wire))


def test_languages(caller: Caller) -> None:
    """LANG lists tags, each of which may be chosen; its reply begins with the tag (RFC 6856 3)."""
    caller.needs("LANG")
    for wire in (caller.secured(), caller.ready()):
        rows = wire.rows("LANG")
        for tag, *_ in rows:
            assert re.fullmatch(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*", tag)
            reply = wire.say(f"LANG {tag}")
            assert reply.ok
            assert reply.text.split(" ")[0].lower() == tag.lower()
        assert wire.say("LANG *").ok


@pytest.mark.parametrize("language", ["mul", "tlh-Latn", "x"])
def test_a_language_that_is_not_there(caller: Caller, language: str) -> None:
    """A language that is not there is an error, and the language stays as it was (RFC 6856 3)."""
    caller.needs("LANG")
    wire = caller.ready()
    before = wire.say("XYZZY").text
    assert not wire.say(f"LANG {language}").ok
    assert wire.say("XYZZY").text == before


def test_the_language_of_replies(caller: Caller) -> None:
    """Replies are in the language that was chosen, in UTF-8; commands and numbers stay (RFC 6856 3)."""
    caller.needs("LANG")
    wire = caller.holding()
    said = set()
    for tag, *_ in wire.rows("LANG"):
        assert wire.say(f"LANG {tag}").ok
        said.add(wire.say("XYZZY").text)
        assert totals(wire)[0] == 3
    caller.promise(len(said) > 1, "every language says the same")
