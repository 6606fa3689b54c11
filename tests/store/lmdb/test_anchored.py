"""Heads that the ledger covers: no alarm whatever is done, and whatever is taken back is noticed."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjsm.community.acts import heads as acts
from cjsm.community.identifiers import ActId, MailboxId
from cjsm.community.records import LedgerEntry
from cjsm.community.view import Change
from cjsm.ledger.entries import decode_entry, encode_entry
from cjsm.store.interfaces import Altered, Anchoring, Head, Noticed
from cjsm.store.lmdb import rows
from cjsm.store.lmdb.community import LmdbCommunityStore
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.mailbox import Mailbox
from cjsm.store.lmdb.mailboxes import LmdbMailStore
from cjsm.vault import heads

from ..support import HASHES, MAILBOX, MAP, OTHER, Clock, MemoryAnchors, delivery, identifier, open_mailboxes, result

PEOPLE = [MAILBOX, OTHER, MailboxId(b"mailbox six 0006")]


def entry(moment: int, root: bytes, changed: int) -> LedgerEntry:
    return acts.anchored(ActId(identifier("act", changed)), moment, root, changed)


class House:
    """Mailboxes, what is remembered of them, and the ledger."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.anchors = MemoryAnchors()
        self.noticed: list[tuple[MailboxId, str]] = []
        self.community = LmdbCommunityStore(
            directory / "c", InlineDisk(), suffix="x.test", map_size=MAP, encode_entry=encode_entry, hashes=HASHES,
            clock=Clock(),
        )  # fmt: skip
        self.open()

    def open(self) -> None:
        self.mail: LmdbMailStore = open_mailboxes(self.directory, anchors=self.anchors)
        self.mail._in_ledger = self.community.anchored_head
        self.mail._noticed = lambda mailbox, problem: self.noticed.append((mailbox, problem))

    def again(self) -> None:
        self.mail.close()
        self.open()

    def close(self) -> None:
        self.mail.close()
        result(self.community.close())

    def anchor(self) -> Anchoring:
        changed = result(self.anchors.unanchored(100))
        done = result(self.community.anchor_heads(changed, entry))
        result(self.anchors.settled(changed))
        return done

    def entries(self) -> list[LedgerEntry]:
        return [decode_entry(encoded) for _, encoded in result(self.community.entries(0, 1_000))]

    def anchored(self, mailbox: MailboxId = MAILBOX) -> Head:
        found = self.community.anchored_head(mailbox)
        return found.head if found is not None else Head()

    def put_back(self, earlier: Path, mailbox: MailboxId = MAILBOX) -> None:
        """Exchange a mailbox for an earlier one, and forget what is remembered of it outside of the ledger."""
        self.mail.close()
        home = self.mail.home(mailbox)
        shutil.rmtree(home, ignore_errors=True)
        if earlier.exists():
            shutil.copytree(earlier, home)
        self.anchors.heads.clear()
        self.anchors.marked.clear()
        self.open()

    def copied(self, name: str, mailbox: MailboxId = MAILBOX) -> Path:
        self.mail.close()
        target = self.directory / "copies" / name
        if self.mail.home(mailbox).exists():
            shutil.copytree(self.mail.home(mailbox), target)
        self.open()
        return target


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_one_entry_for_what_changed(house: House) -> None:
    """It has the root over the heads of all; nothing changed is no entry, and nobody else looks at the community."""
    number = house.community.number()
    result(house.mail.deliver(MAILBOX, [delivery(1)], 0))
    assert house.anchor().changed == 1
    result(house.mail.deliver(OTHER, [delivery(2)], 0))
    assert (house.anchor().changed, house.anchor().changed) == (1, 0)
    first, second = house.entries()
    assert (first.act, dict(first.details)["mailboxes"]) == ("heads-anchored", "1")
    assert house.community.number() == number
    told = {each: house.anchored(each) for each in (MAILBOX, OTHER)}
    assert told == {each: result(house.mail.list(each)).head for each in told}
    assert dict(second.details)["root"] == root_of(told).hex()
    assert result(house.community.check_heads()) == ""


def root_of(told: dict[MailboxId, Head]) -> bytes:
    """The root as the specification has it, made of nothing but heads."""
    buckets: dict[bytes, list[bytes]] = {}
    for mailbox, head in sorted(told.items()):
        leaf = heads.leaf(mailbox, head.edition, head.appended, head.deleted, head.undeleted, head.chain)
        buckets.setdefault(mailbox[:2], []).append(leaf)

    def shelf(first: int) -> bytes:
        places = [bytes([first, second]) for second in range(256)]
        return heads.shelf(bytes([first]), b"".join(heads.bucket(place, buckets.get(place, ())) for place in places))

    return heads.root(b"".join(shelf(first) for first in range(256)))


def test_a_crash_before_the_marks_are_gone(house: House) -> None:
    """What is in the ledger is not written there again."""
    result(house.mail.deliver(MAILBOX, [delivery(1)], 0))
    changed = result(house.anchors.unanchored(100))
    assert result(house.community.anchor_heads(changed, entry)).changed == 1
    assert house.anchor().changed == 0
    assert len(house.entries()) == 1


