"""``cjsm mailbox backup`` and ``restore`` without a service: one mailbox, all of them, interrupted, damaged."""

import json
import os
from pathlib import Path

import pytest

from cjsm.command.context import wait
from cjsm.community.identifiers import MailboxId, text
from cjsm.store.backup import MANIFEST
from cjsm.vault.secrets import generate
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import beside, deliver, join, last_entry, last_words, unique_ids

JANE, TOM = "jane.smith@avon", "tom.harding@avon"
CANARY = b"canary " * 60_000


class House:
    """Two people with mail, one message of which was deleted."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.jane, self.tom = join(config), join(config, "tom.harding")
        with beside(config) as suite:
            ids = deliver(suite, self.jane, b"one\r\n", CANARY, b"three\r\n")
            wait(suite.stores.mail.delete(self.jane, ids[:1]))
            deliver(suite, self.tom, b"canary for tom\r\n")
        self.before = {mailbox: unique_ids(config, mailbox) for mailbox in (self.jane, self.tom)}

    def home(self, mailbox: MailboxId) -> Path:
        with beside(self.config) as suite:
            return suite.stores.mail.home(mailbox)

    def as_before(self, mailbox: MailboxId) -> bool:
        return unique_ids(self.config, mailbox) == self.before[mailbox]


@pytest.fixture
def house(config: Path) -> House:
    return House(config)


def test_one(cjsm: Run, house: House, tmp_path: Path) -> None:
    """To a file that only the caller reads, and back with unique-ids, deleted messages too."""
    path = tmp_path / "jane.mailbox"
    made = told(cjsm("mailbox", "backup", JANE, str(path), "--json"))
    assert (made["mailbox"], made["octets"]) == (text(house.jane), path.stat().st_size)
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"canary" not in path.read_bytes()
    assert last_entry(house.config).act == "mailbox-backup"
    assert cjsm("mailbox", "backup", JANE, str(path)).exit_code == 1, "nothing is overwritten"
    with beside(house.config) as suite:
        deliver(suite, house.jane, b"later\r\n")
    there = refused(cjsm("mailbox", "restore", JANE, str(path), "--reason", "x", "--json"))
    assert "--replace" in there["cure"]
    assert not house.as_before(house.jane)
    done = told(cjsm("mailbox", "restore", JANE, str(path), "--replace", "--reason", "disk damaged", "--json"))
    assert done == [{"name": JANE, "mailbox": text(house.jane), "result": "restored", "problems": []}]
    assert house.as_before(house.jane)
    entry = last_entry(house.config)
    assert (entry.act, last_words(house.config)) == ("mailbox-restore", ["disk damaged"])
    assert entry.details == (("replace", "True"),)
    assert len(told(cjsm("mailbox", "undelete", JANE, "--list", "--json"))) == 1
    assert cjsm("mailbox", "verify", "--all").exit_code == 0
    wrong = refused(cjsm("mailbox", "restore", TOM, str(path), "--replace", "--reason", "x", "--json"))
    assert text(house.jane) in wrong["error"]


def test_all(cjsm: Run, house: House, tmp_path: Path) -> None:
    """To a directory, and back on a machine without mailboxes."""
    place = tmp_path / "backup"
    made = told(cjsm("mailbox", "backup", "--all", str(place), "--json"))
    assert (made["mailboxes"], made["problems"], made["from_before"]) == (2, [], 0)
    assert not [path for path in place.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]
    assert "finished backup" in refused(cjsm("mailbox", "backup", "--all", str(place), "--json"))["error"]
    for mailbox in (house.jane, house.tom):
        os.rename(house.home(mailbox), tmp_path / text(mailbox))
    shown = cjsm("mailbox", "restore", "--all", str(place), "--reason", "new machine")
    assert (shown.exit_code, "2 restored" in shown.output) == (0, True)
    assert house.as_before(house.jane)
    assert house.as_before(house.tom)
    assert "2 there already" in cjsm("mailbox", "restore", "--all", str(place), "--reason", "again").output


def test_all_again_loses_nothing(cjsm: Run, house: House, tmp_path: Path) -> None:
    """With --replace a mailbox that was restored from it, and went on, is left alone when it is run again."""
    place = tmp_path / "backup"
    cjsm("mailbox", "backup", "--all", str(place))
    with beside(house.config) as suite:
        deliver(suite, house.tom, b"lost\r\n")
    first = told(cjsm("mailbox", "restore", "--all", str(place), "--replace", "--reason", "x", "--json"))
    assert {each["result"] for each in first} == {"restored"}
    assert house.as_before(house.tom)
    with beside(house.config) as suite:
        deliver(suite, house.tom, b"came between\r\n")
        (row, *_) = wait(suite.stores.mail.list(house.tom)).rows
        wait(suite.stores.mail.delete(house.tom, [row.delivery_id]))
    again = told(cjsm("mailbox", "restore", "--all", str(place), "--replace", "--reason", "x", "--json"))
    assert {each["result"] for each in again} == {"there already"}
    assert unique_ids(house.config, house.tom) != house.before[house.tom]


def test_interrupted(cjsm: Run, house: House, tmp_path: Path) -> None:
    """What is whole is not made again; a half file and a half line are nothing."""
    place = tmp_path / "backup"
    cjsm("mailbox", "backup", "--all", str(place))
    lines = (place / MANIFEST).read_bytes().splitlines(keepends=True)
    kept = json.loads(lines[1])
    (place / MANIFEST).write_bytes(b"".join(lines[:2]) + lines[2][:20])
    stamp = (place / kept["file"]).stat().st_mtime_ns
    (place / kept["file"]).with_suffix(".mailbox.part").write_bytes(b"half")
    made = told(cjsm("mailbox", "backup", "--all", str(place), "--json"))
    assert (made["mailboxes"], made["from_before"]) == (2, 1)
    assert (place / kept["file"]).stat().st_mtime_ns == stamp
    done = told(cjsm("mailbox", "restore", "--all", str(place), "--replace", "--reason", "x", "--json"))
    assert {each["result"] for each in done} == {"restored"}


def test_not_finished(cjsm: Run, house: House, tmp_path: Path) -> None:
    """Says so, and restores what there is."""
    place = tmp_path / "backup"
    cjsm("mailbox", "backup", "--all", str(place))
    lines = (place / MANIFEST).read_bytes().splitlines(keepends=True)
    (place / MANIFEST).write_bytes(b"".join(lines[:2]))
    shown = cjsm("mailbox", "restore", "--all", str(place), "--replace", "--reason", "x")
    assert "not finished" in shown.stderr
    assert "1 restored" in shown.output


def test_one_in_quarantine(cjsm: Run, house: House, tmp_path: Path) -> None:
    """Keeps nobody else's from being backed up; it is restored from an older backup, and kept beside it."""
    older, place = tmp_path / "older", tmp_path / "backup"
    cjsm("mailbox", "backup", "--all", str(older))
    home = house.home(house.jane)
    (home / "quarantined").write_text("quarantined: the disk\n")
    result = cjsm("mailbox", "backup", "--all", str(place), "--json")
    assert result.exit_code == 1
    made = json.loads(result.stdout)
    assert made["mailboxes"] == 1
    assert made["problems"] == [{"name": JANE, "mailbox": text(house.jane), "problem": "quarantined: the disk"}]
    done = cjsm("mailbox", "restore", JANE, str(older), "--replace", "--reason", "disk damaged")
    assert done.exit_code == 0, done.output
    assert house.as_before(house.jane)
    assert list(home.parent.glob("*.damaged"))


