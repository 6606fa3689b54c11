"""``--dry-run``: what an act would do, in words and as a document, while nothing is changed."""

from typing import Any

import msgspec
from msgspec import Struct
from rich.markup import escape

from cjsm.command.output import console, document, shown, table
from cjsm.community.records import Record
from cjsm.store.rehearsed import Rehearsed, Step

#: Values of one field that people are shown.
_SHOWN = 20
_NAMES = ("user_id", "address", "name", "slug")


def report(rehearsed: Rehearsed, *, as_json: bool) -> None:
    """Tell what would be done."""
    entry = rehearsed.change.entry
    told = {
        "dry_run": True,
        "act": entry.act if entry is not None else None,
        "reason": entry.reason if entry is not None else "",
        "details": dict(entry.details) if entry is not None else {},
        "records": [_told(step) for step in rehearsed.steps],
    }
    if as_json:
        document(told)
        return
    console.print(f"dry run: nothing was changed. It would be done: [bold]{escape(str(told['act']))}[/]")
    rows = [
        [f"{each['kind']} {each['name']}", each["change"], name, *(_short(value) for value in values)]
        for each in map(_told, rehearsed.steps)
        for name, values in (each["fields"] or {"": (None, None)}).items()
    ]
    table(rows, "record", "would be", "field", "now", "then")


def _told(step: Step) -> dict[str, Any]:
    record = step.after or step.before
    change = "removed" if step.after is None else "added" if step.before is None else "changed"
    return {
        "kind": _kind(record),
        "name": next((str(getattr(record, name)) for name in _NAMES if getattr(record, name, "")), ""),
        "change": change,
        "fields": _fields(step),
    }


def _kind(record: Record | None) -> str:
    name = type(record).__name__.removesuffix("Record")
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _fields(step: Step) -> dict[str, tuple[Any, Any]]:
    """Return what differs, before and after; of what is added all that says something, of what is removed nothing."""
    if step.after is None:
        return {}
    before = _plain(step.before) if step.before is not None else {}
    defaults = dict(zip(reversed(step.after.__struct_fields__), reversed(step.after.__struct_defaults__), strict=False))
    after = _plain(step.after)
    empty = {name: _plain(value) for name, value in defaults.items()}
    return {
        name: (before.get(name), value)
        for name, value in after.items()
        if name != "version" and value != (before[name] if step.before is not None else empty.get(name))
    }


def _plain(value: Any) -> Any:
    """Return a value as documents have it; identifiers as everywhere in hexadecimal."""
    match value:
        case bytes():
            return value.hex()
        case Struct():
            return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
        case tuple() | list() | set() | frozenset():
            return [_plain(each) for each in value]
        case _ if value is msgspec.NODEFAULT:
            return None
        case _:
            return value


def _short(value: Any) -> str:
    if isinstance(value, list) and len(value) > _SHOWN:
        return f"{shown(value[:_SHOWN])}\n… and {len(value) - _SHOWN} more"
    return shown(value)