def test_a_crash_before_anything_was_remembered(house: House) -> None:
    """The next sign-in remembers it, and so it comes to the ledger."""
    result(house.mail.deliver(MAILBOX, [delivery(1)], 0))
    house.anchor()
    result(house.mail.deliver(MAILBOX, [delivery(2)], 0))
    house.anchors.heads[MAILBOX] = house.anchored()
    house.anchors.marked.clear()
    assert house.anchor().changed == 0
    house.again()
    result(house.mail.list(MAILBOX))
    assert house.anchor().changed == 1
    assert house.anchored().appended == 2


def test_heads_changed_on_the_disk(house: House) -> None:
    """A head put back in the community's own tables is found by `check`, even with the hashes above it."""
    result(house.mail.deliver(MAILBOX, [delivery(1)], 0))
    house.anchor()
    environment = house.community._environment

    def change(transaction: lmdb.Transaction) -> None:
        house.community._heads(transaction).put([(MAILBOX, Head(appended=2))], 1)

    environment.write(change)
    assert "not those that the ledger has" in result(house.community.check_heads())


def test_a_new_edition_needs_an_act(house: House) -> None:
    """Who puts an old mailbox back and gives it a later edition is noticed, in the list and when it is anchored."""
    result(house.mail.deliver(MAILBOX, [delivery(1), delivery(2)], 0))
    house.anchor()
    house.anchors.heads.clear()
    house.mail._in_ledger = lambda mailbox: None
    result(house.mail.accept(MAILBOX))
    assert result(house.mail.list(MAILBOX)).head.edition == 1
    ((mailbox, problem),) = house.anchor().refused
    assert (mailbox, "no act" in problem) == (MAILBOX, True)
    house.again()
    with pytest.raises(Altered, match="no act"):
        result(house.mail.list(MAILBOX))
    result(house.community.commit(ActId(identifier("act", 9)), lambda view: Change(editions=((MAILBOX, 0),))))
    assert len(result(house.mail.list(MAILBOX)).rows) == 2
    result(house.mail.deliver(MAILBOX, [delivery(3)], 0))
    assert house.anchor() == Anchoring(changed=1)


@pytest.mark.parametrize("anchors_between", [False, True])
def test_restored_twice(house: House, tmp_path: Path, anchors_between: bool) -> None:
    """Each restore is an act; how often heads were anchored meanwhile does not matter."""
    result(house.mail.deliver(MAILBOX, [delivery(1)], 0))
    export = tmp_path / "export"
    with export.open("wb") as to:
        result(house.mail.export(MAILBOX, to))
    result(house.mail.deliver(MAILBOX, [delivery(2)], 0))
    house.anchor()
    for number in (1, 2, 3):
        result(house.community.commit(ActId(identifier("act", number)), lambda view: Change(editions=((MAILBOX, 1),))))
        with export.open("rb") as source:
            result(house.mail.restore(MAILBOX, source, replace=True))
        if anchors_between:
            assert house.anchor() == Anchoring(changed=1)
        assert len(result(house.mail.list(MAILBOX)).rows) == 1
    house.anchor()
    assert (house.anchored().edition, house.noticed) == (3, [])


def test_noticed_once(house: House) -> None:
    """Until an act explains it, and again after that."""
    found = Noticed(mailbox=MAILBOX, problem="thinned", moment=5)
    told = acts.noticed(ActId(identifier("act", 1)), 5, MAILBOX, "thinned")
    assert [result(house.community.notice(told.act_id, found, told)) for _ in range(2)] == [True, False]
    assert (house.community.is_noticed(MAILBOX), house.community.is_noticed(OTHER)) == (True, False)
    assert result(house.community.noticed()) == [found]
    result(house.community.commit(ActId(identifier("act", 2)), lambda view: Change(editions=((MAILBOX, 0),))))
    assert result(house.community.noticed()) == []
    assert result(house.community.notice(told.act_id, found, told))


def test_accepted(house: House) -> None:
    """The list is what is there, a row without its message goes, a message without its row counts as deleted."""
    result(house.mail.deliver(MAILBOX, [delivery(number) for number in (1, 2, 3)], 0))
    house.anchor()
    within(house, lambda transaction, table: rows.remove(transaction, table, [2]))
    with pytest.raises(Altered, match="thinned"):
        result(house.mail.list(MAILBOX))
    assert len(result(house.mail.list(MAILBOX, as_it_is=True)).rows) == 2
    result(house.community.commit(ActId(identifier("act", 1)), lambda view: Change(editions=((MAILBOX, 0),))))
    assert result(house.mail.accept(MAILBOX)) == 2
    assert [row.uid for row in result(house.mail.list(MAILBOX)).rows] == [1, 3]
    assert result(house.mail.undelete(MAILBOX, [delivery(2).delivery_id])) == 1
    result(house.mail.deliver(MAILBOX, [delivery(4)], 0))
    assert house.anchor() == Anchoring(changed=1)
    house.again()
    assert [row.uid for row in result(house.mail.list(MAILBOX)).rows] == [1, 2, 3, 4]
    assert result(house.mail.verify(MAILBOX, lambda *_: "")).problems == ()


