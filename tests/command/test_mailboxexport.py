"""``cjsm mailbox export``: readable, so with the owner's own password and with nothing else."""

import errno
import os
import shutil
import time
from pathlib import Path

import pyotp
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from cjsm import resources
from cjsm.command.context import wait
from cjsm.community.identifiers import MailboxId
from cjsm.mail.folders import writing
from tests.command.conftest import Run, ran, refused, told
from tests.command.mailboxes import PASSWORD, beside, deliver, held, join, last_entry, unique_ids

JANE = "jane.smith@avon"
TYPED = PASSWORD + "\n"


@pytest.fixture
def jane(config: Path) -> MailboxId:
    """Somebody with two messages."""
    mailbox = join(config)
    with beside(config) as suite:
        deliver(suite, mailbox, b"Subject: a\r\n\r\nFrom here\r\n", b"Subject: b\r\n\r\n" + b"b" * 400_000 + b"\r\n")
    return mailbox


def test_mbox(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path) -> None:
    """One file, with the unique-ids; the ledger knows who did it."""
    path = tmp_path / "jane.mbox"
    done = told(cjsm("mailbox", "export", JANE, str(path), "--password-stdin", "--json", typed=TYPED))
    assert (done["written"], done["present"], done["form"]) == (2, 0, "mbox")
    first, second = unique_ids(config, jane)
    lines = path.read_bytes().split(b"\n")
    assert lines[:6] == [
        b"From MAILER-DAEMON Sat Jan 31 09:10:00 2026",
        b"X-UIDL: " + first.encode(),
        *(b"Return-Path: <>", b"Subject: a", b"", b">From here"),
    ]
    assert b"X-UIDL: " + second.encode() in lines
    assert path.stat().st_mode & 0o777 == 0o600
    entry = last_entry(config)
    assert (entry.act, entry.subject, entry.details) == ("mailbox-export", jane, (("form", "mbox"),))
    assert entry.actor
    again = refused(cjsm("mailbox", "export", JANE, str(path), "--password-stdin", "--json", typed=TYPED))
    assert "exists already" in again["error"]


@pytest.mark.parametrize("form", ["maildir", "eml"])
def test_directories(cjsm: Run, jane: MailboxId, tmp_path: Path, form: str) -> None:
    """Run again, what is there in whole stays."""
    words = ("mailbox", "export", JANE, str(tmp_path / "it"), "--format", form, "--password-stdin")
    assert "2 messages written" in cjsm(*words, typed=TYPED).output
    assert "2 were there from before" in cjsm(*words, typed=TYPED).output


def test_nobody_else(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path) -> None:
    """Not with a wrong password, a device password, one of another person, or none; nothing is written."""
    join(config, "tom.harding")
    device = told(cjsm("device", "add", JANE, "phone", "--password-stdin", "--json", typed=TYPED))["device_password"]
    path = tmp_path / "it"
    for typed in ("another password", device, "", PASSWORD.upper()):
        done = cjsm("mailbox", "export", JANE, str(path), "--password-stdin", typed=typed + "\n")
        assert done.exit_code == 1, typed
    assert not path.exists()
    assert last_entry(config).act != "mailbox-export"


def test_a_locked_user(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path) -> None:
    """Opens nothing here either; failures count as at every door."""
    strict = tmp_path / "policy.toml"
    strict.write_text(resources.data("policies", "ncsc.toml").read_text().replace("lock = 10", "lock = 2"))
    config.write_text(config.read_text().replace('policy = "ncsc"', f'policy = "{strict}"'))
    words = ("mailbox", "export", JANE, str(tmp_path / "it"), "--password-stdin")
    for guess in ("one wrong password", "two wrong passwords"):
        cjsm(*words, typed=guess + "\n")
    assert cjsm(*words, typed=TYPED).exit_code == 1


def test_with_a_second_factor(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path) -> None:
    """The password alone opens nothing; a code beside it does, and the mailbox is free after a wrong one."""
    with beside(config) as suite:
        account = suite.stores.community.read_now(lambda view: view.account_of_mailbox(jane))
        assert account is not None
        by, secret = suite.enrolment.by, PASSWORD.encode()
        made = wait(suite.factors.prepare(by(account.id), account.id, secret))
        one = pyotp.TOTP(made.typed.replace(" ", ""))
        wait(suite.factors.confirm(by(account.id), account.id, secret, one.now().encode()))
    words = ("mailbox", "export", JANE, str(tmp_path / "it"), "--password-stdin", "--json")
    assert "Code of the authenticator" in refused(cjsm(*words, typed=TYPED))["error"]
    assert refused(cjsm(*words, typed=f"{TYPED}000000\n"))
    assert not (tmp_path / "it").exists()
    told(cjsm(*words, typed=f"{TYPED}{one.at(int(time.time()) + 30)}\n"))


