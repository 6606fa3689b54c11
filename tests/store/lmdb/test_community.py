"""The community's store: an act happens once, whole, and followers hear of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from cjsm.community.identifiers import ActId, OrganisationId
from cjsm.community.records import LedgerEntry, Organisation
from cjsm.community.view import Change, View
from cjsm.store.interfaces import ICommunityStore
from cjsm.store.lmdb.community import LmdbCommunityStore
from cjsm.store.lmdb.disk import InlineDisk

from ..support import identifier, open_community, result

T = TypeVar("T")

COURT = Organisation(id=OrganisationId(b"o" * 16), parent=None, slug="court", name="Court")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbCommunityStore]:
    """An empty community."""
    opened = open_community(tmp_path)
    yield opened
    result(opened.close())


def act(number: int) -> ActId:
    """An act's identifier."""
    return ActId(identifier("act", number))


def test_act_happens_once(store: LmdbCommunityStore) -> None:
    """The same act again changes nothing; followers hear of it once."""
    assert verifyObject(ICommunityStore, store)
    for _ in range(2):
        result(store.commit(act(1), lambda view: Change(put=(COURT,))))
    assert store.number() == 1
    assert store.changes(0) == [(1, "organisations", COURT.id)]
    assert store.changes(1) == []
    assert store.read_now(lambda view: view.organisation_below(None, "court")) == COURT


def test_acts_together(store: LmdbCommunityStore) -> None:
    """Several acts in one transaction: one change of the sequence, an entry for each."""
    entries = [
        LedgerEntry(act_id=act(number), act=f"act-{number}", moment=1, actor=b"", subject_kind="x", subject=b"y")
        for number in range(3)
    ]
    result(store.commit(act(1), lambda view: Change(put=(COURT,), entry=entries[0], further=tuple(entries[1:]))))
    assert store.number() == 1
    assert [number for number, _ in result(store.entries(0, 10))] == [1, 2, 3]


class CountingDisk(InlineDisk):
    """Does the work at once, and counts how often."""

    times = 0

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        self.times += 1
        return super().run(work)


def test_entries_are_read_elsewhere(tmp_path: Path) -> None:
    """By the disk's threads: who goes through a long ledger, some at a time, leaves others their turns in between."""
    disk = CountingDisk()
    store = open_community(tmp_path, disk)
    for after in (0, 500, 1_000):
        result(store.entries(after, 500))
    assert disk.times == 3
    result(store.close())


def test_refused_act(store: LmdbCommunityStore) -> None:
    """What the decision raises reaches the caller and nothing is written."""

    def refuse(view: View) -> Change:
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        result(store.commit(act(1), refuse))
    assert (store.number(), result(store.entries(0, 10))) == (0, [])


def test_indexes_follow(store: LmdbCommunityStore) -> None:
    """A removed record is found by no index."""
    result(store.commit(act(1), lambda view: Change(put=(COURT,))))
    result(store.commit(act(2), lambda view: Change(removed=(COURT,))))
    assert store.read_now(lambda view: (view.organisation_below(None, "court"), list(view.children(None)))) == (
        None,
        [],
    )


@pytest.mark.parametrize("depth", [0, 3])
def test_exceptions_that_are_kept_keep_no_place(store: LmdbCommunityStore, depth: int) -> None:
    """A thousand people who were refused something do not shut the store for everybody."""

    def refuse(view: View, left: int) -> None:
        if left:
            try:
                refuse(view, left - 1)
            except LookupError as error:
                raise LookupError("and so") from error
        raise LookupError(str(view.number))

    kept = []
    for _ in range(1_000):
        with pytest.raises(LookupError) as caught:
            store.read_now(lambda view: refuse(view, depth))
        kept.append(caught.value)
    assert store.number() == 0
    assert len({id(each.__traceback__) for each in kept}) == 1_000


def test_several_acts_at_once(store: LmdbCommunityStore) -> None:
    """Each sees what those before it left, once; tried out, or with one that is refused, nothing stays."""
    inner = Organisation(id=OrganisationId(b"i" * 16), parent=COURT.id, slug="inner", name="Inner")

    def below(view: View) -> Change:
        assert view.organisation_below(None, "court") == COURT
        return Change(put=(inner,))

    def refuse(view: View) -> Change:
        raise PermissionError("no")

    both = [lambda view: Change(put=(COURT,)), below]
    assert result(store.commit_each(act(1), lambda view: both, keep=False)) == 2
    with pytest.raises(PermissionError):
        result(store.commit_each(act(1), lambda view: [*both, refuse]))
    assert (store.number(), store.read_now(lambda view: list(view.organisations()))) == (0, [])
    assert result(store.commit_each(act(1), lambda view: both)) == 2
    assert result(store.commit_each(act(1), lambda view: both)) == 0
    assert store.changes(0) == [(1, "organisations", COURT.id), (2, "organisations", inner.id)]
