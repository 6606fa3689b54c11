"""``cjsm mailbox destroy``: a mailbox that nobody can have back, and its keys."""

from pathlib import Path

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite, wait
from cjsm.command.mailboxnamed import named
from cjsm.command.output import Refused, console, document
from cjsm.community import finding
from cjsm.community.acts import mailboxes
from cjsm.community.acts.acting import check_text
from cjsm.community.identifiers import MailboxId
from cjsm.suite import Suite

_DAY = 86_400


@click.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why; the ledger keeps it.")
@acting.verb
def destroy(name: str, reason: str, config: Path, as_json: bool) -> None:
    """Destroy the mailbox NAME and its keys: of a user who was deleted keys.undelete days ago, a shared one that
    was, or of nobody.

    Nothing brings it back but a backup of mailbox and keys. May be run again when it was interrupted.

    \b
    cjsm mailbox destroy jane.smith@avon --reason "left the force, retention ended"
    cjsm mailbox destroy 5c0e9b0f7d6a4e21b3c8d9e0f1a2b3c4 --reason "belongs to nobody"
    """
    said = check_text(reason, "the reason")
    suite = open_suite(config)
    which = named(suite, name)
    undelete_for = suite.settings.keys.undelete * _DAY
    if not _is_somebodys(suite, which) and which not in wait(suite.stores.mail.mailboxes()):
        raise Refused(f"there is no mailbox {name}", "see `cjsm mailbox list`")
    acting.act(suite, lambda view, by: mailboxes.destroy(view, by, which, undelete_for), said)
    wait(suite.stores.mail.destroy(which))
    wait(suite.stores.keys.destroy(which))
    # What was removed stays in the key store's file until that is replaced.
    wait(suite.stores.keys.compact())
    waiting = suite.stores.spool.waiting(which)
    if as_json:
        document({"mailbox": name, "destroyed": True, "waiting_octets": waiting})
        return
    console.print(f"the mailbox {name} is destroyed, and its keys", markup=False)
    if waiting:
        console.print(f"{waiting:,} octets still wait for it; once they were delivered, destroy it again")


def _is_somebodys(suite: Suite, which: MailboxId) -> bool:
    community = suite.stores.community
    return bool(community.read_now(lambda view: finding.owner_of(view, which)))
