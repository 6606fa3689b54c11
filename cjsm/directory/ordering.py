"""The order of a sorted answer (RFC 2891) and the part of it that a window shows (virtual list view)."""

from array import array
from collections.abc import Iterator, Sequence
from enum import Enum
from operator import itemgetter

from msgspec import Struct

from cjsm.directory.catalogue import FLAT, PEOPLE_SLOT
from cjsm.directory.index import Index, Run, Term
from cjsm.directory.indexing import making
from cjsm.directory.matching import Rule, prepare
from cjsm.directory.query import SortKey, Window
from cjsm.directory.reading import Reading
from cjsm.directory.schema import AttributeType, Schema

#: Kinds of values that have an order.
_ORDERED = frozenset((Rule.TEXT, Rule.EXACT, Rule.TELEPHONE, Rule.BOOLEAN, Rule.INTEGER, Rule.TIME, Rule.UUID))
#: Operational attributes whose index serves every reader, in both contexts.
_TIMES = frozenset(("createtimestamp", "modifytimestamp"))
#: The kind of values that an ordering rule is for, by name and OID in lower case.
_ORDERING_RULES = {
    "caseignoreorderingmatch": Rule.TEXT,
    "2.5.13.3": Rule.TEXT,
    "integerorderingmatch": Rule.INTEGER,
    "2.5.13.15": Rule.INTEGER,
    "uuidorderingmatch": Rule.UUID,
    "1.3.6.1.1.16.3": Rule.UUID,
    "generalizedtimeorderingmatch": Rule.TIME,
    "2.5.13.28": Rule.TIME,
}


class Reason(Enum):
    """Why an answer cannot be sorted as asked."""

    NO_SUCH_ATTRIBUTE = "no such attribute"
    NO_ORDERING = "no such order"


NO_SUCH_ATTRIBUTE, NO_ORDERING = Reason


class Unsortable(Exception):
    """A sort key that names no attribute, or an order that its values do not have.

    :ivar attribute: as it was asked for.
    """

    def __init__(self, reason: Reason, attribute: str) -> None:
        super().__init__(f"cannot be sorted by {attribute}: {reason.value}")
        self.reason = reason
        self.attribute = attribute


class WindowFound(Struct, frozen=True):
    """Where a window is.

    :ivar target: the target's place in the sorted answer, from 1; one after the last when no entry is late enough; 0
        in an answer without entries.
    :ivar count: how many entries the whole answer has.
    """

    target: int
    count: int


class Key(Struct, frozen=True):
    """A sort key of which the schema knows the attribute."""

    attribute: AttributeType
    descending: bool

    def of(self, reading: Reading, position: int) -> Term | None:
        """Return what the entry at *position* is sorted by: its first value; None when the reader sees none."""
        terms = reading.terms(position, self.attribute)
        return min(map(self._comparable, terms)) if terms else None

    def _comparable(self, term: str) -> Term:
        return int(term) if self.attribute.rule is Rule.INTEGER else term

    def asserted(self, value: str) -> Term:
        """Return *value* as typed as what compares; what is no value is before all others."""
        prepared = prepare(self.attribute.rule, value) if self.attribute.rule else None
        return self._comparable(prepared or ("0" if self.attribute.rule is Rule.INTEGER else ""))

    @property
    def indexed(self) -> bool:
        """Whether an index has the order."""
        return not self.attribute.operational or self.attribute.key in _TIMES


def resolved(keys: tuple[SortKey, ...], schema: Schema) -> tuple[Key, ...]:
    """Return *keys* as attributes.

    :raises Unsortable: when one names no attribute or an order that its values do not have.
    """
    return tuple(_resolved(key, schema) for key in keys)


def _resolved(key: SortKey, schema: Schema) -> Key:
    kinds = schema.kinds(key.attribute)
    if not kinds:
        raise Unsortable(NO_SUCH_ATTRIBUTE, key.attribute)
    attribute = kinds[0]
    if attribute.rule not in _ORDERED:
        raise Unsortable(NO_ORDERING, key.attribute)
    if key.rule is not None and _ORDERING_RULES.get(key.rule.lower()) is not attribute.rule:
        raise Unsortable(NO_ORDERING, key.attribute)
    return Key(attribute, key.descending)


def arranged(positions: list[int], keys: tuple[Key, ...], reading: Reading) -> list[int]:
    """Return *positions* sorted; entries without a value are last, or first where the order is descending."""
    for key in reversed(keys):
        found = [(key.of(reading, position), position) for position in positions]
        present = [pair for pair in found if pair[0] is not None]
        present.sort(key=itemgetter(0), reverse=key.descending)
        in_order = [position for _, position in present]
        absent = [position for term, position in found if term is None]
        positions = absent + in_order if key.descending else in_order + absent
    return positions


#: Entries that are looked at before others have their turn; those of which a value has to be made first; and places
#: that are only passed on.
_AT_ONCE, _MADE, _PASSED = 1_024, 64, 8_192
_SLOT = FLAT - 1


