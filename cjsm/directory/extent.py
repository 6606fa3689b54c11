"""Where a search looks: the entries that its base and scope stand for, as far as the reader sees them."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain

from cjsm.directory import sights
from cjsm.directory.catalogue import (
    FLAT,
    HANDLE_BITS,
    NEEDS,
    OWN,
    PEOPLE_SLOT,
    PERSON,
    ROOT_SLOT,
    Catalogue,
)
from cjsm.directory.places import Place
from cjsm.directory.query import Scope
from cjsm.directory.reading import Reading

#: Of some slots, those of entries that are there and visible.
Visible = Callable[[Sequence[int]], list[int]]


class Extent:
    """The entries that one search looks at.

    :ivar added: what makes a position of a slot.
    :ivar size: how many there are, visible or not.
    :ivar first: an entry beside the others: it is looked at by itself.
    :ivar visible: which of some slots of the catalogue belong to it and are visible.
    """

    def __init__(self, reading: Reading, base: int, scope: Scope) -> None:
        self._reading = reading
        self._catalogue: Catalogue = reading.catalogue
        self.added = 0
        self.size = 0
        self.first: int | None = None
        self.visible: Visible = _nowhere
        self._slots: Callable[[], Iterator[Sequence[int]]] = lambda: iter(())
        alone = base >= FLAT or not self._catalogue.codes[base] & OWN
        if scope is Scope.BASE or (alone and scope is Scope.SUBTREE):
            self.first = base
        elif base == PEOPLE_SLOT:
            self._flat(base if scope is Scope.SUBTREE else None)
        elif not alone and scope is Scope.ONE:
            self._children(base)
        elif not alone:
            self._subtree(base)

    @property
    def flat(self) -> bool:
        """Whether it is the flat context."""
        return bool(self.added)

    def slots(self) -> Iterator[Sequence[int]]:
        """Yield all slots, visible or not, in pieces."""
        return self._slots()

    def _flat(self, first: int | None) -> None:
        codes, sight = self._catalogue.codes, self._reading.sight
        self.added, self.first = FLAT, first
        self.size, self._slots = len(codes), partial(_whole, len(codes))
        self.visible = lambda slots: [
            slot for slot in slots if (code := codes[slot]) & PERSON and sight[code >> HANDLE_BITS] & code & NEEDS
        ]

    def _subtree(self, base: int) -> None:
        catalogue, sight = self._catalogue, self._reading.sight
        if base == ROOT_SLOT:
            self.size = len(catalogue.codes)
            self._slots = partial(_whole, self.size)
            self.visible = _seen(catalogue.codes, sights.own_tree(sight))
            return
        identifier = catalogue.entry(base).place.identifier
        places = list(catalogue.tree.within(identifier)) if identifier is not None else []
        self.size = sum(len(catalogue.members.get(place.handle, ())) + 1 for place in places)
        self._slots = partial(_within, catalogue, places)
        self.visible = _seen(catalogue.codes, sights.only(sight, places))

    def _children(self, base: int) -> None:
        catalogue, codes, sight = self._catalogue, self._catalogue.codes, self._reading.sight
        place = catalogue.entry(base).place
        handle = place.handle
        members = catalogue.members.get(handle, array("I"))
        found = (catalogue.slot_of(each) for each in catalogue.tree.below.get(place.identifier, ()))
        organisations = [slot for slot in found if slot is not None]
        known = frozenset(organisations)
        self.size = len(members) + len(organisations)
        self._slots = lambda: chain((members,), (organisations,))
        self.visible = lambda slots: [
            slot
            for slot in slots
            if (((code := codes[slot]) >> HANDLE_BITS == handle and not code & OWN) or slot in known)
            and sight[code >> HANDLE_BITS] & code & NEEDS
        ]


# Nothing here holds its extent: a search and all it holds are gone as soon as it has ended.


def _whole(count: int) -> Iterator[Sequence[int]]:
    return (range(first, min(first + 1024, count)) for first in range(0, count, 1024))


def _within(catalogue: Catalogue, places: Sequence[Place]) -> Iterator[Sequence[int]]:
    for place in places:
        own = catalogue.slot_of(place.identifier) if place.identifier is not None else None
        if own is not None:
            yield (own,)
        yield catalogue.members.get(place.handle, ())


def _nowhere(_slots: Sequence[int]) -> list[int]:
    return []


def _seen(codes: "array[int]", sight: bytes) -> Visible:
    def visible(slots: Sequence[int]) -> list[int]:
        return [slot for slot in slots if sight[(code := codes[slot]) >> HANDLE_BITS] & code & NEEDS]

    return visible
