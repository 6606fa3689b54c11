"""Distribution lists: made, changed, given members and managers, deleted (community §8)."""

from collections.abc import Collection, Iterable, Iterator

import msgspec

from cjsm.community.acts.acting import By, changed, check_text, entry_of, existing, made_in
from cjsm.community.acts.naming import given_up, new_address
from cjsm.community.address import Address
from cjsm.community.admission import Refuse, admit, expand
from cjsm.community.authority import Action, Permission, may, may_manage_members, require
from cjsm.community.errors import BadValue, Conflict, NotFound
from cjsm.community.finding import owned_list, primary_address
from cjsm.community.identifiers import AccountId, ListId
from cjsm.community.posting import LIST_DEPTH, LIST_TOTAL
from cjsm.community.records import Account, Life, MailList, OwnerKind, WhoMayPost
from cjsm.community.states import may_act
from cjsm.community.verdicts import Service, ServiceOrigin
from cjsm.community.view import Change, View

#: Members that join or leave with one act; more come in several.
AT_ONCE = 500


def existing_list(view: View, identifier: ListId) -> MailList:
    """Return the list.

    :raises NotFound: when there is none.
    """
    found = view.mail_list(identifier)
    if found is None:
        raise NotFound("there is no such list", "see `cjsm list list`")
    return found


def add(view: View, by: By, mail_list: MailList, address: Address) -> Change:
    """Add a distribution list with its address in the organisation's domain, and managers if it has any."""
    permission = require(may(view, by.actor, Action.MANAGE_LISTS, mail_list.organisation))
    record = new_address(view, mail_list.slug, mail_list.organisation, address, OwnerKind.LIST, mail_list.id)
    for manager in mail_list.managers:
        _check_manager(view, manager)
    made = msgspec.structs.replace(mail_list, name=check_text(mail_list.name, "a name"), created=view.moment)
    told = {"managers": _hex(made.managers)} if made.managers else {}
    entry = entry_of(view, by, "list-add", "list", made.id, permission, **told)
    return Change(put=(made, record), entry=made_in(made.organisation, entry))


def change(
    view: View,
    by: By,
    identifier: ListId,
    *,
    name: str | None = None,
    who_may_post: WhoMayPost | None = None,
    ex_directory: bool | None = None,
) -> Change:
    """Change what is given; a list's managers change its members only."""
    found = existing_list(view, identifier)
    permission = require(may(view, by.actor, Action.MANAGE_LISTS, found.organisation))
    changes: dict[str, object] = {}
    if name is not None:
        changes["name"] = check_text(name, "a name")
    if who_may_post is not None:
        changes["who_may_post"] = who_may_post
    if ex_directory is not None:
        changes["ex_directory"] = ex_directory
    if not changes:
        raise BadValue("nothing is to be changed", "see `cjsm list change --help`")
    return _done(view, by, found, permission, "list-change", changes, changed=" ".join(sorted(changes)))


def join(view: View, by: By, identifier: ListId, members: Iterable[Address]) -> Change:
    """Let addresses be members; those that are already stay so.

    :raises CommunityError: naming the first that cannot be one; then none joins.
    """
    found = existing_list(view, identifier)
    permission = require(may_manage_members(view, by.actor, found))
    joining = dict.fromkeys(checked_member(view, found, address) for address in members)
    known = frozenset(found.members)
    fresh = [address for address in joining if address not in known]
    _check_many(fresh, "they are members already")
    made = msgspec.structs.replace(found, members=(*found.members, *fresh))
    _check_reach(view, found, made)
    return _done(
        view, by, found, permission, "list-join", {"members": made.members}, joined=_told(view, fresh), many=len(fresh)
    )


def leave(view: View, by: By, identifier: ListId, members: Iterable[Address]) -> Change:
    """Take addresses off; a member may take off the own one.

    :raises NotFound: naming the first that is no member; then none leaves.
    """
    found = existing_list(view, identifier)
    known = frozenset(found.members)
    leaving = dict.fromkeys(_member_named(view, known, address) for address in members)
    _check_many(leaving, "nobody is to leave")
    permission = may_manage_members(view, by.actor, found)
    if not permission.allowed and by.actor is not None and _is_own(view, by.actor, leaving):
        permission = Permission(True, "one's own")
    require(permission)
    kept = tuple(member for member in found.members if member not in leaving)
    return _done(
        view, by, found, permission, "list-leave", {"members": kept}, left=_told(view, leaving), many=len(leaving)
    )


def appoint(view: View, by: By, identifier: ListId, account: AccountId) -> Change:
    """Let an account manage the members."""
    found = existing_list(view, identifier)
    permission = require(may(view, by.actor, Action.MANAGE_LISTS, found.organisation))
    _check_manager(view, account)
    if account in found.managers:
        raise Conflict("this user manages the list already")
    managers = (*found.managers, account)
    return _done(view, by, found, permission, "list-appoint", {"managers": managers}, manager=account.hex())


def dismiss(view: View, by: By, identifier: ListId, account: AccountId) -> Change:
    """Let an account manage the members no longer."""
    found = existing_list(view, identifier)
    permission = require(may(view, by.actor, Action.MANAGE_LISTS, found.organisation))
    if account not in found.managers:
        raise NotFound("this user does not manage the list", "see `cjsm list show`")
    managers = tuple(each for each in found.managers if each != account)
    return _done(view, by, found, permission, "list-dismiss", {"managers": managers}, manager=account.hex())


