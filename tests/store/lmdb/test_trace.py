"""What became of messages: merged, written, found, pruned."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel, capturedLogs
from zope.interface.verify import verifyObject

from cjsm.store.interfaces import Damaged, ITrace, NewerStore, Traced, Unavailable
from cjsm.store.lmdb import trace as module
from cjsm.store.lmdb.disk import Disk, InlineDisk
from cjsm.store.lmdb.trace import LmdbTrace, _decode, _encode

from ..support import MAP, FailingDisk, HeldDisk, result

ONE, TWO = b"queue  1", b"queue  2"
TAG, OTHER = b"t" * 16, b"o" * 16


def record(number: int, queue_id: bytes = ONE, message: bytes = b"", moment: int | None = None) -> Traced:
    """An event that a reader can tell."""
    when = number if moment is None else moment
    return Traced(moment=when, queue_id=queue_id, message=message, sealed=f"sealed {number}".encode())


def opened(directory: Path, disk: Disk | None = None, **more: Any) -> LmdbTrace:
    """The trace in *directory*."""
    return LmdbTrace(directory, disk or InlineDisk(), map_size=MAP, **more)


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[LmdbTrace]:
    """Nothing has happened."""
    store = opened(tmp_path)
    yield store
    result(store.close())


def raw(store: LmdbTrace) -> dict[str, int]:
    """How many records each table has."""
    environment = store._environment
    with environment.reading() as transaction:
        names = ("records", "queues", "messages")
        return {name: transaction.stat(environment.table(name))["entries"] for name in names}


def test_found_before_and_after_they_are_written(tmp_path: Path) -> None:
    """In the order they came, those of one message only, also after a restart."""
    store = opened(tmp_path)
    assert verifyObject(ITrace, store)
    first, other, second = record(1, message=TAG), record(2, TWO, TAG), record(3)
    store.add([first, other])
    result(store.flush())
    store.add([second])
    for _ in range(2):
        assert result(store.find(ONE, 10)) == [first, second]
        assert result(store.find(TWO, 10)) == [other]
        assert result(store.find(b"nothing.", 10)) == []
        assert result(store.find(ONE, 1)) == [first]
        assert sorted(result(store.named(TAG, 10))) == [ONE, TWO]
        assert len(result(store.named(TAG, 1))) == 1
        assert result(store.named(OTHER, 10)) == []
        result(store.flush())
    result(store.close())
    store = opened(tmp_path)
    assert result(store.find(ONE, 10)) == [first, second]
    result(store.close())


def test_closing_writes(tmp_path: Path) -> None:
    """What was added last is not lost when the service stops, even while a commit is under way."""
    disk = HeldDisk()
    store = opened(tmp_path, disk)
    store.add([record(1)])
    store.flush()
    store.add([record(2)])
    closing = store.close()
    disk.release()
    result(closing)
    again = opened(tmp_path)
    assert result(again.find(ONE, 10)) == [record(1), record(2)]
    result(again.close())


def test_found_while_it_is_written(tmp_path: Path) -> None:
    """Asked between the commit and its answer: each once."""
    disk = HeldDisk()
    store = opened(tmp_path, disk)
    store.add([record(1, message=TAG)])
    store.flush()
    found, named = store.find(ONE, 10), store.named(TAG, 10)
    store.add([record(2)])
    disk.release()
    assert result(found) == [record(1, message=TAG), record(2)]
    assert result(named) == [ONE]


def test_a_failed_commit_loses_nothing(tmp_path: Path) -> None:
    """It is written the next time, before what came meanwhile."""
    store = opened(tmp_path, FailingDisk(1))
    store.add([record(1)])
    with pytest.raises(Unavailable):
        result(store.flush())
    store.add([record(2)])
    result(store.flush())
    assert (result(store.find(ONE, 10)), store.dropped) == ([record(1), record(2)], 0)
    result(store.close())


def test_a_disk_that_fails_for_long_costs_records_and_not_memory(tmp_path: Path) -> None:
    """So many are held; the rest is counted, and told once."""

    class Broken(InlineDisk):
        def run(self, work: Any) -> Any:
            return FailingDisk(1).run(work)

    store = opened(tmp_path, Broken(), most=10)
    with capturedLogs() as events:
        for number in range(8):
            store.add([record(number), record(number)])
            with pytest.raises(Unavailable):
                result(store.flush())
    assert (len(store._waiting), store.dropped) == (10, 6)
    lost = [event["count"] for event in events if event["log_level"] is LogLevel.error]
    assert sum(lost) == 6


def test_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is old goes from every table, in slices; a Message-ID that was used again is still found."""
    monkeypatch.setattr(module, "_SLICE", 3)
    store = opened(tmp_path)
    store.add([record(number, f"q{number:07d}".encode(), number.to_bytes(16, "big")) for number in range(10)])
    store.add([record(10, ONE, TAG), record(20, ONE, TAG), record(21, TWO, OTHER)])
    result(store.flush())
    assert result(store.prune(15)) == 11
    assert result(store.prune(15)) == 0
    assert raw(store) == {"records": 2, "queues": 2, "messages": 2}
    assert (result(store.find(ONE, 10)), result(store.named(TAG, 10))) == ([record(20, ONE, TAG)], [ONE])
    assert result(store.prune(100)) == 2
    assert raw(store) == {"records": 0, "queues": 0, "messages": 0}
    store.add([record(30)])
    result(store.flush())
    assert result(store.find(ONE, 10)) == [record(30)]
    result(store.close())


