"""Rows of a mailbox's list, packed in pages."""

from pathlib import Path

import lmdb
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.identifiers import DeliveryId
from cjsm.store.interfaces import Damaged, Head, Row
from cjsm.store.lmdb import rows
from cjsm.store.lmdb.environment import Environment, number
from cjsm.vault.chain import advance

from ..support import MAP, identifier

#: One row as it is stored: big-endian uid and octets, delivery id, generation, flags, running hash.
SAMPLE = bytes.fromhex("0000000000000007" + "0000000000000400") + b"delivery 7......"
SAMPLE += bytes.fromhex("0000000200000000") + b"c" * 32


def row(uid: int) -> Row:
    """A row that a reader can tell."""
    return Row(
        uid=uid,
        octets=1024,
        delivery_id=DeliveryId(identifier("delivery", uid)),
        generation=2,
        flags=0,
        chain=b"c" * 32,
    )


def opened(directory: Path) -> Environment:
    """A store with one table."""
    return Environment(directory / "rows.mdb", tables=("rows",), schema=1, map_size=MAP)


def test_stored_form(tmp_path: Path) -> None:
    """The stored form has not changed: 72 octets a row, 64 to a page by uid."""
    store = opened(tmp_path)
    table = store.table("rows")
    store.write(lambda transaction: rows.append(transaction, table, [row(7), row(64)]))
    with store.reading() as transaction:
        assert transaction.get(number(0), db=table) == SAMPLE
        assert len(bytes(transaction.get(number(1), db=table) or b"")) == len(SAMPLE) == 72


@given(st.lists(st.integers(1, 300), unique=True).map(sorted), st.sets(st.integers(1, 300)))
def test_added_and_removed(tmp_path_factory: pytest.TempPathFactory, uids: list[int], gone: set[int]) -> None:
    """What is read is what was added and not removed, in order; empty pages go."""
    store = opened(tmp_path_factory.mktemp("rows"))
    table = store.table("rows")
    half = len(uids) // 2
    for part in (uids[:half], uids[half:]):
        store.write(lambda transaction, part=part: rows.append(transaction, table, [row(uid) for uid in part]))
    store.write(lambda transaction: rows.remove(transaction, table, gone))
    kept = [uid for uid in uids if uid not in gone]
    with store.reading() as transaction:
        assert rows.read(transaction, table) == tuple(row(uid) for uid in kept)
        assert transaction.stat(table)["entries"] == len({uid // rows.ROWS_PER_PAGE for uid in kept})
    store.close()


def test_damage(tmp_path: Path) -> None:
    """A page that is cut short is damage, not a shorter list."""
    store = opened(tmp_path)
    table = store.table("rows")

    def cut(transaction: lmdb.Transaction) -> None:
        transaction.put(number(0), SAMPLE[:-1], db=table)

    store.write(cut)
    with store.reading() as transaction, pytest.raises(Damaged):
        rows.read(transaction, table)


def appended(count: int) -> tuple[list[Row], Head]:
    """A list as deliveries make it."""
    made, chain = [], Head().chain
    for uid in range(1, count + 1):
        plain = row(uid)
        chain = advance(chain, uid, plain.octets, plain.delivery_id, plain.generation)
        made.append(msgspec.structs.replace(plain, chain=chain))
    return made, Head(appended=count, chain=chain)


@given(st.integers(0, 20), st.sets(st.integers(1, 20)))
def test_whole_list(count: int, gone: set[int]) -> None:
    """What deliveries appended and people deleted passes."""
    made, head = appended(count)
    rows.check([each for each in made if each.uid not in gone], head, advance)


@given(st.integers(2, 20), st.data())
def test_meddled_list(count: int, data: st.DataObject) -> None:
    """A row that is exchanged, moved, put in twice or changed is noticed."""
    made, head = appended(count)
    one, other = data.draw(st.lists(st.integers(0, count - 1), min_size=2, max_size=2, unique=True))
    first, second = made[one], made[other]
    meddled = data.draw(
        st.sampled_from(
            (
                {one: second, other: first},
                {one: msgspec.structs.replace(second, uid=first.uid, chain=first.chain)},
                {one: second},
                {one: msgspec.structs.replace(first, octets=first.octets + 1)},
                {one: msgspec.structs.replace(first, uid=first.uid + count)},
            )
        )
    )
    with pytest.raises(Damaged):
        rows.check([meddled.get(place, each) for place, each in enumerate(made)], head, advance)


def test_another_end() -> None:
    """A list that ends otherwise than its head says is noticed, also where the row before the last is gone."""
    made, head = appended(3)
    with pytest.raises(Damaged):
        rows.check([msgspec.structs.replace(made[2], chain=b"d" * 32)], head, advance)
    with pytest.raises(Damaged):
        rows.check(made, Head(appended=2, chain=made[1].chain), advance)
