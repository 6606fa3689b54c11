"""What people are told, kept until it is old."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from cjsm.community.identifiers import AccountId
from cjsm.store.interfaces import INoticeStore, NewNotice, NoticeCounts, NoticeLimits, Way
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.notices import LmdbNotices
from tests.store.support import MAP, result

ANN, BEN = AccountId(b"ann............."), AccountId(b"ben.............")
NOW = 1_000_000
DAY = 86_400
LIMITS = NoticeLimits(inside=3, ordinary=2)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[], LmdbNotices]:
    """Opens the store, after closing it where it is open."""
    last: list[LmdbNotices] = []

    def open_it() -> LmdbNotices:
        for each in last:
            result(each.close())
        last[:] = [LmdbNotices(tmp_path, InlineDisk(), map_size=MAP)]
        return last[0]

    return open_it


@pytest.fixture
def store(opened: Callable[[], LmdbNotices]) -> LmdbNotices:
    return opened()


def new(account: AccountId = ANN, octets: bytes = b"a notice", **more: Any) -> NewNotice:
    return NewNotice(account=account, notice=octets, **more)


def keep(store: LmdbNotices, *notices: NewNotice, moment: int = NOW, **more: Any) -> int:
    return result(store.keep(notices, moment, LIMITS, **more))


def test_contract(store: LmdbNotices) -> None:
    """It is one."""
    assert verifyObject(INoticeStore, store)
    store.check_readers()


def test_kept_over_a_restart(opened: Callable[[], LmdbNotices]) -> None:
    """With how far the ledger was followed, and what was remembered."""
    store = opened()
    assert store.followed() is None
    assert keep(store, new(), new(BEN, ordinary=True), followed=b"here", remember=((b"level", 90),)) == 2
    store = opened()
    assert store.followed() == b"here"
    assert store.remembered(b"level") == 90
    first, second = store.inside(9)
    assert (first.number, first.account, first.notice, first.made) == (1, ANN, b"a notice", NOW)
    assert (first.ordinary, second.ordinary) == (Way.NONE, Way.WAITING)
    assert store.counts() == NoticeCounts(inside=2, ordinary=1)
    keep(store, remember=((b"level", 0),))
    assert store.remembered(b"level") == 0


def test_once(store: LmdbNotices) -> None:
    """What was kept under a name and a number is not kept again; under another number it is."""
    assert keep(store, new(once=(b"password", 5))) == 1
    assert keep(store, new(once=(b"password", 5)), new(once=(b"password", 5))) == 0
    assert keep(store, new(once=(b"password", 6)), new(once=(b"password", 6))) == 1
    assert len(store.newest(9)) == 2


def test_limits(store: LmdbNotices) -> None:
    """Each person's, each way's, each day's."""
    assert keep(store, *[new(ordinary=True)] * 5, new(BEN)) == 4
    inside = [each.inside for each in reversed(store.newest(9, ANN))]
    assert inside == [Way.WAITING] * 3 + [Way.LIMITED] * 2
    assert [each.ordinary for each in reversed(store.newest(9, ANN))] == [Way.WAITING] * 2 + [Way.LIMITED] * 3
    assert keep(store, new(), moment=NOW + DAY - 1 - NOW % DAY) == 0
    assert keep(store, new(), moment=NOW + DAY) == 1


def test_sent_inside(store: LmdbNotices) -> None:
    """It waits no more; the next one is before those that came later."""
    keep(store, new(), new(BEN), new(BEN))
    result(store.sent_inside(((1, Way.SENT, ""), (2, Way.GIVEN_UP, "no key"), (99, Way.SENT, ""))))
    assert [each.number for each in store.inside(9)] == [3]
    assert [each.number for each in store.inside(0)] == []
    found = store.get(2)
    assert found is not None
    assert (found.inside, found.reason) == (Way.GIVEN_UP, "no key")


def test_to_ordinary_addresses(store: LmdbNotices) -> None:
    """Due at once, then when it is said, the longest due first; a try counts."""
    keep(store, new(ordinary=True))
    keep(store, new(BEN, ordinary=True), moment=NOW + 5)
    assert [each.number for each in store.ordinary(NOW, 9)] == [1]
    result(store.sent_ordinary(1, Way.WAITING, "it is away", NOW + 60))
    assert [each.number for each in store.ordinary(NOW + 59, 9)] == [2]
    assert [(each.number, each.attempts, each.reason) for each in store.ordinary(NOW + 60, 9)] == [
        (2, 0, ""),
        (1, 1, "it is away"),
    ]
    for number in (1, 2, 3):
        result(store.sent_ordinary(number, Way.SENT))
    assert store.counts() == NoticeCounts(inside=2)


def test_newest(store: LmdbNotices) -> None:
    """Of everybody, or of one."""
    assert store.newest(5) == store.newest(5, ANN) == []
    keep(store, new(ANN), new(BEN), new(ANN))
    assert [each.number for each in store.newest(2)] == [3, 2]
    assert [each.number for each in store.newest(5, ANN)] == [3, 1]
    assert [each.number for each in store.newest(5, BEN)] == [2]
    assert [each.number for each in store.newest(1, ANN)] == [3]


def test_numbers_above(store: LmdbNotices) -> None:
    """What others know of; they never fall."""
    result(store.begin_after(40))
    result(store.begin_after(3))
    keep(store, new())
    assert [each.number for each in store.newest(5)] == [41]


def test_pruned(store: LmdbNotices) -> None:
    """What is old and waits no more, however many there are; counts of days before, too."""
    for _ in range(21):
        result(store.keep([new()] * 100, NOW, NoticeLimits(inside=1, ordinary=0)))
    keep(store, new(BEN), moment=NOW + DAY)
    assert result(store.prune(NOW)) == 0
    assert result(store.prune(NOW + DAY)) == 2_099
    assert [(each.account, each.inside) for each in store.newest(9)] == [(BEN, Way.WAITING), (ANN, Way.WAITING)]
