"""Directories and files that are their owner's alone."""

import os
from pathlib import Path

import pytest

from cjsm.store.private import make_private


def test_those_above_too(tmp_path: Path) -> None:
    """Whatever others may do by default; what is there stays as it is."""
    before = os.umask(0)
    try:
        (tmp_path / "there").mkdir(mode=0o755)
        make_private(tmp_path / "there" / "a" / "b")
        make_private(tmp_path / "there" / "a" / "b")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {"there": 0o755, "a": 0o700, "b": 0o700}


def test_no_place(tmp_path: Path) -> None:
    """Below a file nothing can be made."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on how deep
        make_private(tmp_path / "file" / "a" / "b")
    with pytest.raises(FileExistsError):
        make_private(tmp_path / "file")
