"""``cjsm policy``: what admission answers, and why."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command.context import config_option, open_suite
from cjsm.command.output import console, document, json_option, reported, shown, table, watched
from cjsm.community import finding, matrix
from cjsm.community.explaining import KINDS, Explained, explain, origin_named, route_told
from cjsm.community.matrix import Cell, Classes
from cjsm.community.records import Account
from cjsm.community.rules import sentence
from cjsm.community.verdicts import Accept, Verdict
from cjsm.community.view import View

#: What a message that is taken is answered with.
_OK = (250, "2.1.5", "accepted")


@click.group()
def policy() -> None:
    """Ask whether a message would be taken, and why; or see the whole table."""


@policy.command("explain")
@click.option("--from", "sender", required=True, help="The sender's address; <> for none.")
@click.option("--to", "recipient", required=True, help="The recipient's address.")
@click.option("--as", "kind", type=click.Choice(KINDS), help="Who sends; else whoever has the sender's address.")
@click.argument("name", required=False)
@config_option
@json_option
@reported
def explain_(sender: str, recipient: str, kind: str | None, name: str | None, config: Path, as_json: bool) -> None:
    """Say what happens to a message and every rule that leads to it. NAME is the user, connection or service of --as.

    \b
    cjsm policy explain --from jane.smith@avon.cjsm.test --to jo@firm.co.uk.cjsm.test
    cjsm policy explain --from jo@firm.co.uk --to jane.smith@avon.cjsm.test --as connection firm
    cjsm policy explain --from "<>" --to jane.smith@avon.cjsm.test --as service dsn
    """
    if name is not None and kind is None:
        raise click.UsageError("say with --as whether that is an account, a connection or a service")
    suite = open_suite(config)
    told = suite.stores.community.read_now(lambda view: _told(view, explain(view, sender, recipient, kind, name)))
    if as_json:
        document(told)
        return
    colour = "green" if told["accepted"] else "red"
    verdict = "accepted" if told["accepted"] else "refused"
    console.print(f"[bold {colour}]{verdict}[/] {told['code']} {told['status']}")
    shown_too = ("text", "notes", "origin", "from", "to", "route")
    table([(field, shown(told[field])) for field in shown_too], "what", "answer")
    table([(rule["rule"], rule["says"]) for rule in told["rules"]], "rule", "in plain words")


def _told(view: View, explained: Explained) -> dict[str, Any]:
    verdict = explained.verdict
    accepted = isinstance(verdict, Accept)
    code, status, text = _answer(verdict)
    return {
        "accepted": accepted,
        "code": code,
        "status": status,
        "text": text,
        "notes": list(verdict.notes) if isinstance(verdict, Accept) else [],
        "origin": origin_named(view, explained.origin),
        "from": explained.sender or "<>",
        "to": explained.recipient,
        "route": route_told(view, verdict.route) if isinstance(verdict, Accept) else None,
        "rules": [{"rule": rule, "says": sentence(rule)} for rule in verdict.rules],
        "view": verdict.view,
    }


def _answer(verdict: Verdict) -> tuple[int, str, str]:
    return _OK if isinstance(verdict, Accept) else (verdict.code, verdict.status, verdict.text)


@policy.command("matrix")
@click.option("--organisation", help="Only this organisation and those below it.")
@click.option("--limit", type=click.IntRange(min=1), help="Look at no more accounts than this.")
@click.option("--why", is_flag=True, help="Also list each refusal with its rule.")
@config_option
@json_option
@reported
def matrix_(organisation: str | None, limit: int | None, why: bool, config: Path, as_json: bool) -> None:
    """Show who may write to whom: every kind and state of origin against every kind and state of recipient.

    \b
    cjsm policy matrix
    cjsm policy matrix --organisation avon-police --why
    cjsm policy matrix --json
    """
    suite = open_suite(config)

    def watch(accounts: Iterable[Account]) -> Iterable[Account]:
        return watched(accounts, "accounts")

    def look(view: View) -> tuple[int, Classes, list[Cell]]:
        place = finding.organisation_of(view, organisation).id if organisation else None
        found = matrix.classes(view, place, limit=limit, watch=watch)
        return view.number, found, list(watched(matrix.cells(view, found), "answers"))

    number, found, cells = suite.stores.community.read_now(look)
    if as_json:
        _document(number, suite.settings.community.suffix, found, cells)
    else:
        _print(found, cells, why)


def _document(number: int, suffix: str, found: Classes, cells: list[Cell]) -> None:
    document(
        {
            "view": number,
            "suffix": suffix,
            "origins": [{"class": each.label, "count": each.count} for each in found.origins],
            "recipients": [{"class": each.label, "count": each.count} for each in found.recipients],
            "cells": [
                {
                    "origin": cell.origin,
                    "recipient": cell.recipient,
                    "answer": cell.said,
                    "examples": [_example(answer) for answer in cell.answers],
                }
                for cell in cells
            ],
        }
    )


def _example(answer: matrix.Answer) -> dict[str, Any]:
    code, status, _ = _answer(answer.verdict)
    return {
        "from": answer.sender or "<>",
        "to": answer.recipient,
        "code": code,
        "status": status,
        "rules": answer.verdict.rules,
    }


def _print(found: Classes, cells: list[Cell], why: bool) -> None:
    said = {(cell.origin, cell.recipient): cell.said for cell in cells}
    names = {each.label: str(number) for number, each in enumerate(found.origins, 1)}
    table([(names[each.label], each.label, str(each.count)) for each in found.origins], "from", "who", "how many")
    rows = [
        [recipient.label, str(recipient.count), *(said[origin.label, recipient.label] for origin in found.origins)]
        for recipient in found.recipients
    ]
    table(rows, "to", "how many", *names.values())
    if why:
        table(list(_refusals(cells, names)), "from", "to", "rule", "in plain words")
    else:
        console.print("some: it depends on who exactly; --why and `cjsm policy explain` say more")


def _refusals(cells: list[Cell], names: dict[str, str]) -> Iterable[tuple[str, str, str, str]]:
    for cell in cells:
        rules = Counter(answer.verdict.rules[-1] for answer in cell.answers if not isinstance(answer.verdict, Accept))
        for rule in sorted(rules):
            yield names[cell.origin], cell.recipient, rule, sentence(rule)
