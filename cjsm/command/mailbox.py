"""``cjsm mailbox``: mailboxes as a whole. What is in them, nobody sees here but their owners."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite
from cjsm.command.groups import Group
from cjsm.command.mailboxnamed import named, see
from cjsm.command.mailboxshown import Shown
from cjsm.command.output import document, progressing, shown, table
from cjsm.community.acts import mailboxes
from cjsm.community.authority import Action
from cjsm.community.identifiers import MailboxId


@click.group(cls=Group)
def mailbox() -> None:
    """Mailboxes as a whole: how they are, keeping them safe, moving mail in and out.

    \b
    Who has how much:                cjsm mailbox list
    Is everything as it was written: cjsm mailbox verify --all
    Everything, as ciphertext:       cjsm mailbox backup --all /backup/monday
    From another server:             cjsm mailbox import jane.smith@avon /home/jane/Maildir
    """


mailbox.elsewhere(
    "mailboxaccept",
    accept=(
        "Go on with the mailbox NAME as it is, where it was put back to an earlier state, or messages were taken out."
    ),
)
mailbox.elsewhere(
    "mailboxbackup",
    backup="Back up the mailbox NAME to a FILE, or --all to a DIRECTORY, beside the running service.",
)
mailbox.elsewhere(
    "mailboxdestroy",
    destroy=(
        "Destroy the mailbox NAME and its keys: of a user who was deleted keys.undelete days ago, a shared one that "
        "was, or of nobody."
    ),
)
mailbox.elsewhere(
    "mailboxexport",
    export="Write the mail of NAME to DESTINATION, readable. Asks for the owner's own password: nothing else opens it.",
)
mailbox.elsewhere("mailboximport", import_="Import mail from SOURCE into the mailbox NAME, beside the running service.")
mailbox.elsewhere(
    "mailboxrestore",
    restore="Make the mailbox NAME what a backup holds, or --all that a DIRECTORY holds, beside the running service.",
)
mailbox.elsewhere(
    "mailboxundelete",
    undelete=(
        "Bring back messages that the owner of the mailbox NAME deleted, for as long as they are kept "
        "(mail.deleted_kept)."
    ),
)
mailbox.elsewhere(
    "mailboxverify",
    verify=(
        "Look at all of a mailbox: structure, list, lengths, and that this service accepted each message as it is "
        "there."
    ),
)


@mailbox.command("list")
@click.option("--organisation", help="Only this organisation and those below it.")
@click.option("--full", type=click.IntRange(0, 1_000), help="Only those that are full to so many percent.")
@click.option("--troubled", is_flag=True, help="Only those in quarantine, damaged, altered, or nobody's.")
@acting.verb
def list_(organisation: str | None, full: int | None, troubled: bool, config: Path, as_json: bool) -> None:
    """List mailboxes: whose they are, what counts against the quota, what is kept of deleted mail, and the disk.

    \b
    cjsm mailbox list
    cjsm mailbox list --organisation avon-police --full 90
    cjsm mailbox list --troubled --json
    cjsm mailbox list --as olive.marsh@avon
    """
    suite = open_suite(config)
    sight = acting.sight(suite, Action.SEE_MAILBOXES, organisation)
    tell = Shown(suite)
    every = tell.of_organisation(organisation) if organisation else tell.every()
    wanted = suite.stores.community.read_now(lambda view: mailboxes.those(view, every, sight(view)))
    found = [told for told in _looked_at(tell, wanted) if _is_wanted(told, full, troubled)]
    if as_json:
        document(found)
        return
    names = ("mailbox", "organisation", "messages", "octets", "quota", "full", "deleted", "disk", "state")
    table([_row(told) for told in found], *names)


def _looked_at(tell: Shown, wanted: Sequence[MailboxId]) -> Iterator[dict[str, Any]]:
    with progressing("mailboxes", len(wanted), octets=False) as advance:
        for each in wanted:
            yield tell.row(each)
            advance(1)


def _is_wanted(told: dict[str, Any], full: int | None, troubled: bool) -> bool:
    if troubled:
        return told["state"] not in ("sound", "full")
    return full is None or (told["percent"] or 0) >= full


def _row(told: dict[str, Any]) -> list[str]:
    counts = [_count(told[name]) for name in ("messages", "octets", "quota")]
    percent = f"{told['percent']} %" if told["percent"] is not None else "-"
    deleted = _count(told["deleted_messages"])
    state = told["state"] if told["state"] in ("sound", "full") else f"{told['state']}: {told['problem']}".rstrip(": ")
    return [told["name"], told["organisation"] or "-", *counts, percent, deleted, _count(told["disk_octets"]), state]


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


@mailbox.command("show")
@click.argument("name")
@acting.verb
def show(name: str, config: Path, as_json: bool) -> None:
    """Show the mailbox NAME: a user, the address of a shared mailbox, or a mailbox's identifier.

    \b
    cjsm mailbox show jane.smith@avon
    cjsm mailbox show desk@avon.cjsm.test --json
    """
    suite = open_suite(config)
    which = named(suite, name)
    see(suite, which)
    told = Shown(suite).whole(which)
    if as_json:
        document(told)
    else:
        table([(key.replace("_", " "), shown(value)) for key, value in told.items()], "what", "now")
