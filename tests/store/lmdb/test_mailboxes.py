"""Mailboxes: every message once, in order, until it is deleted; an earlier state put back is noticed."""

import gzip
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.store.interfaces import (
    Damaged,
    Delivery,
    Head,
    IBodyReader,
    IMailStore,
    LeaseTaken,
    Missing,
    NewerStore,
    Unavailable,
    Usage,
)
from cjsm.store.lmdb.activity import LmdbActivity
from cjsm.store.lmdb.content import Message, State
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.home import Superseded
from cjsm.store.lmdb.mailbox import Mailbox
from cjsm.store.lmdb.mailboxes import LmdbMailStore
from cjsm.store.lmdb.spool import LmdbSpool

from ..support import (
    MAILBOX,
    MAP,
    OTHER,
    FailingDisk,
    MemoryAnchors,
    advance,
    alone,
    delivery,
    entry,
    identifier,
    open_mailboxes,
    open_spool,
    put_body,
    result,
)

STATE_OF_SCHEMA_1 = bytes.fromhex("9283a8617070656e64656402a764656c6574656401a5636861696ec420" + "00" * 32)
STATE_OF_SCHEMA_1 += bytes.fromhex("82a86d6573736167657301a66f63746574730a")
STATE = bytes.fromhex("9385a8617070656e64656402a764656c6574656402a5636861696ec420" + "00" * 32)
STATE += bytes.fromhex("a9756e64656c6574656401a765646974696f6e03")
STATE += bytes.fromhex("82a86d6573736167657301a66f63746574730a82a86d6573736167657304a66f637465747332")
SAMPLES = Path(__file__).parent.parent / "samples"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbMailStore]:
    """A mail store that does its work at once."""
    opened = open_mailboxes(tmp_path)
    yield opened
    opened.close()


def ids(store: LmdbMailStore, mailbox: MailboxId = MAILBOX) -> list[bytes]:
    """Delivery ids of the list, which must agree with its own head, chain and usage."""
    found = result(store.list(mailbox))
    assert [row.uid for row in found.rows] == sorted({row.uid for row in found.rows})
    assert found.head.listed == len(found.rows)
    if found.rows and not found.head.deleted:
        chain = bytes(32)
        for row in found.rows:
            chain = advance(chain, row.uid, row.octets, row.delivery_id, row.generation)
            assert row.chain == chain
        assert found.head.chain == chain
    octets = sum(row.octets for row in found.rows)
    assert result(store.usage(mailbox)) == Usage(messages=len(found.rows), octets=octets)
    return [row.delivery_id for row in found.rows]


def test_interface(store: LmdbMailStore) -> None:
    """It keeps to the contract."""
    assert verifyObject(IMailStore, store)


def test_kept_state() -> None:
    """The head and usage are stored as they always were; those of schema 1 are read."""
    state = State(head=Head(appended=2, deleted=1), usage=Usage(messages=1, octets=10))
    assert msgspec.msgpack.decode(STATE_OF_SCHEMA_1, type=State) == state
    state = State(
        head=Head(appended=2, deleted=2, undeleted=1, edition=3),
        usage=Usage(messages=1, octets=10),
        deleted=Usage(messages=4, octets=50),
    )
    assert msgspec.msgpack.encode(state) == STATE
    assert msgspec.msgpack.decode(STATE, type=State) == state


def test_a_mailbox_of_schema_1(tmp_path: Path) -> None:
    """A file of the first release opens as it was, and everything can be done in it."""
    store = open_mailboxes(tmp_path)
    home = store.home(MAILBOX)
    (home / "bodies").mkdir(parents=True)
    (home / "mailbox.mdb").write_bytes(gzip.decompress((SAMPLES / "mailbox-schema-1.mdb.gz").read_bytes()))
    (home / "bodies" / delivery(3).delivery_id.hex()).write_bytes(b"sealed")
    kept = [delivery(number).delivery_id for number in (1, 3, 4, 5, 6, 7)]
    assert ids(store) == kept
    result(store.delete(MAILBOX, kept[:2]))
    assert result(store.undelete(MAILBOX, kept[1:3])) == 1
    result(store.deliver(MAILBOX, [delivery(5), delivery(8)], 4))
    assert ids(store) == [*kept[1:], delivery(8).delivery_id]
    body = result(store.open(MAILBOX, delivery(3).delivery_id)).body
    assert result(body.read(0, 6)) == b"sealed"
    body.close()
    store.close()


