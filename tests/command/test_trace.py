"""``cjsm trace``."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cjsm import configuration
from cjsm.command.context import wait
from cjsm.community.identifiers import AccountId, ConnectionId, DeliveryId, MailboxId
from cjsm.community.verdicts import AccountOrigin, ConnectionOrigin, HostedRoute, RelayRoute
from cjsm.mail.interfaces import Hop
from cjsm.mail.traced import Answer, Side, Target
from cjsm.mail.tracing import Tracer
from cjsm.suite import Suite
from tests.command.conftest import Run, refused, told

QUEUE, OTHER = "0123456789abcdef", "fedcba9876543210"
MESSAGE_ID = "<1@client.example>"
JANE, TOM, FIRM = "jane.smith@avon.cjsm.test", "tom.harding@avon.cjsm.test", "jo@firm.co.uk.cjsm.test"
HOP = Hop(host="mail.test", protocol="ESMTPSA", tls_version="TLSv1.3", tls_group="X25519MLKEM768")
CONNECTION = ConnectionId(b"c" * 16)
Trace = Callable[[Callable[[Tracer], None]], None]


@pytest.fixture
def traced(config: Path) -> Trace:
    """Let the service trace something; an hour ago for what is accepted, now for what follows."""

    def run(act: Callable[[Tracer], None], ago: float = 0) -> None:
        suite = Suite(configuration.load(config))
        act(Tracer(suite.stores.trace, suite.secrets, suite.settings.trace, clock=lambda: time.time() - ago))
        wait(suite.stores.close())

    run(lambda tracer: accept(tracer, QUEUE), 3_600)
    return run


def accept(tracer: Tracer, queue_id: str) -> None:
    """Jane writes to two people."""
    tracer.accepted(
        queue_id,
        message_id=MESSAGE_ID,
        origin=AccountOrigin(AccountId(b"a" * 16)),
        sender=JANE,
        octets=12_345,
        hop=HOP,
        targets=(
            Target(address=TOM, route=HostedRoute(MailboxId(b"m" * 16)), delivery=DeliveryId(b"d" * 16)),
            Target(address=FIRM, route=RelayRoute(CONNECTION, "firm.co.uk")),
        ),
    )


def finish(tracer: Tracer) -> None:
    """Tom has it, and so has the firm."""
    tracer.delivered(QUEUE, DeliveryId(b"d" * 16))
    side = Side(host="mx.firm.co.uk", tls_version="TLSv1.2", tls_group="prime256v1")
    tracer.relayed(QUEUE, recipient=FIRM, side=side, answer=Answer(code=250, status="2.0.0", words="queued"))


def test_timeline(cjsm: Run, traced: Trace) -> None:
    """Each recipient with its events, by queue id and by Message-ID, as pseudonyms."""
    traced(finish)
    (found,) = told(cjsm("trace", QUEUE, "--json"))
    assert told(cjsm("trace", MESSAGE_ID, "--json")) == [found]
    assert (found["queue_id"], found["origin"], found["octets"]) == (QUEUE, "account", 12_345)
    assert found["tls"] == "TLSv1.3 X25519MLKEM768"
    tom, firm = found["recipients"]
    assert [event["result"] for event in tom["events"]] == ["accepted", "delivered"]
    assert [event["result"] for event in firm["events"]] == ["accepted", "relayed"]
    assert (tom["route"], firm["route"]) == ("hosted", f"relay {CONNECTION.hex()}")
    assert firm["events"][1] | {"when": ""} == {
        "when": "", "result": "relayed", "code": 250, "status": "2.0.0", "words": "queued", "list": False,
        "host": "mx.firm.co.uk", "tls": "TLSv1.2 prime256v1",
    }  # fmt: skip
    assert "@" not in str(found)
    shown = cjsm("trace", QUEUE).stdout
    assert QUEUE in shown
    assert "12,345 octets" in shown
    assert "delivered" in shown
    assert "250 2.0.0 queued mx.firm.co.uk TLSv1.2 prime256v1" in shown


def test_one_recipient(cjsm: Run, traced: Trace) -> None:
    """Who knows an address sees what became of its copy, and nobody else's."""
    traced(finish)
    (found,) = told(cjsm("trace", QUEUE, "--recipient", TOM.upper(), "--json"))
    (tom,) = found["recipients"]
    assert tom["recipient"] == TOM.upper()
    assert [event["result"] for event in tom["events"]] == ["accepted", "delivered"]
    assert "that fits" in refused(cjsm("trace", QUEUE, "--recipient", JANE, "--json"))["error"]