def walked(positions: Sequence[int], keys: tuple[Key, ...], reading: Reading) -> "Iterator[array[int] | None]":
    """Sort many *positions* by walking through the indexes, in slices; the last one yielded is them in order.

    All are of one context.
    """
    # The flat context's own entry is among the first, and has no other name.
    added = max(positions) & ~_SLOT if positions else 0
    order = array("I")
    for part in _parts(positions):
        order.extend(position & _SLOT for position in part)
        yield None
    for place, key in enumerate(reversed(keys)):
        if not key.indexed:
            passing = _compared(order, key, reading, added)
        else:
            passing = _grouped(order, key, reading) if place else _picked(order, key, reading)
        for found in passing:
            order = found if found is not None else order
            yield None
    if added:
        slots, order = order, array("Q")
        for part in _parts(slots):
            order.extend(_position(slot, added) for slot in part)
            yield None
    yield order


def _parts(sequence: Sequence[int], size: int = _PASSED) -> Iterator[Sequence[int]]:
    return (sequence[first : first + size] for first in range(0, len(sequence), size))


def _position(slot: int, added: int) -> int:
    return slot if slot == PEOPLE_SLOT else slot + added


def _picked(slots: "array[int]", key: Key, reading: Reading) -> "Iterator[array[int] | None]":
    """Sort *slots* by one key: take them out of its index in the index's order."""
    catalogue = reading.catalogue
    left, public = bytearray(len(catalogue.codes)), not key.attribute.seen
    for part in _parts(slots):
        for slot in part:
            # Who may not read a value must not learn of it from the order.
            left[slot] = public or reading.readable(slot, key.attribute)
        yield None
    order = array("I")
    index = catalogue.index(key.attribute.key)
    # Before all others are those with a value that has no place in the order.
    for run in Run(index, index.after(""), index.end).slots():
        # Of several values the first one counts: then it is taken.
        for slot in run:
            if left[slot]:
                left[slot] = 0
                order.append(slot)
        yield None
    if key.descending:
        order.reverse()
    absent = array("I")
    if len(order) < len(slots):
        taken = frozenset(order)
        for part in _parts(slots):
            absent.extend(slot for slot in part if slot not in taken)
            yield None
    yield absent + order if key.descending else order + absent


def _compared(slots: "array[int]", key: Key, reading: Reading, added: int) -> "Iterator[array[int] | None]":
    """Sort *slots* by what no index has: make one of their places in the order given."""
    terms: list[Term] = []
    places, absent = array("I"), array("I")
    # Seen from the end, so that equals keep their order where all is turned round in the end.
    slots = slots[::-1] if key.descending else slots
    for place, slot in enumerate(slots):
        term = key.of(reading, _position(slot, added))
        if term is None:
            absent.append(slot)
        else:
            terms.append(term)
            places.append(place)
        if not place % _MADE:
            yield None
    index = Index()
    for made in making(terms, places, searched=False):
        index = made or index
        yield None
    order = array("I")
    for bucket in reversed(index.buckets) if key.descending else index.buckets:
        order.extend(slots[place] for place in (bucket.slots[::-1] if key.descending else bucket.slots))
        yield None
    yield absent[::-1] + order if key.descending else order + absent


def _grouped(slots: "array[int]", key: Key, reading: Reading) -> "Iterator[array[int] | None]":
    """Sort *slots* by one key, those of one value in the order given."""
    groups: dict[str, array[int]] = {}
    absent = array("I")
    for part in _parts(slots, _AT_ONCE):
        for slot in part:
            term = key.of(reading, slot)
            if term is None:
                absent.append(slot)
            elif term in groups:
                groups[term].append(slot)
            else:
                groups[term] = array("I", (slot,))
        yield None
    order = array("I")
    buckets = reading.catalogue.index(key.attribute.key).buckets
    for bucket in reversed(buckets) if key.descending else buckets:
        for term in bucket.terms[::-1] if key.descending else bucket.terms:
            group = groups.pop(term, None)
            if group is not None:
                order += group
        yield None
    yield absent + order if key.descending else order + absent


def target(window: Window, positions: Sequence[int], keys: tuple[Key, ...], reading: Reading) -> int:
    """Return the place, from 1, of the target of *window* in a sorted answer."""
    if window.at_least is not None:
        return _first_from(window.at_least, positions, keys[0], reading)
    count = len(positions)
    if window.count and window.count != count:
        # The client's list has another length than ours: the same part of the way (draft section 5.2).
        wanted = window.offset * count // window.count if window.offset < window.count else count
    else:
        wanted = window.offset
    return min(max(wanted, 1), count) if count else 0


def _first_from(value: str, positions: Sequence[int], key: Key, reading: Reading) -> int:
    asserted = key.asserted(value)

    def is_before(position: int) -> bool:
        found = key.of(reading, position)
        if found is None:
            return key.descending
        return bool(found > asserted) if key.descending else bool(found < asserted)

    low, high = 0, len(positions)
    while low < high:
        middle = (low + high) // 2
        if is_before(positions[middle]):
            low = middle + 1
        else:
            high = middle
    return low + 1 if positions else 0


def shown(window: Window, place: int, positions: Sequence[int], most: int) -> Sequence[int]:
    """Return what *window* shows of a sorted answer whose target is at *place*: at most *most* entries."""
    first = max(place - 1 - window.before, 0)
    return positions[first : min(place + window.after, first + most)]
