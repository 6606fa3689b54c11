"""Filters made fit for evaluation: short terms weighed, ambiguous name resolution spelt out."""

from typing import Literal, TypeAlias

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


#: How far an item narrows a search; words and not an enumeration's members, which cost more than all else here.
_Breadth: TypeAlias = Literal["narrow", "neutral", "short"]


def narrowed(filter_: Filter, characters: int) -> Filter:
    """Return *filter_* without alternatives of fewer than *characters*, where others are long enough.

    A short term beside a longer one that must match too is kept (``j smith``); filters without any term, such as
    those that browse, stay as they are.

    :raises TermTooShort: when nothing but short terms would choose the entries.
    """
    breadth, rewritten = _weigh(filter_, characters)
    if breadth == "short":
        raise TermTooShort(characters)
    return rewritten


def _weigh(filter_: Filter, characters: int) -> tuple[_Breadth, Filter]:
    if type(filter_) is And:
        weighed = [_weigh(part, characters) for part in filter_.parts]
        return _all_of(weighed), And(tuple([part for _, part in weighed]))
    if type(filter_) is Or:
        return _any_of([_weigh(part, characters) for part in filter_.parts])
    if type(filter_) is Not:
        breadth, part = _weigh(filter_.part, characters)
        return ("short" if breadth == "short" else "neutral"), Not(part)
    return _weigh_item(filter_, characters), filter_


def _all_of(weighed: list[tuple[_Breadth, Filter]]) -> _Breadth:
    found = {breadth for breadth, _ in weighed}
    return "narrow" if "narrow" in found else "short" if "short" in found else "neutral"


def _any_of(weighed: list[tuple[_Breadth, Filter]]) -> tuple[_Breadth, Filter]:
    # What is undefined chooses nobody, so it makes the others no broader.
    found = {breadth for breadth, part in weighed if type(part) is not Undefined}
    if "short" in found and "narrow" not in found:
        return "short", Or(tuple([part for _, part in weighed]))
    kept = tuple([Undefined() if weight == "short" else part for weight, part in weighed])
    narrow = found and "neutral" not in found
    return ("narrow" if narrow else "neutral"), Or(kept)


def _weigh_item(item: Item, characters: int) -> _Breadth:
    if type(item) is Substrings:
        longest = len(item.initial.strip())
        if item.inner or item.final:
            longest = max(longest, *[len(piece.strip()) for piece in (*item.inner, item.final)])
    elif type(item) is Equal or type(item) is Similar or type(item) is Matches:
        longest = len(item.value.strip())
    else:
        return "neutral"
    if (item.attribute or "").lower() in _COMMON:
        return "neutral"
    return "narrow" if longest >= characters else "short"


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
