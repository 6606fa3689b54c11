"""The mailboxes: ``mailboxes/ab/<id>/mailbox.mdb`` and large bodies beside it, made at the first delivery."""

import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lmdb
import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred, execute
from zope.interface import implementer

from cjsm.community.identifiers import AccountId, BodyId, DeliveryId, MailboxId
from cjsm.store.interfaces import (
    Damaged,
    Delivery,
    Head,
    IBodyReader,
    IMailStore,
    MailboxList,
    Missing,
    Row,
    StoredMessage,
    Usage,
)
from cjsm.store.lmdb import rows
from cjsm.store.lmdb.bodies import FileBodyReader, FileBodyStore, link
from cjsm.store.lmdb.disk import Disk
from cjsm.store.lmdb.environment import Environment, number, sync_directory
from cjsm.store.lmdb.leases import Lease, Leases

_SCHEMA = 1
_ROWS = "rows"
_MESSAGES = "messages"
_BODIES = "bodies"
_DELIVERED = "delivered"
_HEAD = b"head"
_TABLES = (_ROWS, _MESSAGES, _BODIES, _DELIVERED)

#: Rows of a list that are read and checked on the reactor thread; more go to the disk's.
_ROWS_AT_ONCE = 500


class _Message(Struct, frozen=True, kw_only=True, array_like=True):
    """What the mailbox keeps of one message beside its row; ``inline`` tells where the body is."""

    row: Row
    body_id: BodyId
    sealed_octets: int
    inline: bool
    wrap: bytes
    summary: bytes


class _State(Struct, frozen=True, kw_only=True, array_like=True):
    """The mailbox's head and usage, one record."""

    head: Head = Head()
    usage: Usage = Usage()


_decode_message = msgspec.msgpack.Decoder(_Message).decode


class _Open:
    """An environment in the cache and how many use it at this moment."""

    __slots__ = ("environment", "users")

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.users = 0


