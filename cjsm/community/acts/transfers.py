"""A person moved to another organisation, with their mail, passwords and devices.

What a person could do in the place of before is taken away first, by those whose it is to take: a move never does it
by the way, so that nobody is left out of an organisation, or keeps a role in one, unnoticed.
"""

from collections.abc import Iterator

import msgspec

from cjsm.community import states
from cjsm.community.acts.acting import By, changed, check_not_deleted, entry_of, existing, saying
from cjsm.community.acts.organisations import existing_organisation
from cjsm.community.acts.recovery import PENDING
from cjsm.community.acts.renaming import Name, OldAddress, readdressed, relisted, renamed_user_id
from cjsm.community.address import Address, UserId
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import Conflict
from cjsm.community.finding import abbreviation_for, path_of, primary_address
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import (
    Account,
    AccountKind,
    AddressRecord,
    MailList,
    OrganisationState,
)
from cjsm.community.view import Change, View


def move(view: View, by: By, account: AccountId, to: OrganisationId, old: OldAddress) -> Change:
    """Put somebody into another organisation; whoever does must look after people in both places.

    Where user IDs end in another abbreviation there, the person gets a new one and a new address.

    :param old: what becomes of the addresses of before, then: aliases stay with the domain they are in.
    :raises Conflict: when something keeps the person where they are, with what to do about it.
    """
    found = existing(view, account)
    require(may(view, by.actor, Action.MANAGE_USERS, found.organisation, account=account))
    permission = require(may(view, by.actor, Action.MANAGE_USERS, to, account=account))
    existing_organisation(view, to)
    check_not_deleted(found)
    if found.organisation == to:
        raise Conflict("this user is there already")
    if states.organisation_state(view, to) is not OrganisationState.ACTIVE:
        raise Conflict("the organisation is not active", "resume it first")
    for reason, cure in _ties(view, found, to):
        raise Conflict(reason, cure)
    moved = changed(found, organisation=to, moved=view.moment)
    addresses: tuple[AddressRecord, ...] = ()
    lists: tuple[MailList, ...] = ()
    words: tuple[tuple[str, str], ...] = ()
    if found.kind is AccountKind.HOSTED and _abbreviation(found) != abbreviation_for(view, to):
        name = Name(first=found.profile.first_name, last=found.profile.last_name)
        moved = msgspec.structs.replace(moved, user_id=renamed_user_id(view, moved, name))
        address = UserId.parse(moved.user_id).address(view.suffix)
        addresses = tuple(readdressed(view, found, address, old))
        lists = tuple(relisted(view, addresses, address))
        words = (("user", moved.user_id), ("address", str(address)))
    told = {"from": found.organisation.hex(), "to": to.hex(), "address": "changed" if addresses else "kept"}
    entry = saying(entry_of(view, by, "user-move", "account", account, permission, **told), *words)
    return Change(put=(moved, *addresses, *lists), entry=entry)


def _abbreviation(account: Account) -> str:
    return account.user_id.rpartition("@")[2]


def _ties(view: View, account: Account, to: OrganisationId) -> Iterator[tuple[str, str]]:
    """Yield what keeps somebody where they are, each with its cure."""
    above = {found.id for found in states.chain(view, to)}
    for held in view.roles_of(account.id):
        if held.organisation is not None and held.organisation not in above:
            place, cure = path_of(view, held.organisation), "revoke it first: cjsm role revoke"
            yield f"{account.user_id} is {held.role} of {place}", cure
    for request in view.recovery_requests():
        if account.id in (request.account, request.beneficiary) and request.state in PENDING:
            yield "a request for recovery waits for approval", "refuse it first: cjsm recovery refuse"
    if account.kind is AccountKind.RELAYED:
        yield from _domains(view, account, above)
    if states.top_of(view, account.organisation) != states.top_of(view, to):
        yield from _shared_and_lists(view, account)


def _domains(view: View, account: Account, above: set[OrganisationId]) -> Iterator[tuple[str, str]]:
    """Relayed people are where their domain's organisation is, or below it."""
    for record in view.addresses_of(account.id):
        domain = view.domain(Address.parse(record.address, international=True).domain)
        if not record.alias and (domain is None or domain.organisation not in above):
            cure = "give them an address of a domain there first: add them anew there, and delete them here"
            yield f"the address {record.address} is in a domain that is not the other organisation's", cure


def _shared_and_lists(view: View, account: Account) -> Iterator[tuple[str, str]]:
    """Shared mailboxes have members of one top organisation; lists of another are not for a leaver to manage."""
    for shared in view.shared_mailboxes_of(account.id):
        address = primary_address(view, shared.id)
        cure = f"take them out first: cjsm shared leave {address} {account.user_id}"
        yield f"{account.user_id} is a member of the shared mailbox {address}", cure
    for found in view.lists():
        if account.id in found.managers:
            address = primary_address(view, found.id)
            cure = f"dismiss them first: cjsm list dismiss {address} {account.user_id}"
            yield f"{account.user_id} manages the list {address}", cure
