"""Verifying finds whatever somebody who has the disk may change, tells it in words, and changes nothing itself."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from cjsm.store.interfaces import Quarantined, Verified
from cjsm.store.lmdb import rows
from cjsm.store.lmdb.content import BODIES, DELETED, IMPORTED, MESSAGES, ROWS, Content
from cjsm.store.lmdb.environment import number
from cjsm.store.lmdb.mailbox import Mailbox
from cjsm.store.lmdb.mailboxes import LmdbMailStore

from ..support import MAILBOX, MemoryAnchors, delivery, open_mailboxes, put_body, result
from .test_quarantine import cut_short, no_environment, pages_of_noughts


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbMailStore]:
    """Messages 1 to 80, of which 1 has a body file, 5 is deleted and 81 was imported."""
    opened = open_mailboxes(tmp_path, anchors=MemoryAnchors())
    put_body(opened._bodies, 1)
    result(opened.deliver(MAILBOX, [delivery(1, None), *(delivery(n) for n in range(2, 81))], 0))
    result(opened.import_messages(MAILBOX, [msgspec.structs.replace(delivery(81), imported_id="old-81")]))
    result(opened.delete(MAILBOX, [delivery(5).delivery_id]))
    yield opened
    opened.close()


def verify(store: LmdbMailStore) -> Verified:
    digest = hashlib.sha256(b"sealed").digest()
    return result(store.verify(MAILBOX, lambda row, wrap, octets, found: "" if found == digest else "another body"))


def files(store: LmdbMailStore) -> dict[str, bytes]:
    found = store.home(MAILBOX).rglob("*")
    return {str(path): path.read_bytes() for path in found if path.is_file() and not path.name.endswith("-lock")}


def test_a_sound_mailbox(store: LmdbMailStore) -> None:
    """There is nothing to tell, and nothing is touched."""
    before = files(store)
    assert verify(store) == Verified(messages=80, deleted=1, octets=800, problems=())
    assert files(store) == before


def name(which: int) -> bytes:
    return delivery(which).delivery_id


def row_changed(content: Content) -> None:
    (row,) = [row for row in content.rows() if row.uid == 9]
    rows.remove(content.transaction, content.table(ROWS), [9])
    rows.insert(content.transaction, content.table(ROWS), [msgspec.structs.replace(row, octets=11)])


def message_swapped(content: Content) -> None:
    one, other = content.get(MESSAGES, name(10)), content.get(MESSAGES, name(11))
    assert one is not None
    assert other is not None
    content.put(MESSAGES, name(10), other)
    content.put(MESSAGES, name(11), one)


def usage_changed(content: Content) -> None:
    state = content.state()
    content.set_state(msgspec.structs.replace(state, usage=msgspec.structs.replace(state.usage, octets=1)))


def rolled_back(content: Content) -> None:
    state = content.state()
    rows.remove(content.transaction, content.table(ROWS), [81])
    content.remove(MESSAGES, name(81))
    content.remove(BODIES, name(81))
    content.remove(IMPORTED, b"old-81")
    chain = content.rows()[-1].chain
    head = msgspec.structs.replace(state.head, appended=80, chain=chain)
    usage = msgspec.structs.replace(state.usage, messages=79, octets=790)
    content.set_state(msgspec.structs.replace(state, head=head, usage=usage))


CHANGES: list[tuple[Callable[[Content], object], str]] = [
    (row_changed, "row 9 of the list is not the one that was appended"),
    (lambda content: rows.remove(content.transaction, content.table(ROWS), [9]), "the list has 79 rows of 80"),
    (lambda content: content.remove(MESSAGES, name(7)), f"message {name(7).hex()} is on the list and is not there"),
    (lambda content: content.put(MESSAGES, name(7), b"x"), f"message {name(7).hex()}: a stored message cannot be read"),
    (message_swapped, f"message {name(10).hex()} says that it is another"),
    (lambda content: content.remove(BODIES, name(7)), f"message {name(7).hex()} has no body"),
    (lambda content: content.put(BODIES, name(7), b"sEaled"), f"message {name(7).hex()}: another body"),
    (lambda content: content.put(BODIES, name(7), b"seale"), f"the body of message {name(7).hex()} has 5 octets of 6"),
    (lambda content: content.put(BODIES, b"n" * 16, b"x"), f"body {(b'n' * 16).hex()} belongs to no message"),
    (lambda content: content.remove(DELETED, name(5)), f"message {name(5).hex()} is neither listed nor deleted"),
    (lambda content: content.put(DELETED, name(6), number(1)), f"message {name(6).hex()} is both listed and deleted"),
    (lambda content: content.put(IMPORTED, b"old-82", name(81)), "the unique-ids of imported messages are not"),
    (usage_changed, "usage (list) says 80 messages, 1 octets: there are 80, 800"),
    (rolled_back, "it was rolled back"),
]


@pytest.mark.parametrize(("change", "told"), CHANGES, ids=[told.replace(" ", "-") for _, told in CHANGES])
def test_what_was_changed_is_told(store: LmdbMailStore, change: Callable[[Content], object], told: str) -> None:
    """In words that name the message."""
    store._in(MAILBOX, lambda opened: opened._write(change))
    before = files(store)
    problems = verify(store).problems
    assert any(told in problem for problem in problems), problems
    assert files(store) == before


@pytest.mark.parametrize(
    ("content", "told"), [(b"sealef", "another body"), (b"seal", "has 4 octets of 6"), (None, "cannot be read")]
)
def test_a_body_file_that_was_changed(store: LmdbMailStore, content: bytes | None, told: str) -> None:
    """Cut short, exchanged or taken away."""
    path = store._in(MAILBOX, lambda opened: opened.body(delivery(1).delivery_id))
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    verified = verify(store)
    assert verified.messages == 80
    assert any(told in problem and name(1).hex() in problem for problem in verified.problems)


@pytest.mark.parametrize("damage", [cut_short, no_environment, pages_of_noughts])
def test_a_damaged_file(store: LmdbMailStore, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """It says so, before and in quarantine. Restored from an export the mailbox is sound; the file is kept until the
    mailbox is destroyed.
    """
    with (tmp_path / "export").open("wb") as file:
        result(store.export(MAILBOX, file))
    store.close()
    damage(store.home(MAILBOX) / "mailbox.mdb")
    anchors = store._anchors
    store = open_mailboxes(tmp_path, anchors=anchors)
    for _ in range(2):
        assert verify(store).problems
        with pytest.raises(Quarantined):
            result(store.list(MAILBOX))
    with (tmp_path / "export").open("rb") as file:
        result(store.restore(MAILBOX, file, replace=True))
    assert verify(store) == Verified(messages=80, deleted=1, octets=800, problems=())
    result(store.deliver(MAILBOX, [delivery(100)], 0))
    assert len(result(store.list(MAILBOX)).rows) == 81
    assert result(store.mailboxes()) == [MAILBOX]
    assert len(list(store.home(MAILBOX).parent.glob("*.damaged"))) == 1
    result(store.purge(0))
    assert len(list(store.home(MAILBOX).parent.glob("*.damaged"))) == 1
    result(store.destroy(MAILBOX))
    assert list(store.home(MAILBOX).parent.iterdir()) == []
    store.close()


def test_taken_away(store: LmdbMailStore, tmp_path: Path) -> None:
    """A mailbox that is not there although it should be."""
    store._open.retire(MAILBOX)
    store.home(MAILBOX).rename(tmp_path / "elsewhere")
    assert verify(store).problems == ("it is gone",)


def test_somebody_writes_meanwhile(store: LmdbMailStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deleted and destroyed between two looks is no problem."""
    genuine = Mailbox.body_of
    done = []

    def busy(self: Mailbox, delivery_id: bytes) -> object:
        if not done:
            done.append(True)
            result(store.delete(MAILBOX, [delivery(number).delivery_id for number in range(1, 40)]))
            result(store.purge(5_000))
        return genuine(self, delivery_id)  # type: ignore[arg-type]

    monkeypatch.setattr(Mailbox, "body_of", busy)
    assert verify(store).problems == ()
    assert done
