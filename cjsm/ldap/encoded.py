"""Entries encoded once per attribute list and attribute class, for as long as their catalogue is the newest."""

from collections.abc import Sequence

from cjsm.directory.catalogue import Catalogue
from cjsm.directory.reading import Reading
from cjsm.directory.selection import Selection, attributes, selected
from cjsm.ldap.grammar import responses

#: What a list of attributes costs beside its entries.
_SHELF_OCTETS = 4_096


class EncodedEntries:
    """Remembers encoded entries.

    :param most: octets remembered at most; beyond them all are forgotten.
    """

    def __init__(self, most: int = 64 * 1024 * 1024) -> None:
        self._most = most
        self._octets = 0
        self._catalogue: Catalogue | None = None
        self._shelves: dict[tuple[tuple[str, ...], bool], dict[tuple[int, int], bytes]] = {}

    def encoder(self, reading: Reading, requested: Sequence[str], *, types_only: bool) -> "Encoder":
        """Return what encodes entries for one search."""
        selection = selected(reading.schema, requested)
        # What the client asked for may be anything; of that, what it gets is attributes of the schema.
        key = (tuple(name for name, _ in selection.attributes), types_only)
        shelf = None if selection.counted else self._shelf(reading.catalogue, key)
        return Encoder(self, reading, selection, types_only=types_only, shelf=shelf)

    def remembered(self, octets: int) -> None:
        """So much more is on a shelf."""
        self._octets += octets

    def _shelf(self, catalogue: Catalogue, key: tuple[tuple[str, ...], bool]) -> dict[tuple[int, int], bytes] | None:
        """Return what is remembered, by (attribute classes, position); None where *catalogue* is not the newest."""
        newest = self._catalogue
        if newest is not None and catalogue.number < newest.number:
            return None
        if catalogue is not newest or self._octets >= self._most:
            self._catalogue, self._shelves, self._octets = catalogue, {}, 0
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = self._shelves[key] = {}
            self.remembered(_SHELF_OCTETS)
        return shelf


class Encoder:
    """Encodes the entries that one search finds."""

    def __init__(
        self,
        house: EncodedEntries,
        reading: Reading,
        selection: Selection,
        *,
        types_only: bool,
        shelf: dict[tuple[int, int], bytes] | None,
    ) -> None:
        self._house = house
        self._reading = reading
        self._selection = selection
        self._types_only = types_only
        self._shelf = shelf

    def encode(self, position: int) -> bytes:
        """Return the entry at *position* as its reader may see it, without a message number."""
        reading, shelf = self._reading, self._shelf
        if shelf is None:
            return self._encoded(position)
        key = (reading.grants[reading.entry(position).organisation], position)
        found = shelf.get(key)
        if found is None:
            found = shelf[key] = self._encoded(position)
            self._house.remembered(len(found))
        return found

    def _encoded(self, position: int) -> bytes:
        reading = self._reading
        values = attributes(reading, position, self._selection)
        return responses.entry(reading.dn(position), values, types_only=self._types_only)
