"""The directory follows the community."""

import gc
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from cjsm.community.memory import MemoryView
from cjsm.community.records import AddressRecord, OwnerKind, Record
from cjsm.community.view import Change, stored_key
from cjsm.directory import following as following_module
from cjsm.directory import index, indexing, schema
from cjsm.directory.following import Directory, NotReady
from cjsm.directory.query import Equal, Substrings
from cjsm.store.interfaces import Unavailable
from cjsm.store.lmdb.view import TABLES
from tests.directory.support import AVON, LAW, LOU, AccountId, number, person, records, search


class Community:
    """A store of what the test puts into it."""

    def __init__(self, made: list[Record]) -> None:
        self.view = MemoryView(made)
        self.broken = False
        self.told: list[tuple[int, str, bytes]] | None = []

    def put(self, *made: Record, kind: str = "", removed: Sequence[Record] = ()) -> None:
        """Commit *made*; *kind* of record is told of where nothing is."""
        self.view = self.view.apply(Change(put=made, removed=tuple(removed)))
        if self.told is not None:
            changed = [(TABLES[type(record)], stored_key(record)) for record in (*removed, *made)]
            self.told += [(self.view.number, name, key) for name, key in changed or [(kind, b"")]]

    def number(self) -> int:
        """The change number."""
        if self.broken:
            raise Unavailable("disk gone")
        return self.view.number

    def changes(self, after: int) -> list[tuple[int, str, bytes]] | None:
        """What changed."""
        return [change for change in self.told if change[0] > after] if self.told is not None else None

    def read(self, function: Callable[[MemoryView], Any]) -> "Deferred[Any]":
        """Run *function* over the newest view."""
        return fail(Unavailable("disk gone")) if self.broken else succeed(function(self.view))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def following(store: Community, clock: Clock, seconds: Callable[[], float] = lambda: 0.0) -> Directory:
    """A started directory whose first catalogue is made."""
    directory = Directory(store, schema.load(), clock, seconds=seconds)  # type: ignore[arg-type]
    directory.start()
    clock.pump([0.0] * 50)
    return directory


def ticking(each: float = 0.008) -> Callable[[], float]:
    """A clock on which every look takes *each* seconds: slices are as small as they get."""
    now = [0.0]

    def seconds() -> float:
        now[0] += each
        return now[0]

    return seconds


def turn(clock: Clock) -> None:
    """Let the reactor do one thing only."""
    call = clock.calls.pop(0)
    call.called = 1
    call.func(*call.args, **call.kw)


def test_a_change_is_found_within_a_second(clock: Clock) -> None:
    """A new member shows up; whoever was reading before keeps the old catalogue."""
    store = Community(records())
    directory = following(store, clock)
    before = directory.reading(LOU)
    assert before is directory.reading(LOU)
    store.put(*person(AccountId(number(700)), AVON, "new.person@avon", "New", "Person"))
    clock.pump([0.25] * 4)
    assert len(search(directory.reading(LOU), Equal("sn", "person"))) == 1
    assert search(before, Equal("sn", "person")) == []


def test_the_first_change_is_found_as_soon(clock: Clock) -> None:
    """However long it took to list everybody."""
    store = Community(records())
    directory = following(store, clock, ticking(each=1.0))
    store.put(*person(AccountId(number(700)), AVON, "new.person@avon", "New", "Person"))
    clock.pump([0.25] * 4)
    assert len(search(directory.reading(LOU), Equal("sn", "person"))) == 1


class Turns(Clock):
    """A clock that counts how often the reactor gets its turn."""

    taken = 0

    def callLater(self, when: float, what: Callable[..., object], *args: object, **kw: object) -> Any:
        """See :class:`Clock`."""
        self.taken += when == 0
        return super().callLater(when, what, *args, **kw)


def test_it_is_made_in_slices(clock: Clock) -> None:
    """The reactor gets its turn between; the result is the same."""
    turns = Turns()
    made = following(Community(records()), turns, ticking()).catalogue
    assert turns.taken > 20
    assert len(made) == len(following(Community(records()), clock).catalogue)


