"""Room on the disk: below a floor nothing new is taken, so that what was taken can always be delivered and read."""

import os
from pathlib import Path

from cjsm.store.interfaces import DiskFull


class Space:
    """The file system under *directory*.

    :param floor: octets that stay free.
    """

    def __init__(self, directory: Path, floor: int) -> None:
        self._directory = directory
        self.floor = floor

    def check(self, octets: int = 0) -> None:
        """Check that there is room for *octets* more above the floor; costs microseconds.

        :raises DiskFull: when there is not.
        """
        told = os.statvfs(self._directory)
        if told.f_bavail * told.f_frsize < self.floor + octets:
            raise DiskFull("the disk is nearly full")
