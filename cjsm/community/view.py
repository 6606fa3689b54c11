"""What decisions look at: an immutable, numbered view of the community, made for one moment.

Dated states are resolved for :attr:`View.moment` by the decisions themselves through :mod:`cjsm.community.states`
and by :meth:`View.address`, which no longer returns an address past its dates.
"""

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

from cjsm.community.applicationrecords import Application
from cjsm.community.identifiers import (
    AccountId,
    ApplicationId,
    ConnectionId,
    JobId,
    ListId,
    MailboxId,
    OrganisationId,
    RequestId,
    RoleAssignmentId,
)
from cjsm.community.records import (
    Account,
    AddressRecord,
    Connection,
    Domain,
    Job,
    LedgerEntry,
    MailList,
    Organisation,
    Record,
    RecoveryAuthority,
    RecoveryRequest,
    RoleAssignment,
    SharedMailbox,
)


class View(Protocol):
    """One state of the community. Absent things are None, never an error; iteration order is by identifier."""

    @property
    def number(self) -> int:
        """The change sequence number of this state; it rises with every commit."""

    @property
    def moment(self) -> int:
        """The time the view was made for, in seconds since the epoch."""

    @property
    def suffix(self) -> str:
        """The community suffix, such as ``cjsm.test``."""

    def organisation(self, identifier: OrganisationId) -> Organisation | None: ...

    def organisation_below(self, parent: OrganisationId | None, slug: str) -> Organisation | None:
        """The child of *parent* with *slug*; a top organisation where *parent* is None."""

    def children(self, parent: OrganisationId | None) -> Iterable[Organisation]: ...

    def organisation_of_abbreviation(self, abbreviation: str) -> Organisation | None: ...

    def account(self, identifier: AccountId) -> Account | None: ...

    def account_of_user_id(self, user_id: str) -> Account | None:
        """The account with *user_id* (``first.last@abbrev``), compared without case."""

    def accounts_in(self, organisation: OrganisationId) -> Iterable[Account]:
        """The accounts directly in *organisation*."""

    def address(self, address: str) -> AddressRecord | None:
        """The record of a canonical *address* while it delivers at :attr:`moment`."""

    def reserved_address(self, address: str) -> AddressRecord | None:
        """The record of *address* while nobody else may have it, delivering or not."""

    def addresses_of(self, owner: bytes) -> Iterable[AddressRecord]: ...

    def roles_of(self, account: AccountId) -> Iterable[RoleAssignment]: ...

    def roles_over(self, organisation: OrganisationId | None) -> Iterable[RoleAssignment]:
        """Assignments made exactly at *organisation* (None: at the whole community)."""

    def domain(self, name: str) -> Domain | None: ...

    def domains_of(self, connection: ConnectionId) -> Iterable[Domain]: ...

    def domains(self) -> Iterable[Domain]: ...

    def connection(self, identifier: ConnectionId) -> Connection | None: ...

    def connection_of_slug(self, slug: str) -> Connection | None:
        """The connection with the short name *slug*."""

    def connections(self) -> Iterable[Connection]: ...

    def mail_list(self, identifier: ListId) -> MailList | None: ...

    def lists(self) -> Iterable[MailList]: ...

    def lists_in(self, organisation: OrganisationId) -> Iterable[MailList]: ...

    def shared_mailbox(self, identifier: MailboxId) -> SharedMailbox | None:
        """The shared mailbox while it is there for its members: a deleted one is none."""

    def shared_mailboxes_in(self, organisation: OrganisationId) -> Iterable[SharedMailbox]:
        """Those of *organisation* that are there for their members."""

    def shared_mailboxes_of(self, member: AccountId) -> Iterable[SharedMailbox]:
        """Those that *member* has any right in."""

    def kept_shared_mailbox(self, identifier: MailboxId) -> SharedMailbox | None:
        """The shared mailbox as long as it has a record, deleted or not."""

    def kept_shared_mailboxes_in(self, organisation: OrganisationId) -> Iterable[SharedMailbox]:
        """The same of all directly in *organisation*."""

    def account_of_mailbox(self, mailbox: MailboxId) -> Account | None:
        """The account whose personal mailbox *mailbox* is."""

    def recovery_authority(self, identifier: OrganisationId) -> RecoveryAuthority | None: ...

    def recovery_request(self, identifier: RequestId) -> RecoveryRequest | None: ...

    def recovery_requests(self) -> Iterable[RecoveryRequest]: ...

    def application(self, identifier: ApplicationId) -> Application | None: ...

    def applications(self) -> Iterable[Application]: ...

    def job(self, identifier: JobId) -> Job | None: ...

    def jobs(self) -> Iterable[Job]: ...

    def role(self, identifier: RoleAssignmentId) -> RoleAssignment | None: ...

    def accounts(self, after: AccountId | None = None) -> Iterable[Account]:
        """All accounts, or those whose identifier comes after *after*: whoever reads many goes on with another view."""

    def organisations(self, after: OrganisationId | None = None) -> Iterable[Organisation]:
        """The same of organisations."""


class Change(Struct, frozen=True, kw_only=True):
    """What an act does, decided in full before anything is written: one transaction, one ledger entry.

    ``put`` replaces records by their identifier or name, indexes follow; ``removed`` takes records away.
    ``entry`` is None only for jobs' own book-keeping.

    :ivar further: the entries of other acts, each of one thing, that are done in the same transaction: all or none.
    :ivar editions: mailboxes whose list the act lets begin anew, each with the least edition that this explains.
    :ivar forgotten: people whose words beside the ledger's entries are destroyed.
    """

    put: tuple[Record, ...] = ()
    removed: tuple[Record, ...] = ()
    entry: LedgerEntry | None = None
    further: tuple[LedgerEntry, ...] = ()
    editions: tuple[tuple[MailboxId, int], ...] = ()
    forgotten: tuple[bytes, ...] = ()


def record_key(record: Record) -> bytes | str:
    """Return what a record is found under: its name for addresses and domains, its identifier otherwise."""
    if isinstance(record, AddressRecord):
        return record.address
    if isinstance(record, Domain):
        return record.name
    return record.id


def stored_key(record: Record) -> bytes:
    """Return the same as octets: records of a kind are in their order."""
    return key_octets(record_key(record))


def key_octets(key: bytes | str) -> bytes:
    """Return a record's key as octets."""
    return key.encode() if isinstance(key, str) else key


def address_delivers(record: AddressRecord, moment: int) -> bool:
    """Whether mail to the address still reaches its owner."""
    return record.delivers_until is None or moment < record.delivers_until


def address_is_reserved(record: AddressRecord, moment: int) -> bool:
    """Whether nobody else may have the address."""
    return address_delivers(record, moment) or record.reserved_until is None or moment < record.reserved_until
