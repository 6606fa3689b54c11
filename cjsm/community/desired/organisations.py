"""Organisations of a file: their tables, and how they are added, moved, changed, suspended and deleted."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from cjsm.community import finding
from cjsm.community.acts import moving, organisations
from cjsm.community.acts.acting import By, check_text
from cjsm.community.authority import Action
from cjsm.community.desired.differences import (
    Changed,
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
from cjsm.community.desired.reading import organisation_path
from cjsm.community.desired.seeing import Seen, needed
from cjsm.community.desired.tables import OrganisationTable
from cjsm.community.errors import BadValue
from cjsm.community.identifiers import LENGTH, OrganisationId
from cjsm.community.records import Organisation, OrganisationState, Recovery
from cjsm.community.view import Change, View

_KIND = "organisation"


def told(found: Organisation) -> OrganisationTable:
    """Return the table of an organisation."""
    return OrganisationTable(
        name=found.name,
        abbreviation=found.abbreviation or "",
        business_type=found.business_type,
        area=found.area,
        ex_directory=found.ex_directory,
        protected=found.protected,
        recovery=found.recovery,
        state=found.state,
    )


def tables(seen: Seen) -> dict[str, OrganisationTable]:
    """Return the tables of those that are seen; deleted ones are not there."""
    found = (each for each in seen.view.organisations() if each.state is not OrganisationState.DELETED)
    return {seen.path(each.id): told(each) for each in found if seen.sees(Action.SEE_ORGANISATIONS, each.id)}


def compare(seen: Seen) -> Iterator[Difference]:
    """Yield how the file's organisations differ, those above before those below."""
    seen.check_tables()
    asked = sorted(seen.desired.organisation.items(), key=lambda item: (item[0].count("/"), item[0]))
    for order, (path, table) in enumerate(asked):
        with at(place_of(_KIND, path)):
            difference = _compare(seen, path, table, order)
        if difference is not None:
            yield difference
        if _is_left_behind(seen, path, table):
            cure = f"{table.was} is there too, and stays: give it a table of its own, or name it in [removed]"
            yield Difference(what=What.ELSEWHERE, table=_KIND, key=path, cure=cure)
    yield from _removed(seen)


def _is_left_behind(seen: Seen, path: str, table: OrganisationTable) -> bool:
    """Whether the organisation has its path already, and there is one at the path it was to come from."""
    if table.was is UNSET:
        return False
    was, found = organisation_path(table.was), seen.organisation(path)
    named = was in seen.desired.organisation or was in seen.desired.removed.organisations
    before = None if named or found is None else seen.organisation(was)
    return before is not None and before != found and before.state is not OrganisationState.DELETED


def _compare(seen: Seen, path: str, table: OrganisationTable, order: int) -> Difference | None:
    above = path.rpartition("/")[0]
    if above:
        seen.place(above)
    wanted = _normal(path, table)
    found = seen.organisation(path)
    if wanted.state is OrganisationState.DELETED:
        raise BadValue("state is active or suspended", "to delete it, name it in organisations of [removed]")
    if found is None:
        return _added(seen, path, wanted, order)
    seen.require(Action.SEE_ORGANISATIONS, found.id)
    return _changed(seen, path, found, wanted, order)


def _normal(path: str, table: OrganisationTable) -> OrganisationTable:
    """Return the table with values as they are stored."""
    changes: dict[str, Any] = {}
    for name in ("name", "business_type", "area"):
        value = getattr(table, name)
        if value is not UNSET:
            with at(name):
                changes[name] = check_text(value, "it") if value or name == "name" else value
    if table.abbreviation is not UNSET:
        changes["abbreviation"] = table.abbreviation.lower()
    if table.was is not UNSET:
        changes["was"] = organisation_path(table.was)
        if changes["was"].rpartition("/")[2] != path.rpartition("/")[2]:
            raise BadValue("an organisation keeps its short name when it moves", "let the last part of was be the same")
    return msgspec.structs.replace(table, **changes)


