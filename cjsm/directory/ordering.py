"""The order of a sorted answer (RFC 2891) and the part of it that a window shows (virtual list view)."""

from enum import Enum

from msgspec import Struct

from cjsm.directory.matching import Rule, prepare
from cjsm.directory.query import SortKey, Window
from cjsm.directory.reading import Reading
from cjsm.directory.schema import AttributeType, Schema, has_options

#: Kinds of values that have an order.
_ORDERED = frozenset(
    (Rule.TEXT, Rule.EXACT, Rule.TELEPHONE, Rule.BOOLEAN, Rule.INTEGER, Rule.TIME, Rule.UUID, Rule.IDENTIFIER)
)
#: The kind of values that an ordering rule is for, by name and OID in lower case.
_ORDERING_RULES = {
    "caseignoreorderingmatch": Rule.TEXT,
    "2.5.13.3": Rule.TEXT,
    "integerorderingmatch": Rule.INTEGER,
    "2.5.13.15": Rule.INTEGER,
    "generalizedtimeorderingmatch": Rule.TIME,
    "2.5.13.28": Rule.TIME,
    "uuidorderingmatch": Rule.UUID,
    "1.3.6.1.1.16.3": Rule.UUID,
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

    def of(self, reading: Reading, position: int) -> "str | int | None":
        """Return what the entry at *position* is sorted by: its first value; None when the reader sees none."""
        terms = reading.terms(position, self.attribute)
        if not terms:
            return None
        return min(map(self.comparable, terms))

    def comparable(self, term: str) -> "str | int":
        """Return *term* as what compares in the order of the attribute's values."""
        return int(term) if self.attribute.rule is Rule.INTEGER else term

    def asserted(self, value: str) -> "str | int":
        """Return *value* as typed as what compares; what is no value is before all others."""
        prepared = prepare(self.attribute.rule, value) if self.attribute.rule else None
        if self.attribute.rule is Rule.INTEGER:
            return int(prepared) if prepared else 0
        return prepared or ""


def resolved(keys: tuple[SortKey, ...], schema: Schema) -> tuple[Key, ...]:
    """Return *keys* as attributes.

    :raises Unsortable: when one names no attribute or an order that its values do not have.
    """
    return tuple(_resolved(key, schema) for key in keys)


def _resolved(key: SortKey, schema: Schema) -> Key:
    attribute = schema.attribute(key.attribute)
    if attribute is None or has_options(key.attribute):
        raise Unsortable(NO_SUCH_ATTRIBUTE, key.attribute)
    if attribute.rule not in _ORDERED:
        raise Unsortable(NO_ORDERING, key.attribute)
    if key.rule is not None and _ORDERING_RULES.get(key.rule.lower()) is not attribute.rule:
        raise Unsortable(NO_ORDERING, key.attribute)
    return Key(attribute, key.descending)


def arranged(positions: list[int], keys: tuple[Key, ...], reading: Reading) -> list[int]:
    """Return *positions* sorted; entries without a value are last, or first where the order is descending."""
    for key in reversed(keys):
        with_value = {position: key.of(reading, position) for position in positions}
        present = [position for position in positions if with_value[position] is not None]
        absent = [position for position in positions if with_value[position] is None]
        present.sort(key=with_value.__getitem__, reverse=key.descending)  # type: ignore[arg-type]
        positions = absent + present if key.descending else present + absent
    return positions


def target(window: Window, positions: list[int], keys: tuple[Key, ...], reading: Reading) -> int:
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


def _first_from(value: str, positions: list[int], key: Key, reading: Reading) -> int:
    asserted = key.asserted(value)

    def is_before(position: int) -> bool:
        found = key.of(reading, position)
        if found is None:
            return key.descending
        return found > asserted if key.descending else found < asserted  # type: ignore[operator]

    low, high = 0, len(positions)
    while low < high:
        middle = (low + high) // 2
        if is_before(positions[middle]):
            low = middle + 1
        else:
            high = middle
    return low + 1 if positions else 0


def shown(window: Window, place: int, positions: list[int], most: int) -> list[int]:
    """Return what *window* shows of a sorted answer whose target is at *place*: at most *most* entries."""
    first = max(place - 1 - window.before, 0)
    return positions[first : min(place + window.after, first + most)]
