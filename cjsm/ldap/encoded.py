"""Entries encoded once per attribute list and attribute class, for as long as their catalogue is the newest."""

from collections.abc import Sequence

from cjsm.directory.catalogue import Catalogue
from cjsm.directory.reading import Reading
from cjsm.directory.selection import Selection, attributes, selected
from cjsm.ldap.grammar import responses


class _Shelf:
    """The entries encoded for one attribute list, by (attribute classes, position)."""

    __slots__ = ("entries", "selection")

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.entries: dict[tuple[int, int], bytes] = {}


class EncodedEntries:
    """Encodes entries and remembers them.

    :param most: entries remembered at most; beyond it all are forgotten.
    """

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._held = 0
        self._catalogue: Catalogue | None = None
        self._shelves: dict[tuple[Sequence[str], bool], _Shelf] = {}

    def encode(self, reading: Reading, position: int, requested: tuple[str, ...], *, types_only: bool) -> bytes:
        """Return the entry at *position* as *reading* may see it, without a message number."""
        shelf = self._shelf(reading, requested, types_only)
        if shelf is None or shelf.selection.counted:
            selection = shelf.selection if shelf else selected(reading.schema, requested)
            return _encode(reading, position, selection, types_only)
        key = (reading.grants[reading.entry(position).organisation], position)
        found = shelf.entries.get(key)
        if found is None:
            found = shelf.entries[key] = _encode(reading, position, shelf.selection, types_only)
            self._held += 1
        return found

    def _shelf(self, reading: Reading, requested: tuple[str, ...], types_only: bool) -> _Shelf | None:
        if reading.catalogue is not self._catalogue:
            if self._catalogue is not None and reading.catalogue.number < self._catalogue.number:
                return None
            self._forget(reading.catalogue)
        if self._held >= self._most:
            self._forget(reading.catalogue)
        key = (requested, types_only)
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = self._shelves[key] = _Shelf(selected(reading.schema, requested))
            self._held += 1
        return shelf

    def _forget(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._shelves = {}
        self._held = 0


def _encode(reading: Reading, position: int, selection: Selection, types_only: bool) -> bytes:
    return responses.entry(reading.dn(position), attributes(reading, position, selection), types_only=types_only)
