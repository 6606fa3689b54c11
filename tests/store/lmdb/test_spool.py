"""The spool: what was accepted is there, handed out once at a time, and gone when delivered."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lmdb
import msgspec
import pytest
from twisted.internet.defer import fail
from twisted.logger import LogLevel, capturedLogs
from zope.interface.verify import verifyObject

from cjsm.community.identifiers import BodyId, MailboxId
from cjsm.store.interfaces import CannotOpen, DiskFull, ISpool, SpoolEntry, SpoolStatus, Unavailable
from cjsm.store.lmdb.environment import number as key_of
from cjsm.store.lmdb.spool import LmdbSpool

from ..support import MAILBOX, OTHER, Clock, FailingDisk, HeldDisk, alone, entry, identifier, open_spool, result

SAMPLE = bytes.fromhex(
    "88a26964c410656e74727920312e2e2e2e2e2e2e2e2ea86163636570746564cd0385a7626f64795f6964c410"
    "626f647920312e2e2e2e2e2e2e2e2e2ead7365616c65645f6f637465747306a773756d6d617279c40773756d6d617279"
    "a8656e76656c6f7065c408656e76656c6f7065aa64656c697665726965739185a76d61696c626f78c410"
    "6d61696c626f78206f6e652030303031ab64656c69766572795f6964c41064656c6976657279203130302e2e2e2e"
    "aa67656e65726174696f6e01a66f63746574730aa477726170c40477726170a4626f6479c0"
)


@pytest.fixture
def clock() -> Clock:
    """The spool's time."""
    return Clock()


@pytest.fixture
def spool(tmp_path: Path, clock: Clock) -> Iterator[LmdbSpool]:
    """A spool that does its work at once."""
    opened = open_spool(tmp_path, clock=clock)
    yield opened
    result(opened.close())


def claimed(spool: LmdbSpool, limit: int = 10, until: int = 1100) -> list[int]:
    """The sequences handed out."""
    return [found.sequence for found in result(spool.claim("worker", limit, until))]


def test_interface(spool: LmdbSpool) -> None:
    """It keeps to the contract."""
    assert verifyObject(ISpool, spool)


def test_kept_sample() -> None:
    """An entry is stored as it was, with what was added since; those that were kept before are read."""
    plain = msgspec.structs.replace(entry(1), body=None)
    assert msgspec.msgpack.encode(plain) == b"\x89" + SAMPLE[1:] + b"\xa7reports\xc2"
    assert msgspec.msgpack.decode(SAMPLE, type=SpoolEntry) == plain


def test_put_and_claim(spool: LmdbSpool) -> None:
    """What was put is handed out whole, oldest first."""
    assert [result(spool.put(alone(entry(number)))) for number in (1, 2, 3)] == [1, 2, 3]
    found = result(spool.claim("worker", 2, 1100))
    assert [one.entry for one in found] == [entry(1), entry(2)]
    assert found[0].attempts == 0
    assert found[0].remaining == (entry(1).deliveries[0].delivery_id,)
    assert claimed(spool) == [3]
    assert claimed(spool) == []


def test_done(spool: LmdbSpool) -> None:
    """An entry leaves with its last delivery; until then what it holds for each mailbox is counted."""
    result(spool.put(alone(entry(1, MAILBOX, OTHER))))
    first, second = (made.delivery_id for made in entry(1, MAILBOX, OTHER).deliveries)
    assert spool.status() == SpoolStatus(entries=1, octets=6, oldest=901)
    claimed(spool)
    result(spool.done([(1, [first])]))
    result(spool.done([(1, [first])]))
    assert (spool.waiting(MAILBOX), spool.waiting(OTHER), spool.low_water()) == (0, 10, 1)
    result(spool.done([(1, [second])]))
    result(spool.done([(1, [second])]))
    assert (spool.waiting(OTHER), spool.low_water()) == (0, 2)
    assert spool.status() == SpoolStatus(entries=0, octets=0, oldest=0)


def test_defer(spool: LmdbSpool, clock: Clock) -> None:
    """A deferred entry comes again when it is due, without the deliveries that were made."""
    result(spool.put(alone(entry(1, MAILBOX, OTHER))))
    first, second = (made.delivery_id for made in entry(1, MAILBOX, OTHER).deliveries)
    claimed(spool)
    result(spool.done([(1, [first])]))
    result(spool.defer(1, 1060, "busy"))
    assert claimed(spool) == []
    clock.now = 1060
    (found,) = result(spool.claim("worker", 10, 1200))
    assert (found.attempts, found.remaining) == (1, (second,))


def test_claim_expires(spool: LmdbSpool, clock: Clock) -> None:
    """A claim that nobody ended is handed out again after its time, and not before."""
    result(spool.put(alone(entry(1, MAILBOX, OTHER))))
    assert claimed(spool, until=1100) == [1]
    result(spool.done([(1, [entry(1).deliveries[0].delivery_id])]))
    clock.now = 1099
    assert claimed(spool) == []
    clock.now = 1100
    assert claimed(spool, until=1200) == [1]
    assert claimed(spool) == []


