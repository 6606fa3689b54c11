"""A damaged file costs its own mailbox, and nobody else; it is said once what is wrong and what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from cjsm.store.interfaces import Quarantined
from cjsm.store.lmdb.mailboxes import LmdbMailStore

from ..support import MAILBOX, OTHER, delivery, open_mailboxes, result


def cut_short(file: Path) -> None:
    octets = file.read_bytes()
    file.write_bytes(octets[: len(octets) - 4096])


def no_environment(file: Path) -> None:
    file.write_bytes(b"nonsense" * 10_000)


def pages_of_noughts(file: Path) -> None:
    """Both head pages stay; what they name is gone."""
    octets = file.read_bytes()
    file.write_bytes(octets[:8192] + bytes(len(octets) - 8192))


ACTS: list[Callable[[LmdbMailStore], "Deferred[object]"]] = [
    lambda store: store.list(MAILBOX),
    lambda store: store.deliver(MAILBOX, [delivery(9)], 0),
    lambda store: store.delete(MAILBOX, [delivery(1).delivery_id]),
    lambda store: store.open(MAILBOX, delivery(1).delivery_id),
]


@pytest.mark.parametrize("damage", [cut_short, no_environment, pages_of_noughts])
def test_a_damaged_file(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """Its mailbox is closed until it is restored, in every process and life; all else goes on."""
    store = open_mailboxes(tmp_path)
    for mailbox in (MAILBOX, OTHER):
        result(store.deliver(mailbox, [delivery(number) for number in range(1, 100)], 0))
    store.close()
    file = store.home(MAILBOX) / "mailbox.mdb"
    damage(file)
    damaged = file.read_bytes()
    with capturedLogs() as logged:
        for _ in range(2):
            store = open_mailboxes(tmp_path)
            for act in ACTS:
                with pytest.raises(Quarantined, match="mailbox"):
                    result(act(store))
            result(store.deliver(OTHER, [delivery(100)], 0))
            assert len(result(store.list(OTHER)).rows) == 100
            assert result(store.purge(5_000)) == 0
            assert result(store.mailboxes()) == sorted([MAILBOX, OTHER])
            store.close()
    assert [event["log_level"].name for event in logged].count("critical") == 1
    assert file.read_bytes() == damaged
    note = (store.home(MAILBOX) / "quarantined").read_text()
    assert note.startswith("quarantined at ")
    assert str(file) in note


def test_quarantine_ends_with_the_mailbox(tmp_path: Path) -> None:
    """Destroyed, it may begin anew."""
    store = open_mailboxes(tmp_path)
    result(store.deliver(MAILBOX, [delivery(1)], 0))
    store.close()
    no_environment(store.home(MAILBOX) / "mailbox.mdb")
    store = open_mailboxes(tmp_path)
    with pytest.raises(Quarantined):
        result(store.list(MAILBOX))
    result(store.destroy(MAILBOX))
    result(store.deliver(MAILBOX, [delivery(2)], 0))
    assert [row.delivery_id for row in result(store.list(MAILBOX)).rows] == [delivery(2).delivery_id]
    store.close()
