"""Room on the disk."""

import os
from pathlib import Path

import pytest

from cjsm.store.interfaces import DiskFull
from cjsm.store.lmdb.space import Space


def test_floor(tmp_path: Path) -> None:
    """There is room as far as the floor, and not an octet further."""
    told = os.statvfs(tmp_path)
    free = told.f_bavail * told.f_frsize
    # Others write to this disk too.
    slack = 1 << 30
    Space(tmp_path, 0).check()
    Space(tmp_path, max(0, free - slack)).check()
    for floor, octets in ((free + slack, 0), (0, free + slack), (free // 2, free // 2 + slack)):
        with pytest.raises(DiskFull):
            Space(tmp_path, floor).check(octets)


def test_looks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for every message of a thousand in a second, and soon enough to stop before the disk is full."""
    looks: list[Path] = []
    genuine = os.statvfs

    def counted(path: Path) -> os.statvfs_result:
        looks.append(path)
        return genuine(path)

    monkeypatch.setattr(os, "statvfs", counted)
    moment = [0.0]
    space = Space(tmp_path, 0, lambda: moment[0])
    for step in range(1_000):
        moment[0] = step / 1_000
        space.check()
    assert 9 <= len(looks) <= 11
