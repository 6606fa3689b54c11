"""One mailbox: ``mailbox.mdb`` and, beside it, ``bodies/`` with the sealed bodies that are too large for it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import lmdb
import msgspec
from msgspec import Struct

from cjsm.community.identifiers import BodyId, DeliveryId
from cjsm.store.interfaces import Damaged, Delivery, Head, MailboxList, Missing, Row, Usage
from cjsm.store.lmdb import rows
from cjsm.store.lmdb.bodies import link
from cjsm.store.lmdb.environment import Environment, number, sync_directory

FILE = "mailbox.mdb"

_SCHEMA = 1
_ROWS = "rows"
_MESSAGES = "messages"
_BODIES = "bodies"
_DELIVERED = "delivered"
_HEAD = b"head"


class Message(Struct, frozen=True, kw_only=True, array_like=True):
    """What the mailbox keeps of one message beside its row; ``inline`` tells where the body is."""

    row: Row
    body_id: BodyId
    sealed_octets: int
    inline: bool
    wrap: bytes
    summary: bytes


class State(Struct, frozen=True, kw_only=True, array_like=True):
    """The mailbox's head and usage, one record."""

    head: Head = Head()
    usage: Usage = Usage()


decode_message = msgspec.msgpack.Decoder(Message).decode
_decode_state = msgspec.msgpack.Decoder(State).decode


