"""``cjsm mailbox import`` without a service: every form, twice, interrupted, hostile, over the quota."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cjsm.command.context import wait
from cjsm.community.identifiers import MailboxId
from cjsm.mail import importing
from cjsm.vault.message import Summary, decode_wrap
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import PASSWORD, beside, deliver, held, join, last_entry, unique_ids
from tests.mail.folders.support import maildir

JANE = "jane.smith@avon"
FROM = b"From jo@firm.example Sat Jan 31 09:30:00 2026\n"


@pytest.fixture
def jane(config: Path) -> MailboxId:
    """Somebody with nothing yet."""
    return join(config, quota=10 << 20)


def message(number: int, octets: int = 0) -> bytes:
    """A message with LF."""
    return b"Subject: number %d\nFrom: jo@firm.example\n\ntext\n" % number + b"x" * 70 * (octets // 71) + b"\n"


def canonical(octets: bytes) -> bytes:
    return b"".join(importing.canonical([octets]))


@pytest.fixture
def mail(cjsm: Run, tmp_path: Path) -> Callable[[str], dict[str, bytes]]:
    """Read somebody's mail: contents by unique-id."""

    def read(name: str = JANE) -> dict[str, bytes]:
        place = tmp_path / "exported" / os.urandom(4).hex()
        place.parent.mkdir(exist_ok=True)
        done = cjsm("mailbox", "export", name, str(place), "--format", "eml", "--password-stdin", typed=PASSWORD + "\n")
        assert done.exit_code == 0, done.output
        listed = (place / "dovecot-uidlist").read_text().splitlines()[1:]
        words = [line.split(" ", 2) for line in listed]
        return {unique_id[1:]: (place / name[1:]).read_bytes() for _, unique_id, name in words}

    return read


Mail = Callable[[], dict[str, bytes]]


def test_maildir(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path, mail: Mail) -> None:
    """With the unique-ids and the order of Dovecot's list, octet for octet but for ends of lines; twice is once."""
    files = {f"cur/10{number}.M.h:2,S": message(number, number * 200_000) for number in range(4)}
    path = maildir(tmp_path / "m", files)
    (path / "dovecot-uidlist").write_text("3 V9 N9 Gx\n1 Pz O2 :100.M.h\n2 Pa O1 :101.M.h\n3 :102.M.h\n")
    done = told(cjsm("mailbox", "import", JANE, str(path), "--json"))
    assert done == {
        **{"mailbox": JANE, "form": "maildir", "unique_ids_from": "dovecot-uidlist", "messages": 4},
        **{"imported": 4, "present": 0, "left_out": 0, "notes": []},
    }
    by_content = hashlib.sha256(canonical(message(3, 600_000))).hexdigest()[:32] + "-i"
    assert unique_ids(config, jane) == ["a", "z", "0000000300000009", by_content]
    entry = last_entry(config)
    assert (entry.act, entry.subject) == ("mailbox-import", jane)
    assert dict(entry.details) == {"form": "maildir", "messages": "4"}
    assert mail() == {
        **{"a": canonical(message(1, 200_000)), "z": canonical(message(0))},
        **{"0000000300000009": canonical(message(2, 400_000)), by_content: canonical(message(3, 600_000))},
    }
    with beside(config) as suite:
        assert list((suite.stores.directory / "spool" / "bodies").glob("??/*")) == [], "nothing is left behind"
    again = told(cjsm("mailbox", "import", JANE, str(path), "--json"))
    assert (again["imported"], again["present"]) == (0, 4)
    assert cjsm("mailbox", "verify", JANE).exit_code == 0


@pytest.mark.parametrize("form", ["auto", "mboxrd", "mboxo", "mboxcl2"])
def test_mbox(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path, form: str, mail: Mail) -> None:
    """Each variant; the same message twice in one source is two."""
    body = b"a\n\nb\n"
    one = b"Content-Length: %d\nSubject: a\n\n" % len(body) + body
    path = tmp_path / "mbox"
    path.write_bytes(FROM + b"X-UIDL: first\n" + one + b"\n" + FROM + one + b"\n" + FROM + one + b"\n")
    assert (
        "3 imported, 0 there already, 0 left out" in cjsm("mailbox", "import", JANE, str(path), "--format", form).output
    )
    found = mail()
    assert list(found.values()) == [canonical(one)] * 3
    assert next(iter(found)) == "first"
    assert len(found) == 3
    again = told(cjsm("mailbox", "import", JANE, str(path), "--format", form, "--json"))
    assert (again["imported"], again["present"]) == (0, 3)


