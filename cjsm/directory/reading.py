"""The catalogue as one reader sees it: nothing invisible is ever counted, compared or returned."""

from collections.abc import Sequence

from cjsm.community.identifiers import AccountId
from cjsm.directory import names, sights, visibility
from cjsm.directory.catalogue import FLAT, HANDLE_BITS, NEEDS, PIECE_BITS, Catalogue
from cjsm.directory.entries import Entry, Values
from cjsm.directory.matching import prepare
from cjsm.directory.query import NoSuchEntry
from cjsm.directory.schema import AttributeType, Schema

_HAS_SUBORDINATES = "hassubordinates"
_SUBORDINATES = "numsubordinates"
_SLOT = FLAT - 1
_PIECE = (1 << PIECE_BITS) - 1
_CLASSES_BITS = 9


class Reading:
    """One catalogue through one member's eyes.

    :ivar in_charge: whether the reader administers or supports any organisation.
    :ivar sight: what the reader sees of each place, by handle; *grants* its attribute classes alone.
    """

    def __init__(self, catalogue: Catalogue, account: AccountId) -> None:
        roles = catalogue.roles_of(account)
        self.catalogue = catalogue
        self.schema: Schema = catalogue.schema
        self.account = account
        self.in_charge = visibility.has_charge(roles)
        self.sight, self.grants = _sight(catalogue, account)
        self._pieces = catalogue.pieces
        self._codes = catalogue.codes
        self._shown: tuple[int, Values] = (0, {})

    def visible(self, position: int) -> bool:
        """Whether the reader may know of the entry at *position*."""
        code = self._codes[position & _SLOT]
        return bool(self.sight[code >> HANDLE_BITS] & code & NEEDS)

    def granted(self, position: int) -> int:
        """Return the attribute classes that the reader may read of the entry at *position*."""
        return self.grants[self._codes[position & _SLOT] >> HANDLE_BITS]

    def kept_as(self, positions: Sequence[int]) -> list[int]:
        """Return a number for each of the entries at *positions*: another one where it changes, or is seen otherwise.

        It is made of the entry's stamp, its context and the attribute classes that the reader may read of it.
        """
        pieces, codes, grants = self._pieces, self._codes, self.grants
        found = []
        for position in positions:
            slot = position & _SLOT
            entry = pieces[slot >> PIECE_BITS][slot & _PIECE]
            if entry is None:
                raise IndexError(position)
            classes = grants[codes[slot] >> HANDLE_BITS]
            found.append(entry.stamp << _CLASSES_BITS | (position >= FLAT) << 8 | classes)
        return found

    def readable(self, position: int, attribute: AttributeType) -> bool:
        """Whether the reader may read *attribute* of the entry at *position*."""
        return not attribute.seen or bool(self.granted(position) & attribute.seen)

    def entry(self, position: int) -> Entry:
        """Return the entry at *position*."""
        return self.catalogue.entry(position)

    def is_person(self, position: int) -> bool:
        """Whether the entry at *position* stands for an account."""
        return self.catalogue.entry(position).kind.person

    def dn(self, position: int) -> str:
        """Return the distinguished name of the entry at *position*."""
        return self.catalogue.dn(position)

    def terms(self, position: int, attribute: AttributeType) -> Sequence[str] | None:
        """Return the comparable values of *attribute*, none when there are none, None when they may not be read."""
        if attribute.seen and not self.readable(position, attribute):
            return None
        if attribute.operational:
            prepared = (prepare(attribute.rule, value) for value in self.values(position, attribute) if attribute.rule)
            return [term for term in prepared if term is not None]
        slot = position & _SLOT
        entry = self._pieces[slot >> PIECE_BITS][slot & _PIECE]
        return entry.compared(attribute.key) if entry is not None else ()

    def has(self, position: int, attribute: AttributeType) -> bool:
        """Whether there is a value of *attribute* that the reader may read."""
        if attribute.operational:
            return bool(self.values(position, attribute))
        return self.readable(position, attribute) and self.catalogue.entry(position).has(attribute.key)

    def values(self, position: int, attribute: AttributeType) -> Sequence[str]:
        """Return the values of *attribute* that the reader may read."""
        if not self.readable(position, attribute):
            return ()
        if attribute.key == _HAS_SUBORDINATES:
            return ("TRUE",) if any(map(self.visible, self.catalogue.children(position))) else ("FALSE",)
        if attribute.key == _SUBORDINATES:
            return (str(sum(map(self.visible, self.catalogue.children(position)))),)
        entry = self.catalogue.entry(position)
        if attribute.operational:
            return entry.operational(attribute.key, self.dn(position), flat=position >= FLAT)
        # Whoever asks for one attribute asks for others next.
        if self._shown[0] != entry.stamp:
            self._shown = entry.stamp, entry.values()
        return self._shown[1].get(attribute.key, ())

    def find(self, name: names.Name) -> int:
        """Return the position of the visible entry called *name*.

        :raises NoSuchEntry: naming the nearest visible entry above it.
        """
        position = self.catalogue.position(name)
        if position is not None and self.visible(position):
            return position
        raise NoSuchEntry(self._nearest(name))

    def _nearest(self, name: names.Name) -> str:
        for cut in range(1, len(name)):
            position = self.catalogue.position(name[cut:])
            if position is not None and self.visible(position):
                return self.dn(position)
        return ""


def _sight(catalogue: Catalogue, account: AccountId) -> tuple[bytes, bytes]:
    """Return what *account* sees; those of one organisation with the same roles share it."""
    home, roles = catalogue.organisation_of(account), catalogue.roles_of(account)
    place = catalogue.tree.places.get(home) if home is not None else None
    key = (place.top if place is not None else None, frozenset((role.role, role.organisation) for role in roles))
    found = catalogue.sights.get(key)
    if found is None:
        seen = sights.sight(catalogue.tree, home, roles)
        found = seen, seen.translate(bytes(byte & visibility.ATTRIBUTES for byte in range(256)))
        if len(catalogue.sights) >= _SIGHTS:
            catalogue.sights.clear()
        catalogue.sights[key] = found
    return found


#: Different sights that are remembered.
_SIGHTS = 1_024
