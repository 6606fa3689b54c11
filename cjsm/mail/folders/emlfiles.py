"""Messages in files of their own as a source: one ``.eml`` file, or a directory of them with its directories."""

import os
from collections.abc import Iterator

from msgspec import Struct

from cjsm.configuration import ImportSettings
from cjsm.mail.folders import files, uniqueids
from cjsm.mail.folders.errors import FolderError
from cjsm.mail.folders.files import Caller
from cjsm.mail.folders.source import Found

_ENDING = ".eml"


class _File(Struct, frozen=True):
    """A file: the directories on the way to it, its name, and what sorts it among others."""

    way: tuple[str, ...]
    name: str
    octets: int
    unique_id: str
    key: tuple[int, int, int]


class EmlFiles:
    """See :class:`~cjsm.mail.folders.source.Source`; messages are in the order of a list, then of their names.

    :param top: a descriptor of a directory, closed with this.
    """

    form = "eml"
    x_uidl = True

    def __init__(self, top: int, limits: ImportSettings, within: Caller, chosen: str = "") -> None:
        self._top = top
        self._within = within
        self._limits = limits
        self._files: list[_File] = []
        self.notes: list[str] = []
        with within():
            self.listed_by, listed = uniqueids.read(top, limits.list_octets, chosen)
            self._look(top, (), listed)
        self._files.sort(key=lambda each: each.key)
        self.found = [
            Found(
                place=place,
                name=files.told("/".join((*each.way, each.name))),
                octets=each.octets,
                unique_id=each.unique_id,
            )
            for place, each in enumerate(self._files)
        ]

    def _look(self, directory: int, way: tuple[str, ...], listed: uniqueids.Lists) -> None:
        for name in files.names(directory):
            path = "/".join((*way, name))
            if name.lower().endswith(_ENDING) and (octets := files.size(directory, name)) is not None:
                if len(self._files) == self._limits.messages:
                    raise FolderError(f"there are over {self._limits.messages} messages", "raise imports.messages")
                known = listed.get(name) if not way else None
                unique_id = known.unique_id if known is not None else ""
                place = known.place if known is not None and known.place is not None else (2, 0)
                self._files.append(_File(way, name, octets, unique_id, (*place, len(self._files))))
                continue
            below = files.open_directory(directory, name)
            if below is None:
                continue
            try:
                if len(way) == self._limits.depth:
                    self.notes.append(f"{files.told(path)} is deeper than imports.depth")
                else:
                    self._look(below, (*way, name), listed)
            finally:
                os.close(below)

    def read(self, found: Found) -> Iterator[bytes]:
        """See :class:`~cjsm.mail.folders.source.Source`."""
        with self._within():
            descriptor = self._open(self._files[found.place])
        yield from files.whole(descriptor, found.name)

    def _open(self, each: _File) -> int | None:
        """Open a file by way of each directory, so that no link leads elsewhere."""
        directory: int | None = os.dup(self._top)
        for part in each.way:
            if directory is None:
                return None
            above, directory = directory, files.open_directory(directory, part)
            os.close(above)
        if directory is None:
            return None
        try:
            return files.open_file(directory, each.name)
        finally:
            os.close(directory)

    def close(self) -> None:
        """See :class:`~cjsm.mail.folders.source.Source`."""
        os.close(self._top)


class EmlFile:
    """See :class:`~cjsm.mail.folders.source.Source`: one file, which is one message.

    :param descriptor: of the file, closed with this.
    """

    form = "eml"
    x_uidl = True

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self.notes: list[str] = []
        self.listed_by = ""
        self.found = [Found(place=0, name=name, octets=os.fstat(descriptor).st_size)]

    def read(self, found: Found) -> Iterator[bytes]:
        """See :class:`~cjsm.mail.folders.source.Source`."""
        yield from files.blocks(self._descriptor)

    def close(self) -> None:
        """See :class:`~cjsm.mail.folders.source.Source`."""
        os.close(self._descriptor)
