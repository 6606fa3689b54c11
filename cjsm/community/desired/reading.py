"""A file's document, as a TOML parser returns it, to tables with every fault named by table and key."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from cjsm.community.acts.domains import canonical_domain
from cjsm.community.address import Address, UserId, check_slug
from cjsm.community.desired.differences import place_of
from cjsm.community.desired.tables import FORMAT, KINDS, Desired, Removed, Table
from cjsm.community.errors import BadValue, CommunityError, quoted
from cjsm.community.states import DEEPEST
from cjsm.community.view import View

T = TypeVar("T", bound=Struct)

#: Faults that are told at once.
_TOLD = 20
_LONGEST = 500
_FORMATS = {"format", "suffix", "removed", *KINDS}
_AT = re.compile(r"\A(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?\Z", re.DOTALL)


def read(view: View, document: Mapping[str, Any]) -> Desired:
    """Return the tables of a file.

    :raises BadValue: naming the faults, each with its table and key.
    """
    reading = _Reading(view)
    reading.head(document)
    tables = {kind: reading.tables(kind, document.get(kind, {})) for kind in KINDS}
    removed = reading.removed(document.get("removed", {}))
    reading.check()
    return Desired(**tables, removed=removed)


class _Reading:
    def __init__(self, view: View) -> None:
        self._faults: list[str] = []
        self._view = view
        self._canonical: dict[str, Callable[[str], str]] = {
            "organisation": organisation_path,
            "connection": _short_name,
            "domain": lambda key: canonical_domain(view, key),
            "list": _address,
            "shared": _address,
            "role": lambda key: str(UserId.parse(key)),
        }

    def _fault(self, text: str) -> None:
        self._faults.append(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")

    def head(self, document: Mapping[str, Any]) -> None:
        for key in document:
            if key not in _FORMATS:
                self._fault(f"there is no table {quoted(key)}{_nearest(key, _FORMATS)}")
        if document.get("format") != FORMAT:
            self._fault(f"format: this version reads format = {FORMAT}")
        if document.get("suffix") != self._view.suffix:
            self._fault(f"suffix: this is the community {self._view.suffix!r}: is it the right file?")

    def tables(self, kind: str, found: Any) -> dict[str, Any]:
        if not isinstance(found, Mapping):
            self._fault(f"{kind}: write tables like [{kind}.NAME]")
            return {}
        told: dict[str, Any] = {}
        for written, values in found.items():
            table = self._table(kind, written, values)
            key = self._key(kind, written)
            if key in told:
                self._fault(f"{place_of(kind, written)}: it is there twice")
            elif table is not None and key is not None:
                told[key] = table
        return told

    def _key(self, kind: str, written: str) -> str | None:
        try:
            return self._canonical[kind](written)
        except CommunityError as error:
            self._fault(f"{place_of(kind, written)}: {error}")
            return None

    def _table(self, kind: str, written: str, values: Any) -> Table | None:
        where = place_of(kind, written)
        if not isinstance(values, Mapping):
            self._fault(f"{where}: write it as a table")
            return None
        return self._converted(where, values, KINDS[kind])

    def _converted(self, where: str, values: Mapping[str, Any], kind: type[T]) -> T | None:
        known = _keys(kind)
        unknown = [name for name in values if name not in known]
        for name in unknown:
            self._fault(f"{where} {quoted(name)}: there is no such key{_nearest(name, known)}")
        if unknown:
            return None
        try:
            return msgspec.convert(values, kind)
        except msgspec.ValidationError as error:
            told = _AT.match(str(error))
            assert told is not None, "it matches everything"
            self._fault(f"{where} {told['path'] or ''}: {told['problem']}")
            return None

    def removed(self, found: Any) -> Removed:
        if not isinstance(found, Mapping):
            self._fault("removed: write it as a table")
            return Removed()
        told = self._converted("[removed]", found, Removed) or Removed()
        return Removed(
            organisations=self._names("organisations", "organisation", told.organisations),
            lists=self._names("lists", "list", told.lists),
            shared=self._names("shared", "shared", told.shared),
            domains=self._names("domains", "domain", told.domains),
        )

    def _names(self, name: str, kind: str, written: tuple[str, ...]) -> tuple[str, ...]:
        told = []
        for each in written:
            try:
                told.append(self._canonical[kind](each))
            except CommunityError as error:
                self._fault(f"[removed] {name}: {quoted(each)}: {error}")
        return tuple(dict.fromkeys(told))

    def check(self) -> None:
        if self._faults:
            more = f" … and {len(self._faults) - _TOLD} more" if len(self._faults) > _TOLD else ""
            raise BadValue("; ".join(self._faults[:_TOLD]) + more, "correct the file: nothing was done")


@cache
def _keys(kind: Any) -> frozenset[str]:
    return frozenset(each.encode_name for each in msgspec.structs.fields(kind))


def organisation_path(written: str) -> str:
    """Return a path in its one form.

    :raises BadValue: when it is none.
    """
    told = written.strip("/").lower()
    slugs = told.split("/", DEEPEST)
    if len(slugs) >= DEEPEST:
        raise BadValue(f"organisations are at most {DEEPEST - 1} deep")
    for slug in slugs:
        check_slug(slug)
    return told


def _short_name(written: str) -> str:
    told = written.lower()
    check_slug(told)
    return told


def _address(written: str) -> str:
    return str(Address.parse(written))


def _nearest(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key[:100], list(known), n=1, cutoff=0.0)
    return f", did you mean {close[0]}?" if close else ""
