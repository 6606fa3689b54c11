"""``cjsm mailbox undelete``: deleted messages back where they were, for as long as they are kept."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite, wait
from cjsm.command.mailboxnamed import check, named, see
from cjsm.command.mailboxowner import sign_in
from cjsm.command.output import Refused, console, document, shown, table, when
from cjsm.command.trace import moment_of
from cjsm.community.acts import mailboxes
from cjsm.community.acts.acting import By, check_text
from cjsm.community.acts.mailboxes import MailboxAct
from cjsm.community.identifiers import MailboxId
from cjsm.community.view import Change, View
from cjsm.store.interfaces import Deleted
from cjsm.suite import Suite

_DAY = 86_400


@click.command()
@click.argument("name")
@click.argument("unique_ids", metavar="[UNIQUE-ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that is kept.")
@click.option("--since", help="What was deleted since: 2026-01-31, 2026-01-31T09:30 (UTC), or 30m, 12h, 7d ago.")
@click.option("--list", "only_list", is_flag=True, help="Change nothing: list what is kept.")
@click.option("--reason", help="Why somebody else than the owner brings it back; the ledger keeps it.")
@acting.verb
def undelete(
    name: str,
    unique_ids: Sequence[str],
    everything: bool,
    since: str | None,
    only_list: bool,
    reason: str | None,
    config: Path,
    as_json: bool,
) -> None:
    """Bring back messages that the owner of the mailbox NAME deleted, for as long as they are kept (mail.deleted_kept).

    They are where they were in the list, with the unique-ids they had. Asks for the owner's password; an administrator
    gives a --reason instead.

    \b
    cjsm mailbox undelete jane.smith@avon --list
    cjsm mailbox undelete jane.smith@avon --since 2h
    cjsm mailbox undelete jane.smith@avon 6f1c0e5a9b8d4c7f8e21d0a3b5c49e77
    cjsm mailbox undelete jane.smith@avon --all --reason "asked for by telephone, identity checked"
    """
    if sum(map(bool, (unique_ids, everything, since, only_list))) != 1:
        raise click.UsageError("Name messages, or give one of --all, --since and --list.")
    suite = open_suite(config)
    which = named(suite, name)
    if only_list:
        see(suite, which)
        _tell_deleted(suite, _kept(suite, which), as_json=as_json)
        return
    # Who may do it is asked before what there is is told.
    by = _administrator(suite, which, reason) if reason else _owner(suite, which)
    back = _chosen(_kept(suite, which), unique_ids, moment_of(since) if since else 0.0)
    ids = [each.row.delivery_id for each in back]
    decide = partial(_decide, by=by, mailbox=which, count=len(ids))
    wait(suite.stores.community.commit(by.act_id, decide))
    done = wait(suite.stores.mail.undelete(which, ids))
    if as_json:
        document({"mailbox": name, "undeleted": done, "unique_ids": [each.row.unique_id for each in back]})
    else:
        console.print(f"{done:,} {'message is' if done == 1 else 'messages are'} back where they were")


def _administrator(suite: Suite, which: MailboxId, reason: str) -> By:
    by = acting.by(suite, check_text(reason, "the reason"))
    check(suite, MailboxAct.UNDELETE, which)
    return by


def _owner(suite: Suite, which: MailboxId) -> By:
    """Return an act of the mailbox's owner, who is signed in, or does so now."""
    if acting.named() is None:
        return suite.by(sign_in(suite, which))
    by = acting.by(suite)
    owner = suite.stores.community.read_now(lambda view: view.account_of_mailbox(which))
    if owner is None or owner.id != by.actor:
        raise Refused("this is somebody else's mailbox", "give the reason with --reason")
    return by


def _decide(view: View, by: By, *, mailbox: MailboxId, count: int) -> Change:
    change = mailboxes.change if by.reason else mailboxes.own
    return change(view, by, MailboxAct.UNDELETE, mailbox, messages=str(count))


def _kept(suite: Suite, which: MailboxId) -> list[Deleted]:
    """Return what may be brought back: what is older goes at the next purge, and is nobody's any more."""
    oldest = time.time() - suite.settings.mail.deleted_kept * _DAY
    return [each for each in wait(suite.stores.mail.deleted(which)) if each.moment >= oldest]


def _chosen(kept: Sequence[Deleted], unique_ids: Sequence[str], after: float) -> list[Deleted]:
    by_id = {each.row.unique_id: each for each in kept}
    missing = [unique_id for unique_id in unique_ids if unique_id not in by_id]
    if missing:
        raise Refused(f"no deleted message {missing[0]} is kept", "see `cjsm mailbox undelete NAME --list`")
    chosen = [by_id[each] for each in unique_ids] if unique_ids else [each for each in kept if each.moment >= after]
    if not chosen:
        raise Refused("no deleted message is kept" + (" from that time" if after else ""), "nothing is to be done")
    return chosen


def _tell_deleted(suite: Suite, kept: Sequence[Deleted], *, as_json: bool) -> None:
    days = suite.settings.mail.deleted_kept
    told = [
        {
            "unique_id": each.row.unique_id,
            "octets": each.row.octets,
            "deleted": when(each.moment),
            "kept_until": when(each.moment + days * _DAY),
        }
        for each in kept
    ]
    if as_json:
        document(told)
    elif told:
        table([[shown(value) for value in each.values()] for each in told], *(c.replace("_", " ") for c in told[0]))
    else:
        console.print("no deleted message is kept")
