"""``cjsm mailbox accept``: going on where messages are missing; and what `verify` and `check` say before and after."""

import json
import shutil
from pathlib import Path

from cjsm.community.identifiers import MailboxId
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import PASSWORD, beside, deliver, join, last_entry, last_words

JANE = "jane.smith@avon"


def put_back(config: Path, mailbox: MailboxId) -> None:
    """Deliver, keep a copy, deliver more, and put the copy in its place."""
    with beside(config) as suite:
        deliver(suite, mailbox, b"one\r\n")
        home = suite.stores.mail.home(mailbox)
    shutil.copytree(home, config.parent / "copy")
    with beside(config) as suite:
        deliver(suite, mailbox, b"two\r\n")
    shutil.rmtree(home)
    shutil.copytree(config.parent / "copy", home)


def mailboxes(cjsm: Run) -> str:
    """What `cjsm check` says of mailboxes."""
    found = json.loads(cjsm("check", "--json").stdout)
    return str(next(each for each in found if each["what"] == "mailboxes")["problem"])


def test_accepted(cjsm: Run, config: Path) -> None:
    """What was found is kept in the ledger, with the reason to go on."""
    mailbox = join(config)
    put_back(config, mailbox)
    assert mailboxes(cjsm) == ""
    found = json.loads(cjsm("mailbox", "verify", JANE, "--json").stdout)["mailboxes"][0]
    assert "rolled back" in found["problems"][0]
    assert found["noticed"]
    entry = last_entry(config)
    assert (entry.act, entry.subject, dict(entry.details)) == (
        "mailbox-noticed",
        mailbox,
        {"problem": found["problems"][0]},
    )
    assert f"{JANE} is not what was written to it" in mailboxes(cjsm)
    (troubled,) = told(cjsm("mailbox", "list", "--troubled", "--json"))
    assert (troubled["name"], troubled["state"]) == (JANE, "altered")
    export = ("mailbox", "export", JANE, str(config.parent / "jane.mbox"), "--password-stdin", "--json")
    out = told(cjsm(*export, typed=f"{PASSWORD}\n"))
    assert (out["written"], out["altered"]) == (1, True), "what is there can be had"
    assert "accept" in cjsm("mailbox", "verify", JANE).output
    done = told(cjsm("mailbox", "accept", JANE, "--reason", "no later backup", "--json"))
    assert (done["messages"], done["deleted_messages"]) == (1, 0)
    assert (last_entry(config).act, last_words(config)) == ("mailbox-accept", ["no later backup"])
    assert told(cjsm("mailbox", "verify", JANE, "--json"))["sound"]
    assert mailboxes(cjsm) == ""


def test_restored(cjsm: Run, config: Path, tmp_path: Path) -> None:
    """Restoring from a backup explains it too."""
    mailbox = join(config)
    with beside(config) as suite:
        deliver(suite, mailbox, b"one\r\n")
    assert cjsm("mailbox", "backup", JANE, str(tmp_path / "backup")).exit_code == 0
    put_back(config, mailbox)
    assert cjsm("mailbox", "verify", JANE).exit_code == 1
    cjsm("mailbox", "restore", JANE, str(tmp_path / "backup"), "--replace", "--reason", "put back by mistake")
    assert told(cjsm("mailbox", "verify", JANE, "--json"))["sound"]
    assert mailboxes(cjsm) == ""


def test_sound(cjsm: Run, config: Path) -> None:
    """There is nothing to accept, and nothing is noted."""
    join(config)
    before = last_entry(config)
    assert "as it was written" in refused(cjsm("mailbox", "accept", JANE, "--reason", "tidy", "--json"))["error"]
    assert last_entry(config) == before


def test_closed_mail_is_told_of(cjsm: Run, config: Path) -> None:
    """`mailbox show` says how much a reset closed, and that nobody can open it where there were no officers."""
    mailbox = join(config)
    with beside(config) as suite:
        deliver(suite, mailbox, b"one\r\n", b"two\r\n")
    shown = told(cjsm("mailbox", "show", JANE, "--json"))
    assert (shown["closed_messages"], shown["closed_octets"], shown["closed_cure"]) == (0, 0, None)
    told(cjsm("user", "reset-password", JANE, "--reason", "forgotten", "--json"))
    with beside(config) as suite:
        deliver(suite, mailbox, b"three\r\n")
    shown = told(cjsm("mailbox", "show", JANE, "--json"))
    assert (shown["messages"], shown["closed_messages"]) == (3, 2)
    assert 0 < shown["closed_octets"] < shown["octets"]
    assert shown["closed_cure"] == "nobody can open it any more"
