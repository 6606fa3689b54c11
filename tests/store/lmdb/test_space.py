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
