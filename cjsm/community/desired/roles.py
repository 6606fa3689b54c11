"""Roles in a file: who has which over what, given and taken."""

from collections.abc import Iterator
from functools import partial

from msgspec import UNSET

from cjsm.community import finding
from cjsm.community.acts import roles
from cjsm.community.acts.acting import By
from cjsm.community.authority import Action
from cjsm.community.desired.differences import Changed, Difference, Step, Turn, What, at, place_of
from cjsm.community.desired.seeing import EVERYTHING, Seen
from cjsm.community.desired.tables import RoleTable
from cjsm.community.errors import BadValue, NotFound
from cjsm.community.identifiers import LENGTH, AccountId, RoleAssignmentId
from cjsm.community.records import Account, OrganisationState, Role, RoleAssignment
from cjsm.community.view import Change, View

_KIND = "role"


def _field(role: Role) -> str:
    return role.value.replace("-", "_")


def _held(seen: Seen, account: AccountId) -> dict[Role, set[str]]:
    """Return the roles of somebody; those over an organisation that is no more are not there, unless the file has it
    back.
    """
    held: dict[Role, set[str]] = {}
    for each in seen.view.roles_of(account):
        over = seen.view.organisation(each.organisation) if each.organisation is not None else None
        if over is not None and over.state is OrganisationState.DELETED and not seen.has_table(over.id):
            continue
        place = seen.path(each.organisation) if each.organisation is not None else EVERYTHING
        held.setdefault(each.role, set()).add(place)
    return held


def tables(seen: Seen) -> dict[str, RoleTable]:
    """Return the tables of those who have a role, and are seen."""
    return {account.user_id: _told(held) for account, held in _everybody(seen)}


def _told(held: dict[Role, set[str]]) -> RoleTable:
    return RoleTable(**{_field(role): tuple(sorted(places)) for role, places in held.items()})


def _everybody(seen: Seen) -> Iterator[tuple[Account, dict[Role, set[str]]]]:
    # Who has a role over something is found there: most people have none.
    places = [None, *(each.id for each in seen.view.organisations())]
    holders = {held.account for place in places for held in seen.view.roles_over(place)}
    for account in map(seen.view.account, sorted(holders)):
        held = _held(seen, account.id) if account is not None else {}
        if account is not None and held and seen.sees(Action.FIND_USERS, account.organisation):
            yield account, held


def compare(seen: Seen) -> Iterator[Difference]:
    """Yield how the file's roles differ."""
    for user_id, table in sorted(seen.desired.role.items()):
        with at(place_of(_KIND, user_id)):
            account = finding.account_of(seen.view, user_id)
            seen.require(Action.FIND_USERS, account.organisation)
            difference = _compare(seen, account, table)
        if difference is not None:
            yield difference
    if seen.prunes(_KIND):
        for account, held in _everybody(seen):
            if account.user_id not in seen.desired.role:
                yield _difference(account, [(role, places, set()) for role, places in held.items()], seen)


def _compare(seen: Seen, account: Account, table: RoleTable) -> Difference | None:
    held = _held(seen, account.id)
    changes = []
    for role in Role:
        asked = getattr(table, _field(role))
        if asked is UNSET:
            continue
        with at(role.value):
            shall = {_place(seen, path) for path in asked}
        if shall != held.get(role, set()):
            changes.append((role, held.get(role, set()), shall))
    return _difference(account, changes, seen) if changes else None


def _place(seen: Seen, path: str) -> str:
    if not path.strip("/"):
        if path != EVERYTHING:
            raise BadValue("an organisation's path is empty", f'write "{EVERYTHING}" for the whole community')
        return EVERYTHING
    return seen.place(path)


def _difference(account: Account, changes: list[tuple[Role, set[str], set[str]]], seen: Seen) -> Difference:
    steps = []
    for role, was, shall in changes:
        where = place_of(_KIND, account.user_id, role.value)
        for place in sorted(shall - was):
            identifier = RoleAssignmentId(seen.entropy(LENGTH))
            act = partial(_grant, account.id, role, place, identifier)
            steps.append(Step(turn=Turn.GRANTS, where=where, act=act))
        for place in sorted(was - shall):
            steps.append(Step(turn=Turn.REVOCATIONS, where=where, act=partial(_revoke, account.id, role, place)))
    changed = tuple(
        Changed(name=role.value, before=tuple(sorted(was)), after=tuple(sorted(shall))) for role, was, shall in changes
    )
    return Difference(what=What.CHANGE, table=_KIND, key=account.user_id, changed=changed, steps=tuple(steps))


def _grant(account: AccountId, role: Role, place: str, identifier: RoleAssignmentId, view: View, by: By) -> Change:
    where = finding.organisation_of(view, place).id if place != EVERYTHING else None
    return roles.grant(view, by, RoleAssignment(id=identifier, account=account, role=role, organisation=where))


def _revoke(account: AccountId, role: Role, place: str, view: View, by: By) -> Change:
    where = finding.organisation_of(view, place).id if place != EVERYTHING else None
    for held in view.roles_of(account):
        if (held.role, held.organisation) == (role, where):
            return roles.revoke(view, by, account, held.id)
    raise NotFound("this user does not have that role there")
