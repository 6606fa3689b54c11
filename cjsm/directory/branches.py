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
    reading = BranchReading(view, identifier)
    while not reading.read_on(view):
        pass
    return reading.branch


class BranchReading:
    """One branch being read, an account's addresses at a time; each time the view may be a newer one.

    :ivar branch: what was read, once :meth:`read_on` said so; None when there is no such organisation.
    """

    def __init__(self, view: View, identifier: OrganisationId) -> None:
        self.branch: Branch | None = None
        self._organisation = view.organisation(identifier)
        self._waiting = list(view.accounts_in(identifier)) if self._organisation is not None else []
        self._read: list[tuple[Account, Addresses]] = []

    def read_on(self, view: View) -> bool:
        """Read the next part; True when that was the last."""
        if self._organisation is None:
            return True
        if self._waiting:
            account = self._waiting.pop()
            self._read.append((account, _addresses(view, account.id)))
            return False
        identifier = self._organisation.id
        self.branch = Branch(
            organisation=self._organisation,
            accounts=tuple(self._read),
            lists=tuple((found, _addresses(view, found.id)) for found in view.lists_in(identifier)),
            shared_mailboxes=tuple(
                (found, _addresses(view, found.id)) for found in view.shared_mailboxes_in(identifier)
            ),
            roles=tuple(view.roles_over(identifier)),
        )
        return True


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
