"""One mailbox: ``mailbox.mdb`` and, beside it, ``bodies/`` with the sealed bodies that are too large for it."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import lmdb

from cjsm.community.identifiers import AccountId, BodyId, DeliveryId
from cjsm.store.interfaces import (
    Altered,
    Damaged,
    Deleted,
    Delivery,
    Filling,
    Head,
    Known,
    MailboxList,
    MailboxStatus,
    Missing,
    Usage,
)
from cjsm.store.lmdb import mailboxacts, rows
from cjsm.store.lmdb.bodies import link
from cjsm.store.lmdb.content import BODIES, DELETED, MESSAGES, SCHEMA, TABLES, Content, Message, is_hidden
from cjsm.store.lmdb.environment import Environment, sync_directory
from cjsm.store.lmdb.home import Home, Superseded, check_current, mark_superseded, remove_environment
from cjsm.store.lmdb.verifying import Findings, body_of, look_at_tables

#: A file of fewer octets than this is not compacted.
_SMALL = 1 << 20
T = TypeVar("T")


class Mailbox:
    """An open mailbox. Every method may be called from any thread; what writes is one synced transaction.

    Where *known* is an argument, it is what is known of the list elsewhere.

    Where the file was replaced, it raises :class:`~cjsm.store.lmdb.home.Superseded`: open the mailbox again.

    :param home: the mailbox's directory, made here when it is the first delivery.
    :param advance: the running hash of the list.
    :param untouched: look at it whatever its state, and mend nothing.
    """

    def __init__(self, home: Home, *, map_size: int, advance: rows.Advance, untouched: bool = False) -> None:
        self._home = home
        self._bodies = home.bodies
        self._advance = advance
        if not untouched:
            home.check_usable()
        there = home.exists()
        if not there:
            home.make()
        with home.locked(exclusive=not there):
            self._number = (home.numbers() or [1])[-1]
            self._environment = Environment(
                home.file(self._number), tables=TABLES, schema=SCHEMA, map_size=map_size, begun=check_current
            )
        # As text: they are looked for at every use.
        self._file, self._note = str(self._environment.path), str(home.note)
        self._inode = os.stat(self._file).st_ino
        if untouched:
            return
        try:
            if self._read(lambda content: content.state().head) == Head():
                # Nothing may be written to a file whose name is not on stable storage.
                home.sync()
            home.clear(self._number)
            self._sweep_orphans()
        except BaseException:
            # An environment may be open once per process: what stayed open would keep the next try from it.
            self._environment.close()
            raise

    def check_there(self) -> None:
        """Check that the file is where it was: a transaction on one that was taken away would be for nothing.

        :raises Superseded: when it is not, or in quarantine.
        """
        try:
            there = os.stat(self._file).st_ino == self._inode
        except FileNotFoundError:
            there = False
        if not there or os.path.exists(self._note):
            raise Superseded(0)

    def body(self, delivery_id: DeliveryId) -> Path:
        """Return where a large body lies."""
        return self._bodies / delivery_id.hex()

    def _read(self, look: Callable[[Content], T]) -> T:
        return self._environment.read(lambda transaction: look(Content(self._environment, transaction)))

    def _write(self, act: Callable[[Content], T]) -> T:
        return self._environment.write(lambda transaction: act(Content(self._environment, transaction)))

    def _write_checked(self, known: Known, act: Callable[[Content], T]) -> T:
        def checked(content: Content) -> T:
            state = content.state()
            mailboxacts.check_not_behind(state.head, known)
            if state.head == Head():
                # The first thing in a mailbox; it may have been destroyed before.
                content.begin_edition(known.newest.edition)
            return act(content)

        return self._write(checked)

    # Delivering

    def deliver(
        self, batch: Sequence[Delivery], low_water: int, spooled: Callable[[BodyId], Path], known: Known
    ) -> Head:
        """Write what was not delivered yet and forget delivered ids below *low_water*; return the list's head.

        :param spooled: where a large body lies in the spool.
        :raises Altered: when the mailbox is behind *known*: what it lost must not be covered up by what comes.
        """

        def act(content: Content) -> Head:
            fresh = mailboxacts.not_delivered(content, batch)
            self._keep_bodies(fresh, spooled)
            head = mailboxacts.append(content, fresh, self._advance, spooled=True)
            mailboxacts.prune(content, low_water)
            return head

        return self._write_checked(known, act)

    def import_messages(
        self, batch: Sequence[Delivery], spooled: Callable[[BodyId], Path], known: Known
    ) -> tuple[Head, int]:
        """Append messages from elsewhere; return the list's head and how many are new."""

        def act(content: Content) -> tuple[Head, int]:
            fresh = mailboxacts.not_imported(content, batch)
            self._keep_bodies(fresh, spooled)
            return mailboxacts.append(content, fresh, self._advance, spooled=False), len(fresh)

        return self._write_checked(known, act)

    def _keep_bodies(self, batch: Sequence[Delivery], spooled: Callable[[BodyId], Path]) -> None:
        large = [delivery for delivery in batch if delivery.body is None]
        for delivery in large:
            link(spooled(delivery.body_id), self.body(delivery.delivery_id))
        if large:
            sync_directory(self._bodies)

    def prune(self, low_water: int) -> None:
        """Forget delivered ids that the spool cannot hand out again."""
        if self._read(lambda content: mailboxacts.needs_pruning(content, low_water)):
            self._write(lambda content: mailboxacts.prune(content, low_water))

    # Reading

    def list(self, known: Known | None, member: AccountId | None = None) -> MailboxList:
        """Return the rows, without those that *member* hid.

        :param known: None for the rows that are there, whatever is known.
        :raises Altered: when a row was put in, taken away, exchanged or moved, or the mailbox is behind *known*.
        """

        def look(content: Content) -> MailboxList:
            hidden = content.hidden(member) if member is not None else {}
            found = MailboxList(rows=content.rows(), head=content.state().head)
            if known is not None:
                self._check(found, known)
            if not hidden:
                return found
            return MailboxList(rows=tuple(row for row in found.rows if not is_hidden(hidden, row.uid)), head=found.head)

        return self._read(look)

    def _check(self, found: MailboxList, known: Known) -> None:
        mailboxacts.check_not_behind(found.head, known)
        if len(found.rows) != found.head.listed:
            raise Altered("it was thinned: it has not as many messages as it should")
        rows.check(found.rows, found.head, self._advance)
        mailboxacts.check_went_on(found.rows, found.head, known, self._advance)

    def usage(self) -> Usage:
        """Return what is listed now."""
        return self._read(lambda content: content.state().usage)

    def filling(self) -> Filling:
        """Return how full it is now."""
        return self._read(lambda content: Filling(content.state().usage.octets, content.full_since()))

    def status(self) -> MailboxStatus:
        """Return what an operator is told."""
        state, full_since = self._read(lambda content: (content.state(), content.full_since()))
        files = [self._environment.path, *(self._bodies.iterdir() if self._bodies.is_dir() else ())]
        octets = 0
        for path in files:
            with suppress(FileNotFoundError):
                octets += path.stat().st_blocks * 512
        return MailboxStatus(usage=state.usage, deleted=state.deleted, full_since=full_since, disk_octets=octets)

    def message(self, delivery_id: DeliveryId) -> Message:
        """:raises Missing: when the message is not on the list (any more)."""

        def look(content: Content) -> Message | None:
            return None if content.has(DELETED, delivery_id) else content.message(delivery_id)

        found = self._read(look)
        if found is None:
            raise Missing("the message is not there any more")
        return found

    def read_inline(self, delivery_id: DeliveryId, offset: int, length: int) -> bytes:
        """Return octets of a body that lies in the mailbox itself."""

        def look(content: Content) -> bytes | None:
            body = content.transaction.get(delivery_id, db=content.table(BODIES))
            return None if body is None or len(body) < offset + length else bytes(body[offset : offset + length])

        octets = self._read(look)
        if octets is None:
            raise Damaged("the message's body is shorter than it was")
        return octets

    # Deleting, and back

    def delete(self, delivery_ids: Sequence[DeliveryId], moment: int, known: Known) -> Head:
        """Take messages off the list, all or none; return its head."""
        return self._write_checked(known, lambda content: mailboxacts.delete(content, delivery_ids, moment))

    def deleted(self) -> Sequence[Deleted]:
        """Return the deleted messages that are kept, in the order they were delivered."""

        def look(content: Content) -> Sequence[Deleted]:
            found = [(content.message(delivery_id), moment) for delivery_id, moment in content.deleted()]
            kept = [Deleted(row=message.row, moment=moment) for message, moment in found if message is not None]
            return sorted(kept, key=lambda each: each.row.uid)

        return self._read(look)

    def undelete(self, delivery_ids: Sequence[DeliveryId], known: Known) -> tuple[Head, int]:
        """Put deleted messages back in the list; return its head and how many there were."""
        return self._write_checked(known, lambda content: mailboxacts.undelete(content, delivery_ids))

    def purge(self, before: int, now: int) -> int:
        """Destroy messages that were deleted before the moment *before*, then the bodies that are files."""

        def due(content: Content) -> bool:
            return any(moment < before for _, moment in content.deleted())

        def act(content: Content) -> Sequence[Message]:
            content.set_purged(self._number, now)
            return mailboxacts.purge(content, before)

        gone = 0
        while self._read(due):
            destroyed = self._write(act)
            for message in destroyed:
                if not message.inline:
                    # What cannot be removed now is swept when the mailbox is opened next.
                    with suppress(OSError):
                        self.body(message.row.delivery_id).unlink(missing_ok=True)
            gone += len(destroyed)
        return gone

    def accept(self, edition: int, moment: int) -> tuple[Head, int]:
        """Go on with what is there, whatever is known; return the list's head and how many it lists."""
        return self._write(lambda content: mailboxacts.accept(content, edition, moment, self._advance))

    # Hiding, and being full

    def hide(self, member: AccountId, delivery_ids: Sequence[DeliveryId], known: Known) -> None:
        """Leave messages out of the list of *member*."""

        def act(content: Content) -> None:
            messages = [content.message(delivery_id) for delivery_id in delivery_ids]
            content.hide(member, [message.row.uid for message in messages if message is not None])

        self._write_checked(known, act)

    def unhide(self, member: AccountId) -> int:
        """Show *member* everything again; return how many listed messages were hidden."""

        def act(content: Content) -> int:
            hidden = content.hidden(member)
            return content.show_all(member) and sum(is_hidden(hidden, row.uid) for row in content.rows())

        return self._write(act)

    def full_since(self) -> int:
        """Return since when it is known to be full; 0 when it is not."""
        return self._read(lambda content: content.full_since())

    def set_full_since(self, moment: int, known: Known) -> int:
        """Note since when it is full, unless that is known already; 0: it is not. Return what holds now."""

        def act(content: Content) -> int:
            since = (content.full_since() or moment) if moment else 0
            content.set_full_since(since)
            return since

        return self._write_checked(known, act)

    # Giving space back

    def wants_compacting(self, remains_before: int = 0) -> bool:
        """Whether the file is more than half empty, or holds what is left of messages destroyed before that moment."""
        pages, full, size = self._environment.pages()
        if pages * size > _SMALL and full * 2 < pages:
            return True
        purged = self._read(lambda content: content.purged(self._number))
        return bool(purged) and purged < remains_before

    def compact(self) -> None:
        """Replace the file by a copy without what is empty in it. This one is superseded afterwards.

        :raises Unavailable: when there is no room for it, or the disk failed; nothing is lost.
        """
        following = self._number + 1
        part = self._home.part(following)
        with self._home.locked(exclusive=True):
            remove_environment(part)

            def act(content: Content) -> None:
                self._environment.copy(part)
                sync_directory(self._home.directory)
                mark_superseded(self._environment, content.transaction, following)

            self._write(act)
            self._home.name_successor(following)

    def snapshot(self, aside: Home) -> None:
        """Make *aside* what the mailbox is now: a copy of its file, further names for its bodies.

        Nobody writes meanwhile, so that no body goes before it has its name.
        """

        def act(content: Content) -> None:
            aside.make()
            self._environment.copy(aside.file(1))
            for key, _ in content.items(MESSAGES):
                if not content.has(BODIES, key):
                    with suppress(Missing):
                        link(self._bodies / key.hex(), aside.bodies / key.hex())

        self._write(act)

    def look_at(self, findings: Findings, known: Known) -> None:
        """Hold the tables against each other."""
        self._read(lambda content: look_at_tables(content, findings, known, self._advance))

    def body_of(self, delivery_id: DeliveryId) -> tuple[Message, bytes | Path] | None:
        """Return a message and its sealed body, or where that is; None where it is gone."""
        return self._read(lambda content: body_of(content, delivery_id, self._bodies))

    def destroy(self) -> None:
        """Take the mailbox away from everybody; its directory is left to be removed."""
        with self._home.locked(exclusive=True):
            self._home.condemn()
            self.supersede()
            self._home.take_away()

    def supersede(self) -> None:
        """Tell everybody who has the file open that it is not the mailbox any more."""
        self._write(lambda content: mark_superseded(self._environment, content.transaction, 0))

    # The rest

    def _sweep_orphans(self) -> None:
        """Remove body files that no message names: a crash came between link and commit."""
        try:
            found = [self._bodies / name for name in os.listdir(self._bodies)]
        except FileNotFoundError:
            return
        unnamed = self._read(lambda content: _unnamed(content, found)) if found else ()
        if not unnamed:
            return

        def act(content: Content) -> None:
            # Looked at again with nobody writing: somebody may have been about to name it.
            for path in _unnamed(content, unnamed):
                path.unlink(missing_ok=True)

        self._write(act)

    def check_readers(self) -> None:
        """Clear what readers that died left."""
        self._environment.check_readers()

    def close(self) -> None:
        """Close it; nothing may be under way."""
        self._environment.close()


def _unnamed(content: Content, found: Sequence[Path]) -> Sequence[Path]:
    """Return the files that are no message's body."""

    def named(path: Path) -> bool:
        try:
            return content.has(MESSAGES, bytes.fromhex(path.name))
        except (ValueError, lmdb.BadValsizeError):
            return False

    return [path for path in found if not named(path)]
