"""EML files as a source."""

from pathlib import Path

import msgspec
import pytest

from cjsm.mail.folders.errors import FolderError
from tests.mail.folders.support import LIMITS, contents, descriptors, opened


def test_a_file(tmp_path: Path) -> None:
    """Is one message."""
    path = tmp_path / "a.eml"
    path.write_bytes(b"Subject: a\r\n\r\nFrom\r\n")
    assert contents(path) == [("", b"Subject: a\r\n\r\nFrom\r\n")]


def test_a_directory(tmp_path: Path) -> None:
    """Everything that ends in .eml, in the order of names, as deep as is allowed; no links."""
    before = descriptors()
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("2.eml", "10.EML", "b/1.eml", "b/c/1.eml", "note.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link.eml").symlink_to(tmp_path / "note.txt")
    (tmp_path / "linked").symlink_to(tmp_path / "b")
    (tmp_path / "dovecot-uidlist").write_text("3 V1 N2 Gx\n1 Pid :2.eml\n")
    assert contents(tmp_path) == [("id", b"2.eml"), ("", b"10.EML"), ("", b"b/1.eml"), ("", b"b/c/1.eml")]
    source = opened(tmp_path, limits=msgspec.structs.replace(LIMITS, depth=1))
    assert [each.name for each in source.found] == ["2.eml", "10.EML", "b/1.eml"]
    assert source.notes == ["b/c is deeper than imports.depth"]
    (tmp_path / "b" / "1.eml").unlink()
    (tmp_path / "b" / "c").rename(tmp_path / "d")
    with pytest.raises(FolderError):
        list(source.read(source.found[2]))
    source.close()
    with pytest.raises(FolderError):
        opened(tmp_path, limits=msgspec.structs.replace(LIMITS, messages=1))
    assert descriptors() == before
