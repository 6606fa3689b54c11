"""Files of the ledger are there whole or as they were before."""

import os
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from cjsm.store.interfaces import CannotOpen, ILedgerFiles, Unavailable
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.ledgerfiles import LedgerFiles

from ..support import result


@pytest.fixture
def files(tmp_path: Path) -> LedgerFiles:
    return LedgerFiles(tmp_path / "ledger", InlineDisk())


def test_as_promised(files: LedgerFiles) -> None:
    """What is written is read, listed and removed; directories come and go."""
    verifyObject(ILedgerFiles, files)
    assert (files.read("a"), files.read("a/b/c"), files.names("a")) == (None, None, [])
    result(files.write([("a/b/c", b"1"), ("a/b/d", b"2"), ("e", b"3")]))
    assert [files.read(name) for name in ("a/b/c", "a/b/d", "e")] == [b"1", b"2", b"3"]
    assert files.names("a/b") == ["a/b/c", "a/b/d"]
    assert files.read("e/f") is None
    result(files.write([("e", b"4")]))
    assert files.read("e") == b"4"
    result(files.remove(["a/b/c", "a/b/d", "a/b/none"]))
    assert (files.names("a/b"), files.names("a"), files.names("")) == ([], [], ["a", "e"])


def test_private(files: LedgerFiles, tmp_path: Path) -> None:
    """Nobody else on the machine reads them."""
    result(files.write([("a/b", b"1")]))
    assert (tmp_path / "ledger" / "a" / "b").stat().st_mode & 0o077 == 0


def test_synced(files: LedgerFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files before they have their name, names before it is said that they are written."""
    done: list[str] = []
    sync, rename = os.fsync, os.rename

    def synced(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        done.append(f"sync {path.rpartition('/')[2]}")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", lambda old, new: (done.append(f"rename {new.name}"), rename(old, new))[1])
    result(files.write([("tile/a", b"1"), ("tile/b", b"2")]))
    assert done[:4] == ["sync a.part", "sync b.part", "rename a", "rename b"]
    assert "sync tile" in done[4:]
    # The directory itself is new.
    assert "sync ledger" in done[4:]


def test_what_cannot_be(files: LedgerFiles, tmp_path: Path) -> None:
    """Is told as what a store could not do."""
    (tmp_path / "ledger").write_text("a file")
    with pytest.raises((Unavailable, CannotOpen)):
        result(files.write([("a", b"1")]))


def test_what_cannot_be_removed(files: LedgerFiles) -> None:
    """Is told likewise."""
    result(files.write([("a/b", b"1")]))
    with pytest.raises(Unavailable, match="a: "):
        result(files.remove(["a"]))