def test_two_processes(tmp_path: Path) -> None:
    """Doors and delivery write beside each other: records go behind those that are there, whoever wrote them."""
    store = opened(tmp_path)
    store.add([record(1)])
    result(store.flush())
    result(store.close())
    again = opened(tmp_path)
    again.add([record(2)])
    result(again.flush())
    assert result(again.find(ONE, 10)) == [record(1), record(2)]
    again.check_readers()
    result(again.close())


def test_damaged_and_newer(tmp_path: Path) -> None:
    """Named when they are asked for; a damaged one does not keep the others for ever."""
    store = opened(tmp_path)
    store.add([record(1), record(2, TWO)])
    result(store.flush())

    def spoil(transaction: lmdb.Transaction) -> None:
        transaction.put((1).to_bytes(8, "big"), b"\x01nonsense", db=store._environment.table("records"))

    store._environment.write(spoil)
    with pytest.raises(Damaged):
        result(store.find(ONE, 10))
    assert result(store.find(TWO, 10)) == [record(2, TWO)]
    with pytest.raises(NewerStore):
        _decode(b"\x02" + _encode(record(1))[1:])
    assert result(store.prune(100)) == 2
    result(store.close())


def test_nothing_to_flush(trace: LmdbTrace) -> None:
    """An idle second costs no commit, and adding nothing adds nothing."""
    trace.add([])
    result(trace.flush())


@given(st.integers(0, 2**40), st.binary(min_size=8, max_size=8), st.sampled_from([b"", TAG]), st.binary(max_size=300))
def test_stored_form(moment: int, queue_id: bytes, message: bytes, sealed: bytes) -> None:
    """Comes back as it was."""
    made = Traced(moment=moment, queue_id=queue_id, message=message, sealed=sealed)
    assert _decode(_encode(made)) == made


def test_golden() -> None:
    """What this version stored still reads in every later one."""
    stored = bytes.fromhex("0194ce6553f100c4083132333435363738c40474616767c4067365616c6564")
    assert _decode(stored) == Traced(moment=1_700_000_000, queue_id=b"12345678", message=b"tagg", sealed=b"sealed")


def test_since(tmp_path: Path) -> None:
    """In order, from about a moment on, a few at a time; a damaged one is gone behind."""
    store = LmdbTrace(tmp_path, InlineDisk(), map_size=MAP)
    store.add([Traced(moment=moment, queue_id=bytes(8), sealed=b"x") for moment in range(100)])
    result(store.flush())
    seen, after = [], 0
    while found := result(store.since(70, after, 7)):
        after = found[-1][0]
        seen += [record.moment for _, record in found]
        assert len(found) <= 7
    assert seen == list(range(70, 100))
    assert result(store.since(1_000, 0, 7)) == []
    assert [record.moment for _, record in result(store.since(0, 0, 3))] == [0, 1, 2]
    result(store.close())
