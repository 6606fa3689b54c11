"""Domains of connections in a file: their tables, and how they are approved, changed, suspended and removed."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from cjsm.community import finding
from cjsm.community.acts import domains
from cjsm.community.acts.acting import By
from cjsm.community.address import Address
from cjsm.community.authority import Action
from cjsm.community.desired.connections import existing
from cjsm.community.desired.differences import (
    Difference,
    Doing,
    Step,
    Turn,
    What,
    at,
    calling,
    differing,
    mentioned,
    place_of,
)
from cjsm.community.desired.seeing import Seen, needed
from cjsm.community.desired.tables import DomainTable
from cjsm.community.errors import BadValue, NotFound, quoted
from cjsm.community.records import Domain, DomainState
from cjsm.community.view import Change, View

_KIND = "domain"


def told(seen: Seen, found: Domain) -> DomainTable:
    """Return the table of a domain."""
    connection = seen.view.connection(found.connection)
    return DomainTable(
        connection=seen.connection_name(connection) if connection is not None else "",
        organisation=seen.path(found.organisation),
        state=found.state,
        listed_members_only=found.listed_members_only,
        exceptions=dict(sorted(found.exceptions)),
    )


def tables(seen: Seen) -> dict[str, DomainTable]:
    """Return the tables of those that are seen."""
    found = (each for each in seen.view.domains() if seen.sees(Action.SEE_CONNECTIONS, each.organisation))
    return {each.name: told(seen, each) for each in found}


def compare(seen: Seen) -> Iterator[Difference]:
    """Yield how the file's domains differ."""
    for name, table in sorted(seen.desired.domain.items()):
        with at(place_of(_KIND, name)):
            difference = _compare(seen, name, _normal(seen, table))
        if difference is not None:
            yield difference
    yield from _removed(seen)


def _normal(seen: Seen, table: DomainTable) -> DomainTable:
    changes: dict[str, Any] = {}
    if table.organisation is not UNSET:
        changes["organisation"] = seen.place(table.organisation)
    if table.connection is not UNSET:
        changes["connection"] = table.connection.lower()
        _check_connection(seen, changes["connection"])
    if table.exceptions is not UNSET:
        with at("exceptions"):
            pairs = ((Address.parse(inside), Address.parse(outside)) for inside, outside in table.exceptions.items())
            changes["exceptions"] = dict(sorted((str(inside), str(outside)) for inside, outside in pairs))
            if len(changes["exceptions"]) != len(table.exceptions):
                raise BadValue("an address is there twice")
    return msgspec.structs.replace(table, **changes)


def _check_connection(seen: Seen, name: str) -> None:
    if name in seen.desired.connection:
        return
    found = existing(seen, name)
    if found is None:
        raise NotFound(f"connection: there is no {quoted(name)}", "see `cjsm connection list`")
    if seen.connection_name(found) != name:
        raise NotFound(f"connection: {name} will be {seen.connection_name(found)}", "name it so")


def _compare(seen: Seen, name: str, wanted: DomainTable) -> Difference | None:
    found = seen.view.domain(name)
    where = place_of(_KIND, name)
    if found is None:
        steps = [Step(turn=Turn.DOMAINS, where=where, act=_add(name, wanted)), *_also(name, wanted, None)]
        return Difference(what=What.ADD, table=_KIND, key=name, changed=mentioned(wanted), steps=tuple(steps))
    seen.require(Action.SEE_CONNECTIONS, found.organisation)
    current = told(seen, found)
    changed = differing(current, wanted)
    if any(each.name in ("connection", "organisation") for each in changed):
        raise BadValue("a domain stays with its connection and organisation", "remove it first, and add it again")
    if not changed:
        return None
    steps = list(_also(name, wanted, current))
    return Difference(what=What.CHANGE, table=_KIND, key=name, changed=changed, steps=tuple(steps))


def _add(name: str, wanted: DomainTable) -> Doing:
    connection = needed(wanted.connection, "connection")

    def act(view: View, by: By) -> Change:
        place = finding.organisation_of(view, wanted.organisation).id if wanted.organisation else None
        return domains.add(
            view,
            by,
            name,
            finding.connection_of(view, connection).id,
            listed_members_only=wanted.listed_members_only or False,
            organisation=place,
        )

    return act


def _also(name: str, wanted: DomainTable, current: DomainTable | None) -> Iterator[Step]:
    """Yield what more is to be done than adding it; *current* is None for a new one."""
    before = current or DomainTable(state=DomainState.APPROVED, listed_members_only=wanted.listed_members_only)

    def step(key: str, act: Doing) -> Step:
        return Step(turn=Turn.DOMAINS, where=place_of(_KIND, name, key), act=act)

    listed, exceptions, state = wanted.listed_members_only, wanted.exceptions, wanted.state
    if listed is not UNSET and listed is not before.listed_members_only:
        yield step("listed_members_only", calling(domains.set_listed_members_only, name, listed))
    if exceptions is not UNSET and exceptions != (before.exceptions or {}):
        pairs = tuple(exceptions.items())
        yield step("exceptions", calling(domains.set_exceptions, name, pairs))
    if state is not UNSET and state is not before.state:
        yield step("state", calling(domains.set_state, name, state))


def _removed(seen: Seen) -> Iterator[Difference]:
    going = set(seen.desired.removed.domains)
    if seen.prunes(_KIND):
        managed = (each for each in seen.view.domains() if seen.sees(Action.MANAGE_CONNECTIONS, each.organisation))
        going |= {each.name for each in managed} - seen.desired.domain.keys()
    for name in sorted(going):
        where = f"[removed] domains: {name}"
        if name in seen.desired.domain:
            raise BadValue(f"{where} has a table too", "leave one of them out")
        found = seen.view.domain(name)
        if found is not None:
            with at(where):
                seen.require(Action.SEE_CONNECTIONS, found.organisation)
            step = Step(turn=Turn.REMOVALS, where=where, act=calling(domains.remove, name))
            yield Difference(what=What.REMOVE, table=_KIND, key=name, steps=(step,))
