"""``cjsm mailbox undelete``: by the owner, or by an administrator with a reason."""

import time
from pathlib import Path

import pytest

from cjsm.command.context import wait
from cjsm.community.identifiers import MailboxId
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import PASSWORD, beside, deliver, join, last_entry, last_words, unique_ids

JANE = "jane.smith@avon"


@pytest.fixture
def jane(config: Path) -> MailboxId:
    """Somebody with three messages, two of them deleted."""
    mailbox = join(config)
    with beside(config) as suite:
        ids = deliver(suite, mailbox, b"one\r\n", b"two\r\n", b"three\r\n")
        wait(suite.stores.mail.delete(mailbox, ids[:2]))
    return mailbox


def test_by_the_owner(cjsm: Run, config: Path, jane: MailboxId) -> None:
    """With the password; messages are where they were, and the ledger knows who did it."""
    kept = told(cjsm("mailbox", "undelete", JANE, "--list", "--json"))
    assert [each["octets"] for each in kept] == [22, 22]
    (left,) = unique_ids(config, jane)
    first, second = (each["unique_id"] for each in kept)
    done = told(cjsm("mailbox", "undelete", JANE, second, "--password-stdin", "--json", typed=PASSWORD + "\n"))
    assert done == {"mailbox": JANE, "undeleted": 1, "unique_ids": [second]}
    assert unique_ids(config, jane) == [second, left]
    entry = last_entry(config)
    assert (entry.act, entry.subject, entry.details) == ("mailbox-undelete", jane, (("messages", "1"),))
    assert entry.actor
    cjsm("mailbox", "undelete", JANE, "--all", "--password-stdin", typed=PASSWORD + "\n")
    assert unique_ids(config, jane) == [first, second, left]


def test_by_an_administrator(cjsm: Run, config: Path, jane: MailboxId) -> None:
    """With a reason, which the ledger keeps."""
    assert "2 messages are back" in cjsm("mailbox", "undelete", JANE, "--since", "1h", "--reason", "asked").output
    assert len(unique_ids(config, jane)) == 3
    entry = last_entry(config)
    assert (entry.act, entry.actor, last_words(config)) == ("mailbox-undelete", b"", ["asked"])


def test_nobody_else(cjsm: Run, config: Path, jane: MailboxId) -> None:
    """Not with a wrong password, nor with one of a device; nothing is brought back."""
    added = cjsm("device", "add", JANE, "phone", "--password-stdin", "--json", typed=PASSWORD + "\n")
    for secret in ("another password", told(added)["device_password"], ""):
        assert cjsm("mailbox", "undelete", JANE, "--all", "--password-stdin", typed=secret + "\n").exit_code == 1
    assert len(unique_ids(config, jane)) == 1


def test_no_longer(cjsm: Run, config: Path, jane: MailboxId) -> None:
    """What is kept for longer than is promised is nobody's any more, purged or not."""
    with beside(config) as suite:
        suite.stores.mail._clock = lambda: time.time() - 15 * 86_400
        listing = wait(suite.stores.mail.list(jane))
        wait(suite.stores.mail.delete(jane, [row.delivery_id for row in listing.rows]))
    assert len(told(cjsm("mailbox", "undelete", JANE, "--list", "--json"))) == 2
    gone = listing.rows[0].unique_id
    said = refused(cjsm("mailbox", "undelete", JANE, gone, "--reason", "x", "--json"))
    assert gone in said["error"]


@pytest.mark.parametrize("options", [(), ("--all", "--list"), ("x", "--since", "1h")])
def test_usage(cjsm: Run, jane: MailboxId, options: tuple[str, ...]) -> None:
    """What is meant has to be said, once."""
    assert cjsm("mailbox", "undelete", JANE, *options).exit_code == 2


def test_nothing_kept(cjsm: Run, config: Path) -> None:
    """Says so."""
    join(config, "tom.harding")
    assert "no deleted message" in cjsm("mailbox", "undelete", "tom.harding@avon", "--list").output
    assert cjsm("mailbox", "undelete", "tom.harding@avon", "--all", "--reason", "x").exit_code == 1