def test_kept_message(store: LmdbMailStore) -> None:
    """A message's record has the fields, in the order, that it always had."""
    result(store.deliver(MAILBOX, [delivery(1)], 0))
    with store.opened(MAILBOX) as opened, opened._environment.reading() as transaction:
        stored = transaction.get(delivery(1).delivery_id, db=opened._environment.table("messages"))
    row = {
        "uid": 1,
        "octets": 10,
        "delivery_id": b"delivery 1......",
        "generation": 1,
        "flags": 0,
        "chain": advance(bytes(32), 1, 10, b"delivery 1......", 1),
    }
    assert msgspec.msgpack.decode(stored) == [row, b"body 1..........", 6, True, b"wrap", b"summary"]
    assert msgspec.msgpack.decode(stored, type=Message).inline


def test_empty(store: LmdbMailStore, tmp_path: Path) -> None:
    """A mailbox nothing came to has no messages and no place on the disk."""
    assert ids(store) == []
    with pytest.raises(Missing):
        result(store.open(MAILBOX, delivery(1).delivery_id))
    assert not (tmp_path / "mailboxes").exists()


def test_append_and_open(store: LmdbMailStore) -> None:
    """Messages come in order over several pages, and open."""
    for start in (1, 31, 61):
        result(store.deliver(MAILBOX, [delivery(number) for number in range(start, start + 50)], 0))
    assert ids(store) == [delivery(number).delivery_id for number in range(1, 111)]
    message = result(store.open(MAILBOX, delivery(7).delivery_id))
    assert verifyObject(IBodyReader, message.body)
    assert (message.wrap, message.summary, message.body.octets) == (b"wrap", b"summary", 6)
    assert result(message.body.read(2, 3)) == b"ale"


class CountingDisk(InlineDisk):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, work: Any) -> Any:
        self.runs += 1
        return super().run(work)


