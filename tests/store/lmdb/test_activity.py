"""What happens often: failures at once, uses and heads merged."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from cjsm.community.identifiers import SecretId
from cjsm.store.interfaces import Failure, Head, IActivity, Unavailable
from cjsm.store.lmdb.activity import LmdbActivity
from cjsm.store.lmdb.disk import Disk, InlineDisk

from ..support import MAILBOX, MAP, OTHER, FailingDisk, HeldDisk, identifier, result

JANE = identifier("account", 1)
JOHN = identifier("account", 2)
SECRET = SecretId(b"s" * 16)


def opened(directory: Path, disk: Disk | None = None) -> LmdbActivity:
    """The activity in *directory*."""
    return LmdbActivity(directory, disk or InlineDisk(), map_size=MAP)


@pytest.fixture
def activity(tmp_path: Path) -> Iterator[LmdbActivity]:
    """Nothing has happened."""
    store = opened(tmp_path)
    yield store
    result(store.close())


def test_failures_are_counted_by_secret(activity: LmdbActivity) -> None:
    """The same wrong secret again counts once; accounts and networks are apart."""
    assert verifyObject(IActivity, activity)
    for moment, tag in enumerate((7, 7, 9), 100):
        counted = result(activity.failed(JANE, "192.0.2.0", tag, moment))
    assert counted == activity.failures(JANE, "192.0.2.0") == Failure(tags=(7, 9), first=100, last=102)
    assert activity.failing(JANE) == [("192.0.2.0", counted)]
    assert activity.failing(JOHN) == []
    assert activity.failures(JANE, "198.51.100.0") == activity.failures(JOHN, "192.0.2.0") == Failure()


def test_failures_outlive_a_crash(tmp_path: Path) -> None:
    """They are on disk when the attempt is answered: killing the service does not give new attempts."""
    result(opened(tmp_path).failed(JANE, "192.0.2.0", 7, 100))
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "activity.mdb").write_bytes((tmp_path / "activity.mdb").read_bytes())
    assert opened(copy).failures(JANE, "192.0.2.0").tags == (7,)


def test_forgotten(activity: LmdbActivity) -> None:
    """A success forgets one network's failures, unlocking those of all, or of all but one, a job those of long ago."""
    for account, net, moment in ((JANE, "a", 1), (JANE, "b", 2), (JANE, "ab", 2), (JOHN, "a", 3), (JOHN, "b", 400)):
        result(activity.failed(account, net, 1, moment))
    result(activity.forget(JANE, "a"))
    assert [bool(activity.failures(JANE, net).tags) for net in "ab"] == [False, True]
    result(activity.forget_all(JANE, "ab"))
    assert [net for net, _ in activity.failing(JANE)] == ["ab"]
    result(activity.forget_all(JANE))
    assert not activity.failing(JANE)
    assert result(activity.prune(300)) == 1
    assert [bool(activity.failures(JOHN, net).tags) for net in "ab"] == [False, True]


def test_last_use(tmp_path: Path) -> None:
    """It is known at once, merged until the next commit, and there after a restart."""
    activity = opened(tmp_path)
    activity.used(JANE, "192.0.2.0", "pop3", SECRET, 100)
    activity.used(JANE, "192.0.2.0", "pop3", None, 200)
    expected = [("pop3", 200), (SECRET.hex(), 100)]
    assert activity.last_used(JANE) == sorted(expected)
    result(activity.flush())
    assert activity.last_used(JANE) == sorted(expected)
    assert activity.last_used(JOHN) == []
    result(activity.close())
    activity = opened(tmp_path)
    assert activity.last_used(JANE) == sorted(expected)
    assert activity.known_network(JANE, "192.0.2.0")
    assert not activity.known_network(JANE, "198.51.100.0")


def test_a_failed_commit_loses_nothing(tmp_path: Path) -> None:
    """What could not be written is written the next time, unless something later came meanwhile."""
    activity = opened(tmp_path, FailingDisk(1))
    activity.used(JANE, "192.0.2.0", "pop3", None, 100)
    activity.used(JANE, "192.0.2.0", "smtp", None, 100)
    activity.anchor(MAILBOX, Head(appended=3))
    with pytest.raises(Unavailable):
        result(activity.flush())
    activity.used(JANE, "192.0.2.0", "smtp", None, 300)
    result(activity.flush())
    result(activity.close())
    again = opened(tmp_path)
    assert again.last_used(JANE) == [("pop3", 100), ("smtp", 300)]
    assert again.anchored(MAILBOX) == Head(appended=3)
    assert again.known_network(JANE, "192.0.2.0")


def test_heads_go_forward_only(tmp_path: Path) -> None:
    """Heads that arrive in another order leave the newest, before and after they are written."""
    activity = opened(tmp_path)
    newest = Head(appended=5, deleted=1, chain=b"n" * 32)
    activity.anchor(MAILBOX, newest)
    activity.anchor(MAILBOX, Head(appended=4, deleted=2, chain=b"o" * 32))
    assert activity.anchored(MAILBOX) == Head(appended=5, deleted=2, chain=b"n" * 32)
    assert activity.anchored(OTHER) == Head()
    result(activity.flush())
    assert activity.anchored(MAILBOX) == Head(appended=5, deleted=2, chain=b"n" * 32)


