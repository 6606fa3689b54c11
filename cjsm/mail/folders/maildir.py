"""A Maildir as a source: its ``cur`` and ``new``, in the order and with the unique-ids of whatever list lies in it."""

import os
import re
from collections.abc import Iterator

from msgspec import Struct

from cjsm.configuration import ImportSettings
from cjsm.mail.folders import files, uniqueids
from cjsm.mail.folders.errors import FolderError
from cjsm.mail.folders.files import Caller
from cjsm.mail.folders.source import Found

_PARTS = ("cur", "new")
_TIME = re.compile(r"\d{1,18}")


class _File(Struct, frozen=True):
    """A file of a Maildir: which directory it is in, its name, and what sorts it."""

    part: str
    name: str
    octets: int
    unique_id: str
    key: tuple[int, int, str]


class Maildir:
    """See :class:`~cjsm.mail.folders.source.Source`. Folders in it (``.Sent``, …) are Maildirs of their own.

    :param directory: a descriptor, closed with this.
    :param chosen: the server's own ``pop3_uidl_format``; empty for the usual one.
    """

    form = "maildir"
    x_uidl = False

    def __init__(self, directory: int, limits: ImportSettings, within: Caller, chosen: str = "") -> None:
        self._directory = directory
        self._within = within
        self._parts: dict[str, int] = {}
        self.notes: list[str] = []
        try:
            with within():
                self._parts = _opened(directory)
                self.listed_by, listed = uniqueids.read(directory, limits.list_octets, chosen)
                self._files = sorted(self._look(listed, limits.messages), key=lambda each: each.key)
        except BaseException:
            self._close_parts()
            raise
        self.found = [
            Found(
                place=place, name=f"{each.part}/{files.told(each.name)}", octets=each.octets, unique_id=each.unique_id
            )
            for place, each in enumerate(self._files)
        ]

    def _look(self, listed: uniqueids.Lists, most: int) -> Iterator[_File]:
        count = 0
        for part, descriptor in self._parts.items():
            for name in files.names(descriptor):
                octets = files.size(descriptor, name)
                if octets is None:
                    self.notes.append(f"{part}/{files.told(name)} is no file")
                    continue
                count += 1
                if count > most:
                    raise FolderError(f"the Maildir has over {most} messages", "raise imports.messages")
                known = listed.get(uniqueids.base_name(name))
                place = known.place if known is not None and known.place is not None else (2, _time(name))
                unique_id = known.unique_id if known is not None else ""
                yield _File(part, name, octets, unique_id, (*place, name))

    def read(self, found: Found) -> Iterator[bytes]:
        """See :class:`~cjsm.mail.folders.source.Source`."""
        each = self._files[found.place]
        with self._within():
            descriptor = files.open_file(self._parts[each.part], each.name)
        yield from files.whole(descriptor, found.name)

    def close(self) -> None:
        """See :class:`~cjsm.mail.folders.source.Source`."""
        self._close_parts()
        os.close(self._directory)

    def _close_parts(self) -> None:
        for descriptor in self._parts.values():
            os.close(descriptor)
        self._parts.clear()


def _found(place: int, each: _File) -> Found:
    name = f"{each.part}/{files.told(each.name)}"
    return Found(place=place, name=name, octets=each.octets, unique_id=each.unique_id)


def is_maildir(directory: int) -> bool:
    """Whether a directory is a Maildir."""
    opened = _opened(directory)
    for descriptor in opened.values():
        os.close(descriptor)
    return "cur" in opened


def _opened(directory: int) -> dict[str, int]:
    found = ((part, files.open_directory(directory, part)) for part in _PARTS)
    return {part: descriptor for part, descriptor in found if descriptor is not None}


def _time(name: str) -> int:
    match = _TIME.match(name)
    return int(match[0]) if match else 0
