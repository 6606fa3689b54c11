"""A person moved to another organisation, with their mail, passwords and devices.

What a person could do in the place of before is taken away first, by those whose it is to take: a move never does it
by the way, so that nobody is left out of an organisation, or keeps a role in one, unnoticed.
"""

from collections.abc import Callable, Container, Iterator

import msgspec

from cjsm.community import states
from cjsm.community.acts.acting import By, changed, check_not_deleted, entry_of, existing, saying
from cjsm.community.acts.organisations import working_organisation
from cjsm.community.acts.recovery import PENDING
from cjsm.community.acts.renaming import OldAddress, is_free_for, readdressed, relisted, successors
from cjsm.community.address import Address, UserId
from cjsm.community.authority import Action, Permission, may, require
from cjsm.community.errors import Conflict
from cjsm.community.finding import abbreviation_for, free_user_id, path_of, primary_address
from cjsm.community.identifiers import AccountId, MailboxId, OrganisationId, text
from cjsm.community.records import (
    Account,
    AccountKind,
    AddressRecord,
    MailList,
    OwnerKind,
)
from cjsm.community.view import Change, View

#: The act's name in the ledger. A detail ``delivers`` says until when mail to the address of before does.
ACT = "user-move"


def move(view: View, by: By, account: AccountId, to: OrganisationId, old: OldAddress) -> Change:
    """Put somebody into another organisation; whoever does must look after people in both places.

    Where user IDs end in another abbreviation there, the person gets a new one and a new address.

    :param old: what becomes of the addresses of before, then: aliases stay with the domain they are in.
    :raises Conflict: when something keeps the person where they are, with what to do about it.
    """
    found = existing(view, account)
    require(may(view, by.actor, Action.MANAGE_USERS, found.organisation, account=account))
    permission = require(may(view, by.actor, Action.MANAGE_USERS, to, account=account))
    check_not_deleted(found)
    if found.organisation == to:
        raise Conflict("this user is there already", "name another organisation")
    working_organisation(view, to)
    tie = next(_ties(view, found, to), None)
    if tie is not None:
        raise tie
    change = carried(view, by, found, to, old, permission)
    addresses = [record for record in change.put if isinstance(record, AddressRecord)]
    return msgspec.structs.replace(change, put=(*change.put, *relisted(view, successors(addresses))))


def carried(view: View, by: By, found: Account, to: OrganisationId, old: OldAddress, permission: Permission) -> Change:
    """Return the change that puts somebody into *to*, in whatever state they are; lists keep their addresses."""
    moved = changed(found, organisation=to, moved=view.moment)
    told = {"from": found.organisation.hex(), "to": to.hex(), "address": "kept"}
    addresses: tuple[AddressRecord, ...] = ()
    words: tuple[tuple[str, str], ...] = ()
    if found.kind is AccountKind.HOSTED and found.user_id.rpartition("@")[2] != abbreviation_for(view, to):
        moved = msgspec.structs.replace(moved, user_id=_user_id_there(view, moved))
        address = UserId.parse(moved.user_id).address(view.suffix)
        addresses = tuple(readdressed(view, OwnerKind.ACCOUNT, found.id, address, old))
        words = (("user", moved.user_id), ("address", str(address)))
        told["address"] = "changed"
        if old.delivers:
            told["delivers"] = str(view.moment + old.delivers)
    entry = saying(entry_of(view, by, ACT, "account", found.id, permission, **told), *words)
    return Change(put=(moved, *addresses), entry=entry)


def _user_id_there(view: View, account: Account) -> str:
    """Return what stands before the @ of somebody's user ID with the abbreviation there; with a number where a namesake
    has that, which nobody has in the place of before either.

    Who knows a colleague by it writes to the same one: mail that is sealed to another of the same name is a leak.
    """
    local, _, before = account.user_id.rpartition("@")
    abbreviation = abbreviation_for(view, account.organisation)
    same = f"{local}@{abbreviation}"
    return same if is_free_for(view, account, same) else free_user_id(view, local, abbreviation, nor_in=before)


def _ties(view: View, account: Account, to: OrganisationId) -> Iterator[Conflict]:
    """Yield what keeps somebody where they are, each with its cure."""
    above = {found.id for found in states.chain(view, to)}
    yield from roles_elsewhere(view, account, above)
    yield from requests_waiting(view, {account.id})
    if account.kind is AccountKind.RELAYED:
        yield from _domains(view, account, above)
    if states.top_of(view, account.organisation) != states.top_of(view, to):
        yield from _shared(view, account)
        yield from lists_managed(view, {account.id})


def roles_elsewhere(view: View, account: Account, places: Container[OrganisationId]) -> Iterator[Conflict]:
    """Yield the roles of somebody over other organisations than *places*."""
    for held in view.roles_of(account.id):
        if held.organisation is not None and held.organisation not in places:
            place = path_of(view, held.organisation)
            cure = f"revoke it first: cjsm role revoke {account.user_id} {held.role} --organisation {place}"
            yield Conflict(f"{account.user_id} is {held.role} of {place}", cure)


def requests_waiting(
    view: View, accounts: Container[AccountId], mailboxes: Container[MailboxId] = ()
) -> Iterator[Conflict]:
    """Yield the requests for recovery that wait for approval, of mail of *accounts*, to them, or of *mailboxes*."""
    for request in view.recovery_requests():
        concerned = request.account in accounts or request.beneficiary in accounts or request.mailbox in mailboxes
        if concerned and request.state in PENDING:
            cure = f"refuse it first: cjsm recovery refuse {text(request.id)}"
            yield Conflict("a request for recovery waits for approval", cure)


def _domains(view: View, account: Account, above: set[OrganisationId]) -> Iterator[Conflict]:
    """Relayed people are where their domain's organisation is, or below it."""
    for record in view.addresses_of(account.id):
        domain = view.domain(Address.parse(record.address, international=True).domain)
        if not record.alias and (domain is None or domain.organisation not in above):
            cure = "give them an address of a domain there first: add them anew there, and delete them here"
            yield Conflict(f"the address {record.address} is in a domain that is not the other organisation's", cure)


def _shared(view: View, account: Account) -> Iterator[Conflict]:
    """Shared mailboxes have members of one top organisation."""
    for shared in view.shared_mailboxes_of(account.id):
        address = primary_address(view, shared.id)
        cure = f"take them out first: cjsm shared leave {address} {account.user_id}"
        yield Conflict(f"{account.user_id} is a member of the shared mailbox {address}", cure)


def lists_managed(
    view: View, accounts: Container[AccountId], stays: Callable[[MailList], bool] = lambda found: True
) -> Iterator[Conflict]:
    """Yield the lists that *accounts* manage and that stay behind: they are not for a leaver to manage."""
    for found in view.lists():
        for manager in found.managers:
            account = view.account(manager) if manager in accounts else None
            if account is not None and stays(found):
                address = primary_address(view, found.id)
                cure = f"dismiss them first: cjsm list dismiss {address} {account.user_id}"
                yield Conflict(f"{account.user_id} manages the list {address}", cure)
