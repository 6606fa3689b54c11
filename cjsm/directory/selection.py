"""Which attributes to return: the names of a request against the schema (RFC 4511 §4.5.1.8, RFC 3673)."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Protocol

from msgspec import Struct

from cjsm.directory.schema import AttributeType, Schema

_NONE = "1.1"
#: Attributes whose values depend on who reads them, beyond the attribute classes.
_COUNTED = frozenset(("hassubordinates", "numsubordinates"))


class Selection(Struct, frozen=True):
    """Attribute types with the name that each is returned under, in the order of the answer.

    :ivar attributes: (name, type) pairs.
    :ivar names: those names alone: two selections with the same ones are the same.
    :ivar counted: whether a value depends on how much of the tree the reader sees.
    """

    attributes: tuple[tuple[str, AttributeType], ...]
    names: tuple[str, ...]
    counted: bool


class Holder(Protocol):
    """What attributes are taken from: a :class:`~cjsm.directory.reading.Reading` or the like."""

    def values(self, position: int, attribute: AttributeType) -> Sequence[str]:
        """The values that may be read."""


#: Names that are remembered of a request, and their characters: what clients send, not what somebody makes up.
_REMEMBERED, _CHARACTERS = 40, 1_024


def selected(schema: Schema, requested: Sequence[str]) -> Selection:
    """Return what *requested* selects; unknown names are ignored, an alias is answered under its own spelling."""
    if len(requested) > _REMEMBERED or sum(map(len, requested)) > _CHARACTERS:
        return _selected(schema, requested)
    return _known(schema, tuple(requested))


@lru_cache(128)
def _known(schema: Schema, requested: tuple[str, ...]) -> Selection:
    return _selected(schema, requested)


def _selected(schema: Schema, requested: Sequence[str]) -> Selection:
    chosen: dict[str, tuple[str, AttributeType]] = {}
    if not requested or "*" in requested:
        chosen.update(_every(schema, operational=False))
    if "+" in requested:
        chosen.update(_every(schema, operational=True))
    for name in requested:
        kinds = () if name == _NONE else schema.kinds(name)
        for kind in kinds:
            label = _label(name, kind) if kind is kinds[0] else kind.names[0]
            if kind.key not in chosen or label == kind.names[0]:
                chosen[kind.key] = (label, kind)
    pairs = tuple(chosen.values())
    return Selection(pairs, tuple(name for name, _ in pairs), any(kind.key in _COUNTED for _, kind in pairs))


def attributes(holder: Holder, position: int, selection: Selection) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the selected attributes of an entry that have values."""
    for name, attribute in selection.attributes:
        values = holder.values(position, attribute)
        if values:
            yield name, values


@lru_cache(4)
def _every(schema: Schema, *, operational: bool) -> dict[str, tuple[str, AttributeType]]:
    return {
        attribute.key: (attribute.names[0], attribute)
        for attribute in schema.attributes
        if attribute.operational is operational
    }


def _label(requested: str, attribute: AttributeType) -> str:
    plain = requested.partition(";")[0].lower()
    return next((name for name in attribute.names if name.lower() == plain), attribute.names[0])