def delete(view: View, by: By, identifier: ListId, reserved_for: int) -> Change:
    """Delete a list; its address is nobody's for *reserved_for* seconds, and other lists lose it."""
    found = existing_list(view, identifier)
    permission = require(may(view, by.actor, Action.MANAGE_LISTS, found.organisation))
    gone = {record.address for record in view.addresses_of(identifier)}
    outer = tuple(_without(each, gone) for each in view.lists() if not gone.isdisjoint(each.members))
    entry = entry_of(view, by, "list-delete", "list", identifier, permission)
    return Change(put=(*outer, *given_up(view, identifier, reserved_for)), removed=(found,), entry=entry)


def _without(found: MailList, gone: set[str]) -> MailList:
    members = tuple(member for member in found.members if member not in gone)
    return changed(found, members=members)


def _check_many(members: Collection[str], otherwise: str) -> None:
    if not members:
        raise Conflict(otherwise)
    if len(members) > AT_ONCE:
        raise BadValue(f"at most {AT_ONCE} members join or leave at once", "do it in parts")


def checked_member(view: View, found: MailList, address: Address) -> str:
    """Return the primary address of whom *address* reaches, who mail from the list must reach now.

    :raises Conflict: with admission's own words.
    """
    verdict = admit(view, ServiceOrigin(service=Service.LIST, on_behalf=found.id), None, address)
    if isinstance(verdict, Refuse):
        raise Conflict(f"{address} cannot be a member: {verdict.text}", "see `cjsm policy explain`")
    record = view.address(str(address))
    if record is not None and record.owner == found.id:
        raise Conflict("a list cannot be a member of itself")
    return primary_of(view, address)


def primary_of(view: View, address: Address) -> str:
    """Return the primary address of whom *address* reaches, under which that one is a member; or the address itself."""
    record = view.address(str(address))
    if record is None:
        return str(address)
    return primary_address(view, record.owner) or str(address)


def _member_named(view: View, members: Collection[str], address: Address) -> str:
    """Return the member that *address* is, as it is or as the primary address of whom it belongs to."""
    record = view.reserved_address(str(address))
    own = [each.address for each in view.addresses_of(record.owner)] if record is not None else []
    for known in (str(address), *own):
        if known in members:
            return known
    raise NotFound(f"{address} is no member", "see `cjsm list show`")


def _check_reach(view: View, found: MailList, made: MailList) -> None:
    """Check that no list comes back to itself, that all count, and that not too many are reached."""
    if len(made.members) > LIST_TOTAL:
        raise Conflict(f"a list has at most {LIST_TOTAL} members", "make several, and a list of them")
    fresh = list(_lists_in(view, made.members[len(found.members) :]))
    if not fresh:
        return
    if found.id in set(_lists_below(view, made)):
        raise Conflict("one of these lists has this list as a member: mail would go round", "leave it out")
    if _height(view, made) + _above(view, found) > LIST_DEPTH:
        raise Conflict(f"lists inside lists are at most {LIST_DEPTH} deep", "name the members themselves")
    for inner in fresh:
        reached = expand(view, inner.id)
        if isinstance(reached, Refuse) or len(reached) + len(made.members) > LIST_TOTAL:
            raise Conflict(f"a list reaches at most {LIST_TOTAL} addresses", "make several")


def _lists_in(view: View, members: Iterable[str]) -> Iterator[MailList]:
    for member in members:
        inner = owned_list(view, view.address(member))
        if inner is not None:
            yield inner


def _lists_below(view: View, found: MailList) -> Iterator[ListId]:
    seen: set[ListId] = set()
    waiting = [found]
    while waiting:
        for inner in _lists_in(view, waiting.pop().members):
            if inner.id not in seen:
                seen.add(inner.id)
                yield inner.id
                waiting.append(inner)


def _height(view: View, found: MailList) -> int:
    """Return how many lists are inside one another, this one counted. There is no loop."""
    level, height = [found], 0
    while level:
        height += 1
        following = {inner.id: inner for each in level for inner in _lists_in(view, each.members)}
        level = list(following.values())
    return height


def _above(view: View, found: MailList) -> int:
    """Return how many lists one is inside of, one inside the other. Reads every list."""
    level, above = {found.id}, -1
    every = list(view.lists())
    while level and above < LIST_DEPTH:
        above += 1
        names = {record.address for identifier in level for record in view.addresses_of(identifier)}
        level = {each.id for each in every if not names.isdisjoint(each.members)}
    return above


def _check_manager(view: View, account: AccountId) -> Account:
    found = existing(view, account)
    if found.life in (Life.DELETED, Life.SUSPENDED):
        raise Conflict(f"{found.user_id} is {found.life}", "resume or undelete the user first")
    return found


def _is_own(view: View, account: AccountId, leaving: Iterable[str]) -> bool:
    own = {record.address for record in view.addresses_of(account)}
    return own.issuperset(leaving) and may_act(view, existing(view, account))


def _told(view: View, members: Iterable[str]) -> str:
    """Return the identifiers of those who are listed here; addresses are nothing for the ledger."""
    records = (view.reserved_address(member) for member in members)
    return _hex(record.owner for record in records if record is not None)


def _hex(identifiers: Iterable[bytes]) -> str:
    return " ".join(sorted(identifier.hex() for identifier in identifiers))


def _done(
    view: View,
    by: By,
    found: MailList,
    permission: Permission,
    act: str,
    changes: dict[str, object],
    **told: str | int,
) -> Change:
    made = changed(found, **changes)
    details = {name: str(value) for name, value in told.items()}
    return Change(put=(made,), entry=entry_of(view, by, act, "list", found.id, permission, **details))