def _added(seen: Seen, path: str, wanted: OrganisationTable, order: int) -> Difference:
    above, _, slug = path.rpartition("/")
    name = needed(wanted.name, "name")
    if not above and not wanted.abbreviation:
        raise BadValue("a top organisation needs an abbreviation, which its hosted addresses end in")
    protected = wanted.protected is True
    identifier = OrganisationId(seen.entropy(LENGTH))

    def add(view: View, by: By) -> Change:
        made = Organisation(
            id=identifier,
            parent=finding.organisation_of(view, above).id if above else None,
            slug=slug,
            name=name,
            abbreviation=wanted.abbreviation or None,
            recovery=wanted.recovery if wanted.recovery is not UNSET else Recovery.TWO_PERSON,
            business_type=wanted.business_type or "",
            area=wanted.area or "",
            protected=protected,
            ex_directory=wanted.ex_directory if wanted.ex_directory is not UNSET else protected,
        )
        return organisations.add(view, by, made)

    steps = [Step(turn=Turn.ORGANISATIONS, order=order, where=place_of(_KIND, path), act=add)]
    if wanted.state is OrganisationState.SUSPENDED:
        steps.append(_suspend(identifier, path, order))
    return Difference(what=What.ADD, table=_KIND, key=path, changed=mentioned(wanted), steps=tuple(steps))


def _changed(seen: Seen, path: str, found: Organisation, wanted: OrganisationTable, order: int) -> Difference | None:
    if found.state is OrganisationState.DELETED and wanted.state is UNSET:
        wanted = msgspec.structs.replace(wanted, state=OrganisationState.ACTIVE)
    changed = differing(told(found), wanted)
    values = {each.name: each.after for each in changed if each.name != "state"}
    where = place_of(_KIND, path)
    steps: list[Step] = []

    def step(act: Doing) -> None:
        steps.append(Step(turn=Turn.ORGANISATIONS, order=order, where=where, act=act))

    state = next((each.after for each in changed if each.name == "state"), None)
    if state is OrganisationState.ACTIVE:
        step(calling(organisations.set_state, found.id, state))
    if values:
        if values.get("abbreviation") == "":
            raise BadValue("an abbreviation stays: addresses end in it")
        step(calling(organisations.change, found.id, **values))
    above = path.rpartition("/")[0]
    before = finding.path_of(seen.view, found.id)
    parent = seen.organisation(above) if above else None
    if (parent.id if parent is not None else None) != found.parent or (above and parent is None):

        def move(view: View, by: By) -> Change:
            return moving.move(view, by, found.id, finding.organisation_of(view, above).id if above else None)

        changed = (Changed(name="path", before=before, after=path), *changed)
        step(move)
    if state is OrganisationState.SUSPENDED:
        steps.append(_suspend(found.id, path, order))
    if not changed:
        return None
    return Difference(what=What.CHANGE, table=_KIND, key=path, changed=changed, steps=tuple(steps))


def _suspend(organisation: OrganisationId, path: str, order: int) -> Step:
    act = calling(organisations.set_state, organisation, OrganisationState.SUSPENDED)
    return Step(turn=Turn.SUSPENSIONS, order=order, where=place_of(_KIND, path, "state"), act=act)


def _removed(seen: Seen) -> Iterator[Difference]:
    """Yield what is named among the removed, and what the file does not have where it is pruned, the deepest first."""
    kept = {found.id for found in map(seen.organisation, seen.desired.organisation) if found is not None}
    going = {found.id: found for found in _named(seen)}
    if seen.prunes(_KIND):
        every = (each for each in seen.view.organisations() if each.id not in kept)
        going |= {each.id: each for each in every if seen.sees(Action.CHANGE_ORGANISATION, each.id)}
    paths = {finding.path_of(seen.view, each.id): each for each in going.values()}
    for path, found in sorted(paths.items(), key=lambda item: (-item[0].count("/"), item[0])):
        if found.id in kept:
            raise BadValue(f"[removed] organisations: {path} has a table too", "leave one of them out")
        seen.require(Action.SEE_ORGANISATIONS, found.id)
        if found.state is not OrganisationState.DELETED:
            step = _delete(found.id, f"[removed] organisations: {path}", -path.count("/"))
            yield Difference(what=What.REMOVE, table=_KIND, key=path, steps=(step,))


def _named(seen: Seen) -> Iterator[Organisation]:
    for path in seen.desired.removed.organisations:
        found = seen.organisation(path)
        if path in seen.desired.organisation:
            raise BadValue(f"[removed] organisations: {path} has a table too", "leave one of them out")
        if found is not None:
            yield found


def _delete(organisation: OrganisationId, where: str, order: int) -> Step:
    act = calling(organisations.set_state, organisation, OrganisationState.DELETED)
    return Step(turn=Turn.DELETIONS, order=order, where=where, act=act)
