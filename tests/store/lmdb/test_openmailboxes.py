"""Open files are few, however many people are signed in."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.store.interfaces import Quarantined
from cjsm.store.lmdb.openmailboxes import most_open

from ..support import delivery, identifier, open_mailboxes, result

MEMBER = AccountId(identifier("account", 1))


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """The process may have 110 more than it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir("/proc/self/fd")}
    limit = next(limit for limit in range(110, 10_000) if len(set(range(limit)) - used) == 110)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    yield limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_session_pins_nothing(tmp_path: Path, few_descriptors: int) -> None:
    """A hundred people are signed in and read, with eight mailboxes open: more than that many files would not do."""
    store = open_mailboxes(tmp_path, most=8)
    mailboxes = [MailboxId(identifier("box", number)) for number in range(100)]
    for number, mailbox in enumerate(mailboxes):
        result(store.deliver(mailbox, [delivery(number, b"sealed")], 0))
    sessions = []
    for mailbox in mailboxes:
        lease = result(store.lease(mailbox, MEMBER))
        (row,) = result(store.list(mailbox)).rows
        sessions.append((lease, result(store.open(mailbox, row.delivery_id)).body))
    assert len(store._open) <= 8
    assert all(lease.held and result(body.read(0, 6)) == b"sealed" for lease, body in sessions)
    store.close()


def test_more_are_open_than_the_process_may(tmp_path: Path, few_descriptors: int) -> None:
    """Where the system has no file more to give, those that nobody uses are closed."""
    store = open_mailboxes(tmp_path, most=1_000)
    mailboxes = [MailboxId(identifier("box", number)) for number in range(60)]
    for number, mailbox in enumerate(mailboxes):
        result(store.deliver(mailbox, [delivery(number)], 0))
    assert [len(result(store.list(mailbox)).rows) for mailbox in mailboxes] == [1] * 60
    assert 0 < len(store._open) < 40
    store.close()


@pytest.mark.parametrize(
    ("limit", "asked", "most"), [(65_536, 512, 512), (1_024, 512, 170), (256, 512, 42), (20, 512, 8), (1_024, 10, 10)]
)
def test_most_open(limit: int, asked: int, most: int) -> None:
    """At most half of all descriptors, three for each."""
    assert most_open(asked, limit) == most


def test_a_damaged_mailbox_closes_no_other(tmp_path: Path) -> None:
    """Somebody who asks for it again and again costs nobody else anything."""
    store = open_mailboxes(tmp_path, most=100)
    mailboxes = [MailboxId(identifier("box", number)) for number in range(10)]
    for number, mailbox in enumerate(mailboxes):
        result(store.deliver(mailbox, [delivery(number)], 0))
    store.close()
    (store.home(mailboxes[0]) / "mailbox.mdb").write_bytes(b"nonsense" * 1_000)
    store = open_mailboxes(tmp_path, most=100)
    for mailbox in mailboxes[1:]:
        result(store.list(mailbox))
    for _ in range(3):
        with pytest.raises(Quarantined):
            result(store.list(mailboxes[0]))
    assert all(store._open.has(mailbox) for mailbox in mailboxes[1:])
    store.close()