def test_eml(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path) -> None:
    """A file and a directory of them; the unique-id that a field names, where it is a good one."""
    (tmp_path / "1.eml").write_bytes(b"X-UIDL: kept\r\nSubject: a\r\n\r\nb\r\n")
    (tmp_path / "2.eml").write_bytes(b"X-UIDL: not good\r\nSubject: a\r\n\r\nb\r\n")
    (tmp_path / "3.eml").write_bytes(b"")
    assert told(cjsm("mailbox", "import", JANE, str(tmp_path / "1.eml"), "--json"))["form"] == "eml"
    assert unique_ids(config, jane) == ["kept"]
    done = told(cjsm("mailbox", "import", JANE, str(tmp_path), "--json"))
    assert (done["imported"], done["present"]) == (2, 1)


def test_unique_ids_of_others(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path, mail: Mail) -> None:
    """A sender can write a field, and some servers count from 1: no message is lost for a unique-id that is taken."""
    for name in ("one", "two"):
        path = maildir(tmp_path / name, {f"cur/{n}.{name}": message(n) + name.encode() * n for n in (1, 2, 3)})
        (path / "dovecot-uidlist").write_text(f"3 V1 N9 P%u\n1 :1.{name}\n2 P1 :2.{name}\n3 :3.{name}\n")
    first = told(cjsm("mailbox", "import", JANE, str(tmp_path / "one"), "--json"))
    (tmp_path / "two" / "cur" / "1.two").write_bytes(message(1) + b"other")
    second = told(cjsm("mailbox", "import", JANE, str(tmp_path / "two"), "--json"))
    assert (first["imported"], second["imported"]) == (3, 3)
    assert len(mail()) == 6
    for name in ("one", "two"):
        again = told(cjsm("mailbox", "import", JANE, str(tmp_path / name), "--json"))
        assert (again["imported"], again["present"]) == (0, 3), name


def test_the_list_comes_later(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path) -> None:
    """Mail that was imported without its list is not imported again with it."""
    path = maildir(tmp_path / "m", {"cur/1.a": message(1), "cur/2.a": message(2)})
    assert told(cjsm("mailbox", "import", JANE, str(path), "--json"))["imported"] == 2
    (path / "dovecot-uidlist").write_text("3 V1 N9\n1 :1.a\n2 :2.a\n")
    assert told(cjsm("mailbox", "import", JANE, str(path), "--json"))["imported"] == 0


def test_deleted_stays_deleted(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path) -> None:
    """What the owner deleted meanwhile does not come back."""
    path = maildir(tmp_path / "m", {"cur/1.a": message(1), "cur/2.a": message(2)})
    cjsm("mailbox", "import", JANE, str(path))
    with beside(config) as suite:
        (row, _) = wait(suite.stores.mail.list(jane)).rows
        wait(suite.stores.mail.delete(jane, [row.delivery_id]))
    assert told(cjsm("mailbox", "import", JANE, str(path), "--json"))["present"] == 2
    assert len(unique_ids(config, jane)) == 1


def test_own_export(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path) -> None:
    """What was exported is there already; in another mailbox it has the unique-ids that it had."""
    join(config, "tom.harding")
    with beside(config) as suite:
        deliver(suite, jane, b"Subject: a\r\n\r\nFrom b\r\n", b"x" * 400_000 + b"\r\n")
    for form in ("mbox", "maildir", "eml"):
        place = str(tmp_path / form)
        cjsm("mailbox", "export", JANE, place, "--format", form, "--password-stdin", typed=PASSWORD + "\n")
        assert told(cjsm("mailbox", "import", JANE, place, "--json"))["present"] == 2
        done = told(cjsm("mailbox", "import", "tom.harding@avon", place, "--json"))
        assert done["imported"] == (2 if form == "mbox" else 0)
    shown = [told(cjsm("mailbox", "show", name, "--json")) for name in (JANE, "tom.harding@avon")]
    assert shown[0]["octets"] == shown[1]["octets"]
    with beside(config) as suite:
        tom = suite.stores.community.read_now(lambda view: view.account_of_user_id("tom.harding@avon"))
    assert tom is not None
    assert tom.mailbox is not None
    assert unique_ids(config, tom.mailbox) == unique_ids(config, jane)