def test_refused(cjsm: Run, traced: Trace) -> None:
    """Who was refused, and why; a message that was refused whole concerns all its recipients."""

    def refuse(tracer: Tracer, recipient: str = "") -> None:
        why = Answer(code=550, status="5.7.1", words="outside the community")
        origin = AccountOrigin(AccountId(b"a" * 16))
        tracer.refused(
            OTHER, answer=why, origin=origin, sender=JANE, hop=HOP, recipient=recipient, message_id=MESSAGE_ID
        )

    traced(lambda tracer: refuse(tracer, "x@evil.example"))
    traced(refuse)
    found = {each["queue_id"]: each for each in told(cjsm("trace", MESSAGE_ID, "--json"))}
    one, whole = found[OTHER]["recipients"]
    assert [(event["result"], event["words"]) for event in one["events"]] == [("refused", "outside the community")]
    assert (whole["recipient"], whole["events"][0]["code"]) == ("", 550)
    (seen,) = told(cjsm("trace", OTHER, "--recipient", TOM, "--json"))
    assert seen["recipients"] == [whole]
    assert "(the message)" in cjsm("trace", OTHER).stdout


def test_since(cjsm: Run, traced: Trace) -> None:
    """As people write it: a date, a moment, or so long ago."""
    traced(finish)

    def results(since: str) -> list[str]:
        (found,) = told(cjsm("trace", QUEUE, "--since", since, "--json"))
        return [event["result"] for each in found["recipients"] for event in each["events"]]

    assert results("30m") == ["delivered", "relayed"]
    assert len(results("2h")) == len(results("1d")) == len(results("2020-01-31")) == 4
    assert len(results("2020-01-31T09:30+01:00")) == 4
    assert "2026-01-31" in refused(cjsm("trace", QUEUE, "--since", "yesterday", "--json"))["cure"]
    assert refused(cjsm("trace", QUEUE, "--since", "2999-01-01", "--json"))["error"]


def test_one_message_id_of_several_messages(cjsm: Run, traced: Trace) -> None:
    """All of them, or as many as are asked for."""
    for number in range(3):
        traced(partial(accept, queue_id=f"{number:016x}"))
    assert len(told(cjsm("trace", MESSAGE_ID, "--json"))) == 4
    assert len(told(cjsm("trace", MESSAGE_ID, "--limit", "2", "--json"))) == 2


def test_in_clear(cjsm: Run, config: Path, traced: Trace) -> None:
    """Where the settings say so, for what comes from then on; an origin's connection without a name keeps its id."""
    config.write_text(config.read_text().replace('identities = "pseudonym"', 'identities = "clear"'))
    other = "fedcba9876543210"
    origin = ConnectionOrigin(CONNECTION)
    target = Target(address=TOM, route=HostedRoute(MailboxId(b"m" * 16)))
    traced(
        lambda tracer: tracer.accepted(
            other, message_id="", origin=origin, sender=FIRM, octets=1, hop=HOP, targets=[target], host="mx.firm"
        )
    )
    (found,) = told(cjsm("trace", other, "--json"))
    assert (found["sender"], found["host"], found["origin"]) == (FIRM, "mx.firm", f"connection {CONNECTION.hex()}")
    assert found["recipients"][0]["recipient"] == TOM


def test_nothing_found(cjsm: Run, traced: Trace) -> None:
    """What to look at, and for how long it is kept."""
    for name in ("<other@client.example>", "0" * 16):
        said = refused(cjsm("trace", name, "--json"))
        assert name in said["error"]
        assert "366 days" in said["cure"]


def test_looking_is_in_the_ledger(cjsm: Run, config: Path, traced: Trace) -> None:
    """Who writes to whom is personal: each message looked at is an entry, and the operator breaks the glass."""

    def entries() -> list[Any]:
        suite = Suite(configuration.load(config))
        found = [entry for _, entry in wait(suite.stores.community.entries(0, 1_000))]
        wait(suite.stores.close())
        return found

    before = len(entries())
    cjsm("trace", "0" * 16)
    assert len(entries()) == before
    cjsm("trace", QUEUE)
    (entry,) = entries()[before:]
    assert b"message-trace" in entry
    assert bytes.fromhex(QUEUE) in entry


def test_help_shows_how(cjsm: Run) -> None:
    """With examples."""
    assert "cjsm trace 0123456789abcdef --since 2d --json" in cjsm("trace", "--help").stdout
