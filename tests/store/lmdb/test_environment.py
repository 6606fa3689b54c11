"""Opening environments: newer and damaged files are refused and left alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb
import pytest

from cjsm.store.interfaces import CannotOpen, Damaged, NewerStore, Unavailable
from cjsm.store.lmdb.environment import Environment, number, prefixed

from ..support import MAP


def opened(path: Path, schema: int = 1, tables: tuple[str, ...] = ("things",)) -> Environment:
    """An environment."""
    return Environment(path, tables=tables, schema=schema, map_size=MAP)


def test_newer_is_not_touched(tmp_path: Path) -> None:
    """A newer store is refused with its cure, not an octet changed, though it lacks our tables."""
    path = tmp_path / "a.mdb"
    opened(path, 2).close()
    before = path.read_bytes()
    with pytest.raises(NewerStore, match="newer version"):
        opened(path, tables=("things", "others"))
    assert path.read_bytes() == before
    opened(path, 2).close()


def test_damaged(tmp_path: Path) -> None:
    """A file that is no store is told to be damaged."""
    (tmp_path / "a.mdb").write_bytes(b"nothing of ours " * 1024)
    with pytest.raises(Damaged, match="restore it from the backup"):
        opened(tmp_path / "a.mdb")


def test_directory_cannot_be_made(tmp_path: Path) -> None:
    """A file in the way is told with a cure."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CannotOpen) as told:
        opened(tmp_path / "file" / "a.mdb")
    assert told.value.cure


def test_what_raises_rolls_back(tmp_path: Path) -> None:
    """An exception in a write leaves nothing of it."""
    environment = opened(tmp_path / "a.mdb")
    table = environment.table("things")

    def act(transaction: lmdb.Transaction) -> None:
        transaction.put(b"key", b"value", db=table)
        raise KeyError("stop")

    with pytest.raises(KeyError):
        environment.write(act)
    assert environment.read(lambda transaction: transaction.get(b"key", db=table)) is None
    environment.close()


def test_prefixed(tmp_path: Path) -> None:
    """Keys that begin so, in the order of their numbers."""
    environment = opened(tmp_path / "a.mdb")
    table = environment.table("things")
    for value in (300, 2, 70_000):
        environment.write(lambda transaction, value=value: transaction.put(b"a" + number(value), b"", db=table))
    environment.write(lambda transaction: transaction.put(b"b", b"", db=table))
    found = environment.read(lambda transaction: [key for key, _ in prefixed(transaction, table, b"a")])
    assert found == [b"a" + number(value) for value in (2, 300, 70_000)]
    environment.close()


class HalfRead:
    """A transaction whose tables have one record, and then no room for more."""

    def cursor(self, table: object) -> Iterator[tuple[bytes, bytes]]:
        yield b"key", b"value"
        raise lmdb.MapFullError("no room")


def test_half_written_anew(tmp_path: Path) -> None:
    """What could not be written whole is taken away: where the disk is full, it took the room that was left."""
    environment = opened(tmp_path / "one.mdb")
    half: Any = HalfRead()
    with pytest.raises(Unavailable, match=r"one\.2\.part: no room"):
        environment.rewrite(tmp_path / "one.2.part", half)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.mdb", "one.mdb-lock"]
    environment.close()