class Mailbox:
    """An open mailbox. Every method may be called from any thread; what writes is one synced transaction.

    :param home: the mailbox's directory, made here when it is the first delivery.
    :param advance: the running hash of the list.
    """

    def __init__(self, home: Path, *, map_size: int, advance: rows.Advance) -> None:
        self._bodies = home / "bodies"
        self._advance = advance
        fresh = not (home / FILE).exists()
        if fresh:
            self._bodies.mkdir(mode=0o700, parents=True, exist_ok=True)
        tables = (_ROWS, _MESSAGES, _BODIES, _DELIVERED)
        self._environment = Environment(home / FILE, tables=tables, schema=_SCHEMA, map_size=map_size)
        try:
            if fresh:
                for directory in (home, home.parent, home.parent.parent):
                    sync_directory(directory)
            self._sweep_orphans()
        except BaseException:
            # An environment may be open once per process: what stayed open would keep the next try from it.
            self._environment.close()
            raise

    def body(self, delivery_id: DeliveryId) -> Path:
        """Return where a large body lies."""
        return self._bodies / delivery_id.hex()

    # Delivering

    def deliver(
        self, batch: Sequence[Delivery], low_water: int, spooled: Callable[[BodyId], Path], anchored: Head
    ) -> Head:
        """Write what was not delivered yet and forget delivered ids below *low_water*; return the list's head.

        :param spooled: where a large body lies in the spool.
        :param anchored: the newest head that is known elsewhere.
        :raises Damaged: when the mailbox is behind it: what it lost must not be covered up by what comes.
        """

        def act(transaction: lmdb.Transaction) -> Head:
            state = self._state(transaction)
            _check_not_behind(state.head, anchored)
            fresh = self._fresh(transaction, batch)
            self._keep_bodies(fresh, spooled)
            head, usage = state.head, state.usage
            added = []
            for delivery in fresh:
                row = self._row(head, delivery)
                head = Head(appended=row.uid, deleted=head.deleted, chain=row.chain)
                usage = Usage(messages=usage.messages + 1, octets=usage.octets + row.octets)
                added.append(row)
                self._put(transaction, row, delivery)
            rows.append(transaction, self._table(_ROWS), added)
            self._prune(transaction, low_water)
            self._put_state(transaction, State(head=head, usage=usage))
            return head

        return self._environment.write(act)

    def _fresh(self, transaction: lmdb.Transaction, batch: Sequence[Delivery]) -> list[Delivery]:
        """Return each delivery once that is neither here nor was: a repeated acceptance has another spool sequence."""
        delivered, messages = self._table(_DELIVERED), self._table(_MESSAGES)
        once = {delivery.delivery_id: delivery for delivery in reversed(batch)}
        return [
            delivery
            for delivery in reversed(once.values())
            if transaction.get(delivery.delivery_id, db=messages) is None
            and transaction.get(number(delivery.spool_sequence) + delivery.delivery_id, db=delivered) is None
        ]

    def _keep_bodies(self, batch: Sequence[Delivery], spooled: Callable[[BodyId], Path]) -> None:
        large = [delivery for delivery in batch if delivery.body is None]
        for delivery in large:
            link(spooled(delivery.body_id), self.body(delivery.delivery_id))
        if large:
            sync_directory(self._bodies)

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

    def _put(self, transaction: lmdb.Transaction, row: Row, delivery: Delivery) -> None:
        message = Message(
            row=row,
            body_id=delivery.body_id,
            sealed_octets=delivery.sealed_octets,
            inline=delivery.body is not None,
            wrap=delivery.wrap,
            summary=delivery.summary,
        )
        key = delivery.delivery_id
        transaction.put(key, msgspec.msgpack.encode(message), db=self._table(_MESSAGES))
        if delivery.body is not None:
            transaction.put(key, delivery.body, db=self._table(_BODIES))
        transaction.put(number(delivery.spool_sequence) + key, b"", db=self._table(_DELIVERED))

    def prune(self, low_water: int) -> None:
        """Forget delivered ids that the spool cannot hand out again."""
        if self._environment.read(lambda transaction: self._needs_pruning(transaction, low_water)):
            self._environment.write(lambda transaction: self._prune(transaction, low_water))

    def _needs_pruning(self, transaction: lmdb.Transaction, low_water: int) -> bool:
        cursor = transaction.cursor(db=self._table(_DELIVERED))
        return cursor.first() and int.from_bytes(bytes(cursor.key()[:8]), "big") < low_water

    def _prune(self, transaction: lmdb.Transaction, low_water: int) -> None:
        cursor = transaction.cursor(db=self._table(_DELIVERED))
        found = cursor.first()
        while found and int.from_bytes(bytes(cursor.key()[:8]), "big") < low_water:
            found = cursor.delete() and cursor.key() != b""

    # Reading

    def list(self, anchored: Head) -> MailboxList:
        """Return the rows.

        :param anchored: the newest head that is known elsewhere.
        :raises Damaged: when a row was put in, taken away, exchanged or moved, or the mailbox is behind *anchored*.
        """
        with self._environment.reading() as transaction:
            found = rows.read(transaction, self._table(_ROWS))
            head = self._state(transaction).head
        _check_not_behind(head, anchored)
        if len(found) != head.appended - head.deleted:
            raise Damaged("it was thinned: it has not as many messages as it should")
        rows.check(found, head, self._advance)
        return MailboxList(rows=found, head=head)

    def usage(self) -> Usage:
        """Return what is there now."""
        return self._environment.read(self._state).usage

    def message(self, delivery_id: DeliveryId) -> Message:
        """:raises Missing: when the message is not there (any more)."""
        stored = self._environment.read(lambda found: found.get(delivery_id, db=self._table(_MESSAGES)))
        if stored is None:
            raise Missing("the message is not there any more")
        try:
            return decode_message(stored)
        except msgspec.MsgspecError as error:
            raise Damaged("a stored message cannot be read") from error

    def read_inline(self, delivery_id: DeliveryId, offset: int, length: int) -> bytes:
        """Return octets of a body that lies in the mailbox itself."""
        body = self._environment.read(lambda found: found.get(delivery_id, db=self._table(_BODIES)))
        if body is None or len(body) < offset + length:
            raise Damaged("the message's body is shorter than it was")
        return bytes(body[offset : offset + length])

    # Removing

    def delete(self, delivery_ids: Sequence[DeliveryId], anchored: Head) -> Head:
        """Remove messages, all or none, then the bodies that are files; return the list's head.

        :param anchored: the newest head that is known elsewhere.
        :raises Damaged: when the mailbox is behind it.
        """

        def act(transaction: lmdb.Transaction) -> tuple[Head, Sequence[DeliveryId]]:
            state = self._state(transaction)
            _check_not_behind(state.head, anchored)
            gone: list[Message] = []
            for delivery_id in delivery_ids:
                stored = transaction.get(delivery_id, db=self._table(_MESSAGES))
                if stored is not None:
                    gone.append(decode_message(stored))
                    transaction.delete(delivery_id, db=self._table(_MESSAGES))
                    transaction.delete(delivery_id, db=self._table(_BODIES))
            rows.remove(transaction, self._table(_ROWS), [message.row.uid for message in gone])
            head = msgspec.structs.replace(state.head, deleted=state.head.deleted + len(gone))
            octets = state.usage.octets - sum(message.row.octets for message in gone)
            usage = Usage(messages=state.usage.messages - len(gone), octets=octets)
            self._put_state(transaction, State(head=head, usage=usage))
            return head, [message.row.delivery_id for message in gone if not message.inline]

        head, released = self._environment.write(act)
        for delivery_id in released:
            self.body(delivery_id).unlink(missing_ok=True)
        return head

    def _sweep_orphans(self) -> None:
        """Remove body files that no message names: a crash came between link and commit."""
        found = [*self._bodies.iterdir()] if self._bodies.is_dir() else []
        if found:
            self._environment.write(lambda transaction: self._sweep(transaction, found))

    def _sweep(self, transaction: lmdb.Transaction, found: Sequence[Path]) -> None:
        for path in found:
            try:
                known = transaction.get(bytes.fromhex(path.name), db=self._table(_MESSAGES)) is not None
            except ValueError:
                known = False
            if not known:
                path.unlink(missing_ok=True)

    # The rest

    def check_readers(self) -> None:
        """Clear what readers that died left."""
        self._environment.check_readers()

    def close(self) -> None:
        """Close it; nothing may be under way."""
        self._environment.close()

    def _state(self, transaction: lmdb.Transaction) -> State:
        stored = transaction.get(_HEAD, db=self._environment.meta)
        return _decode_state(stored) if stored is not None else State()

    def _put_state(self, transaction: lmdb.Transaction, state: State) -> None:
        transaction.put(_HEAD, msgspec.msgpack.encode(state), db=self._environment.meta)

    def _table(self, name: str) -> "lmdb._Database":
        return self._environment.table(name)


def _check_not_behind(head: Head, anchored: Head) -> None:
    behind = head.appended < anchored.appended or head.deleted < anchored.deleted
    forked = head.appended == anchored.appended and anchored.appended and head.chain != anchored.chain
    if behind or forked:
        raise Damaged("it was rolled back: it is not as new as is remembered elsewhere")