@implementer(IMailStore)
class LmdbMailStore:
    """See :class:`IMailStore`.

    :param advance: the running hash of the list, from the vault.
    :param anchor: where heads are remembered away from the mailbox.
    :param open_mailboxes: environments kept open at most while nobody uses them.
    """

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
        anchor: Callable[[MailboxId, Head], None],
    ) -> None:
        self._directory = directory / "mailboxes"
        self._disk = disk
        self._bodies = bodies
        self._leases = leases
        self._map_size = map_size
        self._most = open_mailboxes
        self._advance = advance
        self._anchor = anchor
        self._cache: OrderedDict[MailboxId, _Open] = OrderedDict()
        self._lock = threading.Lock()

    # Environments

    def _home(self, mailbox: MailboxId) -> Path:
        name = mailbox.hex()
        return self._directory / name[:2] / name

    @contextmanager
    def _opened(self, mailbox: MailboxId) -> Iterator[Environment]:
        """The mailbox's environment, kept open while it is used; may be asked from any thread."""
        with self._lock:
            entry = self._cache.get(mailbox)
            if entry is None:
                entry = self._cache[mailbox] = _Open(self._open_environment(mailbox))
            entry.users += 1
            self._cache.move_to_end(mailbox)
            self._evict()
        try:
            yield entry.environment
        finally:
            with self._lock:
                entry.users -= 1

    def _open_environment(self, mailbox: MailboxId) -> Environment:
        home = self._home(mailbox)
        path = home / "mailbox.mdb"
        fresh = not path.exists()
        if fresh:
            (home / "bodies").mkdir(mode=0o700, parents=True, exist_ok=True)
        environment = Environment(path, tables=_TABLES, schema=_SCHEMA, map_size=self._map_size)
        if fresh:
            for directory in (home, home.parent, self._directory):
                sync_directory(directory)
        _sweep_orphans(environment, home / "bodies")
        return environment

    def _evict(self) -> None:
        spare = len(self._cache) - self._most
        if spare <= 0:
            return
        for mailbox in [known for known, entry in self._cache.items() if not entry.users][:spare]:
            self._cache.pop(mailbox).environment.close()

    def _exists(self, mailbox: MailboxId) -> bool:
        return mailbox in self._cache or (self._home(mailbox) / "mailbox.mdb").exists()

    # Delivering

    def deliver(self, mailbox: MailboxId, batch: Sequence[Delivery], low_water: int) -> "Deferred[None]":
        """See :class:`IMailStore`."""

        def write() -> Head:
            with self._opened(mailbox) as environment:
                return environment.write(
                    lambda transaction: self._deliver(transaction, environment, mailbox, batch, low_water)
                )

        return self._disk.run(write).addCallback(lambda head: self._anchor(mailbox, head))

    def _deliver(
        self,
        transaction: lmdb.Transaction,
        environment: Environment,
        mailbox: MailboxId,
        batch: Sequence[Delivery],
        low_water: int,
    ) -> Head:
        fresh = _fresh(transaction, environment, batch)
        self._keep_bodies(mailbox, fresh)
        state = _state(transaction, environment)
        head, usage = state.head, state.usage
        added = []
        for delivery in fresh:
            row = self._row(head, delivery)
            head = Head(appended=row.uid, deleted=head.deleted, chain=row.chain)
            usage = Usage(messages=usage.messages + 1, octets=usage.octets + row.octets)
            added.append(row)
            self._put(transaction, environment, row, delivery)
        rows.append(transaction, environment.table(_ROWS), added)
        _prune(transaction, environment, low_water)
        transaction.put(_HEAD, msgspec.msgpack.encode(_State(head=head, usage=usage)), db=environment.meta)
        return head

    def _row(self, head: Head, delivery: Delivery) -> Row:
        uid = head.appended + 1
        chain = self._advance(head.chain, uid, delivery.octets, delivery.delivery_id, delivery.generation)
        return Row(
            uid=uid,
            octets=delivery.octets,
            delivery_id=delivery.delivery_id,
            generation=delivery.generation,
            flags=0,
            chain=chain,
        )

    def _put(self, transaction: lmdb.Transaction, environment: Environment, row: Row, delivery: Delivery) -> None:
        message = _Message(
            row=row,
            body_id=delivery.body_id,
            sealed_octets=delivery.sealed_octets,
            inline=delivery.body is not None,
            wrap=delivery.wrap,
            summary=delivery.summary,
        )
        key = delivery.delivery_id
        transaction.put(key, msgspec.msgpack.encode(message), db=environment.table(_MESSAGES))
        if delivery.body is not None:
            transaction.put(key, delivery.body, db=environment.table(_BODIES))
        transaction.put(number(delivery.spool_sequence) + key, b"", db=environment.table(_DELIVERED))

    def _keep_bodies(self, mailbox: MailboxId, batch: Sequence[Delivery]) -> None:
        large = [delivery for delivery in batch if delivery.body is None]
        if large:
            directory = self._home(mailbox) / "bodies"
            for delivery in large:
                link(self._bodies.path(delivery.body_id), directory / delivery.delivery_id.hex())
            sync_directory(directory)

    # Reading

    def list(self, mailbox: MailboxId) -> "Deferred[MailboxList]":
        """See :class:`IMailStore`."""

        def read() -> MailboxList:
            if not self._exists(mailbox):
                return MailboxList(rows=(), head=Head())
            with self._opened(mailbox) as environment, environment.reading() as transaction:
                found = rows.read(transaction, environment.table(_ROWS))
                head = _state(transaction, environment).head
            rows.check(found, head, self._advance)
            return MailboxList(rows=found, head=head)

        def by_size(usage: Usage) -> "MailboxList | Deferred[MailboxList]":
            return self._disk.run(read) if usage.messages > _ROWS_AT_ONCE else read()

        return self.usage(mailbox).addCallback(by_size)

    def usage(self, mailbox: MailboxId) -> "Deferred[Usage]":
        """See :class:`IMailStore`."""

        def read() -> Usage:
            if not self._exists(mailbox):
                return Usage()
            with self._opened(mailbox) as environment, environment.reading() as transaction:
                return _state(transaction, environment).usage

        return execute(read)

    def open(self, mailbox: MailboxId, delivery_id: DeliveryId) -> "Deferred[StoredMessage]":
        """See :class:`IMailStore`."""

        def read() -> StoredMessage:
            message = self._message(mailbox, delivery_id)
            body: IBodyReader
            if message.inline:
                body = InlineBodyReader(self, mailbox, delivery_id, message.sealed_octets)
            else:
                body = FileBodyReader(self._home(mailbox) / "bodies" / delivery_id.hex(), self._disk)
            return StoredMessage(row=message.row, wrap=message.wrap, summary=message.summary, body=body)

        return execute(read)

    def _message(self, mailbox: MailboxId, delivery_id: DeliveryId) -> _Message:
        if not self._exists(mailbox):
            raise Missing("the mailbox is empty")
        with self._opened(mailbox) as environment, environment.reading() as transaction:
            stored = transaction.get(delivery_id, db=environment.table(_MESSAGES))
        if stored is None:
            raise Missing("the message is not there any more")
        try:
            return _decode_message(stored)
        except msgspec.MsgspecError as error:
            raise Damaged("a stored message cannot be read") from error

    def read_inline(self, mailbox: MailboxId, delivery_id: DeliveryId, offset: int, length: int) -> bytes:
        """Return octets of a body that lies in the mailbox itself."""
        with self._opened(mailbox) as environment, environment.reading() as transaction:
            body = transaction.get(delivery_id, db=environment.table(_BODIES))
        if body is None or len(body) < offset + length:
            raise Damaged("the message's body is shorter than it was")
        return bytes(body[offset : offset + length])

    # Removing

    def delete(self, mailbox: MailboxId, delivery_ids: Sequence[DeliveryId]) -> "Deferred[None]":
        """See :class:`IMailStore`."""

        def write() -> Head:
            with self._opened(mailbox) as environment:
                head, released = environment.write(lambda transaction: _delete(transaction, environment, delivery_ids))
            for delivery_id in released:
                (self._home(mailbox) / "bodies" / delivery_id.hex()).unlink(missing_ok=True)
            return head

        if not delivery_ids:
            return execute(lambda: None)
        return self._disk.run(write).addCallback(lambda head: self._anchor(mailbox, head))

    def prune(self, low_water: int) -> "Deferred[int]":
        """See :class:`IMailStore`."""

        def look() -> int:
            looked = 0
            for path in self._directory.glob("??/*/mailbox.mdb"):
                with self._opened(MailboxId(bytes.fromhex(path.parent.name))) as environment:
                    if environment.read(lambda transaction: _needs_pruning(transaction, environment, low_water)):
                        environment.write(lambda transaction: _prune(transaction, environment, low_water))
                looked += 1
            return looked

        return self._disk.run(look)

    def destroy(self, mailbox: MailboxId) -> "Deferred[None]":
        """See :class:`IMailStore`."""

        def remove() -> None:
            with self._lock:
                entry = self._cache.pop(mailbox, None)
                if entry is not None:
                    entry.environment.close()
                shutil.rmtree(self._home(mailbox), ignore_errors=True)

        return self._disk.run(remove)

    def lease(self, mailbox: MailboxId, member: AccountId) -> "Deferred[Lease]":
        """See :class:`IMailStore`."""
        return execute(self._leases.take, mailbox + member)

    def check_readers(self) -> None:
        """Clear what readers that died left."""
        with self._lock:
            for entry in self._cache.values():
                entry.environment.check_readers()

    def close(self) -> None:
        """Close every environment; nothing may be under way."""
        with self._lock:
            for entry in self._cache.values():
                entry.environment.close()
            self._cache.clear()
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
        return execute(self._store.read_inline, self._mailbox, self._delivery_id, offset, length)

    def close(self) -> None:
        """Nothing is held."""


