"""What a source is, where nobody says."""

import os
from pathlib import Path

import pytest

from cjsm.mail.folders.errors import FolderError
from tests.mail.folders.support import descriptors, maildir, opened


def test_found_out(tmp_path: Path) -> None:
    """By what lies there."""
    (tmp_path / "mbox").write_bytes(b"From a 1:23\n\n")
    (tmp_path / "eml").write_bytes(b"Subject: a\n")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "directory").mkdir()
    maildir(tmp_path / "maildir", {})
    (tmp_path / "link").symlink_to(tmp_path / "maildir")
    forms = {}
    for name in ("mbox", "eml", "empty", "directory", "maildir", "link"):
        source = opened(tmp_path / name)
        forms[name] = source.form
        source.close()
    assert forms == {
        **{"mbox": "mboxrd", "eml": "eml", "empty": "mboxcl2"},
        **{"directory": "eml", "maildir": "maildir", "link": "maildir"},
    }


@pytest.mark.parametrize(
    ("name", "form"), [("missing", "auto"), ("pipe", "auto"), ("file", "maildir"), ("dir", "mbox")]
)
def test_refused(tmp_path: Path, name: str, form: str) -> None:
    """What is not there, or something else; nothing stays open, and nobody waits for a pipe."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "dir").mkdir()
    before = descriptors()
    with pytest.raises(FolderError) as refused:
        opened(tmp_path / name, form)
    assert refused.value.cure
    assert descriptors() == before
