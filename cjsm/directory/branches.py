"""What the directory reads of the community: one organisation at a time, so that reading can pause between them."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import (
    Account,
    AddressRecord,
    MailList,
    Organisation,
    RoleAssignment,
    SharedMailbox,
)
from cjsm.community.view import View, address_delivers

Addresses = tuple[AddressRecord, ...]


class Branch(Struct, frozen=True, kw_only=True):
    """One organisation with what is directly in it, each with its addresses."""

    organisation: Organisation
    accounts: tuple[tuple[Account, Addresses], ...]
    lists: tuple[tuple[MailList, Addresses], ...]
    shared_mailboxes: tuple[tuple[SharedMailbox, Addresses], ...]
    roles: tuple[RoleAssignment, ...]


class Census(Struct, frozen=True, kw_only=True):
    """All that the directory lists, as it was at change *number*."""

    number: int
    suffix: str
    branches: Sequence[Branch]
    roles: Sequence[RoleAssignment]


def read_branch(view: View, identifier: OrganisationId) -> Branch | None:
    """Return the branch of one organisation, or None when there is no such organisation (any more)."""
    organisation = view.organisation(identifier)
    if organisation is None:
        return None
    return Branch(
        organisation=organisation,
        accounts=tuple((found, _addresses(view, found.id)) for found in view.accounts_in(identifier)),
        lists=tuple((found, _addresses(view, found.id)) for found in view.lists_in(identifier)),
        shared_mailboxes=tuple((found, _addresses(view, found.id)) for found in view.shared_mailboxes_in(identifier)),
        roles=tuple(view.roles_over(identifier)),
    )


def _addresses(view: View, owner: bytes) -> Addresses:
    """The addresses that still reach *owner*: who writes to a former one must not be led to it."""
    return tuple(record for record in view.addresses_of(owner) if address_delivers(record, view.moment))


def read_census(view: View) -> Census:
    """Return the whole of *view* at once: for tests and small communities."""
    identifiers = [organisation.id for organisation in view.organisations()]
    branches = [branch for branch in (read_branch(view, identifier) for identifier in identifiers) if branch]
    return Census(number=view.number, suffix=view.suffix, branches=branches, roles=tuple(view.roles_over(None)))


def roles_by_account(census: Census) -> dict[AccountId, tuple[RoleAssignment, ...]]:
    """Return every account's role assignments."""
    found: dict[AccountId, list[RoleAssignment]] = {}
    every: Iterable[Sequence[RoleAssignment]] = (census.roles, *(branch.roles for branch in census.branches))
    for roles in every:
        for assignment in roles:
            found.setdefault(assignment.account, []).append(assignment)
    return {account: tuple(roles) for account, roles in found.items()}
