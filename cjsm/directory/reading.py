"""The catalogue as one reader sees it: nothing invisible is ever counted, compared or returned."""

from collections.abc import Sequence

from cjsm.community.identifiers import AccountId
from cjsm.directory import names, visibility
from cjsm.directory.catalogue import Catalogue
from cjsm.directory.entries import Entry, Values
from cjsm.directory.matching import prepare
from cjsm.directory.query import NoSuchEntry
from cjsm.directory.schema import AttributeType, Schema

_HAS_SUBORDINATES = "hassubordinates"
_SUBORDINATES = "numsubordinates"


class Reading:
    """One catalogue through one member's eyes.

    :ivar grants: the attribute classes that the reader has, by organisation number.
    :ivar in_charge: whether the reader administers or supports any organisation.
    """

    def __init__(self, catalogue: Catalogue, account: AccountId) -> None:
        roles = catalogue.roles_of(account)
        self.catalogue = catalogue
        self.schema: Schema = catalogue.schema
        self.account = account
        self.in_charge = visibility.has_charge(roles)
        self._entries = catalogue.entries
        self._sight = visibility.sight(catalogue.order, catalogue.organisation_of(account), roles)
        self.grants = self._sight.translate(bytes(byte & visibility.ATTRIBUTES for byte in range(256)))

    def visible(self, position: int) -> bool:
        """Whether the reader may know of the entry at *position*."""
        entry = self._entries[position]
        return bool(self._sight[entry.organisation] & entry.needs)

    def readable(self, position: int, attribute: AttributeType) -> bool:
        """Whether the reader may read *attribute* of the entry at *position*."""
        return not attribute.seen or bool(self.grants[self._entries[position].organisation] & attribute.seen)

    def entry(self, position: int) -> Entry:
        """Return the entry at *position*."""
        return self._entries[position]

    def dn(self, position: int) -> str:
        """Return the distinguished name of the entry at *position*."""
        return self._entries[position].dn

    def terms(self, position: int, attribute: AttributeType) -> Sequence[str] | None:
        """Return the comparable values of *attribute*, none when there are none, None when they may not be read."""
        entry = self._entries[position]
        if attribute.seen and not self.grants[entry.organisation] & attribute.seen:
            return None
        if not attribute.operational:
            return entry.facts.terms.get(attribute.key, ())
        if attribute.key in (_HAS_SUBORDINATES, _SUBORDINATES):
            value = self.values(position, attribute)[0]
            return (prepare(attribute.rule, value) or "",) if attribute.rule else ()
        return entry.own.terms.get(attribute.key, ())

    def values(self, position: int, attribute: AttributeType) -> Sequence[str]:
        """Return the values of *attribute* that the reader may read."""
        if not self.readable(position, attribute):
            return ()
        if attribute.key == _HAS_SUBORDINATES:
            return ("TRUE",) if any(map(self.visible, self.catalogue.children[position])) else ("FALSE",)
        if attribute.key == _SUBORDINATES:
            return (str(sum(map(self.visible, self.catalogue.children[position]))),)
        entry = self._entries[position]
        held: Values = entry.own.values if attribute.operational else entry.facts.values
        return held.get(attribute.key, ())

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
                return self._entries[position].dn
        return ""
