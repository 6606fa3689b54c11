"""``cjsm mailbox verify``: whether mailboxes are what was written to them."""

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite, wait
from cjsm.command.mailboxnamed import check, named
from cjsm.command.output import console, document, errors, progressing, table, when
from cjsm.community import finding
from cjsm.community.acts import mailboxes
from cjsm.community.acts.mailboxes import MailboxAct
from cjsm.community.identifiers import MailboxId, text
from cjsm.mail.stored import examiner
from cjsm.store.interfaces import Row, StoreError, Verified
from cjsm.suite import Suite


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every mailbox.")
@acting.verb
def verify(names: Sequence[str], everything: bool, config: Path, as_json: bool) -> None:
    """Look at all of a mailbox: structure, list, lengths, and that this service accepted each message as it is there.

    Nobody's key is needed and nothing is changed. Works beside the service, without one, and on a mailbox in
    quarantine. Ends with 1 where there is a problem.

    \b
    cjsm mailbox verify jane.smith@avon
    cjsm mailbox verify --all
    cjsm mailbox verify --all --json
    """
    if bool(names) == everything:
        raise click.UsageError("Name mailboxes, or give --all.")
    suite = open_suite(config)
    which = wait(suite.stores.mail.mailboxes()) if everything else [named(suite, name) for name in names]
    for each in [None] if everything else which:
        _note(suite, each)
    found = [told(suite, each, verified) for each, verified in _verified(suite, which)]
    _report(found, as_json=as_json)


def _note(suite: Suite, which: MailboxId | None) -> None:
    check(suite, MailboxAct.VERIFY, which)
    try:
        acting.act(suite, partial(mailboxes.keep, act=MailboxAct.VERIFY, mailbox=which))
    except StoreError as error:
        # A disk that takes no more is a reason to look at mailboxes, not to be kept from it.
        errors.print(f"[bold]warning:[/] the ledger takes no entry: {error}", markup=True)


def _verified(suite: Suite, which: Sequence[MailboxId]) -> Iterator[tuple[MailboxId, Verified]]:
    if len(which) == 1:
        with progressing("octets verified", _octets(suite, which[0])) as advance:
            yield which[0], verified(suite, which[0], advance)
        return
    with progressing("mailboxes verified", len(which), octets=False) as advance:
        for each in which:
            yield each, verified(suite, each)
            advance(1)


def verified(suite: Suite, which: MailboxId, advance: Any = lambda octets: None) -> Verified:
    """Look at one mailbox.

    :param advance: told of the octets of each message.
    """
    examine = examiner(which, suite.secrets.acceptance_public)

    def watched(row: Row, wrap: bytes, octets: int, digest: bytes) -> str:
        advance(row.octets)
        return examine(row, wrap, octets, digest)

    return wait(suite.stores.mail.verify(which, watched))


def _octets(suite: Suite, which: MailboxId) -> int:
    try:
        status = wait(suite.stores.mail.status(which))
    except StoreError:
        return 0
    return status.usage.octets + status.deleted.octets


def told(suite: Suite, which: MailboxId, found: Verified) -> dict[str, Any]:
    """Return what a look at a mailbox found, as programs read it."""
    return {
        "name": suite.stores.community.read_now(lambda view: finding.mailbox_name(view, which)),
        "mailbox": text(which),
        "sound": not found.problems,
        "messages": found.messages,
        "deleted_messages": found.deleted,
        "octets": found.octets,
        "noticed": _noticed(suite, which),
        "problems": list(found.problems),
    }


def _noticed(suite: Suite, which: MailboxId) -> str | None:
    """Return when the mailbox was found to be other than it was, unless an act explained that since."""
    for each in wait(suite.stores.community.noticed()) if suite.stores.community.is_noticed(which) else ():
        if each.mailbox == which:
            return when(each.moment)
    return None


def _report(found: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    bad = [each for each in found if each["problems"]]
    if as_json:
        document({"sound": not bad, "mailboxes": list(found)})
    else:
        if bad:
            rows = [[each["name"], problem, each["noticed"] or "now"] for each in bad for problem in each["problems"]]
            table(rows, "mailbox", "problem", "noticed")
        messages = sum(each["messages"] + each["deleted_messages"] for each in found)
        noun = "mailbox" if len(found) == 1 else "mailboxes"
        console.print(f"{len(found):,} {noun} with {messages:,} messages verified, {len(bad):,} with problems")
        if bad:
            console.print("keep the disk as it is, then restore these from a backup: cjsm mailbox restore --help")
            console.print("where there is no newer backup, go on with what is there: cjsm mailbox accept --help")
    if bad:
        sys.exit(1)