def test_where_a_list_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short list of a mailbox that is open or at hand at once; a long list, and a mailbox that is not in memory, is
    the disk's work, in one piece each.
    """
    disk = CountingDisk()
    store = open_mailboxes(tmp_path, disk)
    result(store.deliver(MAILBOX, [delivery(number) for number in range(1, 4)], 0))

    def listed() -> tuple[int, int]:
        before = disk.runs
        return len(result(store.list(MAILBOX)).rows), disk.runs - before

    assert listed() == (3, 0)
    monkeypatch.setattr("cjsm.store.lmdb.mailboxes._ROWS_AT_ONCE", 2)
    assert listed() == (3, 1)
    monkeypatch.setattr("cjsm.store.lmdb.mailboxes._ROWS_AT_ONCE", 3)
    for in_memory, runs in ((True, 0), (False, 1)):
        monkeypatch.setattr("cjsm.store.lmdb.home._is_in_memory", lambda path, answer=in_memory: answer)
        store.close()
        disk = CountingDisk()
        store = open_mailboxes(tmp_path, disk)
        assert listed() == (3, runs)
    store.close()


@pytest.mark.parametrize("sequence", [1, 2])
def test_exactly_once(store: LmdbMailStore, sequence: int) -> None:
    """The same delivery again, in one batch or later, under the same spool sequence or another: one row."""
    result(store.deliver(MAILBOX, [delivery(1), delivery(1, sequence=sequence)], 0))
    assert ids(store) == [delivery(1).delivery_id]
    result(store.deliver(MAILBOX, [delivery(1, sequence=sequence)], 0))
    assert ids(store) == [delivery(1).delivery_id]


def test_deleted_does_not_come_back(store: LmdbMailStore) -> None:
    """A deleted message is not delivered again while the spool may still hand it out."""
    result(store.deliver(MAILBOX, [delivery(1), delivery(2)], 0))
    result(store.delete(MAILBOX, [delivery(1).delivery_id, delivery(9).delivery_id]))
    result(store.deliver(MAILBOX, [delivery(1)], 1))
    assert ids(store) == [delivery(2).delivery_id]
    with pytest.raises(Missing):
        result(store.open(MAILBOX, delivery(1).delivery_id))


def test_prune(store: LmdbMailStore) -> None:
    """Delivered ids below the low-water mark are forgotten, those above it not."""
    result(store.deliver(MAILBOX, [delivery(number) for number in range(1, 6)], 0))
    result(store.delete(MAILBOX, [delivery(number).delivery_id for number in range(1, 6)]))
    assert result(store.prune(4)) == 1
    with store.opened(MAILBOX) as opened, opened._environment.reading() as transaction:
        assert transaction.stat(opened._environment.table("delivered"))["entries"] == 2
    result(store.deliver(MAILBOX, [delivery(4), delivery(5)], 4))
    assert ids(store) == []


def test_large_bodies(store: LmdbMailStore, tmp_path: Path) -> None:
    """One copy for all mailboxes that keep it; gone with the last."""
    body_id = put_body(store._bodies, 1)
    for mailbox in (MAILBOX, OTHER):
        result(store.deliver(mailbox, [delivery(1, None)], 0))
    assert store._bodies.path(body_id).stat().st_nlink == 3
    result(store._bodies.release(body_id))
    result(store.delete(MAILBOX, [delivery(1).delivery_id]))
    body = result(store.open(OTHER, delivery(1).delivery_id)).body
    assert result(body.read(0, 6)) == b"sealed"
    body.close()
    result(store.delete(OTHER, [delivery(1).delivery_id]))
    assert result(store.purge(1001)) == 2
    assert not list((tmp_path / "mailboxes").glob("*/*/bodies/*"))


def test_body_missing(store: LmdbMailStore) -> None:
    """Without its body nothing of the batch is delivered."""
    with pytest.raises(Missing):
        result(store.deliver(MAILBOX, [delivery(1), delivery(2, None)], 0))
    assert ids(store) == []


def test_orphans_are_swept(tmp_path: Path) -> None:
    """What a crash left between link and commit goes when the mailbox is opened; named bodies stay."""
    store = open_mailboxes(tmp_path)
    put_body(store._bodies, 1)
    result(store.deliver(MAILBOX, [delivery(1, None)], 0))
    store.close()
    bodies = store.home(MAILBOX) / "bodies"
    for name in (identifier("delivery", 2).hex(), identifier("delivery", 3).hex() + ".part", "z" * 32):
        (bodies / name).write_bytes(b"left")
    store = open_mailboxes(tmp_path)
    assert ids(store) == [delivery(1).delivery_id]
    assert [path.name for path in bodies.iterdir()] == [delivery(1).delivery_id.hex()]
    store.close()


def test_a_damaged_mailbox_keeps_nobody_elses_from_being_pruned(tmp_path: Path) -> None:
    """Nor does a directory that is none."""
    store = open_mailboxes(tmp_path)
    for which, mailbox in ((1, MAILBOX), (2, OTHER)):
        result(store.deliver(mailbox, [delivery(which)], 0))
        result(store.delete(mailbox, [delivery(which).delivery_id]))
    store.close()
    (store.home(MAILBOX) / "mailbox.mdb").write_bytes(b"nonsense" * 1_000)
    (store.home(MAILBOX).parent / "stray").mkdir()
    (store.home(MAILBOX).parent / "stray" / "mailbox.mdb").touch()
    store = open_mailboxes(tmp_path)
    with capturedLogs() as logged:
        assert result(store.prune(10)) == 1
    assert [event["log_level"].name for event in logged] == ["critical", "error"]
    with store.opened(OTHER) as opened, opened._environment.reading() as transaction:
        assert transaction.stat(opened._environment.table("delivered"))["entries"] == 0
    store.close()


def test_a_mailbox_that_could_not_be_opened_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that failed once does not close it until a restart."""
    store = open_mailboxes(tmp_path)

    def failing(self: Mailbox) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(Mailbox, "_sweep_orphans", failing)
        first = store.deliver(MAILBOX, [delivery(1)], 0)
    result(store.deliver(MAILBOX, [delivery(1)], 0))
    with pytest.raises(Unavailable, match="Input"):
        result(first)
    assert ids(store) == [delivery(1).delivery_id]
    store.close()


def test_least_recently_used_is_closed(tmp_path: Path) -> None:
    """No more mailboxes stay open than allowed; all can be read."""
    store = open_mailboxes(tmp_path, most=2)
    mailboxes = [MailboxId(identifier("box", number)) for number in range(6)]
    for number, mailbox in enumerate(mailboxes):
        result(store.deliver(mailbox, [delivery(number)], 0))
        assert len(store._open) <= 2
    assert [ids(store, mailbox) for mailbox in mailboxes] == [[delivery(n).delivery_id] for n in range(6)]
    assert list(store._open) == mailboxes[-2:]
    with store.opened(mailboxes[0]) as used:
        for mailbox in mailboxes[1:]:
            ids(store, mailbox)
        assert used.usage().messages == 1
    store.close()