def test_a_head_that_comes_while_others_are_written(tmp_path: Path) -> None:
    """It waits for the next commit and is not forgotten."""
    disk = HeldDisk()
    activity = opened(tmp_path, disk)
    activity.anchor(MAILBOX, Head(appended=1))
    writing = activity.flush()
    activity.anchor(MAILBOX, Head(appended=2))
    disk.release()
    result(writing)
    assert activity.anchored(MAILBOX) == Head(appended=2)
    writing = activity.flush()
    disk.release()
    result(writing)
    assert opened_copy(tmp_path).anchored(MAILBOX) == Head(appended=2)


def opened_copy(directory: Path) -> LmdbActivity:
    """What a restart would find."""
    copy = directory / "copy"
    copy.mkdir()
    (copy / "activity.mdb").write_bytes((directory / "activity.mdb").read_bytes())
    return opened(copy)


def test_nothing_to_flush(activity: LmdbActivity) -> None:
    """An idle second costs no commit."""
    result(activity.flush())
    activity.check_readers()


def test_anchors_of_two_processes(tmp_path: Path) -> None:
    """One that knows less does not undo what another wrote, and sees it."""
    mailbox = MAILBOX
    delivering = opened(tmp_path)
    delivering.anchor(mailbox, Head(appended=11, deleted=1, chain=b"d" * 32))
    result(delivering.flush())
    result(delivering.close())
    reading = opened(tmp_path)
    reading.anchor(mailbox, Head(appended=10, deleted=2, chain=b"c" * 32))
    newest = Head(appended=11, deleted=2, chain=b"d" * 32)
    assert reading.anchored(mailbox) == newest
    result(reading.flush())
    assert reading.anchored(mailbox) == newest
    result(reading.close())


def test_failures_are_bounded(activity: LmdbActivity) -> None:
    """Somebody who goes on guessing where it is closed does not fill the disk."""
    for tag in range(1_100):
        counted = result(activity.failed(JANE, "net", tag, tag))
    assert (len(counted.tags), counted.last) == (1_000, 999)


def test_sources(activity: LmdbActivity, tmp_path: Path) -> None:
    """Each subject once, the latest last, so many at most; on disk at once, and pruned when all is old."""
    for letter, moment in zip("abcab", (1, 2, 3, 4, 5), strict=True):
        result(activity.failed_from("192.0.2.1", letter.encode() * 16, moment, 10))
    assert list(activity.failing_from("192.0.2.1")) == [3, 4, 5]
    assert list(activity.failing_from("192.0.2.2")) == []
    result(activity.succeeded_from("192.0.2.1", b"c" * 16))
    result(activity.succeeded_from("192.0.2.1", b"never" + bytes(11)))
    assert list(activity.failing_from("192.0.2.1")) == [4, 5]
    result(activity.failed_from("192.0.2.1", b"d" * 16, 6, 2))
    assert list(activity.failing_from("192.0.2.1")) == [5, 6]
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "activity.mdb").write_bytes((tmp_path / "activity.mdb").read_bytes())
    assert list(opened(copy).failing_from("192.0.2.1")) == [5, 6]
    assert result(activity.prune(6)) == 0
    assert result(activity.prune(7)) == 1
    assert list(activity.failing_from("192.0.2.1")) == []
    result(activity.failed_from("192.0.2.1", b"d" * 16, 6, 2))
    result(activity.succeeded_from("192.0.2.1", b"d" * 16))
    assert list(activity.failing_from("192.0.2.1")) == []


def test_steps_are_taken_once(activity: LmdbActivity) -> None:
    """And none before one that was taken; accounts are apart."""
    assert [result(activity.use_step(JANE, step)) for step in (5, 5, 4, 6)] == [True, False, False, True]
    assert result(activity.use_step(JOHN, 1))


def test_heads_that_the_ledger_has_not(tmp_path: Path) -> None:
    """What is written is handed out, over a restart too, until it is settled as it is; what changed since stays."""
    activity = LmdbActivity(tmp_path, InlineDisk(), map_size=MAP)
    activity.anchor(MAILBOX, Head(appended=1))
    assert result(activity.unanchored(10)) == [], "only what is written is sure to be remembered"
    result(activity.flush())
    activity.anchor(OTHER, Head(appended=5))
    result(activity.close())
    activity = LmdbActivity(tmp_path, InlineDisk(), map_size=MAP)
    both = [(MAILBOX, Head(appended=1)), (OTHER, Head(appended=5))]
    assert result(activity.unanchored(10)) == both
    assert result(activity.unanchored(1)) == both[:1]
    activity.anchor(OTHER, Head(appended=6))
    result(activity.flush())
    result(activity.settled(both))
    assert result(activity.unanchored(10)) == [(OTHER, Head(appended=6))]
    result(activity.settled([(OTHER, Head(appended=6))]))
    assert result(activity.unanchored(10)) == []
    result(activity.close())
