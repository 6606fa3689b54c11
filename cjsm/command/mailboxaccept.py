"""``cjsm mailbox accept``: going on with a mailbox that is not what was written to it."""

from functools import partial
from pathlib import Path

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite, wait
from cjsm.command.mailboxnamed import check, named
from cjsm.command.output import Refused, console, document
from cjsm.community.acts import mailboxes
from cjsm.community.acts.acting import check_text
from cjsm.community.acts.mailboxes import MailboxAct
from cjsm.store.interfaces import Altered


@click.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why; the ledger keeps it.")
@acting.verb
def accept(name: str, reason: str, config: Path, as_json: bool) -> None:
    """Go on with the mailbox NAME as it is, where it was put back to an earlier state, or messages were taken out.

    For a mailbox of which there is no newer backup (`cjsm mailbox restore`). Nothing in it is lost: what it keeps and
    does not list counts as deleted, and `cjsm mailbox undelete` brings it back. Mail that waited is delivered. The
    ledger keeps that it was noticed, and this.

    \b
    cjsm mailbox accept jane.smith@avon --reason "disk of 3 March put back, no later backup"
    """
    said = check_text(reason, "the reason")
    suite = open_suite(config)
    which = named(suite, name)
    check(suite, MailboxAct.ACCEPT, which)
    try:
        wait(suite.stores.mail.list(which))
    except Altered as error:
        problem = str(error)
    else:
        raise Refused(f"the mailbox {name} is as it was written", "there is nothing to accept")
    acting.act(suite, partial(mailboxes.begin_anew, act=MailboxAct.ACCEPT, mailbox=which, problem=problem), said)
    listed = wait(suite.stores.mail.accept(which))
    deleted = wait(suite.stores.mail.status(which)).deleted.messages
    if as_json:
        document({"mailbox": name, "problem": problem, "messages": listed, "deleted_messages": deleted})
        return
    console.print(f"the mailbox {name} goes on with {listed:,} messages", markup=False)
    if deleted:
        console.print(f"{deleted:,} more are kept as deleted: cjsm mailbox undelete {name} --list", markup=False)
