"""``cjsm mailbox list`` and ``show``."""

from pathlib import Path

from cjsm.command.context import wait
from cjsm.community.identifiers import MailboxId, text
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import beside, deliver, join


def test_list_and_show(cjsm: Run, config: Path) -> None:
    """Whose mailbox it is, what counts, what is kept of deleted mail, and the disk."""
    jane = join(config)
    join(config, "tom.harding")
    with beside(config) as suite:
        ids = deliver(suite, jane, b"one\r\n", b"two\r\n", b"x" * 900_000)
        wait(suite.stores.mail.delete(jane, ids[:1]))
    listed = {each["name"]: each for each in told(cjsm("mailbox", "list", "--json"))}
    assert set(listed) == {"jane.smith@avon", "tom.harding@avon"}
    found = listed["jane.smith@avon"]
    octets = 2 * len(b"Return-Path: <>\r\n") + 5 + 900_000
    assert (found["messages"], found["octets"], found["percent"]) == (2, octets, octets * 100 >> 20)
    assert (found["deleted_messages"], found["quota"], found["state"]) == (1, 1 << 20, "sound")
    assert found["disk_octets"] > 900_000
    assert listed["tom.harding@avon"]["messages"] == 0
    shown = told(cjsm("mailbox", "show", "jane.smith@avon.cjsm.test", "--json"))
    assert shown["mailbox"] == text(jane)
    assert shown["first_deleted_goes"] > "2026"
    assert told(cjsm("mailbox", "show", text(jane), "--json")) == shown
    lines = cjsm("mailbox", "list").output
    assert "900,039" in lines
    assert "jane.smith@avon" in cjsm("mailbox", "show", "jane.smith@avon").output


def test_which(cjsm: Run, config: Path) -> None:
    """Of an organisation and below; those that are full; those with trouble."""
    jane, tom = join(config), join(config, "tom.harding", quota=10)
    with beside(config) as suite:
        deliver(suite, jane, b"x" * 700_000)
        deliver(suite, tom, b"much\r\n")
        home = suite.stores.mail.home(jane)
    assert len(told(cjsm("mailbox", "list", "--organisation", "avon", "--json"))) == 2
    assert told(cjsm("mailbox", "list", "--organisation", "avon/crime", "--json")) == []
    full = told(cjsm("mailbox", "list", "--full", "90", "--json"))
    assert [(each["name"], each["state"]) for each in full] == [("tom.harding@avon", "full")]
    assert told(cjsm("mailbox", "list", "--troubled", "--json")) == []
    nobodys = MailboxId(b"nobody's mailbox")
    (home / "quarantined").write_text("quarantined: the disk\n")
    with beside(config) as suite:
        other = suite.stores.mail.home(nobodys)
        other.mkdir(parents=True)
    troubled = {each["name"]: each for each in told(cjsm("mailbox", "list", "--troubled", "--json"))}
    assert troubled["jane.smith@avon"]["state"] == "quarantine"
    assert troubled["jane.smith@avon"]["problem"] == "quarantined: the disk"
    assert troubled["jane.smith@avon"]["messages"] is None
    assert troubled[text(nobodys)]["state"] == "nobody's"
    assert "quarantine: quarantined: the disk" in cjsm("mailbox", "list", "--troubled").output


def test_nobody(cjsm: Run) -> None:
    """A name that is nobody's, with what to look at."""
    assert "cjsm user list" in refused(cjsm("mailbox", "show", "no.body@avon", "--json"))["cure"]


def test_kept_elsewhere(cjsm: Run) -> None:
    """Somebody whose mail is kept at their organisation has no mailbox here."""
    cjsm("connection", "add", "firm", "avon", "--kind", "server", "--name", "Firm", "--next-hop", "mx.firm:25")
    cjsm("connection", "domain", "add", "firm", "firm.co.uk")
    cjsm("user", "add", "avon", "--first", "Jo", "--last", "Law", "--address", "jo@firm.co.uk.cjsm.test")
    assert "kept at the organisation" in refused(cjsm("mailbox", "show", "jo.law@avon", "--json"))["error"]
