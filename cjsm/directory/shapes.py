"""Queries as the log shows them: what was asked for, never what was typed."""

from cjsm.directory.query import (
    And,
    AtLeast,
    AtMost,
    Equal,
    Filter,
    Item,
    Matches,
    Not,
    Or,
    Present,
    Similar,
    Substrings,
    Undefined,
)
from cjsm.directory.schema import Schema


def shape(filter_: Filter, schema: Schema) -> str:
    """Return *filter_* in the notation of RFC 4515 with ``_`` for every assertion and ``?`` for unknown attributes."""
    if type(filter_) is And or type(filter_) is Or:
        sign = "&" if type(filter_) is And else "|"
        return f"({sign}{''.join([shape(part, schema) for part in filter_.parts])})"
    if type(filter_) is Not:
        return f"(!{shape(filter_.part, schema)})"
    return f"({_item(filter_, schema)})"


def _item(item: Item, schema: Schema) -> str:
    if type(item) is Undefined:
        return "?"
    asked = item.attribute or ""
    attribute = schema.attribute(asked)
    name = attribute.names[0] if attribute else "anr" if asked.lower() == "anr" else "?"
    return f"{name}{_assertion(item)}"


def _assertion(item: Present | Equal | Similar | Substrings | AtLeast | AtMost | Matches) -> str:
    if type(item) is Present:
        return "=*"
    if type(item) is Substrings:
        return f"={'_' if item.initial else ''}{'*_' * len(item.inner)}*{'_' if item.final else ''}"
    return _SIGNS[type(item)]


_SIGNS: dict[type, str] = {Equal: "=_", Similar: "~=_", AtLeast: ">=_", AtMost: "<=_", Matches: ":=_"}
