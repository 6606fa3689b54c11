"""Distribution lists of a file: their tables, and how they are added, changed, filled and deleted."""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import UNSET

from cjsm.community import finding
from cjsm.community.acts import lists
from cjsm.community.acts.acting import By
from cjsm.community.address import Address
from cjsm.community.authority import Action, may_see_members, require
from cjsm.community.desired.differences import Difference, Step, Turn, What, at, calling, differing, mentioned, place_of
from cjsm.community.desired.seeing import Seen, needed
from cjsm.community.desired.tables import ListTable
from cjsm.community.errors import BadValue, NotFound
from cjsm.community.identifiers import LENGTH, AccountId, ListId
from cjsm.community.records import MailList, WhoMayPost
from cjsm.community.view import Change, View

_KIND = "list"


def told(seen: Seen, found: MailList) -> ListTable:
    """Return the table of a list."""
    return ListTable(
        organisation=seen.path(found.organisation),
        name=found.name,
        who_may_post=found.who_may_post,
        ex_directory=found.ex_directory,
        managers=seen.user_ids(found.managers),
        members=tuple(sorted(found.members)),
    )


def tables(seen: Seen) -> dict[str, ListTable]:
    """Return the tables of those whose members are seen."""
    return {finding.primary_address(seen.view, found.id): told(seen, found) for found in _visible(seen)}


def _visible(seen: Seen) -> Iterator[MailList]:
    return (found for found in seen.view.lists() if may_see_members(seen.view, seen.actor, found).allowed)


def compare(seen: Seen) -> Iterator[Difference]:
    """Yield how the file's lists differ."""
    for address, table in sorted(seen.desired.list.items()):
        with at(place_of(_KIND, address)):
            difference = _compare(seen, address, table)
        if difference is not None:
            yield difference
    yield from _removed(seen)


def _existing(seen: Seen, address: str) -> MailList | None:
    found = finding.owned_list(seen.view, seen.view.reserved_address(address))
    if found is not None:
        require(may_see_members(seen.view, seen.actor, found))
    return found


def _compare(seen: Seen, address: str, table: ListTable) -> Difference | None:
    wanted = _normal(seen, table)
    found = _existing(seen, address)
    if found is None:
        return _added(seen, address, wanted)
    current = told(seen, found)
    if wanted.organisation not in (UNSET, current.organisation):
        raise BadValue("a list stays with its organisation", "add another list, and remove this one")
    changed = differing(current, wanted)
    if not changed:
        return None
    values = {each.name: each.after for each in changed if each.name not in ("managers", "members")}
    steps = []
    if values:
        act = calling(lists.change, found.id, **values)
        steps.append(Step(turn=Turn.LISTS, where=place_of(_KIND, address), act=act))
    steps += _managed(seen, address, found, wanted)
    steps += _members(address, found.id, found.members, wanted)
    return Difference(what=What.CHANGE, table=_KIND, key=address, changed=changed, steps=tuple(steps))


def _normal(seen: Seen, table: ListTable) -> ListTable:
    changes = seen.normal(table)
    if table.members is not UNSET:
        with at("members"):
            members = {lists.primary_of(seen.view, Address.parse(each)) for each in table.members}
            changes["members"] = tuple(sorted(members))
    return msgspec.structs.replace(table, **changes)


def _added(seen: Seen, address: str, wanted: ListTable) -> Difference:
    path = needed(wanted.organisation, "organisation")
    name = needed(wanted.name, "name")
    identifier = ListId(seen.entropy(LENGTH))
    where = place_of(_KIND, address)
    managers = _accounts(seen, wanted.managers or ())

    def add(view: View, by: By) -> Change:
        made = MailList(
            id=identifier,
            organisation=finding.organisation_of(view, path).id,
            slug=address.partition("@")[0],
            name=name,
            managers=managers,
            who_may_post=wanted.who_may_post or WhoMayPost.ORGANISATION,
            ex_directory=wanted.ex_directory or False,
        )
        return lists.add(view, by, made, Address.parse(address))

    steps = (Step(turn=Turn.LISTS, where=where, act=add), *_members(address, identifier, (), wanted))
    return Difference(what=What.ADD, table=_KIND, key=address, changed=mentioned(wanted), steps=steps)


def _accounts(seen: Seen, user_ids: Iterable[str]) -> tuple[AccountId, ...]:
    return tuple(finding.account_of(seen.view, each).id for each in user_ids)


def _managed(seen: Seen, address: str, found: MailList, wanted: ListTable) -> Iterator[Step]:
    if wanted.managers is UNSET:
        return
    asked = _accounts(seen, wanted.managers)
    where = place_of(_KIND, address, "managers")
    for account in asked:
        if account not in found.managers:
            yield Step(turn=Turn.LISTS, where=where, act=calling(lists.appoint, found.id, account))
    for account in found.managers:
        if account not in asked:
            yield Step(turn=Turn.LISTS, where=where, act=calling(lists.dismiss, found.id, account))


def _members(address: str, identifier: ListId, before: tuple[str, ...], wanted: ListTable) -> Iterator[Step]:
    if wanted.members is UNSET:
        return
    where = place_of(_KIND, address, "members")
    was, shall = set(before), set(wanted.members)
    # Whoever leaves does so first: a full list has room then.
    for order, (act, some) in enumerate(((lists.leave, was - shall), (lists.join, shall - was))):
        each = [Address.parse(member) for member in sorted(some)]
        for part in (each[start : start + lists.AT_ONCE] for start in range(0, len(each), lists.AT_ONCE)):
            yield Step(turn=Turn.MEMBERS, where=where, order=order, act=calling(act, identifier, part))


def _removed(seen: Seen) -> Iterator[Difference]:
    others = (each for each in _visible(seen) if seen.sees(Action.MANAGE_LISTS, each.organisation))
    for address, where in seen.going(_KIND, "lists", others):
        with at(where):
            gone = _existing(seen, address)
            if gone is None:
                raise NotFound("this address is no list's", "see `cjsm list list`")
        step = Step(turn=Turn.REMOVALS, where=where, act=calling(lists.delete, gone.id, seen.reserved_for))
        yield Difference(what=What.REMOVE, table=_KIND, key=address, steps=(step,))