def _state(transaction: lmdb.Transaction, environment: Environment) -> _State:
    stored = transaction.get(_HEAD, db=environment.meta)
    return msgspec.msgpack.decode(stored, type=_State) if stored is not None else _State()


def _fresh(transaction: lmdb.Transaction, environment: Environment, batch: Sequence[Delivery]) -> list[Delivery]:
    """Return each delivery once that is neither here nor was: a repeated acceptance has another spool sequence."""
    delivered, messages = environment.table(_DELIVERED), environment.table(_MESSAGES)
    once = {delivery.delivery_id: delivery for delivery in reversed(batch)}
    return [
        delivery
        for delivery in reversed(once.values())
        if transaction.get(delivery.delivery_id, db=messages) is None
        and transaction.get(number(delivery.spool_sequence) + delivery.delivery_id, db=delivered) is None
    ]


def _needs_pruning(transaction: lmdb.Transaction, environment: Environment, low_water: int) -> bool:
    cursor = transaction.cursor(db=environment.table(_DELIVERED))
    return cursor.first() and int.from_bytes(bytes(cursor.key()[:8]), "big") < low_water


def _prune(transaction: lmdb.Transaction, environment: Environment, low_water: int) -> None:
    """Forget delivered ids that the spool cannot hand out again."""
    cursor = transaction.cursor(db=environment.table(_DELIVERED))
    found = cursor.first()
    while found and int.from_bytes(bytes(cursor.key()[:8]), "big") < low_water:
        found = cursor.delete() and cursor.key() != b""


def _delete(
    transaction: lmdb.Transaction, environment: Environment, delivery_ids: Sequence[DeliveryId]
) -> tuple[Head, Sequence[DeliveryId]]:
    """Remove messages; return the new head and those whose bodies are files."""
    gone: list[Row] = []
    released = []
    for delivery_id in delivery_ids:
        stored = transaction.get(delivery_id, db=environment.table(_MESSAGES))
        if stored is None:
            continue
        message = _decode_message(stored)
        gone.append(message.row)
        transaction.delete(delivery_id, db=environment.table(_MESSAGES))
        if message.inline:
            transaction.delete(delivery_id, db=environment.table(_BODIES))
        else:
            released.append(delivery_id)
    rows.remove(transaction, environment.table(_ROWS), [row.uid for row in gone])
    state = _state(transaction, environment)
    head = msgspec.structs.replace(state.head, deleted=state.head.deleted + len(gone))
    octets = state.usage.octets - sum(row.octets for row in gone)
    usage = Usage(messages=state.usage.messages - len(gone), octets=octets)
    transaction.put(_HEAD, msgspec.msgpack.encode(_State(head=head, usage=usage)), db=environment.meta)
    return head, released


def _sweep_orphans(environment: Environment, bodies: Path) -> None:
    """Remove body files that no message names: a crash came between link and commit."""
    found = list(bodies.iterdir()) if bodies.is_dir() else []
    if not found:
        return

    def sweep(transaction: lmdb.Transaction) -> None:
        for path in found:
            name = path.name
            try:
                known = transaction.get(bytes.fromhex(name), db=environment.table(_MESSAGES)) is not None
            except ValueError:
                known = False
            if not known:
                path.unlink(missing_ok=True)

    environment.write(sweep)
