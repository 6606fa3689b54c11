"""Connections of a file: their tables, and how they are added, edited and set live. Certificates are not in files."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from cjsm.community import finding
from cjsm.community.acts import connections
from cjsm.community.acts.acting import By
from cjsm.community.acts.connections import ConnectionChanges
from cjsm.community.acts.connectionvalues import LIMITS, checked, hop_in_words, next_hop_of
from cjsm.community.authority import Action
from cjsm.community.desired.differences import (
    Changed,
    Difference,
    Step,
    Turn,
    What,
    at,
    calling,
    differing,
    mentioned,
    place_of,
)
from cjsm.community.desired.reading import organisation_path
from cjsm.community.desired.seeing import Seen, needed
from cjsm.community.desired.tables import ConnectionTable
from cjsm.community.errors import BadValue, quoted
from cjsm.community.identifiers import LENGTH, ConnectionId, OrganisationId
from cjsm.community.records import (
    Connection,
    ConnectionKind,
    ConnectionState,
    RelayLimits,
    TlsTrust,
    TlsVersion,
)
from cjsm.community.view import Change, View

_KIND = "connection"
#: What an edit does not change.
_FIXED = ("organisation", "kind", "state", "was")


def told(seen: Seen, found: Connection) -> ConnectionTable:
    """Return the table of a connection; nothing of its certificates."""
    limits = msgspec.structs.asdict(found.limits)
    values = {name: getattr(found, name) for name in _PLAIN}
    return ConnectionTable(
        organisation=seen.path(found.organisation),
        kind=found.kind,
        state=found.state,
        next_hops=tuple(map(hop_in_words, found.next_hops)),
        limits={name: value for name, value in limits.items() if value is not None},
        **values,
    )


_PLAIN = ("name", "networks", "certificate_names", "tls_name", "tls_trust", "tls_minimum", "tls_pins", "provider",
          "tenant", "contact")  # fmt: skip


def tables(seen: Seen) -> dict[str, ConnectionTable]:
    """Return the tables of those that are seen."""
    return {finding.name_of(found): told(seen, found) for found in seen.view.connections() if _sees(seen, found)}


def _sees(seen: Seen, found: Connection) -> bool:
    return seen.sees(Action.SEE_CONNECTIONS, found.organisation)


def compare(seen: Seen) -> Iterator[Difference]:
    """Yield how the file's connections differ."""
    kept: set[ConnectionId] = set()
    for slug, table in sorted(seen.desired.connection.items()):
        with at(place_of(_KIND, slug)):
            found = existing(seen, slug)
            if found is not None and found.id in kept:
                raise BadValue("another table is about this connection too", "correct was")
            difference = _added(seen, slug, table) if found is None else _changed(seen, slug, found, table)
        if found is not None:
            kept.add(found.id)
        if difference is not None:
            yield difference
    if seen.prunes(_KIND):
        for extra in seen.view.connections():
            if extra.id not in kept and _sees(seen, extra):
                name = finding.name_of(extra)
                yield Difference(
                    what=What.ELSEWHERE, table=_KIND, key=name, cure=f"cjsm connection suspend {name} --reason …"
                )


def existing(seen: Seen, slug: str) -> Connection | None:
    """Return the connection that a key of the file stands for now; None for a new one."""
    found = _named(seen, slug)
    table = seen.desired.connection.get(slug)
    if found is None and table is not None and table.was is not UNSET:
        found = _named(seen, table.was.lower())
    if found is not None:
        seen.require(Action.SEE_CONNECTIONS, found.organisation)
    return found


def _named(seen: Seen, name: str) -> Connection | None:
    found = seen.view.connection_of_slug(name)
    if found is None:
        found = seen.older_connections.get(name)
    return found