def test_in_use(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path) -> None:
    """While a mail program has it, with what to do."""
    words = ("mailbox", "export", JANE, str(tmp_path / "it"), "--password-stdin", "--json")
    with beside(config) as suite:
        account = suite.stores.community.read_now(lambda view: view.account_of_mailbox(jane))
        assert account is not None
    with held(config, jane + account.id):
        assert "end that session" in refused(cjsm(*words, typed=TYPED))["cure"]
    assert cjsm(*words, typed=TYPED).exit_code == 0


def test_changed_on_disk(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path) -> None:
    """A message that is not what was accepted is not written, and nothing half."""
    with beside(config) as suite:
        (body,) = (suite.stores.mail.home(jane) / "bodies").iterdir()
    octets = bytearray(body.read_bytes())
    octets[100_000] ^= 1
    body.write_bytes(octets)
    path = tmp_path / "it"
    said = refused(cjsm("mailbox", "export", JANE, str(path), "--password-stdin", "--json", typed=TYPED))
    assert "cjsm mailbox verify" in said["cure"]
    assert list(tmp_path.glob("it*")) == []


LINE = st.sampled_from(
    [b"", b"From jo 09:30", b">From x", b"X-UIDL: a", b"Content-Length: 3", b"Subject: \xc3\xa9", b"."]
)
MESSAGE = st.lists(LINE, max_size=6).map(lambda lines: b"".join(line + b"\r\n" for line in lines))


@pytest.fixture(scope="module")
def twins(_made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A community for many examples, and where files go."""
    home = tmp_path_factory.mktemp("twins") / "home"
    shutil.copytree(_made, home)
    config = home / "cjsm.toml"
    config.write_text(config.read_text().replace(str(_made), str(home)))
    return config, tmp_path_factory.mktemp("exported")


@settings(max_examples=5, phases=[Phase.generate])
@given(messages=st.lists(MESSAGE, max_size=4), form=st.sampled_from(["mbox", "maildir", "eml"]))
def test_there_and_back(twins: tuple[Path, Path], messages: list[bytes], form: str) -> None:
    """What is exported and imported elsewhere is the same mail, octet for octet, with the same unique-ids."""
    config, place = twins
    with beside(config) as suite:
        number = len(list(suite.stores.community.read_now(lambda view: list(view.accounts()))))
    names = [f"twin{chr(97 + number // 26)}{chr(97 + number % 26)}.{which}" for which in ("one", "two")]
    one, two = (join(config, name) for name in names)
    with beside(config) as suite:
        deliver(suite, one, *messages)
    read = []
    for mailbox, name in ((one, names[0]), (two, names[1])):
        path = place / name
        words = ("mailbox", "export", f"{name}@avon", str(path), "--format", form, "--password-stdin", "--json")
        if mailbox == two:
            source = str(place / names[0])
            told(ran("mailbox", "import", f"{name}@avon", source, "--json", config=config))
        told(ran(*words, config=config, typed=TYPED))
        read.append(contents(path))
    assert unique_ids(config, one) == unique_ids(config, two)
    assert [content for content, _ in read[0]] == [content for content, _ in read[1]]


def contents(path: Path) -> list[tuple[bytes, str]]:
    """Every message file's octets, in order; of an mbox everything but the lines that say when."""
    if path.is_file():
        return [(line, "") for line in path.read_bytes().split(b"\n") if not line.startswith(b"From MAILER")]
    found = [each for each in path.rglob("*") if each.is_file() and each.name != "dovecot-uidlist"]
    return sorted((each.read_bytes(), "") for each in found)


@pytest.mark.parametrize("form", ["mbox", "maildir", "eml"])
def test_no_room(cjsm: Run, jane: MailboxId, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Says where, and leaves nothing half written; with room it goes on."""
    words = ("mailbox", "export", JANE, str(tmp_path / "it"), "--format", form, "--password-stdin", "--json")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(writing.os, "fsync", full)
        said = refused(cjsm(*words, typed=TYPED))
    assert str(tmp_path / "it") in said["error"]
    assert "room" in said["cure"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and "home" not in path.parts]
    assert told(cjsm(*words, typed=TYPED))["written"] == 2
