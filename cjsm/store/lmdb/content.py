"""What ``mailbox.mdb`` holds: its tables and records, seen within one transaction."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import lmdb
import msgspec
from msgspec import Struct

from cjsm.community.identifiers import AccountId, BodyId, DeliveryId
from cjsm.store.interfaces import UNREADABLE, Damaged, Delivery, Head, Row, Usage
from cjsm.store.lmdb import rows
from cjsm.store.lmdb.environment import Environment, number, prefixed

#: 2: deleted messages are kept, members hide messages, imported ones keep their unique-id.
SCHEMA = 2
ROWS = "rows"
MESSAGES = "messages"
BODIES = "bodies"
DELIVERED = "delivered"
DELETED = "deleted"
HIDDEN = "hidden"
IMPORTED = "imported"
TABLES = (ROWS, MESSAGES, BODIES, DELIVERED, DELETED, HIDDEN, IMPORTED)
_HEAD = b"head"
_FULL = b"full-since"
_PURGED = b"purged"


class Message(Struct, frozen=True, kw_only=True, array_like=True):
    """What the mailbox keeps of one message beside its row; ``inline`` tells where the body is."""

    row: Row
    body_id: BodyId
    sealed_octets: int
    inline: bool
    wrap: bytes
    summary: bytes


class State(Struct, frozen=True, kw_only=True, array_like=True):
    """The mailbox's head and usage, and what is kept of deleted messages: one record."""

    head: Head = Head()
    usage: Usage = Usage()
    deleted: Usage = Usage()


decode_message = msgspec.msgpack.Decoder(Message).decode
_states = msgspec.msgpack.Decoder(State)