def _added(seen: Seen, slug: str, table: ConnectionTable) -> Difference:
    path = seen.place(needed(table.organisation, "organisation"))
    kind = ConnectionKind(needed(table.kind, "kind"))
    identifier = ConnectionId(seen.entropy(LENGTH))
    made = checked(
        Connection(
            id=identifier,
            organisation=OrganisationId(bytes(LENGTH)),
            slug=slug,
            kind=kind,
            **({"name": needed(table.name, "name")} | _values(table)),
        )
    )

    def add(view: View, by: By) -> Change:
        place = finding.organisation_of(view, path).id
        return connections.add(view, by, msgspec.structs.replace(made, organisation=place))

    steps = [Step(turn=Turn.CONNECTIONS, where=place_of(_KIND, slug), act=add)]
    if table.state not in (UNSET, ConnectionState.TESTING):
        steps.append(_state(slug, identifier, ConnectionState(table.state)))
    return Difference(what=What.ADD, table=_KIND, key=slug, changed=mentioned(table), steps=tuple(steps))


def _changed(seen: Seen, slug: str, found: Connection, table: ConnectionTable) -> Difference | None:
    current = told(seen, found)
    if table.organisation is not UNSET and organisation_path(table.organisation) != current.organisation:
        raise BadValue("a connection stays with its organisation", "add another connection")
    if table.kind not in (UNSET, found.kind):
        raise BadValue("a connection stays of its kind", "add another connection")
    renamed = bool(found.slug) and found.slug != slug
    values = _values(table) | ({"slug": slug} if renamed else {})
    made = checked(msgspec.structs.replace(found, **values)) if found.slug else _older(found, values)
    shall = told(seen, made)
    changed = differing(current, _only(shall, table))
    edited = {each.name: getattr(made, each.name) for each in changed if each.name not in _FIXED}
    if renamed:
        edited["slug"] = slug
        changed = (Changed(name="short name", before=found.slug, after=slug), *changed)
    if table.state not in (UNSET, found.state):
        changed = (*changed, Changed(name="state", before=found.state, after=table.state))
    steps = []
    if edited:
        act = calling(connections.edit, found.id, ConnectionChanges(**edited))
        steps.append(Step(turn=Turn.CONNECTIONS, where=place_of(_KIND, slug), act=act))
    if table.state not in (UNSET, found.state):
        steps.append(_state(slug, found.id, ConnectionState(table.state)))
    if not changed:
        return None
    return Difference(what=What.CHANGE, table=_KIND, key=slug, changed=changed, steps=tuple(steps))


def _older(found: Connection, values: dict[str, Any]) -> Connection:
    """Return the connection with *values* where it has no short name yet, which its checks need."""
    made = checked(msgspec.structs.replace(found, **values, slug="older"))
    return msgspec.structs.replace(made, slug="")


def _only(shall: ConnectionTable, table: ConnectionTable) -> ConnectionTable:
    """Return what *table* mentions, as it is stored."""
    silent = {name: UNSET for name in table.__struct_fields__ if getattr(table, name) is UNSET or name in _FIXED}
    return msgspec.structs.replace(shall, **silent)


def _values(table: ConnectionTable) -> dict[str, Any]:
    """Return what is mentioned, by the names of the record's fields and in their types."""
    names = [name for name in table.__struct_fields__ if name not in _FIXED and getattr(table, name) is not UNSET]
    values = {name: getattr(table, name) for name in names}
    if "next_hops" in values:
        with at("next_hops"):
            values["next_hops"] = tuple(map(next_hop_of, values["next_hops"]))
    if "limits" in values:
        unknown = values["limits"].keys() - LIMITS.keys()
        if unknown:
            raise BadValue(f"limits: there is no limit {quoted(min(unknown))}", f"the limits are {', '.join(LIMITS)}")
        values["limits"] = RelayLimits(**values["limits"])
    for name, kind in (("tls_trust", TlsTrust), ("tls_minimum", TlsVersion)):
        if name in values:
            values[name] = kind(values[name])
    return values


def _state(slug: str, identifier: ConnectionId, state: ConnectionState) -> Step:
    act = calling(connections.set_state, identifier, state)
    return Step(turn=Turn.CONNECTION_STATES, where=place_of(_KIND, slug, "state"), act=act)
