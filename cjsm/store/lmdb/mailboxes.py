"""The mailboxes: ``mailboxes/ab/<id>/``, made at the first delivery, kept open while they are used."""

import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.logger import Logger
from zope.interface import implementer

from cjsm.community.identifiers import AccountId, DeliveryId, MailboxId
from cjsm.store.interfaces import (
    Damaged,
    Delivery,
    Head,
    IAnchors,
    IBodyReader,
    IMailStore,
    MailboxList,
    Missing,
    StoredMessage,
    StoreError,
    Unavailable,
    Usage,
)
from cjsm.store.lmdb import rows
from cjsm.store.lmdb.bodies import FileBodyReader, FileBodyStore
from cjsm.store.lmdb.disk import Disk
from cjsm.store.lmdb.leases import Lease, Leases
from cjsm.store.lmdb.mailbox import FILE, Mailbox

T = TypeVar("T")

#: Rows of a list that are read and checked on the reactor thread; more go to the disk's.
_ROWS_AT_ONCE = 500


class _Open:
    """A mailbox in the cache, or about to be, and how many use it at this moment.

    It is opened under its own lock: syncing a new mailbox's directory keeps nobody from another.
    """

    __slots__ = ("lock", "mailbox", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.mailbox: Mailbox | None = None
        self.users = 0

    def close(self) -> None:
        """Close it, if it was opened."""
        if self.mailbox is not None:
            self.mailbox.close()


@implementer(IMailStore)
class LmdbMailStore:
    """See :class:`IMailStore`.

    :param advance: the running hash of the list, from the vault.
    :param anchors: where heads are remembered away from the mailbox.
    :param open_mailboxes: mailboxes kept open at most while nobody uses them.
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
    ) -> None:
        self._directory = directory / "mailboxes"
        self._disk = disk
        self._bodies = bodies
        self._leases = leases
        self._map_size = map_size
        self._most = open_mailboxes
        self._advance = advance
        self._anchors = anchors
        self._cache: OrderedDict[MailboxId, _Open] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    # Opening

    def _home(self, mailbox: MailboxId) -> Path:
        name = mailbox.hex()
        return self._directory / name[:2] / name

    @contextmanager
    def _opened(self, mailbox: MailboxId) -> Iterator[Mailbox]:
        """The mailbox, kept open while it is used; may be asked from any thread."""
        with self._lock:
            if self._closed:
                raise Unavailable("the service is stopping")
            entry = self._cache.setdefault(mailbox, _Open())
            entry.users += 1
            self._cache.move_to_end(mailbox)
            self._evict()
        try:
            with entry.lock:
                if entry.mailbox is None:
                    entry.mailbox = Mailbox(self._home(mailbox), map_size=self._map_size, advance=self._advance)
            yield entry.mailbox
        finally:
            with self._lock:
                entry.users -= 1

    def _evict(self) -> None:
        spare = len(self._cache) - self._most
        if spare <= 0:
            return
        for mailbox in [known for known, entry in self._cache.items() if not entry.users][:spare]:
            self._cache.pop(mailbox).close()

    def _is_open(self, mailbox: MailboxId) -> bool:
        entry = self._cache.get(mailbox)
        return entry is not None and entry.mailbox is not None

    def _exists(self, mailbox: MailboxId) -> bool:
        return self._is_open(mailbox) or (self._home(mailbox) / FILE).exists()

    # Writing

    def deliver(self, mailbox: MailboxId, batch: Sequence[Delivery], low_water: int) -> "Deferred[None]":
        """See :class:`IMailStore`."""
        path = self._bodies.path
        return self._write(mailbox, lambda opened, anchored: opened.deliver(batch, low_water, path, anchored))

    def delete(self, mailbox: MailboxId, delivery_ids: Sequence[DeliveryId]) -> "Deferred[None]":
        """See :class:`IMailStore`."""
        if not delivery_ids:
            return succeed(None)
        return self._write(mailbox, lambda opened, anchored: opened.delete(delivery_ids, anchored))

    def _write(self, mailbox: MailboxId, act: Callable[[Mailbox, Head], Head]) -> "Deferred[None]":
        # Asked before: what others write meanwhile moves it on.
        anchored = self._anchors.anchored(mailbox)

        def write() -> Head:
            with self._opened(mailbox) as opened:
                return act(opened, anchored)

        return self._disk.run(write).addCallback(lambda head: self._anchors.anchor(mailbox, head))

    def prune(self, low_water: int) -> "Deferred[int]":
        """See :class:`IMailStore`."""

        def look() -> int:
            looked = 0
            for path in self._directory.glob(f"??/*/{FILE}"):
                try:
                    with self._opened(MailboxId(bytes.fromhex(path.parent.name))) as opened:
                        opened.prune(low_water)
                except (StoreError, OSError, ValueError) as error:
                    # One that cannot be opened keeps nobody else's from being looked at.
                    self._log.error("{path} was not pruned: {error}", path=str(path), error=error)
                    continue
                looked += 1
            return looked

        return self._disk.run(look)

    def destroy(self, mailbox: MailboxId) -> "Deferred[None]":
        """See :class:`IMailStore`."""

        def remove() -> None:
            with self._lock:
                entry = self._cache.get(mailbox)
                if entry is not None:
                    if entry.users:
                        raise Unavailable("the mailbox is in use")
                    entry.close()
                    del self._cache[mailbox]
                shutil.rmtree(self._home(mailbox), ignore_errors=True)

        return self._disk.run(remove)

    # Reading

    def _read(self, mailbox: MailboxId, look: Callable[[Mailbox], T], *, at_once: bool = True) -> "Deferred[T]":
        """Look *at_once* into a mailbox that is open; opening one is the disk's work."""

        def read() -> T:
            with self._opened(mailbox) as opened:
                return look(opened)

        return execute(read) if at_once and self._is_open(mailbox) else self._disk.run(read)

    def list(self, mailbox: MailboxId) -> "Deferred[MailboxList]":
        """See :class:`IMailStore`."""

        # Asked before it is listed: mail that comes meanwhile moves it on.
        anchored = self._anchors.anchored(mailbox)

        def by_size(usage: Usage) -> "Deferred[MailboxList]":
            at_once = usage.messages <= _ROWS_AT_ONCE
            return self._read(mailbox, lambda opened: opened.list(anchored), at_once=at_once)

        if not self._exists(mailbox):
            return fail(Damaged("it is gone")) if anchored.appended else succeed(MailboxList(rows=(), head=Head()))
        return self.usage(mailbox).addCallback(by_size)

    def usage(self, mailbox: MailboxId) -> "Deferred[Usage]":
        """See :class:`IMailStore`."""
        return self._read(mailbox, Mailbox.usage) if self._exists(mailbox) else succeed(Usage())

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
        with self._lock:
            for entry in self._cache.values():
                if entry.mailbox is not None:
                    entry.mailbox.check_readers()

    def close(self) -> None:
        """Close every mailbox; nothing may be under way, and nothing is opened afterwards."""
        with self._lock:
            for entry in self._cache.values():
                entry.close()
            self._cache.clear()
            self._closed = True
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
