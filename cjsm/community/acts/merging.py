"""One organisation becomes part of another, and is no more: which acts that takes, commit by commit.

The organisation moves below the other one and is marked; then what is in it comes up, some things a commit: connections
before their domains, domains before the people in them; at last its roles end and it is deleted. After each commit
the community is whole, and what is left to do follows from what is there: whoever asks again goes on.

Nobody comes to administer anything by a merge but those above the other organisation.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice

import msgspec
from msgspec import Struct

from cjsm.community.acts import moving, roles, transfers
from cjsm.community.acts.acting import By, changed, entry_of, existing
from cjsm.community.acts.connections import existing_connection
from cjsm.community.acts.lists import existing_list
from cjsm.community.acts.organisations import existing_organisation, set_state
from cjsm.community.acts.reasons import check_reason
from cjsm.community.acts.renaming import OldAddress, readdressed, relisted, successors
from cjsm.community.acts.shared import kept_mailbox
from cjsm.community.acts.together import Act, part_of
from cjsm.community.address import Address, hosted_domain
from cjsm.community.authority import Action, Permission, may, may_grant, require
from cjsm.community.errors import Conflict
from cjsm.community.finding import abbreviation_for, primary_address
from cjsm.community.identifiers import AccountId, ConnectionId, Entropy, ListId, MailboxId, OrganisationId
from cjsm.community.records import (
    AddressRecord,
    LedgerEntry,
    Organisation,
    OrganisationState,
    OwnerKind,
    RoleAssignment,
)
from cjsm.community.view import Change, View

#: The act's name in the ledger: of the beginning, and of each commit that brings something up.
ACT = "organisation-merge"

_Part = Callable[[View, By], Change]


class Merge(Struct, frozen=True, kw_only=True):
    """What is asked: *organisation* becomes part of *into*.

    :ivar old: what becomes of addresses of before, where addresses end in another domain there.
    :ivar slug: the organisation's own short name below *into*, where that is another.
    :ivar names: other short names for what comes up: of sub-organisations by theirs, of lists and shared mailboxes
        by their address.
    :ivar most: how many things come up in one commit.
    """

    organisation: OrganisationId
    into: OrganisationId
    old: OldAddress
    slug: str | None = None
    names: Mapping[str, str] = {}
    most: int = 100


def is_begun(found: Organisation, into: OrganisationId) -> bool:
    """Whether the organisation became part of *into*, or is on the way there."""
    return bool(found.merging) and found.parent == into


def is_over(found: Organisation, into: OrganisationId) -> bool:
    """Whether nothing is left to do."""
    return is_begun(found, into) and found.state is OrganisationState.DELETED


def permitted(view: View, by: By, merge: Merge) -> Permission:
    """Whoever merges could make organisations in both places, and looks after people in both.

    :raises NotAllowed: for anybody else.
    """
    found = existing_organisation(view, merge.organisation)
    permission = moving.permitted(view, by, found.parent, merge.into)
    for place in (found.id, merge.into):
        require(may(view, by.actor, Action.MANAGE_USERS, place))
    return permission


def begin(view: View, by: By, merge: Merge) -> Change:
    """Put the organisation below the other one, and mark that it becomes part of it."""
    found = existing_organisation(view, merge.organisation)
    permission = permitted(view, by, merge)
    check_reason(by.reason)
    slug = merge.slug or found.slug
    told = {"from": (found.parent or b"").hex(), "to": merge.into.hex()}
    if found.parent == merge.into:
        made = changed(found, merging=view.moment)
    else:
        obstacle = next(moving.obstacles(view, found, merge.into, slug), None)
        if obstacle is not None:
            raise obstacle
        made = changed(found, parent=merge.into, slug=slug, moved=view.moment, merging=view.moment)
    entry = entry_of(view, by, ACT, "organisation", found.id, permission, **told)
    return Change(put=(made,), entry=entry)


def acts(view: View, by: By, merge: Merge, entropy: Entropy) -> Iterator[Act]:
    """Yield the acts of the next commit, each to be done over what those before it left; none when it is over.

    Each has an id of its own, and names that of *by*, under which the commit itself has an entry.
    """
    found = existing_organisation(view, merge.organisation)
    if is_over(found, merge.into):
        return
    if not is_begun(found, merge.into):
        yield lambda view: begin(view, by, merge)
        return
    # What an act changes, the view that was asked for the others does not see: all are looked for first.
    parts = list(islice(_left(view, merge), merge.most))
    addresses: list[AddressRecord] = []

    def noting(part: _Part, view: View, by: By) -> Change:
        change = part(view, by)
        addresses.extend(record for record in change.put if isinstance(record, AddressRecord))
        return change

    for part in parts:
        yield part_of(by, entropy, partial(noting, part))
    if parts:
        yield lambda view: _came_up(view, by, merge, len(parts), addresses)
        return
    for held in [each for each in view.roles_over(found.id) if not each.recovery_officer]:
        yield part_of(by, entropy, partial(_end_role, held))
    yield lambda view: set_state(view, by, found.id, OrganisationState.DELETED)


def _left(view: View, merge: Merge) -> Iterator[_Part]:
    """Yield what is in the organisation still, in the order in which it comes up."""
    place = merge.organisation
    for connection in view.connections():
        if connection.organisation == place:
            yield partial(_connection, merge, connection.id)
    for domain in view.domains():
        if domain.organisation == place:
            yield partial(_domain, merge, domain.name)
    for child in view.children(place):
        # One that is deleted is empty, and stays below this one, which is going to be.
        if child.state is not OrganisationState.DELETED:
            yield partial(_organisation, merge, child.id)
    for shared in view.kept_shared_mailboxes_in(place):
        yield partial(_shared, merge, shared.id)
    for found in view.lists_in(place):
        yield partial(_list, merge, found.id)
    for account in view.accounts_in(place):
        yield partial(_person, merge, account.id)


def _connection(merge: Merge, identifier: ConnectionId, view: View, by: By) -> Change:
    made = changed(existing_connection(view, identifier), organisation=merge.into)
    return Change(put=(made,), entry=_entry(view, by, merge, "connection-move", "connection", identifier))


def _domain(merge: Merge, name: str, view: View, by: By) -> Change:
    domain = view.domain(name)
    if domain is None:
        raise Conflict(f"the domain {name} was taken away meanwhile", "run this again")
    connection = existing_connection(view, domain.connection)
    made = msgspec.structs.replace(domain, organisation=merge.into)
    return Change(
        put=(made, changed(connection)), entry=_entry(view, by, merge, "domain-move", "domain", name.encode())
    )


def _organisation(merge: Merge, identifier: OrganisationId, view: View, by: By) -> Change:
    found = existing_organisation(view, identifier)
    return moving.move(view, by, identifier, merge.into, slug=merge.names.get(found.slug))


def _shared(merge: Merge, identifier: MailboxId, view: View, by: By) -> Change:
    found = kept_mailbox(view, identifier)
    address, slug = address_there(view, merge, identifier, found.slug)
    records = tuple(readdressed(view, OwnerKind.SHARED_MAILBOX, identifier, address, merge.old))
    made = changed(found, organisation=merge.into, slug=slug, moved=view.moment)
    entry = _entry(view, by, merge, "shared-move", "shared-mailbox", identifier, records)
    return Change(put=(made, *records), entry=entry)


def _list(merge: Merge, identifier: ListId, view: View, by: By) -> Change:
    found = existing_list(view, identifier)
    address, slug = address_there(view, merge, identifier, found.slug)
    records = tuple(readdressed(view, OwnerKind.LIST, identifier, address, merge.old))
    made = changed(found, organisation=merge.into, slug=slug)
    return Change(put=(made, *records), entry=_entry(view, by, merge, "list-move", "list", identifier, records))


def address_there(view: View, merge: Merge, owner: bytes, slug: str) -> tuple[Address, str]:
    """Return the address and short name that a list or shared mailbox of the organisation is going to have."""
    primary = primary_address(view, owner)
    domain = hosted_domain(abbreviation_for(view, merge.into), view.suffix)
    given = merge.names.get(primary)
    return Address.parse(f"{given or primary.rpartition('@')[0]}@{domain}"), given or slug


def _person(merge: Merge, identifier: AccountId, view: View, by: By) -> Change:
    found = existing(view, identifier)
    permission = require(may(view, by.actor, Action.MANAGE_USERS, merge.into, account=identifier))
    return transfers.carried(view, by, found, merge.into, merge.old, permission)


def _came_up(view: View, by: By, merge: Merge, many: int, addresses: list[AddressRecord]) -> Change:
    """Let lists have the new addresses: those of a whole commit, since every list is read for it."""
    lists = tuple(relisted(view, successors(addresses)))
    permission = _permission(view, by, merge)
    told = {"to": merge.into.hex(), "things": str(many), "lists": str(len(lists))}
    entry = entry_of(view, by, ACT, "organisation", merge.organisation, permission, **told)
    return Change(put=lists, entry=entry)


def _end_role(held: RoleAssignment, view: View, by: By) -> Change:
    permission = require(may_grant(view, by.actor, held.role, held.organisation))
    return roles.ended(view, by, held, permission, organisation=(held.organisation or b"").hex())


def _permission(view: View, by: By, merge: Merge) -> Permission:
    """What is in an organisation comes along when that moves, whatever else may be done to it."""
    return require(may(view, by.actor, Action.MAKE_SUB_ORGANISATION, merge.into))


def _entry(
    view: View,
    by: By,
    merge: Merge,
    act: str,
    kind: str,
    subject: bytes,
    records: tuple[AddressRecord, ...] | None = None,
) -> LedgerEntry:
    told = {"from": merge.organisation.hex(), "to": merge.into.hex()}
    if records is not None:
        told["address"] = "changed" if records else "kept"
    return entry_of(view, by, act, kind, subject, _permission(view, by, merge), **told)
