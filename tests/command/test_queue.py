"""``cjsm queue`` and what ``cjsm status`` says of it, without a running service."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cjsm import configuration
from cjsm.command.context import wait
from cjsm.community.identifiers import LENGTH, BodyId, ConnectionId
from cjsm.mail.envelope import Notify, OutgoingEnvelope, OutgoingRecipient, Wish, encode_envelope
from cjsm.store.interfaces import Attempted, Outgoing, Queued, SpoolBatch
from cjsm.suite import Suite
from cjsm.vault.queue import EnvelopeSealer
from tests.command.conftest import Run, refused, told

JANE, JO, KIM = "jane.smith@avon.cjsm.test", "jo@firm.co.uk.cjsm.test", "kim@firm.co.uk.cjsm.test"
OTHER = ConnectionId(b"other connection")
AGO = 3_600

Beside = Callable[[Callable[[Suite], Any]], Any]


@pytest.fixture
def beside(config: Path) -> Beside:
    """Do something with the community's stores."""

    def run(act: Callable[[Suite], Any]) -> Any:
        suite = Suite(configuration.load(config))
        try:
            return act(suite)
        finally:
            wait(suite.stores.close())

    return run


@pytest.fixture
def firm(cjsm: Run, beside: Beside) -> ConnectionId:
    """The connection of a firm, with two messages that wait for it, and one for a connection that is gone."""
    added = cjsm("connection", "add", "firm", "avon", "--kind", "server", "--name", "Firm", "--next-hop", "mx.firm:25")
    assert added.exit_code == 0, added.output
    identifier: ConnectionId = beside(
        lambda suite: suite.stores.community.read_now(lambda view: next(iter(view.connections())).id)
    )
    beside(lambda suite: [put(suite, each, f"{number:016x}") for number, each in enumerate((identifier, OTHER) * 2, 1)])
    return identifier


def put(suite: Suite, connection: ConnectionId, queue_id: str) -> None:
    """Accept a message an hour ago."""
    identifier = os.urandom(LENGTH)
    recipients = (
        OutgoingRecipient(address=JO),
        OutgoingRecipient(address=KIM, wish=Wish(notify=frozenset({Notify.FAILURE}))),
    )
    envelope = OutgoingEnvelope(
        reverse_path=JANE,
        message_id="<secret@x>",
        recipients=recipients,
        octets=1_234,
        key=bytes(32),
        queue_id=queue_id,
    )
    sealer = EnvelopeSealer(suite.secrets.queue_public.current, suite.secrets.queue_public.number)
    outgoing = Outgoing(
        id=identifier,
        connection=connection,
        accepted=int(time.time()) - AGO,
        body_id=BodyId(os.urandom(LENGTH)),
        sealed_octets=2_000,
        recipients=2,
        envelope=sealer.seal(identifier, encode_envelope(envelope)),
        body=b"sealed",
    )
    wait(suite.stores.spool.put(SpoolBatch(id=identifier, outgoing=(outgoing,))))


def tried(suite: Suite) -> None:
    """Jo has the first message, and Kim's server did not want it."""
    attempted = Attempted(
        sequence=1, settled=(0,), due=int(time.time()) + 500, reason=f"450 <{KIM}> is busy\nnow", told=True
    )
    wait(suite.stores.spool.outgoing.record([attempted]))


def queued(beside: Beside) -> list[Queued]:
    """What waits."""
    found: list[Queued] = beside(lambda suite: wait(suite.stores.spool.outgoing.listed(0, 100)))
    return found


def entries(beside: Beside) -> list[bytes]:
    """The ledger."""
    return [each for _, each in beside(lambda suite: wait(suite.stores.community.entries(0, 1_000)))]