def test_indexes_are_sharpened_while_they_are_asked(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for that: neither who asks, nor a change; in the end all are, the changed ones too."""
    monkeypatch.setattr(index, "_LARGE", 2)
    monkeypatch.setattr(indexing, "_MADE", 2)
    inside = Substrings("sn", inner=("erso",))
    store = Community(records())
    directory = Directory(store, schema.load(), clock, seconds=ticking())  # type: ignore[arg-type]
    directory.start()
    while directory._catalogue is None:
        turn(clock)
    assert directory.catalogue.blunt_index() is not None
    assert search(directory.reading(LOU), inside) == []
    store.put(*person(AccountId(number(700)), AVON, "new.person@avon", "New", "Person"))
    clock.rightNow += 30
    while not search(directory.reading(LOU), inside):
        assert directory.catalogue.blunt_index() is not None
        turn(clock)
    clock.advance(0)
    assert directory.catalogue.blunt_index() is None
    assert len(search(directory.reading(LOU), inside)) == 1
    directory.stop()
    assert not clock.getDelayedCalls()


def test_before_the_first_catalogue_it_says_so(clock: Clock) -> None:
    """Nobody is told that an entry does not exist while nothing is known."""
    directory = Directory(Community([]), schema.load(), clock)  # type: ignore[arg-type]
    with pytest.raises(NotReady, match="being loaded"):
        directory.reading(LOU)


def test_a_store_that_does_not_answer_is_asked_again(clock: Clock) -> None:
    """What was known goes on being served meanwhile."""
    store = Community(records())
    directory = following(store, clock)
    store.put(*person(AccountId(number(700)), LAW, "new.person@law", "New", "Person"))
    store.broken = True
    clock.pump([0.25] * 4)
    assert search(directory.reading(LOU), Equal("sn", "person")) == []
    store.broken = False
    clock.pump([0.25] * 4)
    assert len(search(directory.reading(LOU), Equal("sn", "person"))) == 1


def test_stopped_it_leaves_nothing_behind(clock: Clock) -> None:
    """Not even when it is stopped while a catalogue is being made."""
    directory = Directory(Community(records()), schema.load(), clock, seconds=ticking())  # type: ignore[arg-type]
    directory.start()
    directory.stop()
    assert not clock.getDelayedCalls()


def test_what_is_not_listed_changes_nothing(clock: Clock) -> None:
    """The community's jobs and connections do not cost a new catalogue; what changes with them does."""
    store = Community(records())
    directory = following(store, clock)
    first = directory.catalogue
    store.put(kind="jobs")
    clock.pump([0.25] * 4)
    assert directory.catalogue is first
    store.put(*person(AccountId(number(700)), LAW, "new.person@law", "New", "Person"))
    store.put(kind="jobs")
    clock.pump([0.25] * 4)
    assert directory.catalogue.number == store.number()


def test_a_store_that_no_longer_knows_what_changed(clock: Clock) -> None:
    """Then everything is read again."""
    store = Community(records())
    directory = following(store, clock)
    store.told = None
    store.put(kind="jobs")
    clock.pump([0.25] * 4)
    assert directory.catalogue.number == store.number()


def test_former_addresses_are_not_found(clock: Clock) -> None:
    """From the day on that they no longer deliver, without any change of the community."""
    former = AddressRecord(
        address="lou.before@law.cjsm.test", owner_kind=OwnerKind.ACCOUNT, owner=LOU, alias=True, delivers_until=1000
    )
    store = Community([*records(), former])
    directory = following(store, clock)
    wanted = Equal("mail", "lou.before@law.cjsm.test")
    assert len(search(directory.reading(LOU), wanted)) == 1
    store.view = MemoryView([*records(), former], moment=1000)
    clock.pump([600.0] * 7)
    assert search(directory.reading(LOU), wanted) == []


def test_where_much_changed_everything_is_loaded_anew(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes less time, and is found all the same; nothing of a large listing is looked through for garbage."""
    monkeypatch.setattr(following_module, "_MANY", 0)
    monkeypatch.setattr(following_module, "_PART", 1_000_000)
    monkeypatch.setattr(following_module, "_LARGE", 1)
    store = Community(records())
    directory = following(store, clock, ticking())
    try:
        clock.pump([0.0] * 500)
        first = directory.catalogue
        store.put(*person(AccountId(number(700)), AVON, "new.person@avon", "New", "Person"))
        clock.pump([0.25] * 500)
        assert directory.catalogue is not first
        assert len(search(directory.reading(LOU), Equal("sn", "person"))) == 1
    finally:
        gc.unfreeze()


def test_what_an_old_catalogue_leaves_is_freed_by_and_by(clock: Clock) -> None:
    """As soon as nobody reads it any more, and not all at once."""
    store = Community(records())
    directory = following(store, clock)
    reading = directory.reading(LOU)
    store.put(*person(AccountId(number(700)), AVON, "new.person@avon", "New", "Person"))
    clock.pump([0.25] * 4)
    assert not directory._left
    assert search(reading, Equal("sn", "smith"))
    del reading
    assert directory._left
    clock.pump([0.25] * 4)
    assert not directory._left
    assert search(directory.reading(LOU), Equal("sn", "smith"))
