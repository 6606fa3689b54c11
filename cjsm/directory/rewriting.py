"""Filters made fit for evaluation: short terms weighed, ambiguous name resolution spelt out."""

from enum import Enum

from cjsm.directory.query import (
    And,
    Equal,
    Filter,
    Item,
    Matches,
    Not,
    Or,
    Similar,
    Substrings,
    TermTooShort,
    Undefined,
)

_NAMES = ("displayName", "cn", "sn", "givenName", "mail", "uid")
#: Attributes whose values are shared by nearly all entries: asking for one does not narrow a search.
_COMMON = frozenset(("objectclass", "hassubordinates", "numsubordinates", "structuralobjectclass", "cjsmlocked"))


class _Breadth(Enum):
    NARROW = "narrow"
    NEUTRAL = "neutral"
    SHORT = "short"


def narrowed(filter_: Filter, characters: int) -> Filter:
    """Return *filter_* without alternatives of fewer than *characters*, where others are long enough.

    A short term beside a longer one that must match too is kept (``j smith``); filters without any term, such as
    those that browse, stay as they are.

    :raises TermTooShort: when nothing but short terms would choose the entries.
    """
    breadth, rewritten = _weigh(filter_, characters)
    if breadth is _Breadth.SHORT:
        raise TermTooShort(characters)
    return rewritten


def _weigh(filter_: Filter, characters: int) -> tuple[_Breadth, Filter]:
    if isinstance(filter_, And):
        weighed = [_weigh(part, characters) for part in filter_.parts]
        return _all_of(weighed), And(tuple(part for _, part in weighed))
    if isinstance(filter_, Or):
        return _any_of([_weigh(part, characters) for part in filter_.parts])
    if isinstance(filter_, Not):
        breadth, part = _weigh(filter_.part, characters)
        return (_Breadth.SHORT if breadth is _Breadth.SHORT else _Breadth.NEUTRAL), Not(part)
    return _weigh_item(filter_, characters), filter_


def _all_of(weighed: list[tuple[_Breadth, Filter]]) -> _Breadth:
    found = {breadth for breadth, _ in weighed}
    for strongest in (_Breadth.NARROW, _Breadth.SHORT):
        if strongest in found:
            return strongest
    return _Breadth.NEUTRAL


def _any_of(weighed: list[tuple[_Breadth, Filter]]) -> tuple[_Breadth, Filter]:
    # What is undefined chooses nobody, so it makes the others no broader.
    found = {breadth for breadth, part in weighed if not isinstance(part, Undefined)}
    if _Breadth.SHORT in found and _Breadth.NARROW not in found:
        return _Breadth.SHORT, Or(tuple(part for _, part in weighed))
    kept = tuple(Undefined() if weight is _Breadth.SHORT else part for weight, part in weighed)
    narrow = found <= {_Breadth.NARROW, _Breadth.SHORT} and bool(found)
    return (_Breadth.NARROW if narrow else _Breadth.NEUTRAL), Or(kept)


def _weigh_item(item: Item, characters: int) -> _Breadth:
    if isinstance(item, Substrings):
        longest = max(len(piece.strip()) for piece in (item.initial, *item.inner, item.final))
    elif isinstance(item, (Equal, Similar, Matches)):
        longest = len(item.value.strip())
    else:
        return _Breadth.NEUTRAL
    if (item.attribute or "").lower() in _COMMON:
        return _Breadth.NEUTRAL
    return _Breadth.NARROW if longest >= characters else _Breadth.SHORT


def ambiguous(item: Item) -> Filter:
    """Return what an *item* of ambiguous name resolution stands for, as Outlook asks: ``(anr=jane smi)``.

    That is any name that begins with the text, or first and last name in either order; nothing else than a beginning
    has a meaning.
    """
    text = ""
    if isinstance(item, (Equal, Similar)):
        text = item.value
    elif isinstance(item, Substrings) and not item.inner and not item.final:
        text = item.initial
    return _named(text) if text.strip() else Undefined()


def _named(text: str) -> Filter:
    parts: list[Filter] = [Substrings(name, initial=text) for name in _NAMES]
    first, _, last = text.strip().partition(" ")
    if last.strip():
        for given, family in ((first, last.strip()), (last.strip(), first)):
            parts.append(And((Substrings("givenName", initial=given), Substrings("sn", initial=family))))
    return Or(tuple(parts))