def test_over_the_quota(cjsm: Run, config: Path, tmp_path: Path) -> None:
    """It stops before, says what to do, and what fitted stays; --over-quota goes on there."""
    jane = join(config, quota=300)
    path = maildir(tmp_path / "m", {f"cur/{number}.a": message(number, 80) for number in range(5)})
    said = refused(cjsm("mailbox", "import", JANE, str(path), "--json"))
    assert "does not fit" in said["error"]
    assert "--over-quota" in said["cure"]
    fitted = len(unique_ids(config, jane))
    assert 0 < fitted < 5
    done = told(cjsm("mailbox", "import", JANE, str(path), "--over-quota", "--json"))
    assert (done["imported"], done["present"]) == (5 - fitted, fitted)


def test_too_large(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path) -> None:
    """One message over the limit is left out, told of, and keeps none of the others out."""
    config.write_text(config.read_text().replace("message_octets = 67108864", "message_octets = 1000"))
    path = maildir(tmp_path / "m", {"cur/1.a": b"x" * 1_001, "cur/2.a": b"\n" * 501, "cur/3.a": message(3)})
    result = cjsm("mailbox", "import", JANE, str(path), "--json")
    assert result.exit_code == 1
    done = json.loads(result.stdout)
    assert (done["imported"], done["left_out"]) == (1, 2)
    assert ["imports.message_octets" in note for note in done["notes"]] == [True, True]


def test_interrupted(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends it, what was taken is there, and the next run takes the rest."""
    path = maildir(tmp_path / "m", {f"cur/{number}.a": message(number, 300_000) for number in range(5)})
    take, taken = importing.Importer.take, []

    async def fails(self: importing.Importer, *arguments: object) -> object:
        taken.append(1)
        if len(taken) == 4:
            raise OSError(5, "Input/output error", "3.a")
        return await take(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(importing.Importer, "take", fails)
    assert cjsm("mailbox", "import", JANE, str(path)).exit_code == 1
    monkeypatch.undo()
    assert len(unique_ids(config, jane)) == 3
    assert told(cjsm("mailbox", "import", JANE, str(path), "--json"))["imported"] == 2
    assert cjsm("mailbox", "verify", JANE).exit_code == 0


def test_a_source_that_changes(
    cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is kept under a unique-id that is not its own."""
    path = maildir(tmp_path / "m", {"cur/1.a": message(1)})
    seen = importing._Seen.header

    def changes(self: importing._Seen) -> object:
        (path / "cur" / "1.a").write_bytes(message(2))
        return seen(self)

    monkeypatch.setattr(importing._Seen, "header", changes)
    said = refused(cjsm("mailbox", "import", JANE, str(path), "--json"))
    assert "changed while it was read" in said["error"]
    assert unique_ids(config, jane) == []


def test_one_at_a_time(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path) -> None:
    """Two imports into one mailbox do not get in each other's way: the second waits for its turn."""
    path = maildir(tmp_path / "m", {"cur/1.a": message(1)})
    with held(config, jane + importing._IMPORTING):
        said = refused(cjsm("mailbox", "import", JANE, str(path), "--json"))
        assert "at this moment" in said["error"]
    assert cjsm("mailbox", "import", JANE, str(path)).exit_code == 0


def test_sealed_for_the_owner(cjsm: Run, config: Path, jane: MailboxId, tmp_path: Path) -> None:
    """Nothing of it is readable on disk; its summary is for the owner too."""
    path = tmp_path / "m"
    maildir(path, {"cur/1.a": b"Subject: =?utf-8?q?canar=79?=\n\n" + b"canary canary\n" * 30_000})
    assert cjsm("mailbox", "import", JANE, str(path)).exit_code == 0
    data = config.parent / "data"
    assert not [each for each in data.rglob("*") if each.is_file() and b"canary" in each.read_bytes()]
    with beside(config) as suite:
        (row,) = wait(suite.stores.mail.list(jane)).rows
        stored = wait(suite.stores.mail.open(jane, row.delivery_id))
        stored.body.close()
        assert decode_wrap(stored.wrap).mailbox == jane
        assert len(stored.summary) > len(Summary(sender="", to="", subject="canary", date="", octets=0).subject)


@pytest.mark.parametrize("name", ["missing", "text"])
def test_no_source(cjsm: Run, jane: MailboxId, tmp_path: Path, name: str) -> None:
    """Says what would be one."""
    (tmp_path / "text").write_text("x")
    said = refused(cjsm("mailbox", "import", JANE, str(tmp_path / name), "--format", "mbox", "--json"))
    assert said["cure"]