class Content:
    """The tables of one mailbox within *transaction*."""

    def __init__(self, environment: Environment, transaction: lmdb.Transaction) -> None:
        self.transaction = transaction
        self._environment = environment

    # Any table

    def table(self, name: str) -> "lmdb._Database":
        """Return a table for the functions of :mod:`lmdb`."""
        return self._environment.table(name)

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return what *table* has under *key*."""
        found = self.transaction.get(key, db=self.table(table))
        return bytes(found) if found is not None else None

    def has(self, table: str, key: bytes) -> bool:
        """Whether *table* has something under *key*."""
        return self.transaction.get(key, db=self.table(table)) is not None

    def put(self, table: str, key: bytes, value: bytes) -> None:
        """Keep *value* under *key*."""
        self.transaction.put(key, value, db=self.table(table))

    def remove(self, table: str, key: bytes) -> bool:
        """Take *key* away; whether it was there."""
        return self.transaction.delete(key, db=self.table(table))

    def items(self, table: str, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield what *table* has under keys that begin with *prefix*, in order."""
        return prefixed(self.transaction, self.table(table), prefix)

    # Records

    def state(self) -> State:
        """Return head and usage.

        :raises Damaged: when they cannot be read.
        """
        stored = self.transaction.get(_HEAD, db=self._environment.meta)
        if stored is None:
            return State()
        try:
            return _states.decode(stored)
        except UNREADABLE as error:
            raise Damaged("the mailbox's head cannot be read") from error

    def set_state(self, state: State) -> None:
        """Keep head and usage."""
        self.transaction.put(_HEAD, msgspec.msgpack.encode(state), db=self._environment.meta)

    def begin_edition(self, edition: int) -> None:
        """Say of an empty mailbox which edition it is."""
        if edition:
            self.set_state(State(head=Head(edition=edition)))

    def full_since(self) -> int:
        """Return since when the mailbox is known to be full; 0 when it is not."""
        return int.from_bytes(self.transaction.get(_FULL, db=self._environment.meta) or b"", "big")

    def set_full_since(self, moment: int) -> None:
        """Keep since when it is full."""
        self.transaction.put(_FULL, number(moment), db=self._environment.meta)

    def purged(self, file: int) -> int:
        """Return since when the *file* with that number holds remains of destroyed messages; 0 when it does not."""
        found = self.transaction.get(_PURGED, db=self._environment.meta)
        return int.from_bytes(found[8:], "big") if found is not None and found[:8] == number(file) else 0

    def set_purged(self, file: int, moment: int) -> None:
        """Note that there will be such remains, unless there are already. A copy has none, and another number."""
        if not self.purged(file):
            self.transaction.put(_PURGED, number(file) + number(moment), db=self._environment.meta)

    def message(self, delivery_id: DeliveryId) -> Message | None:
        """Return what is kept of a message, deleted or not.

        :raises Damaged: when it cannot be read.
        """
        stored = self.transaction.get(delivery_id, db=self.table(MESSAGES))
        if stored is None:
            return None
        try:
            return decode_message(stored)
        except UNREADABLE as error:
            raise Damaged("a stored message cannot be read") from error

    def messages(self) -> Iterator[Message]:
        """Yield every message that is kept and can be read, deleted or not."""
        for _, stored in self.items(MESSAGES):
            with suppress(*UNREADABLE):
                yield decode_message(stored)

    def put_message(self, message: Message, body: bytes | None) -> None:
        """Keep a message, and its body where that is small; its row is not listed yet."""
        row = message.row
        self.put(MESSAGES, row.delivery_id, msgspec.msgpack.encode(message))
        if body is not None:
            self.put(BODIES, row.delivery_id, body)
        if row.imported_id:
            self.put(IMPORTED, row.imported_id.encode(), row.delivery_id)

    def destroy_message(self, message: Message) -> None:
        """Take everything of a message away that is not on the list."""
        row = message.row
        self.remove(MESSAGES, row.delivery_id)
        self.remove(BODIES, row.delivery_id)
        self.remove(DELETED, row.delivery_id)
        if row.imported_id:
            self.remove(IMPORTED, row.imported_id.encode())

    def rows(self) -> tuple[Row, ...]:
        """Return every row of the list, in order."""
        imported = {bytes(found): unique_id.decode() for unique_id, found in self.items(IMPORTED)}
        return rows.read(self.transaction, self.table(ROWS), imported)

    def deleted(self) -> list[tuple[DeliveryId, int]]:
        """Return the deleted messages that are kept, and when they were deleted."""
        return [(DeliveryId(found), int.from_bytes(moment, "big")) for found, moment in self.items(DELETED)]

    # Hidden from members: for each member and page of the list 64 bits

    def hide(self, member: AccountId, uids: Sequence[int]) -> None:
        """Leave rows out of the list of *member*."""
        pages: dict[int, int] = {}
        for uid in uids:
            page = uid // rows.ROWS_PER_PAGE
            pages[page] = pages.get(page, 0) | 1 << uid % rows.ROWS_PER_PAGE
        for page, bits in pages.items():
            key = member + number(page)
            before = int.from_bytes(self.get(HIDDEN, key) or b"", "big")
            self.put(HIDDEN, key, number(before | bits))

    def hidden(self, member: AccountId) -> dict[int, int]:
        """Return the bits of the rows that *member* hid, by page."""
        found = self.items(HIDDEN, member)
        return {int.from_bytes(key[len(member) :], "big"): int.from_bytes(bits, "big") for key, bits in found}

    def show_all(self, member: AccountId) -> bool:
        """Hide nothing from *member* any more; whether anything was."""
        keys = [key for key, _ in self.items(HIDDEN, member)]
        for key in keys:
            self.remove(HIDDEN, key)
        return bool(keys)

    def forget_hidden(self, pages: set[int]) -> None:
        """Forget what was hidden of pages but *pages*."""
        for key, _ in list(self.items(HIDDEN)):
            if int.from_bytes(key[-8:], "big") not in pages:
                self.remove(HIDDEN, key)


def is_hidden(hidden: dict[int, int], uid: int) -> bool:
    """Whether the row *uid* is among *hidden*."""
    return bool(hidden.get(uid // rows.ROWS_PER_PAGE, 0) >> uid % rows.ROWS_PER_PAGE & 1)


def message_of(row: Row, delivery: Delivery) -> Message:
    """Return what is kept of a delivery in *row*."""
    return Message(
        row=row,
        body_id=delivery.body_id,
        sealed_octets=delivery.sealed_octets,
        inline=delivery.body is not None,
        wrap=delivery.wrap,
        summary=delivery.summary,
    )
