"""``cjsm mailbox verify``: without a service, and whatever the mailbox looks like."""

import json
from pathlib import Path

import pytest

from cjsm.community.identifiers import MailboxId
from tests.command.conftest import Run, told
from tests.command.mailboxes import beside, deliver, join, last_entry

JANE = "jane.smith@avon"


@pytest.fixture
def body(config: Path) -> Path:
    """Where the body of a message lies."""
    mailbox = join(config)
    join(config, "tom.harding")
    with beside(config) as suite:
        deliver(suite, mailbox, b"small\r\n", b"x" * 400_000)
        (path,) = (suite.stores.mail.home(mailbox) / "bodies").iterdir()
    return path


def test_sound(cjsm: Run, config: Path, body: Path) -> None:
    """One, or all; the ledger knows that somebody looked."""
    found = told(cjsm("mailbox", "verify", JANE, "--json"))
    assert found["sound"]
    (each,) = found["mailboxes"]
    assert (each["name"], each["messages"], each["problems"]) == (JANE, 2, [])
    assert last_entry(config).act == "mailbox-verify"
    assert "1 mailbox with 2 messages verified, 0 with problems" in cjsm("mailbox", "verify", "--all").output
    assert last_entry(config).subject == b""
    assert cjsm("mailbox", "verify", "tom.harding@avon").exit_code == 0, "nothing was written to it yet"


def test_changed(cjsm: Run, body: Path) -> None:
    """A bit of a body, a body that is gone."""
    octets = bytearray(body.read_bytes())
    octets[1000] ^= 1
    body.write_bytes(octets)
    result = cjsm("mailbox", "verify", "--all", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert not found["sound"]
    assert "not the one that was accepted" in found["mailboxes"][0]["problems"][0]
    body.unlink()
    shown = cjsm("mailbox", "verify", JANE)
    assert shown.exit_code == 1
    assert "cannot be read" in shown.output
    assert "restore" in shown.output


def test_in_quarantine(cjsm: Run, body: Path) -> None:
    """It is looked at all the same: perhaps only the note is wrong."""
    (body.parent.parent / "quarantined").write_text("quarantined: yes\n")
    assert cjsm("mailbox", "verify", JANE).exit_code == 0


def test_planted(cjsm: Run, config: Path, body: Path) -> None:
    """A message that this service never accepted is found, by whoever wrote it."""
    other = MailboxId(b"another mailbox!")
    with beside(config) as suite:
        home, target = body.parent.parent, suite.stores.mail.home(other)
        target.parent.mkdir(parents=True)
        home.rename(target)
    found = json.loads(cjsm("mailbox", "verify", "--all", "--json").stdout)
    assert "belongs to another mailbox" in str(found["mailboxes"][0]["problems"])


def test_usage(cjsm: Run) -> None:
    """Names or --all."""
    assert cjsm("mailbox", "verify").exit_code == 2
    assert cjsm("mailbox", "verify", JANE, "--all").exit_code == 2