def test_claimed_once_after_restart(tmp_path: Path, clock: Clock) -> None:
    """Entries deferred before a restart are handed out once each, however few at a time."""
    before = open_spool(tmp_path, clock=clock)
    for number in (1, 2, 3):
        result(before.put(alone(entry(number))))
        result(before.defer(number, 1000, "busy"))
    result(before.close())
    after = open_spool(tmp_path, clock=clock)
    after.own()
    assert [claimed(after, 1) for _ in range(4)] == [[1], [2], [3], []]
    result(after.close())


def test_one_owner(tmp_path: Path) -> None:
    """A spool has one owner; the next is told what to do."""
    first = open_spool(tmp_path)
    first.own()
    pid = os.fork()
    if not pid:
        try:
            first.own()
        except CannotOpen as error:
            os._exit(0 if error.cure else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    result(first.close())


def test_group_commit(tmp_path: Path) -> None:
    """What gathers while a commit runs goes into one more, and everybody is told."""
    disk = HeldDisk()
    spool = open_spool(tmp_path, disk)
    arrived: list[None] = []
    spool.on_arrival(lambda: arrived.append(None))
    waiting = [spool.put(alone(entry(number))) for number in range(1, 41)]
    assert len(disk.held) == 1
    disk.held.pop(0)()
    assert len(disk.held) == 1
    disk.held.pop(0)()
    assert not disk.held
    assert [result(one) for one in waiting] == list(range(1, 41))
    assert len(arrived) == 40
    result(spool.close())


def test_what_another_process_put_is_announced(tmp_path: Path) -> None:
    """At the next look after it was put; a look after which nothing was written says nothing."""
    spool = open_spool(tmp_path)
    arrived: list[None] = []
    spool.on_arrival(lambda: arrived.append(None))
    spool.look()
    arrived.clear()
    script = "import sys; from tests.store.lmdb.test_spool import put_one; put_one(sys.argv[1])"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=60)
    assert not arrived
    spool.look()
    assert len(arrived) == 1
    spool.look()
    assert len(arrived) == 1
    result(spool.close())


def put_one(directory: str) -> None:
    """Put an entry, as another process."""
    spool = open_spool(Path(directory))
    result(spool.put(alone(entry(1))))
    result(spool.close())


@pytest.mark.parametrize("limits", [{"batch_entries": 2}, {"batch_octets": 1}])
def test_batch_limits(tmp_path: Path, limits: dict[str, int]) -> None:
    """A commit takes no more than it may, and always something."""
    spool = open_spool(tmp_path, HeldDisk(), **limits)
    waiting = [spool.put(alone(entry(number))) for number in range(1, 6)]
    disk = spool._disk
    assert isinstance(disk, HeldDisk)
    disk.release()
    assert [result(one) for one in waiting] == [1, 2, 3, 4, 5]
    result(spool.close())


def test_one_bad_entry(tmp_path: Path) -> None:
    """An entry that cannot be written fails alone: the rest of its batch is tried singly."""
    disk = HeldDisk()
    spool = open_spool(tmp_path, disk)
    nowhere = msgspec.structs.replace(entry(3).deliveries[0], mailbox=MailboxId(b""))
    bad = msgspec.structs.replace(entry(3), deliveries=(nowhere,))
    waiting = [spool.put(alone(one)) for one in (entry(1), entry(2), bad, entry(4))]
    disk.release()
    assert [result(waiting[place]) for place in (0, 1, 3)] == [1, 2, 3]
    with pytest.raises(Unavailable):
        result(waiting[2])
    result(spool.close())


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("failing", range(1, 7))
def test_every_write_fails_once(tmp_path: Path, failing: int, after: bool) -> None:
    """Whichever write fails: what was promised is there after a restart, and nothing half."""
    spool = open_spool(tmp_path, FailingDisk(failing, after=after))
    promised = []
    for number in range(1, 7):
        try:
            result(spool.put(alone(entry(number))))
        except Unavailable:
            continue
        promised.append(number)
    assert len(promised) == 5
    result(spool.close())
    again = open_spool(tmp_path)
    found = [one.entry for one in result(again.claim("worker", 10, 1100))]
    assert found == [entry(number) for number in range(1, 7) if number in promised or after]
    result(again.close())


@pytest.mark.parametrize("together", [1, 5])
def test_put_again_in_doubt(tmp_path: Path, together: int) -> None:
    """A commit that happened and was reported as failed gives nobody a second entry, alone or in a batch."""
    disk = HeldDisk()
    spool = open_spool(tmp_path, disk)
    write = spool._environment.write

    def doubtful(act: Callable[[lmdb.Transaction], Any]) -> None:
        write(act)
        spool._environment.write = write  # type: ignore[method-assign]  # once
        raise Unavailable("no answer", maybe_committed=True)

    first = spool.put(alone(entry(1)))
    waiting = [spool.put(alone(entry(number))) for number in range(2, 2 + together)]
    disk.held.pop(0)()
    spool._environment.write = doubtful  # type: ignore[method-assign,assignment]  # the fault
    disk.release()
    assert result(first) == 1
    if together == 1:
        with pytest.raises(Unavailable):
            result(waiting[0])
        waiting = [spool.put(alone(entry(2)))]
        disk.release()
    assert [result(one) for one in waiting] == list(range(2, 2 + together))
    assert spool.status().entries == 1 + together
    assert spool._attempted == {}
    result(spool.close())


