"""Entries encoded once per attribute list and attribute class, for as long as they stay what they are."""

from collections.abc import Sequence
from functools import lru_cache

from cjsm.directory.reading import Reading
from cjsm.directory.selection import Selection, attributes, selected
from cjsm.ldap.grammar import responses
from cjsm.ldap.grammar.ber import number, sequence_header

#: What a list of attributes costs beside its entries.
_SHELF_OCTETS = 4_096
#: What an encoded entry costs beside its octets.
_ENTRY_OCTETS = 160

#: Encoded entries by the number that :meth:`~cjsm.directory.reading.Reading.kept_as` gives them.
_Shelf = dict[int, bytes]


class EncodedEntries:
    """Remembers encoded entries.

    :param most: octets remembered at most; beyond them all are forgotten.
    """

    def __init__(self, most: int = 48 * 1024 * 1024) -> None:
        self._most = most
        self._octets = 0
        self._shelves: dict[tuple[tuple[str, ...], bool], _Shelf] = {}

    def encoder(self, reading: Reading, requested: Sequence[str], *, types_only: bool) -> "Encoder":
        """Return what encodes entries for one search."""
        selection = selected(reading.schema, requested)
        # What the client asked for may be anything; of that, what it gets is attributes of the schema.
        shelf = None if selection.counted else self._shelf((selection.names, types_only))
        return Encoder(self, reading, selection, types_only=types_only, shelf=shelf)

    def remembered(self, octets: int) -> None:
        """So much more is on a shelf."""
        self._octets += octets

    def _shelf(self, key: tuple[tuple[str, ...], bool]) -> _Shelf:
        if self._octets >= self._most:
            self._shelves, self._octets = {}, 0
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
        shelf: _Shelf | None,
    ) -> None:
        self._house = house
        self._reading = reading
        self._selection = selection
        self._types_only = types_only
        self._shelf = shelf

    def messages(self, message_id: int, positions: Sequence[int]) -> bytes:
        """Return the entries at *positions* as its reader may see them, each as a message that answers *message_id*."""
        numbered = number(message_id)
        octets = len(numbered)
        parts: list[bytes] = []
        for found in self.encode(positions):
            parts += (_begun(octets + len(found)), numbered, found)
        return b"".join(parts)

    def encode(self, positions: Sequence[int]) -> list[bytes]:
        """Return the entries at *positions* as their reader may see them, without a message number."""
        shelf = self._shelf
        if shelf is None:
            return list(map(self._encoded, positions))
        numbers = self._reading.kept_as(positions)
        encoded: list[bytes] = []
        for position, kept_as in zip(positions, numbers, strict=True):
            found = shelf.get(kept_as)
            if found is None:
                found = shelf[kept_as] = self._encoded(position)
                self._house.remembered(len(found) + _ENTRY_OCTETS)
            encoded.append(found)
        return encoded

    def _encoded(self, position: int) -> bytes:
        reading = self._reading
        values = attributes(reading, position, self._selection)
        return responses.entry(reading.dn(position), values, types_only=self._types_only)


@lru_cache(4_096)
def _begun(octets: int) -> bytes:
    """Return what a message of so many octets begins with."""
    return sequence_header(octets)