def test_accepted_where_all_is_gone(house: House) -> None:
    """Mail is delivered to it again."""
    result(house.mail.deliver(MAILBOX, [delivery(1)], 0))
    house.anchor()
    house.put_back(house.directory / "nothing")
    with pytest.raises(Altered, match="gone"):
        result(house.mail.list(MAILBOX))
    assert result(house.mail.list(MAILBOX, as_it_is=True)).rows == ()
    result(house.community.commit(ActId(identifier("act", 1)), lambda view: Change(editions=((MAILBOX, 0),))))
    result(house.mail.accept(MAILBOX))
    result(house.mail.deliver(MAILBOX, [delivery(2)], 0))
    assert len(result(house.mail.list(MAILBOX)).rows) == 1
    assert house.anchor() == Anchoring(changed=1)


def within(house: House, act: "Callable[..., object]") -> None:
    """Do something to the rows of the mailbox, as somebody who has the disk."""
    with house.mail.opened(MAILBOX) as opened:
        opened._write(lambda content: act(content.transaction, content.table("rows")))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["deliver", "deliver", "delete", "undelete", "purge", "anchor", "compact", "restart", "other"]),
        st.integers(0, 5),
    ),
    min_size=3,
    max_size=14,
)


@settings(max_examples=30)
@given(STEPS, st.data())
def test_whatever_happens(steps: list[tuple[str, int]], data: st.DataObject) -> None:
    """Deliveries, deletions, compaction, anchors in any order: no alarm. Earlier copies and thinned lists: noticed."""
    with TemporaryDirectory() as directory:
        house = House(Path(directory))
        copies: list[tuple[Path, Head]] = []
        for at, (what, which) in enumerate(steps):
            before = result(house.mail.list(MAILBOX)).head
            copies.append((house.copied(str(at)), before))
            do(house, what, which, at)
            listed = result(house.mail.list(MAILBOX))
            assert result(house.mail.verify(MAILBOX, lambda *_: "")).problems == ()
        assert house.noticed == []
        house.anchor()
        assert result(house.community.check_heads()) == ""
        now = house.copied("now")
        anchored = house.anchored()
        for copy, head in copies:
            house.put_back(copy)
            house.noticed.clear()
            if head.behind(anchored):
                with pytest.raises(Altered):
                    result(house.mail.list(MAILBOX))
                with pytest.raises(Altered):
                    result(house.mail.deliver(MAILBOX, [delivery(90)], 0))
                assert house.noticed
            else:
                assert result(house.mail.list(MAILBOX)).head == head
        shorter = [copy for copy, head in copies if head.appended < anchored.appended]
        if shorter:
            house.put_back(data.draw(st.sampled_from(shorter)))
            covered_up(house, anchored)
        if listed.rows:
            house.put_back(now)
            gone = data.draw(st.sets(st.sampled_from([row.uid for row in listed.rows]), min_size=1))
            within(house, lambda transaction, table: rows.remove(transaction, table, gone))
            with pytest.raises(Altered):
                result(house.mail.list(MAILBOX))
        house.close()


def covered_up(house: House, anchored: Head) -> None:
    """Whoever goes on with an earlier copy until its numbers are those of the ledger is noticed too."""
    house.mail._in_ledger = lambda mailbox: None
    coming = [delivery(number) for number in range(100, 103 + anchored.appended + anchored.deleted)]
    result(house.mail.deliver(MAILBOX, coming, 0))
    gone = [each.delivery_id for each in coming[::-1]][: anchored.deleted]
    result(house.mail.delete(MAILBOX, gone))
    result(house.mail.undelete(MAILBOX, gone[: anchored.undeleted]))
    house.again()
    with pytest.raises(Altered):
        result(house.mail.list(MAILBOX))
    # Where the messages that came in that place are deleted, they tell all the same.
    house.mail._in_ledger = lambda mailbox: None
    result(house.mail.delete(MAILBOX, [each.delivery_id for each in coming]))
    house.again()
    assert result(house.mail.verify(MAILBOX, lambda *_: "")).problems


def do(house: House, what: str, which: int, at: int) -> None:
    ids = [delivery(number).delivery_id for number in range(1, at + 1)]
    match what:
        case "deliver":
            result(house.mail.deliver(MAILBOX, [delivery(at + 1)], 0))
        case "delete":
            result(house.mail.delete(MAILBOX, ids[which:][:1]))
        case "undelete":
            result(house.mail.undelete(MAILBOX, ids[which:][:1]))
        case "purge":
            result(house.mail.purge(2_000))
        case "anchor":
            house.anchor()
        case "compact":
            if house.mail.home(MAILBOX).exists():
                house.mail._in(MAILBOX, Mailbox.compact)
        case "other":
            result(house.mail.deliver(PEOPLE[which % 2 + 1], [delivery(at + 1)], 0))
        case _:
            house.again()
