"""Room on the disk: below a floor nothing new is taken, so that what was taken can always be delivered and read."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from cjsm.store.interfaces import DiskFull

#: Seconds for which a look at the disk counts; what can be written meanwhile is far less than a floor.
_FRESH = 0.1


class Space:
    """The file system under *directory*.

    :param floor: octets that stay free.
    :param seconds: a running clock.
    """

    def __init__(self, directory: Path, floor: int, seconds: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._seconds = seconds
        self._free = 0
        self._looked = -_FRESH
        self.floor = floor

    def check(self, octets: int = 0) -> None:
        """Check that there is room for *octets* more above the floor.

        :raises DiskFull: when there is not.
        """
        now = self._seconds()
        if now - self._looked >= _FRESH:
            told = os.statvfs(self._directory)
            self._free, self._looked = told.f_bavail * told.f_frsize, now
        if self._free < self.floor + octets:
            raise DiskFull("the disk is nearly full")
