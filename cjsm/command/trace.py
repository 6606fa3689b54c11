"""``cjsm trace``: what became of a message, for each recipient."""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite, wait
from cjsm.command.output import Refused, console, document, table, when
from cjsm.community.acts import traces
from cjsm.community.authority import Action
from cjsm.community.identifiers import ConnectionId
from cjsm.community.view import View
from cjsm.mail.traced import Event, Result
from cjsm.suite import Suite

_AGO = re.compile(r"([0-9]{1,6})([mhd])")
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400}
#: Events of one message that are looked at: a message may have 1,000 recipients, each with some.
_EVENTS = 20_000


@click.command()
@click.argument("name", metavar="MESSAGE-ID|QUEUE-ID")
@click.option("--recipient", help="Only what concerns this address, as the community writes it: with its suffix.")
@click.option("--since", help="Only what happened since: 2026-01-31, 2026-01-31T09:30 (UTC), or 30m, 12h, 7d ago.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="Messages at most.")
@acting.verb
def trace(name: str, recipient: str | None, since: str | None, limit: int, config: Path, as_json: bool) -> None:
    """Show what became of a message for each recipient: by its Message-ID, or the queue id that its sender was told.

    Who sends and receives is shown as the setting trace.identities says. Looking is written to the ledger.

    \b
    cjsm trace 0123456789abcdef
    cjsm trace '<20260131.1@firm.example>' --recipient jane.smith@avon.cjsm.test
    cjsm trace 0123456789abcdef --since 2d --json
    cjsm trace 0123456789abcdef --as henry.desk@desk
    """
    suite = open_suite(config)
    acting.require(suite, Action.TRACE)
    after = moment_of(since) if since else 0.0
    found = [_message(suite, each, recipient, after) for each in wait(suite.traces.queue_ids(name, limit))]
    found = [each for each in found if each["recipients"]]
    if not found:
        days = suite.settings.trace.kept
        raise Refused(
            f"the trace knows nothing of {name}" + (" that fits" if recipient or since else ""),
            f"put a Message-ID in quotes, whole; it is kept for {days} days and written a second after it happened",
        )
    for each in found:
        acting.act(suite, partial(traces.look, queue_id=bytes.fromhex(each["queue_id"])))
    if as_json:
        document(found)
    else:
        for each in found:
            _show(each)


def moment_of(since: str) -> float:
    """Return the moment that ``--since`` names."""
    ago = _AGO.fullmatch(since)
    if ago is not None:
        return time.time() - int(ago[1]) * _SECONDS[ago[2]]
    try:
        read = datetime.fromisoformat(since)
    except ValueError:
        raise Refused(f"--since {since} is no time", "write it like 2026-01-31, 2026-01-31T09:30 or 12h") from None
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()


def _message(suite: Suite, queue_id: str, recipient: str | None, after: float) -> dict[str, Any]:
    """Return what is known of one message: itself, then its recipients, each with its events."""
    events = wait(suite.traces.events(queue_id, _EVENTS))
    first = next((each for each in events if each.sender or each.origin), None)
    by_delivery = {each.delivery: each for each in events if each.delivery and each.recipient}
    told: dict[str, dict[str, Any]] = {}
    for event in events:
        known = by_delivery.get(event.delivery, event) if event.delivery else event
        of_everybody = not (known.recipient or known.delivery)
        meant = recipient is None or of_everybody or suite.traces.is_of(known, recipient)
        if event.moment < after or not meant:
            continue
        whose = known.recipient if of_everybody else recipient or known.recipient
        lines = told.setdefault(
            known.recipient or event.delivery.hex(), {"recipient": whose, "route": "", "events": []}
        )
        lines["route"] = lines["route"] or suite.stores.community.read_now(partial(_place, told=event.route))
        lines["events"].append(_event(event))
    return {
        "queue_id": queue_id,
        "sender": first.sender if first else "",
        "origin": suite.stores.community.read_now(partial(_place, told=first.origin if first else "")),
        "octets": max((each.octets for each in events), default=0),
        "tls": _tls(first) if first else "",
        "host": first.host if first else "",
        "recipients": list(told.values()),
    }


def _place(view: View, told: str) -> str:
    """Return an origin or route with the connection's name for its id."""
    kind, _, digits = told.partition(" ")
    if kind not in ("relay", "connection"):
        return told
    connection = view.connection(ConnectionId(bytes.fromhex(digits)))
    return f"{kind} {connection.name}" if connection is not None else told


def _event(event: Event) -> dict[str, Any]:
    accepted = event.result is Result.ACCEPTED
    return {
        "when": when(int(event.moment)),
        "result": event.result,
        "code": event.code,
        "status": event.status,
        "words": event.words,
        "list": event.of_list,
        "host": "" if accepted else event.host,
        "tls": "" if accepted else _tls(event),
    }


def _tls(event: Event) -> str:
    return f"{event.tls_version} {event.tls_group}".strip()


def _show(message: dict[str, Any]) -> None:
    facts = [f"from {message['sender'] or '<>'}", message["origin"], f"{message['octets']:,} octets"]
    facts += [message["host"], message["tls"]]
    console.print(f"{message['queue_id']}  " + ", ".join(fact for fact in facts if fact), markup=False, soft_wrap=True)
    table(_rows(message["recipients"]), "recipient", "when", "what", "details")


def _rows(recipients: Sequence[dict[str, Any]]) -> list[list[str]]:
    rows = []
    for told in recipients:
        for number, event in enumerate(told["events"]):
            details = [
                told["route"] if event["result"] is Result.ACCEPTED else "",
                "by a list" if event["list"] else "",
            ]
            details += [str(event["code"] or ""), event["status"], event["words"], event["host"], event["tls"]]
            name = (told["recipient"] or "(the message)") if number == 0 else ""
            rows.append([name, event["when"], event["result"], " ".join(each for each in details if each)])
    return rows
