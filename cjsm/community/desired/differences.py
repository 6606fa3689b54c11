"""How a file differs from the community: in words, and as the acts that lead from one to the other."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum, StrEnum
from typing import Any, Concatenate, ParamSpec

from msgspec import UNSET, Struct

from cjsm.community.acts.acting import By
from cjsm.community.desired.tables import Table
from cjsm.community.errors import CommunityError
from cjsm.community.view import Change, View

P = ParamSpec("P")
#: What is left of an act when its values are known.
Doing = Callable[[View, By], Change]

#: TOML takes these as keys without quotation marks.
_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_SHOWN = 100


class Turn(IntEnum):
    """Which acts come before which, so that what one needs is there."""

    ORGANISATIONS = 0
    CONNECTIONS = 1
    DOMAINS = 2
    CONNECTION_STATES = 3
    LISTS = 4
    MEMBERS = 5
    SHARED = 6
    GRANTS = 7
    REVOCATIONS = 8
    REMOVALS = 9
    SUSPENSIONS = 10
    DELETIONS = 11


class Step(Struct, frozen=True, kw_only=True):
    """One act. ``order`` is its place among those of its turn, ``where`` the table and key that ask for it."""

    turn: Turn
    where: str
    act: Doing
    order: int = 0


def calling(act: Callable[Concatenate[View, By, P], Change], *args: P.args, **values: P.kwargs) -> Doing:
    """Return *act* with everything but the view and who acts, which a step gives it in its turn."""
    return lambda view, by: act(view, by, *args, **values)


class What(StrEnum):
    """What is to happen to a thing."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"
    ELSEWHERE = "elsewhere"


class Changed(Struct, frozen=True, kw_only=True):
    """A value as it is and as it shall be; None for what is not there."""

    name: str
    before: Any = None
    after: Any = None


class Difference(Struct, frozen=True, kw_only=True):
    """What a file asks of one thing.

    ``cure`` is the command that does what a file cannot: there are no ``steps`` then.
    """

    what: What
    table: str
    key: str
    changed: tuple[Changed, ...] = ()
    cure: str = ""
    steps: tuple[Step, ...] = ()

    def told(self) -> tuple[object, ...]:
        """Return what people are shown of it, to be compared."""
        return (self.what, self.table, self.key, self.changed, self.cure)


def place_of(table: str, key: str, name: str = "") -> str:
    """Return how errors and people name a value of a file: ``[organisation."avon/crime"] area``."""
    told = key if len(key) <= _SHOWN else f"{key[:_SHOWN]}…"
    if not told.isprintable():
        told = ascii(told)[1:-1]
    quoted = told if _BARE.match(told) else f'"{told}"'
    return f"[{table}.{quoted}]{' ' if name else ''}{name}"


@contextmanager
def at(where: str) -> Iterator[None]:
    """Let errors of the community's rules name the place in the file."""
    try:
        yield
    except CommunityError as error:
        raise type(error)(f"{where}: {error}", error.cure) from None


def differing(current: Table, wanted: Table) -> tuple[Changed, ...]:
    """Return the values that *wanted* mentions and that are others in *current*."""
    return tuple(
        Changed(name=name, before=getattr(current, name), after=asked)
        for name in current.__struct_fields__
        if name != "was" and (asked := getattr(wanted, name)) is not UNSET and asked != getattr(current, name)
    )


def mentioned(wanted: Table) -> tuple[Changed, ...]:
    """Return every value of a new thing."""
    told = ((name, getattr(wanted, name)) for name in wanted.__struct_fields__)
    return tuple(Changed(name=name, after=value) for name, value in told if value is not UNSET and name != "was")


def ordered(differences: list[Difference]) -> list[Step]:
    """Return the acts in the order in which they can be done."""
    steps = (step for difference in differences for step in difference.steps)
    return sorted(steps, key=lambda step: (step.turn, step.order))
