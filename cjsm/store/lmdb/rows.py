"""List rows packed in pages of 64: one key for many rows, so that a login reads few of them."""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping

import lmdb

from cjsm.community.identifiers import DeliveryId
from cjsm.store.interfaces import Altered, Damaged, Head, Row
from cjsm.store.lmdb.environment import number, prefixed

#: Returns the running hash after one more row: (previous, uid, octets, delivery id, generation).
Advance = Callable[[bytes, int, int, bytes, int], bytes]

ROWS_PER_PAGE = 64
#: uid, octets, delivery id, generation, flags, running hash.
_ROW = struct.Struct(">QQ16sII32s")
_NONE: Mapping[bytes, str] = {}


def _pack(row: Row) -> bytes:
    return _ROW.pack(row.uid, row.octets, row.delivery_id, row.generation, row.flags, row.chain)


def _unpack(page: bytes, imported: Mapping[bytes, str] = _NONE) -> Iterator[Row]:
    if len(page) % _ROW.size:
        raise Damaged("a page of the mailbox's list is cut short")
    for uid, octets, delivery_id, generation, flags, chain in _ROW.iter_unpack(page):
        yield Row(
            uid=uid,
            octets=octets,
            delivery_id=DeliveryId(delivery_id),
            generation=generation,
            flags=flags,
            chain=chain,
            imported_id=imported.get(delivery_id, ""),
        )


def read(
    transaction: lmdb.Transaction, table: "lmdb._Database", imported: Mapping[bytes, str] = _NONE
) -> tuple[Row, ...]:
    """Return every row, in order of uid.

    :param imported: the unique-ids that messages came with, by delivery id.
    """
    return tuple(row for _, page in prefixed(transaction, table, b"") for row in _unpack(page, imported))


def check(rows: Iterable[Row], head: Head, advance: Advance) -> None:
    """Check that *rows* stand as they were appended: in order, and bound to the row before where that is still there.

    :raises Altered: when one was put in, exchanged or moved.
    """
    uid, chain = 0, Head().chain
    for row in rows:
        follows = row.uid == uid + 1
        bound = advance(chain, row.uid, row.octets, row.delivery_id, row.generation) if follows else row.chain
        if row.uid <= uid or row.chain != bound:
            raise Altered(f"row {row.uid} of the list is not the one that was appended")
        uid, chain = row.uid, row.chain
    if uid > head.appended or (uid == head.appended and chain != head.chain):
        raise Altered("the end of the list is not the one that was appended")


def append(transaction: lmdb.Transaction, table: "lmdb._Database", rows: Iterable[Row]) -> None:
    """Add rows, whose uids are above all there are."""
    pages: dict[int, bytes] = {}
    for row in rows:
        page = row.uid // ROWS_PER_PAGE
        if page not in pages:
            pages[page] = bytes(transaction.get(number(page), db=table) or b"")
        pages[page] += _pack(row)
    for page, packed in pages.items():
        transaction.put(number(page), packed, db=table)


def replace(transaction: lmdb.Transaction, table: "lmdb._Database", rows: Iterable[Row]) -> None:
    """Make the list *rows*, in order of uid, and nothing else."""
    transaction.drop(table, delete=False)
    append(transaction, table, rows)


def remove(transaction: lmdb.Transaction, table: "lmdb._Database", uids: Iterable[int]) -> None:
    """Take rows away; a page without rows goes."""
    going: dict[int, set[int]] = {}
    for uid in uids:
        going.setdefault(uid // ROWS_PER_PAGE, set()).add(uid)
    for page, gone in going.items():
        packed = bytes(transaction.get(number(page), db=table) or b"")
        kept = b"".join(_pack(row) for row in _unpack(packed) if row.uid not in gone)
        if kept:
            transaction.put(number(page), kept, db=table)
        else:
            transaction.delete(number(page), db=table)


def insert(transaction: lmdb.Transaction, table: "lmdb._Database", rows: Iterable[Row]) -> None:
    """Put rows back that were taken away, each in its place."""
    coming: dict[int, list[Row]] = {}
    for row in rows:
        coming.setdefault(row.uid // ROWS_PER_PAGE, []).append(row)
    for page, back in coming.items():
        there = _unpack(bytes(transaction.get(number(page), db=table) or b""))
        packed = b"".join(_pack(row) for row in sorted([*there, *back], key=lambda each: each.uid))
        transaction.put(number(page), packed, db=table)