def put_back(store: LmdbMailStore, copy: Path) -> None:
    """Exchange the mailbox's file for *copy*, as somebody who has the disk."""
    store.close()
    shutil.copy(copy, store.home(MAILBOX) / "mailbox.mdb")


@pytest.mark.parametrize("come", [1, 2, 3])
def test_rollback_is_noticed(tmp_path: Path, come: int) -> None:
    """A mailbox put back is older than what is known elsewhere: it is neither read nor written, so that mail that comes
    does not cover up what was lost; the newest state opens again.
    """
    activity = LmdbActivity(tmp_path, InlineDisk(), map_size=MAP)
    store = open_mailboxes(tmp_path, anchors=activity)
    old, new = tmp_path / "old", tmp_path / "new"
    result(store.deliver(MAILBOX, [delivery(1)], 0))
    store.close()
    shutil.copy(store.home(MAILBOX) / "mailbox.mdb", old)
    store = open_mailboxes(tmp_path, anchors=activity)
    result(store.deliver(MAILBOX, [delivery(2), delivery(3)], 0))
    result(store.delete(MAILBOX, [delivery(1).delivery_id]))
    assert result(store.list(MAILBOX)).head == activity.anchored(MAILBOX)
    store.close()
    shutil.copy(store.home(MAILBOX) / "mailbox.mdb", new)
    result(activity.close())
    activity = LmdbActivity(tmp_path, InlineDisk(), map_size=MAP)
    put_back(store, old)
    store = open_mailboxes(tmp_path, anchors=activity)
    coming = [delivery(number) for number in range(10, 10 + come)]
    for act in (
        lambda: store.list(MAILBOX),
        lambda: store.deliver(MAILBOX, coming, 0),
        lambda: store.delete(MAILBOX, [delivery(1).delivery_id]),
        lambda: store.list(MAILBOX),
    ):
        with pytest.raises(Damaged):
            result(act())
    put_back(store, new)
    store = open_mailboxes(tmp_path, anchors=activity)
    result(store.deliver(MAILBOX, coming, 0))
    assert ids(store) == [each.delivery_id for each in (delivery(2), delivery(3), *coming)]
    store.close()
    result(activity.close())


def test_a_mailbox_that_was_taken_away_is_not_an_empty_one(tmp_path: Path) -> None:
    """Neither to who reads it, nor to what is delivered."""
    anchors = MemoryAnchors()
    store = open_mailboxes(tmp_path, anchors=anchors)
    result(store.deliver(MAILBOX, [delivery(1)], 0))
    store.close()
    shutil.rmtree(store.home(MAILBOX))
    store = open_mailboxes(tmp_path, anchors=anchors)
    for act in (lambda: store.list(MAILBOX), lambda: store.deliver(MAILBOX, [delivery(2)], 0)):
        with pytest.raises(Damaged):
            result(act())
    store.close()


def test_destroy(store: LmdbMailStore) -> None:
    """Nothing stays of a destroyed mailbox."""
    result(store.deliver(MAILBOX, [delivery(1)], 0))
    result(store.destroy(MAILBOX))
    assert not store.home(MAILBOX).exists()
    assert result(store.usage(MAILBOX)) == Usage()


def test_destroyed_while_it_is_used(store: LmdbMailStore) -> None:
    """Who reads or writes it is not pulled the ground from under, and learns that it is gone."""
    result(store.deliver(MAILBOX, [delivery(1)], 0))
    with store.opened(MAILBOX) as opened:
        with opened._environment.reading():
            result(store.destroy(MAILBOX))
        assert not store.home(MAILBOX).exists()
        with pytest.raises(Superseded):
            opened.usage()
    result(store.deliver(MAILBOX, [delivery(2)], 0))
    assert ids(store) == [delivery(2).delivery_id]


