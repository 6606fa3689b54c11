"""``cjsm mailbox import``: mail from files of another system into somebody's mailbox."""

import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import as_caller, open_suite_for_files, wait
from cjsm.command.mailboxnamed import check, named
from cjsm.command.output import Refused, console, document, errors, progressing
from cjsm.community import finding
from cjsm.community.acts import mailboxes
from cjsm.community.acts.acting import By, check_text
from cjsm.community.acts.mailboxes import MailboxAct
from cjsm.community.identifiers import MailboxId
from cjsm.community.view import Change, View
from cjsm.mail.folders.opening import FORMS, open_source
from cjsm.mail.folders.source import Source
from cjsm.mail.importing import Importer, Outcome
from cjsm.store.interfaces import LeaseTaken
from cjsm.suite import Suite


@click.command("import")
@click.argument("name")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    default="auto",
    show_default=True,
    help="What SOURCE is; mboxrd, mboxo and mboxcl2 are kinds of mbox.",
)
@click.option("--uidl-format", default="", help="The old server's pop3_uidl_format, where it was not %08Xu%08Xv.")
@click.option("--over-quota", is_flag=True, help="Also where the mailbox gets fuller than it may be.")
@click.option("--reason", default="", help="Why; the ledger keeps it.")
@acting.verb
def import_(
    name: str,
    source: Path,
    form: str,
    uidl_format: str,
    over_quota: bool,
    reason: str,
    config: Path,
    as_json: bool,
) -> None:
    """Import mail from SOURCE into the mailbox NAME, beside the running service.

    SOURCE is an mbox, a Maildir, an EML file or a directory of such. Messages keep their unique-ids where the source
    knows them (dovecot-uidlist, courierpop3dsizelist, courierimapuiddb, X-UIDL, X-UID), so that programs that leave
    mail on the server fetch nothing twice. They are sealed for the owner at once; nothing but ends of lines is changed.
    Run again, it imports nothing twice, and goes on where it was interrupted. Files are read as whoever calls.

    \b
    cjsm mailbox import jane.smith@avon /home/jane/Maildir
    cjsm mailbox import jane.smith@avon /var/mail/jane --format mboxrd
    cjsm mailbox import desk@avon.cjsm.test ./saved-messages --over-quota
    """
    suite = open_suite_for_files(config)
    which = named(suite, name)
    check(suite, MailboxAct.IMPORT, which)
    said = check_text(reason, "the reason") if reason else ""
    with closing(open_source(source, form, suite.settings.imports, as_caller, uidl_format)) as found:
        acting.act(suite, lambda view, by: _change(view, by, which, found, len(found.found)), said)
        importer = suite.importer(which, None if over_quota else _quota(suite, which))
        outcomes = _take_all(importer, found)
    _report(name, found, importer, outcomes, as_json=as_json)


def _change(view: View, by: By, which: MailboxId, source: Source, messages: int) -> Change:
    details = {"form": source.form, "messages": str(messages)}
    return mailboxes.change(view, by, MailboxAct.IMPORT, which, **details)


def _quota(suite: Suite, which: MailboxId) -> int:
    def look(view: View) -> int:
        owner = finding.owner_of(view, which)
        return owner.quota if owner is not None else 0

    return suite.stores.community.read_now(look) or suite.settings.mail.quota


def _take_all(importer: Importer, source: Source) -> Counter[Outcome]:
    outcomes: Counter[Outcome] = Counter()
    try:
        wait(importer.begin())
    except LeaseTaken:
        raise Refused("somebody imports into this mailbox at this moment", "wait until that is done") from None
    try:
        with progressing("imported", sum(each.octets for each in source.found)) as advance:
            for each in source.found:
                outcome = wait(importer.take(source, each))
                outcomes[outcome] += 1
                if outcome is Outcome.TOO_LARGE:
                    source.notes.append(
                        f"{each.name} is larger than imports.message_octets, with CRLF at the ends of its lines"
                    )
                advance(each.octets)
    finally:
        # What was gathered is whole, whatever ended this.
        wait(importer.end())
    return outcomes


def _report(name: str, source: Source, importer: Importer, outcomes: Counter[Outcome], *, as_json: bool) -> None:
    told: dict[str, Any] = {
        "mailbox": name,
        "form": source.form,
        "unique_ids_from": source.listed_by,
        "messages": len(source.found),
        "imported": importer.written,
        "present": outcomes[Outcome.PRESENT],
        "left_out": outcomes[Outcome.TOO_LARGE],
        "notes": source.notes,
    }
    if as_json:
        document(told)
    else:
        listed = f", unique-ids from {source.listed_by}" if source.listed_by else ""
        console.print(f"{len(source.found):,} messages in a source of form {source.form}{listed}", markup=False)
        console.print(
            f"{importer.written:,} imported, {told['present']:,} there already, {told['left_out']:,} left out"
        )
        for note in source.notes:
            errors.print(f"note: {note}", markup=False, soft_wrap=True)
    if outcomes[Outcome.TOO_LARGE]:
        sys.exit(1)
