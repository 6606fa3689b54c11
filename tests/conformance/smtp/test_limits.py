"""Limits that are announced (RFC 9422)."""

import pytest

from tests.conformance.smtp.caller import Caller, finish
from tests.conformance.smtp.client import Reply

#: More than any server takes (RFC 9422 4.2: six digits are possible, five thousand are tried out).
_MOST = 5_000


@pytest.fixture
def limits(caller: Caller) -> dict[str, str]:
    """What is announced, by name."""
    return dict(limit.partition("=")[::2] for limit in caller.needs("LIMITS").split())


def test_form(limits: dict[str, str]) -> None:
    """Each limit has a name and a value; those that are registered have numbers above nothing (RFC 9422 3, 4)."""
    assert limits
    for name, value in limits.items():
        assert name == name.upper(), name
        if name in ("MAILMAX", "RCPTMAX", "RCPTDOMAINMAX"):
            assert value.isdecimal(), value
            assert 0 < int(value) <= 999_999


def test_as_many_recipients_as_announced(caller: Caller, limits: dict[str, str]) -> None:
    """So many recipients are taken, and the message goes to them (RFC 9422 4.2)."""
    if "RCPTMAX" not in limits:
        caller.leave_out("LIMITS does not announce RCPTMAX")
    most = int(limits["RCPTMAX"])
    wire = caller.in_mail()
    assert {reply.code for reply in wire.group([caller.rcpt] * most)} == {250}
    assert wire.say("DATA").code == 354
    wire.send(caller.target.message() + b".\r\n")
    assert wire.reply().code == 250
    finish(wire)


def test_too_many_recipients(caller: Caller) -> None:
    """There is a most, at or over what is announced; over it a recipient is refused with 452, those before are kept
    (RFC 5321 4.5.3.1.10, RFC 9422 4.2).
    """
    caller.needs("PIPELINING")
    announced = dict(limit.partition("=")[::2] for limit in caller.offered.get("LIMITS", "").split())
    wire = caller.in_mail()
    replies: list[Reply] = []
    # A few at a time: a server that leaves with commands unread would take its last words along.
    while len(replies) < _MOST and all(reply.code == 250 for reply in replies[-10:]):
        replies += wire.group([caller.rcpt] * 10)
    refused = next((place for place, reply in enumerate(replies) if reply.code != 250), None)
    caller.promise(refused is not None, f"{_MOST} recipients are taken")
    if refused is None:
        return
    assert refused >= max(100, int(announced.get("RCPTMAX", 0))), "fewer than every server must take"
    assert {reply.code for reply in replies[refused:]} <= {452, 451, 552, 550}, replies[refused]
    caller.promise(
        {(reply.code, reply.status) for reply in replies[refused:]} == {(452, "4.5.3")},
        f"too many recipients are answered {replies[refused].code} {replies[refused].status}",
    )


def test_as_many_messages_as_announced(caller: Caller, limits: dict[str, str]) -> None:
    """So many messages may be begun in one session (RFC 9422 4.1)."""
    if int(limits.get("MAILMAX", "0")) not in range(1, 1_001):
        caller.leave_out("LIMITS does not announce a MAILMAX that can be tried out")
    wire = caller.ready()
    for _ in range(int(limits["MAILMAX"])):
        assert [reply.code for reply in wire.group([caller.mail, "RSET"])] == [250, 250]
    finish(wire)