@pytest.mark.parametrize("damage", ["cut", "bit", "other"])
def test_damaged(cjsm: Run, house: House, tmp_path: Path, damage: str) -> None:
    """Nothing is restored of a backup that is not what was written; what is there stays."""
    path = tmp_path / "jane.mailbox"
    cjsm("mailbox", "backup", JANE, str(path))
    octets = bytearray(path.read_bytes())
    if damage == "bit":
        octets[len(octets) // 2] ^= 1
    path.write_bytes({"cut": octets[:-10], "bit": octets, "other": b"Subject: mail\n"}[damage])
    said = refused(cjsm("mailbox", "restore", JANE, str(path), "--replace", "--reason", "x", "--json"))
    assert "cjsm mailbox backup" in said["cure"]
    assert house.as_before(house.jane)
    assert cjsm("mailbox", "verify", JANE).exit_code == 0


def test_planted(cjsm: Run, house: House, tmp_path: Path) -> None:
    """A message in a backup that this service never accepted, by whoever can write backups, is told of."""
    path = tmp_path / "jane.mailbox"
    with beside(house.config) as suite:
        deliver(suite, house.jane, b"from the judge\r\n", acceptance=generate().acceptance)
    cjsm("mailbox", "backup", JANE, str(path))
    result = cjsm("mailbox", "restore", JANE, str(path), "--replace", "--reason", "x", "--json")
    assert result.exit_code == 1
    (problem,) = json.loads(result.stdout)[0]["problems"]
    assert "message" in problem


def test_keys_that_are_gone(cjsm: Run, house: House, tmp_path: Path) -> None:
    """A mailbox that belongs to nobody any more does not come back."""
    place = tmp_path / "backup"
    cjsm("mailbox", "backup", "--all", str(place))
    manifest = (place / MANIFEST).read_text().replace(text(house.tom), text(MailboxId(b"nobody's mailbox")))
    (place / MANIFEST).write_text(manifest)
    done = told(cjsm("mailbox", "restore", "--all", str(place), "--replace", "--reason", "x", "--json"))
    assert sorted(each["result"] for each in done) == ["belongs to nobody", "restored"]


@pytest.mark.parametrize(
    "words", [("backup",), ("backup", JANE), ("backup", "--all"), ("backup", "--all", "a", "b"), ("restore", JANE, "a")]
)
def test_usage(cjsm: Run, words: tuple[str, ...]) -> None:
    """What is missing is said."""
    assert cjsm("mailbox", *words).exit_code == 2


def test_nowhere(cjsm: Run, house: House, tmp_path: Path) -> None:
    """A place that cannot be written, a backup that is not there."""
    assert "place" in refused(cjsm("mailbox", "backup", JANE, str(tmp_path / "a" / "b"), "--json"))["cure"]
    for words in ((JANE, str(tmp_path / "missing")), ("--all", str(tmp_path))):
        assert refused(cjsm("mailbox", "restore", *words, "--replace", "--reason", "x", "--json"))["cure"]
