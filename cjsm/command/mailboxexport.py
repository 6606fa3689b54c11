"""``cjsm mailbox export``: somebody's mail as files that other systems read; nobody but its owner can."""

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.access.interfaces import IMessageReader
from cjsm.command import acting
from cjsm.command.context import as_caller, open_suite_for_files, wait
from cjsm.command.mailboxowner import opened
from cjsm.command.output import Refused, console, document, errors, progressing
from cjsm.community.acts import mailboxes
from cjsm.community.acts.mailboxes import MailboxAct
from cjsm.mail.folders.writing import Going, Place, open_place
from cjsm.store.interfaces import Damaged, Missing
from cjsm.vault.errors import NotAuthentic


@click.command()
@click.argument("name")
@click.argument("destination", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(("mbox", "maildir", "eml")),
    default="mbox",
    show_default=True,
    help="A file, or a directory with a file for each message.",
)
@acting.own_verb
def export(name: str, destination: Path, form: str, config: Path, as_json: bool) -> None:
    """Write the mail of NAME to DESTINATION, readable. Asks for the owner's own password: nothing else opens it.

    NAME is a user ID or address, with /shared-name behind it for a shared mailbox. Unique-ids go with it: in X-UIDL
    fields of an mbox, in a dovecot-uidlist beside other files, as `cjsm mailbox import` and Dovecot read them. Files
    are written as whoever calls, and nobody else may read them. Interrupted, it may be run again: what is there in
    whole is not written again, an mbox is written anew.

    \b
    cjsm mailbox export jane.smith@avon jane.mbox
    cjsm mailbox export jane.smith@avon jane-maildir --format maildir
    cjsm mailbox export jane.smith@avon/desk desk --format eml
    """
    suite = open_suite_for_files(config)
    with (
        opened(suite, name) as maildrop,
        closing(open_place(destination, form, as_caller)) as place,
    ):
        by = suite.by(maildrop.account)
        decide = partial(mailboxes.own, by=by, act=MailboxAct.EXPORT, mailbox=maildrop.mailbox, form=form)
        wait(suite.stores.community.commit(by.act_id, decide))
        altered = suite.stores.community.is_noticed(maildrop.mailbox)
        if altered:
            told_of = "this mailbox is not what was written to it: messages may be missing; ask your helpdesk"
            errors.print(f"[bold]warning:[/] {told_of}", markup=True)
        try:
            written, there = _write_all(maildrop, place)
        except OSError as error:
            # Whatever fails in reading is the store's to say.
            raise Refused(f"{destination}: {error.strerror}", "make room there, and run it again") from error
    octets = sum(row.octets for row in maildrop.messages)
    told = {"destination": str(destination), "form": form, "written": written, "present": there, "octets": octets}
    told["altered"] = altered
    if as_json:
        document(told)
        return
    console.print(f"{written:,} messages written to {destination}", markup=False)
    if there:
        console.print(f"{there:,} were there from before")


def _write_all(maildrop: Any, place: Place) -> tuple[int, int]:
    written = there = 0
    with progressing("exported", sum(row.octets for row in maildrop.messages)) as advance:
        for index, row in enumerate(maildrop.messages):
            if not maildrop.still_valid():
                raise Refused("the owner's password was changed, or the account closed, meanwhile", "sign in again")
            if _write(maildrop, index, place):
                written += 1
            else:
                there += 1
            advance(row.octets)
        place.finish()
    return written, there


def _write(maildrop: Any, index: int, place: Place) -> bool:
    """Write one message; return whether it was not there yet."""
    row = maildrop.messages[index]
    try:
        with closing(wait(maildrop.open(index))) as reader:
            going = Going(unique_id=row.unique_id, accepted=reader.accepted)
            if place.has(going):
                return False
            _copy(reader, going, place)
    except (Damaged, Missing, NotAuthentic) as error:
        cure = "see `cjsm mailbox verify`; whoever reads the mailbox over POP3 gets all others"
        raise Refused(f"message {row.unique_id} cannot be opened: {error}", cure) from error
    return True


def _copy(reader: IMessageReader, going: Going, place: Place) -> None:
    place.begin(going)
    while piece := wait(reader.read()):
        place.write(piece)
    place.end()