def test_list(cjsm: Run, beside: Beside, firm: ConnectionId) -> None:
    """Each message with its reason in words, and a line for each connection; nobody's address."""
    beside(tried)
    document = told(cjsm("queue", "list", "--json"))
    first, second, third, _ = document["messages"]
    assert (first["number"], first["queue_id"], first["connection"]) == (1, f"{1:016x}", "firm")
    assert (first["attempts"], first["recipients_left"], first["recipients_all"]) == (1, 1, 2)
    assert (first["state"], first["octets"]) == ("late", 1_234)
    assert first["reason"] == "450 (address) is busy now"
    assert second["connection"] == OTHER.hex()
    assert (third["state"], third["attempts"], third["reason"]) == ("waiting", 0, "")
    summary = {each["connection"]: each for each in document["connections"]}["firm"]
    assert (summary["messages"], summary["tried"], summary["held"]) == (2, 1, 0)
    assert "busy" in summary["reason"]
    shown = cjsm("queue", "list").stdout
    assert "firm: 2 waiting, 1 tried" in shown
    assert "1/2" in shown
    assert "@" not in shown


def test_list_in_parts(cjsm: Run, firm: ConnectionId) -> None:
    """Of one connection, so many, and those behind."""
    document = told(cjsm("queue", "list", "--connection", "firm", "--json"))
    assert [each["number"] for each in document["messages"]] == [1, 3]
    assert [each["connection"] for each in document["connections"]] == ["firm"]
    document = told(cjsm("queue", "list", "--after", "1", "--limit", "2", "--json"))
    assert [each["number"] for each in document["messages"]] == [2, 3]
    assert "cjsm queue list --after 2" in cjsm("queue", "list", "--limit", "2").stdout
    assert refused(cjsm("queue", "list", "--connection", "nobody", "--json"))["cure"]


def test_nothing_waits(cjsm: Run) -> None:
    """It says so, and status too."""
    assert told(cjsm("queue", "list", "--json")) == {"messages": [], "connections": []}
    assert "nothing waits" in cjsm("queue", "list").stdout
    assert told(cjsm("status", "--json"))["outgoing"] == {
        "messages": 0, "oldest_seconds": 0, "held": 0, "damaged": 0, "failing": [],
    }  # fmt: skip


def test_show(cjsm: Run, beside: Beside, firm: ConnectionId) -> None:
    """Each recipient's state, with pseudonyms; by number and by queue id. It is an act, with an entry each."""
    beside(tried)
    before = len(entries(beside))
    (shown,) = told(cjsm("queue", "show", "1", "--json"))
    assert told(cjsm("queue", "show", f"{1:016x}", "--json")) == [shown]
    assert [each["state"] for each in shown["recipients"]] == ["done", "waiting"]
    assert shown["recipients"][1]["notify"] == ["FAILURE"]
    assert (shown["next_hops"], shown["connection_state"], shown["sender_was_told"]) == (
        ["mx.firm:25"],
        "testing",
        True,
    )
    assert "@" not in str(shown)
    assert "secret" not in str(shown)
    assert len(entries(beside)) == before + 2
    assert b"queue-show" in entries(beside)[-1]
    assert "450 (address) is busy now" in cjsm("queue", "show", "1").stdout


def test_show_in_clear(cjsm: Run, config: Path, beside: Beside, firm: ConnectionId) -> None:
    """Where the settings say so; pseudonyms are the same as in the trace."""
    config.write_text(config.read_text().replace('identities = "pseudonym"', 'identities = "clear"'))
    beside(tried)
    (shown,) = told(cjsm("queue", "show", "1", "--json"))
    assert (shown["sender"], [each["recipient"] for each in shown["recipients"]]) == (JANE, [JO, KIM])
    assert KIM in shown["reason"]


def test_without_the_queue_secret(cjsm: Run, config: Path, firm: ConnectionId) -> None:
    """Everything outside the envelope, and why there is not more."""
    secrets = Path(configuration.load(config).store.secrets_directory)
    for path in secrets.glob("queue.*"):
        if not path.name.endswith("public"):
            path.unlink()
    result = cjsm("queue", "show", "1", "--json")
    if result.exit_code:
        assert "queue" in refused(result)["error"]
        return
    (shown,) = told(result)
    assert "queue" in shown["sealed"]
    assert "recipients" not in shown
    assert told(cjsm("queue", "list", "--json"))["messages"][0]["queue_id"] == ""


