"""Bodies: whole or not at all, one copy, no leftovers."""

import errno
import os
from pathlib import Path

import msgspec
import pytest
from zope.interface.verify import verifyObject

from cjsm.community.identifiers import BodyId, MailboxId
from cjsm.store.interfaces import Damaged, DiskFull, IBodyReader, IBodyStore, IBodyWriter, Missing
from cjsm.store.lmdb import bodies as module
from cjsm.store.lmdb.bodies import FileBodyReader, FileBodyStore, link
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.space import Space

from ..support import delivery, identifier, open_mailboxes, put_body, result


@pytest.fixture
def bodies(tmp_path: Path) -> FileBodyStore:
    """An empty store."""
    return FileBodyStore(tmp_path / "bodies", InlineDisk(), Space(tmp_path, 0))


def test_write_and_read(bodies: FileBodyStore) -> None:
    """A body comes back, any part of it; beyond its end is damage."""
    assert verifyObject(IBodyStore, bodies)
    content = os.urandom(1_300_000)
    writer = result(bodies.create(BodyId(identifier("body", 1))))
    assert verifyObject(IBodyWriter, writer)
    for at in range(0, len(content), 65_536):
        writer.write(content[at : at + 65_536])
    result(writer.finish())
    reader = FileBodyReader(bodies.path(BodyId(identifier("body", 1))), InlineDisk())
    assert verifyObject(IBodyReader, reader)
    assert reader.octets == len(content)
    assert result(reader.read(700_000, 1000)) == content[700_000:701_000]
    with pytest.raises(Damaged):
        result(reader.read(len(content) - 1, 2))
    reader.close()
    reader.close()


def test_abort(bodies: FileBodyStore) -> None:
    """Nothing stays of an aborted body, finished or not."""
    for finished in (False, True):
        writer = result(bodies.create(BodyId(identifier("body", 1))))
        writer.write(b"sealed")
        if finished:
            result(writer.finish())
        result(writer.abort())
        assert not bodies.path(BodyId(identifier("body", 1))).exists()


def test_no_body_goes_on_below_the_floor(tmp_path: Path) -> None:
    """However much is sent: the file stops where the disk is nearly full, and goes when it is given up."""
    space = Space(tmp_path, 0)
    bodies = FileBodyStore(tmp_path / "bodies", InlineDisk(), space)
    writer = result(bodies.create(BodyId(identifier("body", 1))))
    half = os.urandom(600_000)
    result(writer.write(half))
    space.floor = 1 << 62
    with pytest.raises(DiskFull):
        result(writer.write(half))
    writer.write(b"the rest")
    with pytest.raises(DiskFull):
        result(writer.finish())
    path = bodies.path(BodyId(identifier("body", 1)))
    assert path.stat().st_size == len(half)
    result(writer.abort())
    assert not path.exists()


def test_new_directories_are_synced(bodies: FileBodyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a new directory is on stable storage too, not only the names in it."""
    synced: list[Path] = []
    monkeypatch.setattr(module, "sync_directory", synced.append)
    path = bodies.path(put_body(bodies, 1))
    assert synced == [path.parent.parent, path.parent]


def test_disk_full(bodies: FileBodyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space is told as that, and the body can be taken away."""
    writer = result(bodies.create(BodyId(identifier("body", 1))))
    writer.write(b"sealed")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(DiskFull):
            result(writer.finish())
    result(writer.abort())
    assert not bodies.path(BodyId(identifier("body", 1))).exists()


def test_sweep(bodies: FileBodyStore) -> None:
    """Only old bodies that nobody knows go."""
    ids = [put_body(bodies, number) for number in range(3)]
    for old in ids[:2]:
        os.utime(bodies.path(old), (100, 100))
    assert result(bodies.sweep(lambda body_id: body_id == ids[0], 200)) == 1
    assert [bodies.path(body_id).exists() for body_id in ids] == [True, False, True]


@pytest.mark.parametrize("reason", [errno.EXDEV, errno.EMLINK])
def test_copied_where_it_cannot_be_linked(
    bodies: FileBodyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    """Another file system or too many links: a whole copy, nothing partial."""

    def refuse(*_: object) -> None:
        raise OSError(reason, "cannot link")

    monkeypatch.setattr(os, "link", refuse)
    source = bodies.path(put_body(bodies, 1))
    link(source, tmp_path / "kept")
    assert (tmp_path / "kept").read_bytes() == b"sealed"
    assert not list(tmp_path.glob("*.part"))


def test_missing(tmp_path: Path) -> None:
    """A body that is not there is told."""
    with pytest.raises(Missing):
        link(tmp_path / "none", tmp_path / "kept")
    with pytest.raises(Missing):
        FileBodyReader(tmp_path / "none", InlineDisk())


def used(*directories: Path) -> int:
    """Octets on the disk, each counted once however many names it has."""
    found = [path.lstat() for directory in directories for path in directory.rglob("*")]
    return sum({(each.st_dev, each.st_ino): each.st_blocks * 512 for each in found}.values())


def test_one_copy_for_many_and_one_less_for_each_that_goes(tmp_path: Path) -> None:
    """A hundred mailboxes keep one copy of a large body, in the spool or out of it; each that is destroyed gives up its
    own name for it and its own key, and the last one the octets.
    """
    store = open_mailboxes(tmp_path, most=8)
    sealed = os.urandom(2_000_000)
    body_id = put_body(store._bodies, 1, sealed)
    mailboxes = [MailboxId(identifier("box", number)) for number in range(100)]
    before = used(tmp_path)
    for mailbox in mailboxes:
        result(store.deliver(mailbox, [msgspec.structs.replace(delivery(1, None), wrap=mailbox * 100)], 0))
    assert store._bodies.path(body_id).stat().st_nlink == 101
    mailbox_files = sum(path.stat().st_blocks * 512 for path in tmp_path.glob("mailboxes/*/*/mailbox.*"))
    assert used(tmp_path) - before < mailbox_files + 100 * 5 * 4096
    result(store._bodies.release(body_id))
    (kept,) = (store.home(mailboxes[-1]) / "bodies").iterdir()
    for gone, mailbox in enumerate(mailboxes[:-1], start=1):
        result(store.destroy(mailbox))
        assert kept.stat().st_nlink == 100 - gone
    assert kept.read_bytes() == sealed
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(mailbox * 100 in path.read_bytes() for path in files for mailbox in mailboxes[:-1])
    result(store.destroy(mailboxes[-1]))
    assert used(tmp_path) < 100 * 3 * 4096
    store.close()