def test_opening_one_keeps_nobody_from_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes its time with a new mailbox costs those only who want that one."""
    store = open_mailboxes(tmp_path)
    result(store.deliver(OTHER, [delivery(2)], 0))
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Mailbox):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            begun.set()
            assert go_on.wait(10)
            super().__init__(*arguments, **more)

    monkeypatch.setattr("cjsm.store.lmdb.mailboxes.Mailbox", Slow)
    first = threading.Thread(target=lambda: result(store.deliver(MAILBOX, [delivery(1)], 0)))
    first.start()
    assert begun.wait(10)
    assert ids(store, OTHER) == [delivery(2).delivery_id]
    go_on.set()
    first.join()
    assert ids(store) == [delivery(1).delivery_id]
    store.close()


def test_lease(store: LmdbMailStore) -> None:
    """A maildrop is one session's; another member's is another."""
    first = result(store.lease(MAILBOX, AccountId(b"a" * 16)))
    with pytest.raises(LeaseTaken):
        result(store.lease(MAILBOX, AccountId(b"a" * 16)))
    result(store.lease(MAILBOX, AccountId(b"b" * 16)))
    first.release()
    assert result(store.lease(MAILBOX, AccountId(b"a" * 16))).fence > first.fence


def test_nothing_is_opened_after_the_end(tmp_path: Path) -> None:
    """A session that outlives the store is refused, and does not open it again."""
    store = open_mailboxes(tmp_path)
    result(store.deliver(MAILBOX, [delivery(1)], 0))
    store.close()
    for act in (lambda: store.list(MAILBOX), lambda: store.deliver(MAILBOX, [delivery(2)], 0)):
        with pytest.raises(Unavailable):
            result(act())
    assert not store._open


def test_newer_store(tmp_path: Path) -> None:
    """A mailbox of a newer version is refused with what to do about it."""
    store = open_mailboxes(tmp_path)
    result(store.deliver(MAILBOX, [delivery(1)], 0))
    with store.opened(MAILBOX) as opened:
        environment = opened._environment
        environment.write(lambda transaction: transaction.put(b"schema", b"\0\0\0\x03", db=environment.meta))
    store.close()
    store = open_mailboxes(tmp_path)
    with pytest.raises(NewerStore, match="newer version"):
        result(store.list(MAILBOX))
    store.close()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("failing", range(1, 5))
def test_every_write_fails_once(tmp_path: Path, failing: int, after: bool) -> None:
    """Whichever write fails, done or not: repeated, every message is there exactly once."""
    store = open_mailboxes(tmp_path, FailingDisk(failing, after=after))
    for number in range(1, 5):
        try:
            result(store.deliver(MAILBOX, [delivery(number)], 0))
        except Unavailable:
            result(store.deliver(MAILBOX, [delivery(number)], 0))
    assert ids(store) == [delivery(number).delivery_id for number in range(1, 5)]
    store.close()


def _accept_and_deliver(home: Path, told: int, number: int) -> None:
    """What the killed child does: accept, tell, deliver, note, for ever."""
    spool, store = open_spool(home), open_mailboxes(home)
    spool.own()
    while True:
        number += 1
        body = None if number % 2 else b"sealed"
        if body is None:
            put_body(store._bodies, number)
        result(spool.put(alone(entry(number, body=body))))
        os.write(told, number.to_bytes(8, "big"))
        _drain(spool, store)


def _drain(spool: LmdbSpool, store: LmdbMailStore) -> None:
    for claim in result(spool.claim("worker", 100, 5000)):
        made = claim.entry.deliveries[0]
        one = Delivery(
            delivery_id=made.delivery_id,
            spool_sequence=claim.sequence,
            generation=1,
            octets=made.octets,
            body_id=claim.entry.body_id,
            sealed_octets=6,
            wrap=made.wrap,
            summary=b"",
            body=claim.entry.body,
        )
        result(store.deliver(made.mailbox, [one], spool.low_water()))
        result(spool.done([(claim.sequence, [made.delivery_id])]))


def test_killed_at_any_step(tmp_path: Path) -> None:
    """A process killed at random, ten times: what it promised is in the mailbox exactly once, with its body."""
    promised: set[bytes] = set()
    for turn in range(10):
        reading, telling = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                _accept_and_deliver(tmp_path, telling, turn * 1000)
            finally:
                os._exit(1)
        os.close(telling)
        told = os.read(reading, 8)
        time.sleep(0.005 + 0.007 * turn)
        os.kill(pid, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        while more := os.read(reading, 65536):
            told += more
        os.close(reading)
        numbers = [int.from_bytes(told[at : at + 8], "big") for at in range(0, len(told), 8)]
        promised |= {entry(number).deliveries[0].delivery_id for number in numbers}
    spool, store = open_spool(tmp_path), open_mailboxes(tmp_path)
    spool.own()
    _drain(spool, store)
    found = ids(store)
    assert len(found) == len(set(found))
    assert promised <= set(found)
    for delivery_id in found:
        body = result(store.open(MAILBOX, delivery_id)).body  # type: ignore[arg-type]  # a delivery id
        assert result(body.read(0, 6)) == b"sealed"
        body.close()
    assert (spool.status().entries, spool.waiting(MAILBOX)) == (0, 0)
    store.close()
    result(spool.close())