def test_put_again_after_a_doubt_and_a_failure(tmp_path: Path) -> None:
    """A try that failed plainly says nothing of the one before it: the entry is there once."""
    spool = open_spool(tmp_path)
    write, run = spool._environment.write, spool._disk.run

    def doubtful(act: Callable[[lmdb.Transaction], object]) -> object:
        write(act)
        raise Unavailable("no answer", maybe_committed=True)

    spool._environment.write = doubtful  # type: ignore[method-assign,assignment]  # the fault
    with pytest.raises(Unavailable):
        result(spool.put(alone(entry(1))))
    spool._environment.write = write  # type: ignore[method-assign]  # well again
    spool._commits._disk.run = lambda _: fail(Unavailable("no thread"))  # type: ignore[method-assign]  # the next fault
    with pytest.raises(Unavailable):
        result(spool.put(alone(entry(1))))
    spool._commits._disk.run = run  # type: ignore[method-assign]  # well again
    assert result(spool.put(alone(entry(1)))) == 1
    assert claimed(spool) == [1]
    result(spool.close())


@pytest.mark.parametrize("table", ["entries", "progress"])
def test_a_damaged_entry_keeps_nobody_elses_mail(tmp_path: Path, clock: Clock, table: str) -> None:
    """It is told of and stays; the entries before and behind it are delivered, now and after a restart."""
    spool = open_spool(tmp_path, clock=clock)
    for which in (1, 2, 3):
        result(spool.put(alone(entry(which))))
    spool._environment.write(lambda transaction: transaction.put(key_of(2), b"\xc1", db=spool._table(table)))
    with capturedLogs() as logged:
        assert claimed(spool) == [1, 3]
    assert [event["log_level"] for event in logged] == [LogLevel.critical]
    assert spool.status().entries == 3
    assert spool.status().damaged == (1 if table == "entries" else 0)
    result(spool.done([(which, [entry(which).deliveries[0].delivery_id]) for which in (1, 3)]))
    assert spool.low_water() == 2
    result(spool.close())
    spool = open_spool(tmp_path, clock=clock)
    spool.own()
    result(spool.put(alone(entry(4))))
    with capturedLogs():
        assert claimed(spool) == [4]
    result(spool.close())


def test_floor(tmp_path: Path, clock: Clock) -> None:
    """Below the floor of free space nothing is taken; reading goes on."""
    spool = open_spool(tmp_path, clock=clock)
    result(spool.put(alone(entry(1))))
    spool._space.floor = 1 << 62
    with pytest.raises(DiskFull):
        result(spool.put(alone(entry(2))))
    assert claimed(spool) == [1]
    result(spool.close())


def test_bodies_named_and_released(spool: LmdbSpool, tmp_path: Path) -> None:
    """Only bodies outside the record are named, and they are released with the last delivery."""
    path = spool._body_store.path(entry(2).body_id)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"sealed")
    result(spool.put(alone(entry(1))))
    result(spool.put(alone(entry(2, body=None))))
    assert result(spool.named_bodies()) == {BodyId(identifier("body", 2))}
    result(spool.done([(2, [entry(2).deliveries[0].delivery_id])]))
    assert result(spool.named_bodies()) == frozenset()
    assert not path.exists()


def test_sequences_never_come_again(tmp_path: Path) -> None:
    """An empty spool goes on counting after a restart."""
    spool = open_spool(tmp_path)
    result(spool.put(alone(entry(1))))
    result(spool.done([(1, [entry(1).deliveries[0].delivery_id])]))
    result(spool.close())
    again = open_spool(tmp_path)
    assert (again.low_water(), result(again.put(alone(entry(2))))) == (2, 2)
    result(again.close())


def test_a_claim_that_fails_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that was deferred comes round although the disk failed when its time came."""
    spool = open_spool(tmp_path, clock=(clock := Clock()))
    spool.own()
    result(spool.put(alone(entry(1))))
    (claimed,) = result(spool.claim("worker", 10, 5000))
    result(spool.defer(claimed.sequence, 1500, "later"))
    clock.now = 1500.0

    def failing(*_: object) -> None:
        raise Unavailable("the disk failed")

    with monkeypatch.context() as patched:
        patched.setattr(spool, "_hand_out", failing)
        with pytest.raises(Unavailable):
            result(spool.claim("worker", 10, 5000))
    assert [each.entry for each in result(spool.claim("worker", 10, 5000))] == [claimed.entry]
    result(spool.close())