def test_nobody_there(cjsm: Run, firm: ConnectionId) -> None:
    """What is not in the queue, and what is no name of a message."""
    assert "queue list" in refused(cjsm("queue", "show", "99", "--json"))["cure"]
    assert "queue list" in refused(cjsm("queue", "show", "soon", "--json"))["cure"]
    assert f"cjsm trace {99:016x}" in refused(cjsm("queue", "show", f"{99:016x}", "--json"))["cure"]
    assert "queue list" in refused(cjsm("queue", "hold", "1", "99", "--json"))["cure"]


def test_hold_and_release(cjsm: Run, beside: Beside, firm: ConnectionId) -> None:
    """Held is held, also through a retry of everything; released is due at once."""
    assert told(cjsm("queue", "hold", "1", "3", "--json")) == {
        "act": "hold", "changed": 2, "unchanged": 0, "service_running": False,
    }  # fmt: skip
    assert [each.state.held for each in queued(beside)] == [True, False, True, False]
    assert (
        told(cjsm("queue", "list", "--json"))["messages"][0] | {"next_try": None, "state": "held"}
        == told(cjsm("queue", "list", "--json"))["messages"][0]
    )
    assert told(cjsm("status", "--json"))["outgoing"]["held"] == 2
    assert told(cjsm("queue", "retry", "--all", "--json"))["unchanged"] == 2
    assert [each.state.held for each in queued(beside)] == [True, False, True, False]
    assert told(cjsm("queue", "release", "--connection", "firm", "--json"))["changed"] == 2
    assert [(each.state.held, each.state.due) for each in queued(beside)] == [(False, 0)] * 4


def test_retry_one_connection(cjsm: Run, beside: Beside, firm: ConnectionId) -> None:
    """Its own messages are due now, and nobody else's; the ledger has one entry, written before."""
    beside(tried)
    before = len(entries(beside))
    said = cjsm("queue", "retry", "--connection", "firm").stdout
    assert "2 messages: tried at once" in said
    assert "no service runs" in said
    assert [each.state.due == 0 for each in queued(beside)] == [True, False, True, False]
    (entry,) = entries(beside)[before:]
    assert b"queue-retry" in entry
    assert firm in entry
    assert told(cjsm("status", "--json"))["outgoing"]["failing"] == ["firm: 450 (address) is busy now"]


def test_remove(cjsm: Run, beside: Beside, firm: ConnectionId) -> None:
    """It is due, to be returned with the reason, even where it was held; a second hold cannot stop that."""
    cjsm("queue", "hold", "1")
    said = cjsm("queue", "remove", "1", "--reason", "sent to the wrong firm")
    assert "1 message: returned to the sender" in said.stdout
    assert "no service runs" in said.stdout
    state = queued(beside)[0].state
    assert (state.removed, state.held, state.due) == ("sent to the wrong firm", False, 0)
    assert told(cjsm("queue", "hold", "1", "--json"))["unchanged"] == 1
    assert told(cjsm("queue", "list", "--json"))["messages"][0]["state"] == "returning"
    entry = next(each for each in entries(beside) if b"queue-remove" in each)
    # It may be about a person: it is kept beside the entry.
    assert b"sent to the wrong firm" not in entry
    assert beside(lambda suite: [each.text for each in suite.stores.community.words(entry)]) == [state.removed]


def test_wrong_use(cjsm: Run, firm: ConnectionId, beside: Beside) -> None:
    """Exit code 2, or 1 with a cure, and neither queue nor ledger is touched."""
    before = (len(entries(beside)), queued(beside))
    for arguments in (("retry",), ("retry", "1", "--all"), ("hold", "x"), ("remove", "1"), ("remove", "0")):
        assert cjsm("queue", *arguments).exit_code == 2, arguments
    assert cjsm("queue", "remove", "1", "--reason", " ").exit_code == 1
    assert (len(entries(beside)), queued(beside)) == before


@pytest.mark.parametrize("command", ["list", "show", "retry", "hold", "release", "remove"])
def test_help_shows_how(cjsm: Run, command: str) -> None:
    """With examples."""
    assert f"cjsm queue {command}" in cjsm("queue", command, "--help").stdout
