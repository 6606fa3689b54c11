"""The mailboxes: ``mailboxes/ab/<id>/``, made at the first delivery, kept open while they are used."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cjsm.community.identifiers import AccountId, DeliveryId, MailboxId
from cjsm.store.interfaces import (
    UNIQUE_ID,
    Altered,
    Anchored,
    CannotOpen,
    Deleted,
    Delivery,
    Examine,
    Filling,
    Head,
    IAnchors,
    IBodyReader,
    ILease,
    IMailStore,
    Known,
    LeaseLost,
    MailboxList,
    MailboxStatus,
    Missing,
    Quarantined,
    StoredMessage,
    StoreError,
    Unavailable,
    Usage,
    Verified,
)
from cjsm.store.lmdb import rows
from cjsm.store.lmdb.bodies import FileBodyReader, FileBodyStore
from cjsm.store.lmdb.disk import Disk
from cjsm.store.lmdb.environment import Corrupted
from cjsm.store.lmdb.home import Home, Superseded, remove_gone
from cjsm.store.lmdb.leases import Lease, Leases
from cjsm.store.lmdb.mailbox import Mailbox
from cjsm.store.lmdb.openmailboxes import OpenMailboxes
from cjsm.store.lmdb.verifying import Findings
from cjsm.store.lmdb.wholemailboxes import WholeMailboxes

T = TypeVar("T")

#: Rows of a list that are read and checked on the reactor thread; more go to the disk's.
_ROWS_AT_ONCE = 500
#: How often in a row a mailbox's file may be found replaced.
_REPLACED = 5
#: Mailboxes looked at before others have their turn on the disk's thread.
_SLICE = 16
_UNIQUE_ID = re.compile(f"[!-~]{{1,{UNIQUE_ID}}}")


@implementer(IMailStore)
class LmdbMailStore:
    """See :class:`IMailStore`.

    :param advance: the running hash of the list, from the vault.
    :param anchors: where heads are remembered away from the mailbox.
    :param in_ledger: what the ledger covers of a mailbox's list.
    :param noticed: told of every mailbox that was found to be altered, and how.
    :param open_mailboxes: mailboxes kept open at most while nobody uses them.
    :param clock: seconds since the epoch.
    :ivar compact_after: seconds after which what is left of destroyed messages in a file goes; may be changed.
    """

    _log = Logger()

    def __init__(
        self,
        directory: Path,
        disk: Disk,
        bodies: FileBodyStore,
        leases: Leases,
        *,
        map_size: int,
        open_mailboxes: int,
        advance: rows.Advance,
        anchors: IAnchors,
        clock: Callable[[], float],
        in_ledger: Callable[[MailboxId], Anchored | None] = lambda mailbox: None,
        noticed: Callable[[MailboxId, str], object] = lambda mailbox, problem: None,
        compact_after: int = 30 * 86_400,
    ) -> None:
        self._directory = directory / "mailboxes"
        self._text = str(self._directory)
        self._disk = disk
        self._bodies = bodies
        self._leases = leases
        self._map_size = map_size
        self._advance = advance
        self._anchors = anchors
        self._in_ledger = in_ledger
        self._noticed = noticed
        self._clock = clock
        self.compact_after = compact_after
        self._open = OpenMailboxes(self._open_one, open_mailboxes)
        self._whole = WholeMailboxes(self._open, self.home, self._in, map_size=map_size, advance=advance)

    # Opening

    def home(self, mailbox: MailboxId) -> Path:
        """Return the mailbox's directory."""
        name = mailbox.hex()
        return self._directory / name[:2] / name

    def _open_one(self, mailbox: MailboxId) -> Mailbox:
        return Mailbox(Home(self.home(mailbox)), map_size=self._map_size, advance=self._advance)

    @contextmanager
    def opened(self, mailbox: MailboxId) -> Iterator[Mailbox]:
        """The mailbox, kept open while it is used; may be asked from any thread.

        :raises Superseded: when its file was replaced: ask again.
        """
        try:
            with self._open.using(mailbox) as found:
                try:
                    found.check_there()
                    yield found
                except (Superseded, Corrupted):
                    self._open.retire(mailbox, found)
                    raise
        except Superseded as error:
            Home(self.home(mailbox)).succeed(error.by)
            raise
        except Corrupted as error:
            raise self._quarantined(mailbox, error) from error
        except OSError as error:
            raise Unavailable(f"{self.home(mailbox)}: {error.strerror or error}") from error
        except CannotOpen as error:
            # What keeps the service from starting is for one mailbox a reason to try again.
            raise Unavailable(f"{error}; {error.cure}") from error

    def _in(self, mailbox: MailboxId, look: Callable[[Mailbox], T]) -> T:
        """Do *look* with the mailbox, whose file may be replaced meanwhile."""
        for _ in range(_REPLACED):
            try:
                with self.opened(mailbox) as opened:
                    return look(opened)
            except Superseded:
                continue
        raise Unavailable(f"{self.home(mailbox)}: its file is replaced again and again")

    def _quarantined(self, mailbox: MailboxId, error: Corrupted) -> StoreError:
        try:
            Home(self.home(mailbox)).quarantine(str(error))
        except OSError as failed:
            return Unavailable(f"{error}; and it cannot be put in quarantine: {failed.strerror}")
        self._log.critical(
            "mailbox {mailbox} is in quarantine, everything else goes on: {error}",
            mailbox=mailbox.hex(),
            error=error,
        )
        return Quarantined(str(error))

    def _known(self, mailbox: MailboxId) -> Known:
        """Return what is known of a mailbox elsewhere; ask before looking: what others write meanwhile moves it on."""
        return Known(head=self._anchors.anchored(mailbox), anchored=self._in_ledger(mailbox))

    def _watched(self, mailbox: MailboxId, work: "Deferred[T]") -> "Deferred[T]":
        """Tell of the mailbox when *work* finds that it was altered."""

        def failed(failure: Failure) -> Failure:
            if isinstance(failure.value, Altered):
                self._noticed(mailbox, str(failure.value))
            return failure

        return work.addErrback(failed)

    def _exists(self, mailbox: MailboxId) -> bool:
        if self._open.has(mailbox):
            return True
        name = mailbox.hex()
        # Most mailboxes of a large community have nothing yet: a path as text costs a tenth of one in parts.
        return os.path.isdir(f"{self._text}/{name[:2]}/{name}") and Home(self.home(mailbox)).exists()

    # Writing

    def deliver(self, mailbox: MailboxId, batch: Sequence[Delivery], low_water: int) -> "Deferred[None]":
        """See :class:`IMailStore`."""
        path = self._bodies.path
        return self._change(mailbox, lambda opened, known: (opened.deliver(batch, low_water, path, known), None))

    def import_messages(self, mailbox: MailboxId, batch: Sequence[Delivery]) -> "Deferred[int]":
        """See :class:`IMailStore`."""
        for each in batch:
            if each.imported_id and not _UNIQUE_ID.fullmatch(each.imported_id):
                return fail(ValueError("a unique-id has 1 to 70 characters from ! to ~ (RFC 1939 §7)"))
        path = self._bodies.path
        return self._change(mailbox, lambda opened, known: opened.import_messages(batch, path, known))

    def delete(
        self, mailbox: MailboxId, delivery_ids: Sequence[DeliveryId], lease: ILease | None = None
    ) -> "Deferred[None]":
        """See :class:`IMailStore`."""
        if lease is not None and not lease.held:
            return fail(LeaseLost("another session may have this maildrop by now"))
        if not delivery_ids or not self._exists(mailbox):
            return succeed(None)
        now = int(self._clock())
        return self._change(mailbox, lambda opened, known: (opened.delete(delivery_ids, now, known), None))

    def undelete(self, mailbox: MailboxId, delivery_ids: Sequence[DeliveryId]) -> "Deferred[int]":
        """See :class:`IMailStore`."""
        if not self._exists(mailbox):
            return succeed(0)
        return self._change(mailbox, lambda opened, known: opened.undelete(delivery_ids, known))

    def _change(self, mailbox: MailboxId, act: Callable[[Mailbox, Known], tuple[Head, T]]) -> "Deferred[T]":
        known = self._known(mailbox)

        def write() -> tuple[Head, T]:
            return self._in(mailbox, lambda opened: act(opened, known))

        def written(answer: tuple[Head, T]) -> T:
            self._anchors.anchor(mailbox, answer[0])
            return answer[1]

        return self._watched(mailbox, self._disk.run(write)).addCallback(written)

    def hide(
        self,
        mailbox: MailboxId,
        member: AccountId,
        delivery_ids: Sequence[DeliveryId],
        lease: ILease | None = None,
    ) -> "Deferred[None]":
        """See :class:`IMailStore`."""
        if lease is not None and not lease.held:
            return fail(LeaseLost("another session may have this maildrop by now"))
        if not delivery_ids or not self._exists(mailbox):
            return succeed(None)
        known = self._known(mailbox)
        hidden = self._read(mailbox, lambda opened: opened.hide(member, delivery_ids, known), at_once=False)
        return self._watched(mailbox, hidden)

    def unhide(self, mailbox: MailboxId, member: AccountId) -> "Deferred[int]":
        """See :class:`IMailStore`."""
        if not self._exists(mailbox):
            return succeed(0)
        return self._read(mailbox, lambda opened: opened.unhide(member), at_once=False)

    def full(self, mailbox: MailboxId, moment: int) -> "Deferred[int]":
        """See :class:`IMailStore`."""
        if not moment and not self._exists(mailbox):
            return succeed(0)
        known = self._known(mailbox)

        def note(since: int) -> "Deferred[int] | int":
            if bool(since) == bool(moment):
                return since
            return self._read(mailbox, lambda opened: opened.set_full_since(moment, known), at_once=False)

        since = self._read(mailbox, Mailbox.full_since) if self._exists(mailbox) else succeed(0)
        return self._watched(mailbox, since.addCallback(note))

    # Every mailbox

    def purge(self, before: int) -> "Deferred[int]":
        """See :class:`IMailStore`."""
        return Deferred.fromCoroutine(self._purge(before))

    async def _purge(self, before: int) -> int:
        await self._disk.run(lambda: remove_gone(self._directory, self._clock()))
        now = int(self._clock())

        def purge(opened: Mailbox) -> int:
            gone = opened.purge(before, now)
            if opened.wants_compacting(now - self.compact_after):
                try:
                    opened.compact()
                except Unavailable as error:
                    self._log.error("a mailbox was not compacted: {error}", error=error)
            return gone

        return sum(await self._each(purge))

    def prune(self, low_water: int) -> "Deferred[int]":
        """See :class:`IMailStore`."""
        return Deferred.fromCoroutine(self._prune(low_water))

    async def _prune(self, low_water: int) -> int:
        return len(await self._each(lambda opened: opened.prune(low_water)))

    async def _each(self, act: Callable[[Mailbox], T]) -> list[T]:
        """Do *act* to every mailbox, some at a time; those that cannot are told of and left out."""
        found = await self.mailboxes()
        done: list[T] = []
        for at in range(0, len(found), _SLICE):
            done += await self._disk.run(partial(self._some, found[at : at + _SLICE], act))
        return done

    def _some(self, mailboxes: Sequence[MailboxId], act: Callable[[Mailbox], T]) -> list[T]:
        done = []
        for mailbox in mailboxes:
            try:
                if self._exists(mailbox):
                    done.append(self._in(mailbox, act))
            except StoreError as error:
                # One that cannot be opened keeps nobody else's from being looked at.
                self._log.error("{mailbox} was left out: {error}", mailbox=mailbox.hex(), error=error)
        return done

    def mailboxes(self) -> "Deferred[Sequence[MailboxId]]":
        """See :class:`IMailStore`."""

        def look() -> Sequence[MailboxId]:
            names = (path.name for path in self._directory.glob("??/*") if re.fullmatch("[0-9a-f]{32}", path.name))
            return [MailboxId(bytes.fromhex(name)) for name in sorted(names)]

        return self._disk.run(look)

    # A mailbox as a whole

    def destroy(self, mailbox: MailboxId) -> "Deferred[None]":
        """See :class:`IMailStore`."""
        known = self._known(mailbox).newest

        def removed(_: None) -> None:
            if known.appended:
                self._anchors.anchor(mailbox, Head(edition=known.edition + 1))

        return self._disk.run(lambda: self._whole.remove(mailbox)).addCallback(removed)

    def export(self, mailbox: MailboxId, to: BinaryIO) -> "Deferred[None]":
        """See :class:`IMailStore`."""
        return self._disk.run(lambda: self._whole.export(mailbox, to))

    def restore(self, mailbox: MailboxId, source: BinaryIO, *, replace: bool = False) -> "Deferred[None]":
        """See :class:`IMailStore`."""
        edition = self._known(mailbox).newest.edition + 1
        done = self._disk.run(lambda: self._whole.restore(mailbox, source, edition, replace=replace))
        return done.addCallback(lambda head: self._anchors.anchor(mailbox, head))

    def accept(self, mailbox: MailboxId) -> "Deferred[int]":
        """See :class:`IMailStore`."""
        edition, now = self._known(mailbox).newest.edition + 1, int(self._clock())

        def accepted(answer: tuple[Head, int]) -> int:
            self._anchors.anchor(mailbox, answer[0])
            return answer[1]

        if not self._exists(mailbox):
            return succeed((Head(edition=edition), 0)).addCallback(accepted)
        return self._read(mailbox, lambda opened: opened.accept(edition, now), at_once=False).addCallback(accepted)

    def verify(self, mailbox: MailboxId, examine: Examine) -> "Deferred[Verified]":
        """See :class:`IMailStore`."""
        return Deferred.fromCoroutine(self._verify(mailbox, examine))

    async def _verify(self, mailbox: MailboxId, examine: Examine) -> Verified:
        known, findings = self._known(mailbox), Findings()
        try:
            await self._disk.run(lambda: self._whole.look_at_tables(mailbox, findings, known))
            for key in findings.messages:
                # One body at a time, so that others have their turn.
                await self._disk.run(partial(self._whole.look_at_body, mailbox, key, examine, findings))
        except Altered as error:
            findings.alter(str(error))
        except StoreError as error:
            findings.add(str(error))
        if findings.altered:
            self._noticed(mailbox, findings.altered)
        return findings.verified()

    # Reading

    def _read(self, mailbox: MailboxId, look: Callable[[Mailbox], T], *, at_once: bool = True) -> "Deferred[T]":
        """Look *at_once* into a mailbox that is open, or can be opened without waiting; else it is the disk's work.

        The system has the files of most mailboxes in memory: opening one takes less than its way to another thread.
        """

        def read() -> T:
            return self._in(mailbox, look)

        return execute(read) if at_once and self._at_hand(mailbox) else self._disk.run(read)

    def _at_hand(self, mailbox: MailboxId) -> bool:
        if self._open.has(mailbox):
            return True
        return not self._open.is_opening(mailbox) and Home(self.home(mailbox)).at_hand()

    def list(
        self, mailbox: MailboxId, member: AccountId | None = None, *, as_it_is: bool = False
    ) -> "Deferred[MailboxList]":
        """See :class:`IMailStore`."""
        known = self._known(mailbox)
        if not self._exists(mailbox):
            gone = known.newest.appended > 0 and not as_it_is
            nothing = MailboxList(rows=(), head=Head())
            return self._watched(mailbox, fail(Altered("it is gone")) if gone else succeed(nothing))

        def look(opened: Mailbox) -> MailboxList:
            return opened.list(None if as_it_is else known, member)

        def few(opened: Mailbox) -> MailboxList | None:
            return look(opened) if opened.usage().messages <= _ROWS_AT_ONCE else None

        def or_many(found: MailboxList | None) -> "MailboxList | Deferred[MailboxList]":
            return found if found is not None else self._read(mailbox, look, at_once=False)

        if not self._open.has(mailbox):
            # What opens it may read it too, whatever its size.
            listed = self._read(mailbox, look)
        else:
            listed = self._read(mailbox, few).addCallback(or_many)
        if as_it_is:
            return listed
        return self._watched(mailbox, listed).addCallback(partial(self._remember, mailbox, known))

    def _remember(self, mailbox: MailboxId, known: Known, found: MailboxList) -> MailboxList:
        """Remember the head of a sound list where nobody does: a crash came first, or a version that did not."""
        if found.head.appended and (found.head != known.newest or known.anchored is None):
            self._anchors.anchor(mailbox, found.head)
        return found

    def deleted(self, mailbox: MailboxId) -> "Deferred[Sequence[Deleted]]":
        """See :class:`IMailStore`."""
        return self._read(mailbox, Mailbox.deleted, at_once=False) if self._exists(mailbox) else succeed(())

    def usage(self, mailbox: MailboxId) -> "Deferred[Usage]":
        """See :class:`IMailStore`."""
        return self._read(mailbox, Mailbox.usage) if self._exists(mailbox) else succeed(Usage())

    def filling(self, mailbox: MailboxId) -> "Deferred[Filling]":
        """See :class:`IMailStore`."""
        return self._read(mailbox, Mailbox.filling) if self._exists(mailbox) else succeed(Filling())

    def status(self, mailbox: MailboxId) -> "Deferred[MailboxStatus]":
        """See :class:`IMailStore`."""
        if not self._exists(mailbox):
            return succeed(MailboxStatus(usage=Usage(), deleted=Usage(), full_since=0, disk_octets=0))
        return self._read(mailbox, Mailbox.status, at_once=False)

    def open(self, mailbox: MailboxId, delivery_id: DeliveryId) -> "Deferred[StoredMessage]":
        """See :class:`IMailStore`."""

        def look(opened: Mailbox) -> StoredMessage:
            message = opened.message(delivery_id)
            body: IBodyReader
            if message.inline:
                body = InlineBodyReader(self, mailbox, delivery_id, message.sealed_octets)
            else:
                body = FileBodyReader(opened.body(delivery_id), self._disk)
            return StoredMessage(row=message.row, wrap=message.wrap, summary=message.summary, body=body)

        return self._read(mailbox, look) if self._exists(mailbox) else fail(Missing("the mailbox is empty"))

    def read_inline(self, mailbox: MailboxId, delivery_id: DeliveryId, offset: int, length: int) -> "Deferred[bytes]":
        """Fire with octets of a body that lies in the mailbox itself."""
        return self._read(mailbox, lambda opened: opened.read_inline(delivery_id, offset, length))

    # The rest

    def lease(self, mailbox: MailboxId, member: AccountId) -> "Deferred[Lease]":
        """See :class:`IMailStore`."""
        return execute(self._leases.take, mailbox + member)

    def check_readers(self) -> None:
        """Clear what readers that died left."""
        self._open.check_readers()

    def close(self) -> None:
        """Close every mailbox; nothing may be under way, and nothing is opened afterwards."""
        self._open.close()
        self._leases.close()


@implementer(IBodyReader)
class InlineBodyReader:
    """A sealed body that lies in the mailbox itself; holds nothing between reads."""

    def __init__(self, store: LmdbMailStore, mailbox: MailboxId, delivery_id: DeliveryId, octets: int) -> None:
        self._store = store
        self._mailbox = mailbox
        self._delivery_id = delivery_id
        self.octets = octets

    def read(self, offset: int, length: int) -> "Deferred[bytes]":
        """See :class:`IBodyReader`."""
        return self._store.read_inline(self._mailbox, self._delivery_id, offset, length)

    def close(self) -> None:
        """Nothing is held."""
