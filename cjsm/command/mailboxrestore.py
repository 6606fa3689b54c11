"""``cjsm mailbox restore``: mailboxes as they were when they were backed up."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import as_caller, open_suite_for_files, wait
from cjsm.command.mailboxnamed import check, named
from cjsm.command.mailboxverify import verified
from cjsm.command.output import Refused, console, document, errors, progressing
from cjsm.community import finding
from cjsm.community.acts import mailboxes
from cjsm.community.acts.acting import check_text
from cjsm.community.acts.keys import keys_of
from cjsm.community.acts.mailboxes import MailboxAct
from cjsm.community.identifiers import MailboxId, text
from cjsm.community.view import View
from cjsm.store.backup import Backup, beginning, open_export
from cjsm.store.interfaces import CannotOpen, Head, MailboxExists, Row, StoreError
from cjsm.suite import Suite

_RESTORED, _THERE, _NOBODYS = "restored", "there already", "belongs to nobody"


@click.command()
@click.argument("words", metavar="[NAME] FILE|DIRECTORY", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every mailbox of a directory.")
@click.option("--replace", is_flag=True, help="Also where there is a mailbox: what came since the backup is lost.")
@click.option("--reason", required=True, help="Why; the ledger keeps it.")
@acting.verb
def restore(words: Sequence[str], everything: bool, replace: bool, reason: str, config: Path, as_json: bool) -> None:
    """Make the mailbox NAME what a backup holds, or --all that a DIRECTORY holds, beside the running service.

    All of it or nothing, with the unique-ids that messages had. It is verified afterwards. With --all a mailbox that is
    there is left alone unless --replace is given, and one that was restored from this backup is then left alone too: so
    it may be run again after it was interrupted.

    \b
    cjsm mailbox restore jane.smith@avon /backup/jane.mailbox --replace --reason "disk damaged"
    cjsm mailbox restore jane.smith@avon /backup/2026-01-31 --reason "disk damaged"
    cjsm mailbox restore --all /backup/2026-01-31 --reason "new machine"
    """
    if len(words) != (1 if everything else 2):
        raise click.UsageError("Give a mailbox and a file or directory, or --all and a directory.")
    said = check_text(reason, "the reason")
    suite = open_suite_for_files(config)
    restoring = Restoring(suite, said, replace=replace)
    if everything:
        check(suite, MailboxAct.RESTORE, None)
        report(restoring.all(Path(words[0])), as_json=as_json)
        return
    which = named(suite, words[0])
    check(suite, MailboxAct.RESTORE, which)
    if not restoring.has_keys(which):
        raise Refused("this mailbox has no keys any more: nobody could read it", "restore the data directory instead")
    path = _file(suite, Path(words[1]), which)
    with as_caller():
        octets = path.stat().st_size if path.is_file() else 0
    try:
        with progressing("restored", octets) as advance:
            restoring.one(path, which, advance)
    except MailboxExists as error:
        raise Refused(str(error), "give --replace: what came since the backup is lost then") from None
    with progressing("verified", wait(suite.stores.mail.usage(which)).octets) as advance:
        problems = verified(suite, which, advance).problems
    report([_told(suite, which, _RESTORED, problems)], as_json=as_json)


def _file(suite: Suite, path: Path, which: MailboxId) -> Path:
    with as_caller():
        is_directory = path.is_dir()
    if not is_directory:
        return path
    made = Backup(path, as_caller)
    made.read()
    made.check_suffix(suite.settings.community.suffix)
    return made.path(which)


class Restoring:
    """Restores mailboxes for one reason.

    :param replace: also where there is a mailbox.
    """

    def __init__(self, suite: Suite, reason: str, *, replace: bool) -> None:
        self._suite = suite
        self._reason = reason
        self._replace = replace
        self._there = {*wait(suite.stores.mail.mailboxes())}

    def has_keys(self, which: MailboxId) -> bool:
        """Whether somebody could read a mailbox."""

        def look(view: View) -> bool:
            owner = finding.owner_of(view, which)
            return owner is not None and bool(keys_of(owner)[0])

        return self._suite.stores.community.read_now(look)

    def one(self, path: Path, which: MailboxId, watch: Callable[[int], object] = lambda octets: None) -> None:
        """Make a mailbox what the export at *path* holds.

        :param watch: told how many octets more were read.
        """
        with open_export(path, as_caller, watch) as source:
            meant, head = beginning(source)
            if meant != which:
                raise CannotOpen(f"{path} is the backup of mailbox {text(meant)}", "name its own")
            if which in self._there and not self._replace:
                raise MailboxExists("there is a mailbox already")
            decide = partial(
                mailboxes.begin_anew,
                act=MailboxAct.RESTORE,
                mailbox=which,
                edition=head.edition + 1,
                replace=str(self._replace),
            )
            acting.act(self._suite, decide, self._reason)
            wait(self._suite.stores.mail.restore(which, source, replace=self._replace))

    def all(self, directory: Path) -> list[dict[str, Any]]:
        """Restore what the backup in *directory* holds; return what became of each mailbox."""
        made = Backup(directory, as_caller)
        made.read()
        made.check_suffix(self._suite.settings.community.suffix)
        if not made.finished:
            errors.print("[bold]warning:[/] this backup was not finished: what is missing in it is not restored")
        done = []
        with progressing("mailboxes restored", len(made.done), octets=False) as advance:
            for which in sorted(made.done):
                done.append(_told(self._suite, which, *self._one_of(made, which)))
                advance(1)
        return done

    def _one_of(self, made: Backup, which: MailboxId) -> tuple[str, tuple[str, ...]]:
        """Return what became of a mailbox, and what is not as it should be in it."""
        if not self.has_keys(which):
            return _NOBODYS, ()
        path = made.path(which)
        try:
            with open_export(path, as_caller) as source:
                if self._replace and _goes_on(self._suite, which, beginning(source)[1]):
                    return _THERE, ()
            self.one(path, which)
            return _RESTORED, verified(self._suite, which).problems
        except MailboxExists:
            return _THERE, ()
        except StoreError as error:
            # One that cannot be restored keeps nobody else's from being.
            return "not restored", (str(error),)


def _goes_on(suite: Suite, which: MailboxId, head: Head) -> bool:
    """Whether the mailbox was restored from where *head* stood, and may have gone on since.

    Its edition is a later one then, and the message that was the last is the same, on the list or deleted.
    """
    try:
        now = wait(suite.stores.mail.list(which))
        if now.head.edition <= head.edition or now.head.appended < head.appended:
            return False
        rows: list[Row] = [*now.rows, *(each.row for each in wait(suite.stores.mail.deleted(which)))]
    except StoreError:
        return False
    last = next((row.chain for row in rows if row.uid == head.appended), now.head.chain)
    return head.appended == 0 or last == head.chain


def _told(suite: Suite, which: MailboxId, what: str, problems: tuple[str, ...]) -> dict[str, Any]:
    name = suite.stores.community.read_now(lambda view: finding.mailbox_name(view, which))
    return {"name": name, "mailbox": text(which), "result": what, "problems": list(problems)}


def report(done: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Tell what became of each mailbox; end with 1 where one is not as it should be."""
    if as_json:
        document(done)
    else:
        for result in dict.fromkeys(each["result"] for each in done):
            console.print(f"{sum(each['result'] == result for each in done):,} {result}")
        for each in done:
            for problem in each["problems"]:
                errors.print(f"{each['name']}: {problem}", markup=False, soft_wrap=True)
    if any(each["problems"] for each in done):
        sys.exit(1)
