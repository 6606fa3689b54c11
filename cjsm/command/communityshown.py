"""How a file differs from the community, as people and programs read it."""

import json
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

import click
import msgspec

from cjsm.community.desired.differences import Changed, Difference, What

_SIGNS = {What.ADD: "+", What.CHANGE: "~", What.REMOVE: "-", What.ELSEWHERE: "!"}
_COLOURS = {What.ADD: "green", What.CHANGE: "yellow", What.REMOVE: "red", What.ELSEWHERE: "magenta"}
_KINDS = {"list": "list", "shared": "shared mailbox", "role": "roles of"}
#: Things of a list that are named; of more there is the number.
_NAMED = 10


def told(differences: Sequence[Difference]) -> list[dict[str, Any]]:
    """Return the differences for programs."""
    return [
        {
            "what": each.what,
            "kind": each.table,
            "name": each.key,
            "changed": {
                one.name: {"from": msgspec.to_builtins(one.before), "to": msgspec.to_builtins(one.after)}
                for one in each.changed
            },
            **({"do_this": each.cure} if each.cure else {}),
        }
        for each in differences
    ]


def show(differences: Sequence[Difference]) -> None:
    """Print them for people."""
    lines = []
    for each in differences:
        head = f"{_SIGNS[each.what]} {_KINDS.get(each.table, each.table)} {each.key}"
        lines.append(click.style(head, fg=_COLOURS[each.what]))
        lines += [f"    {line}" for line in _lines(each)]
    # At once: there may be a hundred thousand.
    click.echo("\n".join([*lines, summary(differences)]))


def summary(differences: Sequence[Difference]) -> str:
    """Return how many there are of each, in a line."""
    counted = {what: sum(1 for each in differences if each.what is what) for what in What}
    if not any(counted.values()):
        return "nothing differs"
    line = f"{counted[What.ADD]:,} to add, {counted[What.CHANGE]:,} to change, {counted[What.REMOVE]:,} to remove"
    elsewhere = counted[What.ELSEWHERE]
    return f"{line}, {elsewhere:,} that a file cannot do: see above" if elsewhere else line


def _lines(difference: Difference) -> Iterator[str]:
    if difference.what is What.ELSEWHERE:
        yield f"not applied here: {difference.cure}"
    for each in difference.changed:
        yield f"{each.name}: {_change(each, new=difference.what is What.ADD)}"


def _change(each: Changed, *, new: bool) -> str:
    if new:
        return _value(each.after)
    if isinstance(each.before, tuple) and isinstance(each.after, tuple) and set(each.before) != set(each.after):
        gone = [one for one in each.before if one not in set(each.after)]
        come = [one for one in each.after if one not in set(each.before)]
        parts = [f"{len(some)} {verb} ({_named(some)})" for some, verb in ((come, "more"), (gone, "fewer")) if some]
        return ", ".join(parts)
    return f"{_value(each.before)} → {_value(each.after)}"


def _named(some: Sequence[Any]) -> str:
    shown = ", ".join(map(str, some[:_NAMED]))
    return shown if len(some) <= _NAMED else f"{shown} … and {len(some) - _NAMED} more"


def _value(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case tuple():
            return _named(value) or "none"
        case dict():
            return _named([f"{name} = {_value(part)}" for name, part in value.items()]) or "none"
        case StrEnum():
            return value.value
        case str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)
