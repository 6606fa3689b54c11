"""``cjsm mailbox backup``: mailboxes as files of ciphertext, while they are used."""

import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import as_caller, open_suite_for_files, wait
from cjsm.command.mailboxnamed import check, named
from cjsm.command.output import Refused, console, document, errors, progressing, when
from cjsm.community import finding
from cjsm.community.acts import mailboxes
from cjsm.community.acts.mailboxes import MailboxAct
from cjsm.community.identifiers import MailboxId, text
from cjsm.store.backup import Backup, writing
from cjsm.store.interfaces import CannotOpen, StoreError
from cjsm.suite import Suite


@click.command()
@click.argument("words", metavar="[NAME] FILE|DIRECTORY", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every mailbox, into a directory.")
@acting.verb
def backup(words: Sequence[str], everything: bool, config: Path, as_json: bool) -> None:
    """Back up the mailbox NAME to a FILE, or --all to a DIRECTORY, beside the running service.

    It holds ciphertext only, each mailbox as it was at one moment, deleted messages that are kept too. To be read it
    needs the keys in the data directory, and whoever opens it the owner's password: back that up too. Run again after
    it was interrupted, it goes on where it ended. Ends with 1 where a mailbox could not be backed up.

    \b
    cjsm mailbox backup jane.smith@avon /backup/jane.mailbox
    cjsm mailbox backup --all /backup/2026-01-31
    """
    if len(words) != (1 if everything else 2):
        raise click.UsageError("Give a mailbox and a file, or --all and a directory.")
    suite = open_suite_for_files(config)
    if everything:
        _all(suite, Path(words[0]), as_json=as_json)
        return
    which, path = named(suite, words[0]), Path(words[1])
    acting.act(suite, partial(mailboxes.keep, act=MailboxAct.BACK_UP, mailbox=which))
    with as_caller():
        if path.exists():
            raise Refused(f"{path} exists already", "name another file")
    status = wait(suite.stores.mail.status(which))
    with (
        progressing("backed up", status.usage.octets + status.deleted.octets) as advance,
        writing(path, as_caller, advance) as file,
    ):
        wait(suite.stores.mail.export(which, file))
    told = {"mailbox": text(which), "file": str(path), "octets": file.octets, "sha256": file.digest.hexdigest()}
    if as_json:
        document(told)
    else:
        console.print(f"{file.octets:,} octets of ciphertext in {path}", markup=False)


def _all(suite: Suite, directory: Path, *, as_json: bool) -> None:
    check(suite, MailboxAct.BACK_UP, None)
    made = Backup(directory, as_caller)
    made.create(suite.settings.community.suffix, when(int(time.time())) or "")
    acting.act(suite, partial(mailboxes.keep, act=MailboxAct.BACK_UP, mailbox=None))
    before = len(made.done)
    problems = every_mailbox(suite, made)
    made.finish(when(int(time.time())) or "")
    report(made, directory, before, problems, as_json=as_json)


def every_mailbox(suite: Suite, made: Backup) -> list[dict[str, Any]]:
    """Write every mailbox that *made* does not hold yet; return which could not be, and why."""
    left = [each for each in wait(suite.stores.mail.mailboxes()) if each not in made.done]
    problems = []
    with progressing("mailboxes backed up", len(left), octets=False) as advance:
        for each in left:
            try:
                with made.writing(each) as file:
                    wait(suite.stores.mail.export(each, file))
            except CannotOpen:
                raise
            except StoreError as error:
                # One that cannot be read keeps nobody else's from being backed up.
                problems.append(_problem(suite, made, each, str(error)))
            advance(1)
    return problems


def _problem(suite: Suite, made: Backup, which: MailboxId, problem: str) -> dict[str, Any]:
    made.failed(which, problem)
    name = suite.stores.community.read_now(lambda view: finding.mailbox_name(view, which))
    return {"name": name, "mailbox": text(which), "problem": problem}


def report(made: Backup, directory: Path, before: int, problems: list[dict[str, Any]], *, as_json: bool) -> None:
    """Tell what the backup holds; end with 1 where a mailbox is not in it."""
    octets = sum(line.octets or 0 for line in (*made.done.values(), *made.stores.values()))
    told = {"directory": str(directory), "mailboxes": len(made.done), "octets": octets, "problems": problems}
    if as_json:
        document({**told, "from_before": before})
    else:
        console.print(f"{len(made.done):,} mailboxes, {octets:,} octets of ciphertext in {directory}", markup=False)
        if before:
            console.print(f"{before:,} of them were there from an interrupted run")
        for each in problems:
            errors.print(f"{each['name']} is not in it: {each['problem']}", markup=False, soft_wrap=True)
    if problems:
        sys.exit(1)
