"""The directory of a backup: whole files, a manifest that only grows, and what a crash leaves of either."""

import errno
import hashlib
import os
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

from cjsm.community.identifiers import MailboxId
from cjsm.store.backup import MANIFEST, Backup, open_export, writing
from cjsm.store.interfaces import CannotOpen, Damaged, NewerStore
from tests.mail.folders.support import as_another

ONE, TWO = MailboxId(b"mailbox one 1234"), MailboxId(b"mailbox two 1234")
SAMPLE = Path(__file__).parent / "samples" / "backup-1" / MANIFEST


def begun(directory: Path) -> Backup:
    """A backup that holds one mailbox."""
    made = Backup(directory, nullcontext)
    made.create("cjsm.test", "2026-01-31T09:30:00+00:00")
    with made.writing(ONE) as file:
        file.write(b"sealed")
    return made


def read(directory: Path) -> Backup:
    made = Backup(directory, nullcontext)
    made.read()
    return made


def test_written_and_read(tmp_path: Path) -> None:
    """What it says is there; nobody else may read it."""
    made = begun(tmp_path / "b")
    made.failed(TWO, "in quarantine")
    made.finish("2026-01-31T09:31:00+00:00")
    found = read(tmp_path / "b")
    assert (found.finished, found.suffix, set(found.done)) == (True, "cjsm.test", {ONE})
    line = found.done[ONE]
    assert (line.octets, line.sha256) == (6, hashlib.sha256(b"sealed").hexdigest())
    assert found.path(ONE).read_bytes() == b"sealed"
    for path in (tmp_path / "b").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_gone_on_with(tmp_path: Path) -> None:
    """One that was not finished; what a crash cut off of a line is not one."""
    begun(tmp_path / "b")
    with (tmp_path / "b" / MANIFEST).open("ab") as file:
        file.write(b'{"mailbox":"6d61696c626f78')
    again = Backup(tmp_path / "b", nullcontext)
    again.create("cjsm.test", "later")
    assert (set(again.done), again.begun) == ({ONE}, "2026-01-31T09:30:00+00:00")
    with again.writing(TWO) as file_:
        file_.write(b"more")
    again.finish("now")
    assert set(read(tmp_path / "b").done) == {ONE, TWO}
    with pytest.raises(CannotOpen) as refused:
        Backup(tmp_path / "b", nullcontext).create("cjsm.test", "later")
    assert "finished" in str(refused.value)


def test_killed_at_the_first_line(tmp_path: Path) -> None:
    """It begins again."""
    (tmp_path / MANIFEST).touch()
    Backup(tmp_path, nullcontext).create("cjsm.test", "2026")
    assert read(tmp_path).begun == "2026"
    (tmp_path / MANIFEST).write_bytes(b'{"backup":1,"suf')
    Backup(tmp_path, nullcontext).create("cjsm.test", "2027")
    assert read(tmp_path).begun == "2027"


def test_another_place(tmp_path: Path) -> None:
    """Neither a directory with something else in it, nor another community's backup, nor a file."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "photo").touch()
    (tmp_path / "file").touch()
    begun(tmp_path / "b")
    for name, suffix in (("x", "cjsm.test"), ("b", "other.test"), ("file", "cjsm.test")):
        with pytest.raises(CannotOpen):
            Backup(tmp_path / name, nullcontext).create(suffix, "now")
    for name in ("x", "missing", "file"):
        with pytest.raises(CannotOpen):
            read(tmp_path / name)
    with pytest.raises(CannotOpen):
        read(tmp_path / "b").path(TWO)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "{}\n",
        "[]\n",
        '{"mailbox":"x"}\n',
        '{"backup":1,"suffix":"a","begun":"b"}\nnonsense\n',
        '{"backup":1,"suffix":"a","begun":"b"}\n{"mailbox":"xy","file":"a"}\n',
        '{"backup":"1"}\n',
    ],
)
def test_damaged(tmp_path: Path, text: str) -> None:
    """Is refused."""
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(Damaged):
        read(tmp_path)


def test_of_the_future(tmp_path: Path) -> None:
    """Is refused, and nothing touched."""
    (tmp_path / MANIFEST).write_text('{"backup":2,"suffix":"a","begun":"b","more":1}\n')
    with pytest.raises(NewerStore):
        read(tmp_path)


def test_kept_sample() -> None:
    """What version 1 wrote is read."""
    found = read(SAMPLE.parent)
    assert (found.finished, found.suffix, set(found.done)) == (True, "cjsm.test", {ONE})


def test_a_path_of_the_manifest_leads_nowhere(tmp_path: Path) -> None:
    """Files are where they belong, whatever the manifest says."""
    made = begun(tmp_path / "b")
    made.add(msgspec.structs.replace(made.done[ONE], file="../../etc/passwd"))
    assert read(tmp_path / "b").path(ONE).parent.parent == tmp_path / "b"


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Says where, and leaves nothing half written."""

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotOpen) as refused, writing(tmp_path / "it", nullcontext) as file:
        file.write(b"x")
    assert "No space" in str(refused.value)
    assert "room" in refused.value.cure
    assert list(tmp_path.iterdir()) == []


def test_everything_is_made_as_the_caller(tmp_path: Path) -> None:
    """Whoever the data belongs to."""
    tmp_path.chmod(0o700)
    with as_another() as within:
        made = Backup(tmp_path / "b", within)
        made.create("cjsm.test", "now")
        with made.writing(ONE) as file:
            file.write(b"sealed")
        again = Backup(tmp_path / "b", within)
        again.create("cjsm.test", "later")
        again.finish("now")
        with open_export(again.path(ONE), within) as export:
            assert export.read() == b"sealed"
    assert {path.stat().st_uid for path in tmp_path.rglob("*")} == {os.geteuid()}
