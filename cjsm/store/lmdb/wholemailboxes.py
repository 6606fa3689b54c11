"""A mailbox as a whole: destroying, exporting, restoring, looking at all of it. For threads of the disk."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from cjsm.community.identifiers import DeliveryId, MailboxId
from cjsm.store.interfaces import (
    Altered,
    Examine,
    Head,
    Known,
    MailboxExists,
    Quarantined,
    StoreError,
    Unavailable,
)
from cjsm.store.lmdb import rows, verifying
from cjsm.store.lmdb.exporting import Restoring, export, open_aside
from cjsm.store.lmdb.home import GONE, Home, remove_beside
from cjsm.store.lmdb.mailbox import Mailbox
from cjsm.store.lmdb.openmailboxes import OpenMailboxes
from cjsm.store.lmdb.verifying import Findings


class InMailbox(Protocol):
    """Does something with a mailbox, whose file may be replaced meanwhile, and returns what that returns."""

    def __call__(self, mailbox: MailboxId, look: Callable[[Mailbox], Any]) -> Any:
        """Do *look*."""


class WholeMailboxes:
    """See the module.

    :param opened: those that are open.
    :param directory: where a mailbox lies.
    """

    def __init__(
        self,
        opened: OpenMailboxes,
        directory: Callable[[MailboxId], Path],
        within: InMailbox,
        *,
        map_size: int,
        advance: rows.Advance,
    ) -> None:
        self._open = opened
        self._directory = directory
        self._in = within
        self._map_size = map_size
        self._advance = advance

    def _home(self, mailbox: MailboxId) -> Home:
        return Home(self._directory(mailbox))

    # Destroying

    def remove(self, mailbox: MailboxId) -> None:
        """Remove everything of a mailbox.

        :raises Unavailable: when that is not done; it may be asked again.
        """
        home = self._home(mailbox)
        try:
            self._take_away(mailbox, home)
            remove_beside(home)
        except OSError as error:
            raise Unavailable(f"{home.directory}: {error.strerror}", maybe_committed=True) from error

    def _take_away(self, mailbox: MailboxId, home: Home) -> None:
        """Let nobody look at the mailbox any more, nor write to the file that it was."""
        if home.exists() and not home.quarantined:
            with suppress(Quarantined):
                self._in(mailbox, Mailbox.destroy)
        self._open.retire(mailbox)
        if home.exists():
            with suppress(StoreError):
                # Another process may have a damaged file open still, and think well of it.
                self._untouched(home, Mailbox.supersede)
        if home.directory.exists():
            with home.locked(exclusive=True):
                home.take_away()

    def _untouched(self, home: Home, look: Callable[[Mailbox], None]) -> None:
        """Look into a mailbox that is in quarantine: nobody of this process has it open, or opens it."""
        opened = Mailbox(home, map_size=self._map_size, advance=self._advance, untouched=True)
        try:
            look(opened)
        finally:
            opened.close()

    # Exporting and restoring

    def export(self, mailbox: MailboxId, to: BinaryIO) -> None:
        """Write all of a mailbox as it is now; see :class:`~cjsm.store.interfaces.IMailStore`."""
        home = self._home(mailbox)
        aside = home.aside()
        try:
            if home.directory.exists():
                self._in(mailbox, lambda opened: opened.snapshot(aside))
            else:
                aside.make()
            environment = open_aside(aside, self._map_size)
            try:
                export(mailbox, aside, environment, to)
            finally:
                environment.close()
        except OSError as error:
            raise Unavailable(f"the export cannot be written: {error.strerror}") from error
        finally:
            shutil.rmtree(aside.directory, ignore_errors=True)

    def restore(self, mailbox: MailboxId, source: BinaryIO, edition: int, *, replace: bool) -> Head:
        """Make the mailbox what *source* holds; return the list's head.

        :param edition: the first edition of the list that was not there before.
        """
        home = self._home(mailbox)
        if home.exists() and not replace:
            raise MailboxExists("there is a mailbox already")
        aside = home.aside()
        try:
            restoring = Restoring(aside, map_size=self._map_size, advance=self._advance, edition=edition)
            try:
                head = restoring.fill(mailbox, source)
            finally:
                restoring.close()
            self._take_away(mailbox, home)
            aside.take_place(home)
            remove_beside(home, GONE)
        except OSError as error:
            raise Unavailable(f"{home.directory}: {error.strerror}", maybe_committed=True) from error
        finally:
            shutil.rmtree(aside.directory, ignore_errors=True)
        return head

    # Verifying

    def look_at_tables(self, mailbox: MailboxId, findings: Findings, known: Known) -> None:
        """Hold a mailbox's tables against each other."""
        self._look(mailbox, known, lambda opened: opened.look_at(findings, known))

    def look_at_body(self, mailbox: MailboxId, key: DeliveryId, examine: Examine, findings: Findings) -> None:
        """Read one body whole."""

        def look(opened: Mailbox) -> None:
            verifying.look_at_body(lambda: opened.body_of(key), examine, findings)

        self._look(mailbox, Known(), look)

    def _look(self, mailbox: MailboxId, known: Known, look: Callable[[Mailbox], None]) -> None:
        home = self._home(mailbox)
        if not home.exists():
            if known.newest.appended:
                raise Altered("it is gone")
        elif home.quarantined:
            self._untouched(home, look)
        else:
            self._in(mailbox, look)
