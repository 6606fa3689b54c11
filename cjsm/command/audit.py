"""``cjsm audit``: the ledger of what was done: read, proved, verified, given to others."""

import base64
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.auditshown import Shown, subjects_named
from cjsm.command.context import open_suite
from cjsm.command.groups import Group
from cjsm.command.output import console, document, shown, table, watched
from cjsm.command.trace import moment_of
from cjsm.community import finding
from cjsm.community.acts import heads
from cjsm.community.records import LedgerEntry
from cjsm.jobs import ledgertree
from cjsm.ledger.tree import leaf_hash
from cjsm.ledger.words import OPERATOR, SERVICE, nobody_acting
from cjsm.suite import Suite

Wanted = Callable[[LedgerEntry], bool]


@click.group(cls=Group)
def audit() -> None:
    """The ledger: every administrative act, who did it to what, in a form that nobody can change unnoticed.

    Administrators of an organisation see the entries about it and what is below it.
    """


@audit.command("list")
@click.option("--since", help="Only since then: 2026-01-31, 2026-01-31T09:30 (UTC), or 30m, 12h, 7d ago.")
@click.option("--until", help="Only before then; written like --since.")
@click.option("--actor", help=f"Only what this user did; also {OPERATOR!r}, {SERVICE!r}.")
@click.option("--subject", help="Only what was done to this: a user, organisation, shared mailbox, list, domain, …")
@click.option("--act", help="Only acts of this name, or that begin with it: user-suspended, user, recovery.")
@click.option("--organisation", metavar="PATH", help="Only about this organisation and what is below it.")
@click.option("--everything", is_flag=True, help="Also each minute's state of mailboxes, which nobody did.")
@click.option("--before", type=click.IntRange(0), metavar="INDEX", help="Only older ones than this entry.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Entries at most.")
@acting.verb
def list_(config: Path, as_json: bool, **values: Any) -> None:
    """List entries of the ledger, the newest first.

    \b
    cjsm audit list
    cjsm audit list --subject jane.smith@avon --since 30d
    cjsm audit list --act recovery --organisation avon-police --as olive.marsh@avon
    cjsm audit list --actor olive.marsh@avon --before 1200 --limit 100 --json
    """
    suite = open_suite(config)
    reader = Shown(suite, values["organisation"])
    needles, wanted = _wanted(suite, values)
    last = suite.stores.community.last_entry()
    before = last if values["before"] is None else min(values["before"], last)
    without = "" if values["act"] or values["everything"] else heads.ANCHORED
    with closing(watched(reader.newest(before, needles, without), "entries")) as looked_at:
        found = (each for each in looked_at if wanted(each[1]))
        told = [reader.told(*each) for each in islice(found, values["limit"])]
    if as_json:
        document(told)
        return
    table([_row(each) for each in told], "index", "when", "who", "did", "to", "why and how")
    if len(told) == values["limit"]:
        console.print(f"older ones: --before {told[-1]['index']}")


def _wanted(suite: Suite, values: dict[str, Any]) -> tuple[Sequence[bytes], Wanted]:
    """Return octets of which an entry that is wanted has one, and what tells whether it is."""
    look = suite.stores.community.read_now
    tests: list[Wanted] = []
    needles: list[bytes] = []
    if values["since"]:
        since = moment_of(values["since"])
        tests.append(lambda entry: entry.moment >= since)
    if values["until"]:
        until = moment_of(values["until"])
        tests.append(lambda entry: entry.moment < until)
    if act := (values["act"] or "").lower():
        needles = [act.encode()]
        tests.append(lambda entry: entry.act == act or entry.act.startswith(f"{act}-"))
    if (name := values["actor"]) in (OPERATOR, SERVICE):
        tests.append(lambda entry: not entry.actor and nobody_acting(entry) == name)
    elif name:
        actor = look(lambda view: finding.account_of(view, name).id)
        needles = [actor]
        tests.append(lambda entry: entry.actor == actor)
    if values["subject"]:
        subjects = look(lambda view: subjects_named(view, values["subject"]))
        digits = {each.hex() for each in subjects}
        needles = [*subjects, *(each.encode() for each in digits)]
        tests.append(lambda entry: entry.subject in subjects or _mentions(entry, digits))
    return needles, lambda entry: all(test(entry) for test in tests)


def _mentions(entry: LedgerEntry, digits: set[str]) -> bool:
    return any(each in value or each in name for name, value in entry.details for each in digits)


def _row(told: dict[str, Any]) -> list[str]:
    kind, subject = told["subject_kind"], told["subject"]
    if kind != "account" and not subject.startswith(kind):
        subject = f"{kind} {subject}"
    details = [told["reason"], *(f"{name}: {value}" for name, value in told["details"].items())]
    return [
        str(told["index"]), told["when"], told["actor"], told["what"], subject,
        "; ".join(filter(None, details)),
    ]  # fmt: skip


@audit.command("show")
@click.argument("index", type=click.IntRange(0))
@acting.verb
def show(index: int, config: Path, as_json: bool) -> None:
    """Show all of the entry at INDEX, and whether a signed checkpoint covers it.

    With --json also its octets, and the salts of words that it has commitments to: who gets those too can check that
    the words are what was written then.

    \b
    cjsm audit show 1234
    cjsm audit show 1234 --json --as olive.marsh@avon
    """
    suite = open_suite(config)
    reader = Shown(suite)
    entry, encoded = reader.one(index)
    checkpoint = ledgertree.signed(suite.stores.ledger, suite.ledger_keys)
    told = reader.told(index, entry) | {
        "act_id": entry.act_id.hex(),
        "hash": leaf_hash(encoded).hex(),
        "signed": checkpoint is not None and index < checkpoint.size,
    }
    if as_json:
        kept = suite.stores.community.words(encoded)
        salts = [{"name": each.name, "salt": each.salt.hex(), "text": each.text} for each in kept]
        commitments = {name: value.hex() for name, value in entry.commitments}
        more = {"entry": base64.b64encode(encoded).decode(), "commitments": commitments, "words": salts}
        document(told | more)
    else:
        table([[name, shown(value)] for name, value in told.items() if value not in ("", {})], "", "")


audit.elsewhere(
    "auditexport",
    export="Write the ledger into DIRECTORY for others: entries, tree, checkpoint and keys, as far as it is signed.",
    keys="Show the public keys that check the ledger's checkpoints, the newest first. Give them to whoever verifies.",
)
audit.elsewhere(
    "auditprove",
    prove=(
        "Prove that the entry at INDEX is in the ledger: its octets, the hashes up to the root, and a signed "
        "checkpoint."
    ),
)
audit.elsewhere(
    "auditrecover",
    recover="Complete the ledger after an older community.mdb was restored. The service must be stopped.",
)
audit.elsewhere(
    "auditverify",
    verify="Compute the whole ledger anew, from its entries, and hold it against the last signed checkpoint.",
)
