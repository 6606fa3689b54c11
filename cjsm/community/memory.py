"""A community held in memory: the :class:`~cjsm.community.view.View` of simulations and generated communities."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

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
    MailList,
    Organisation,
    Record,
    RecoveryAuthority,
    RecoveryRequest,
    RoleAssignment,
    SharedMailbox,
)
from cjsm.community.states import takes_mail
from cjsm.community.view import Change, address_delivers, address_is_reserved, record_key

Found = TypeVar("Found", bound=Record)
Identified = TypeVar("Identified", Account, Organisation)


class MemoryView:
    """An immutable view over a dictionary of records; :meth:`apply` makes the next one."""

    def __init__(
        self, records: Iterable[Record] = (), *, suffix: str = "cjsm.test", moment: int = 0, number: int = 0
    ) -> None:
        self._records: dict[tuple[type, object], Record] = {
            (type(record), record_key(record)): record for record in records
        }
        self.suffix = suffix
        self.moment = moment
        self.number = number

    def apply(self, change: Change, moment: int | None = None) -> "MemoryView":
        """Return the view after *change*."""
        records = dict(self._records)
        for record in change.removed:
            records.pop((type(record), record_key(record)), None)
        for record in change.put:
            records[type(record), record_key(record)] = record
        following = self.moment if moment is None else moment
        return MemoryView(records.values(), suffix=self.suffix, moment=following, number=self.number + 1)

    def _all(self, kind: type[Found], keep: Callable[[Found], bool] = lambda _: True) -> Iterator[Found]:
        for record in self._records.values():
            if isinstance(record, kind) and keep(record):
                yield record

    def _after(self, kind: type[Identified], after: bytes | None) -> Iterator[Identified]:
        following = self._all(kind, lambda found: after is None or found.id > after)
        return iter(sorted(following, key=lambda found: found.id))

    def _one(self, kind: type[Found], key: object) -> Found | None:
        record = self._records.get((kind, key))
        return record if isinstance(record, kind) else None

    def organisation(self, identifier: OrganisationId) -> Organisation | None:
        """See :class:`View`."""
        return self._one(Organisation, identifier)

    def organisation_below(self, parent: OrganisationId | None, slug: str) -> Organisation | None:
        """See :class:`View`."""
        return next(self._all(Organisation, lambda found: (found.parent, found.slug) == (parent, slug)), None)

    def children(self, parent: OrganisationId | None) -> Iterable[Organisation]:
        """See :class:`View`."""
        return self._all(Organisation, lambda found: found.parent == parent)

    def organisations(self, after: OrganisationId | None = None) -> Iterable[Organisation]:
        """See :class:`View`."""
        return self._after(Organisation, after)

    def organisation_of_abbreviation(self, abbreviation: str) -> Organisation | None:
        """See :class:`View`."""
        return next(self._all(Organisation, lambda found: found.abbreviation == abbreviation), None)

    def account(self, identifier: AccountId) -> Account | None:
        """See :class:`View`."""
        return self._one(Account, identifier)

    def account_of_user_id(self, user_id: str) -> Account | None:
        """See :class:`View`."""
        return next(self._all(Account, lambda found: found.user_id == user_id.lower()), None)

    def account_of_mailbox(self, mailbox: MailboxId) -> Account | None:
        """See :class:`View`."""
        return next(self._all(Account, lambda found: found.mailbox == mailbox), None)

    def role(self, identifier: RoleAssignmentId) -> RoleAssignment | None:
        """See :class:`View`."""
        return self._one(RoleAssignment, identifier)

    def accounts(self, after: AccountId | None = None) -> Iterable[Account]:
        """See :class:`View`."""
        return self._after(Account, after)

    def accounts_in(self, organisation: OrganisationId) -> Iterable[Account]:
        """See :class:`View`."""
        return self._all(Account, lambda found: found.organisation == organisation)

    def address(self, address: str) -> AddressRecord | None:
        """See :class:`View`."""
        record = self._one(AddressRecord, address)
        return record if record is not None and address_delivers(record, self.moment) else None

    def reserved_address(self, address: str) -> AddressRecord | None:
        """See :class:`View`."""
        record = self._one(AddressRecord, address)
        return record if record is not None and address_is_reserved(record, self.moment) else None

    def addresses_of(self, owner: bytes) -> Iterable[AddressRecord]:
        """See :class:`View`."""
        return self._all(AddressRecord, lambda found: found.owner == owner)

    def roles_of(self, account: AccountId) -> Iterable[RoleAssignment]:
        """See :class:`View`."""
        return self._all(RoleAssignment, lambda found: found.account == account)

    def roles_over(self, organisation: OrganisationId | None) -> Iterable[RoleAssignment]:
        """See :class:`View`."""
        return self._all(RoleAssignment, lambda found: found.organisation == organisation)

    def domain(self, name: str) -> Domain | None:
        """See :class:`View`."""
        return self._one(Domain, name)

    def domains_of(self, connection: ConnectionId) -> Iterable[Domain]:
        """See :class:`View`."""
        return self._all(Domain, lambda found: found.connection == connection)

    def domains(self) -> Iterable[Domain]:
        """See :class:`View`."""
        return self._all(Domain)

    def connection(self, identifier: ConnectionId) -> Connection | None:
        """See :class:`View`."""
        return self._one(Connection, identifier)

    def connection_of_slug(self, slug: str) -> Connection | None:
        """See :class:`View`."""
        return next(self._all(Connection, lambda found: bool(slug) and found.slug == slug), None)

    def connections(self) -> Iterable[Connection]:
        """See :class:`View`."""
        return self._all(Connection)

    def mail_list(self, identifier: ListId) -> MailList | None:
        """See :class:`View`."""
        return self._one(MailList, identifier)

    def lists(self) -> Iterable[MailList]:
        """See :class:`View`."""
        return self._all(MailList)

    def lists_in(self, organisation: OrganisationId) -> Iterable[MailList]:
        """See :class:`View`."""
        return self._all(MailList, lambda found: found.organisation == organisation)

    def shared_mailbox(self, identifier: MailboxId) -> SharedMailbox | None:
        """See :class:`View`."""
        found = self.kept_shared_mailbox(identifier)
        return found if found is not None and takes_mail(found) else None

    def shared_mailboxes_in(self, organisation: OrganisationId) -> Iterable[SharedMailbox]:
        """See :class:`View`."""
        return filter(takes_mail, self.kept_shared_mailboxes_in(organisation))

    def shared_mailboxes_of(self, member: AccountId) -> Iterable[SharedMailbox]:
        """See :class:`View`."""
        every = self._all(SharedMailbox, lambda found: any(each.account == member for each in found.members))
        return filter(takes_mail, every)

    def kept_shared_mailbox(self, identifier: MailboxId) -> SharedMailbox | None:
        """See :class:`View`."""
        return self._one(SharedMailbox, identifier)

    def kept_shared_mailboxes_in(self, organisation: OrganisationId) -> Iterable[SharedMailbox]:
        """See :class:`View`."""
        return self._all(SharedMailbox, lambda found: found.organisation == organisation)

    def recovery_authority(self, identifier: OrganisationId) -> RecoveryAuthority | None:
        """See :class:`View`."""
        return self._one(RecoveryAuthority, identifier)

    def recovery_request(self, identifier: RequestId) -> RecoveryRequest | None:
        """See :class:`View`."""
        return self._one(RecoveryRequest, identifier)

    def recovery_requests(self) -> Iterable[RecoveryRequest]:
        """See :class:`View`."""
        return self._all(RecoveryRequest)

    def application(self, identifier: ApplicationId) -> Application | None:
        """See :class:`View`."""
        return self._one(Application, identifier)

    def applications(self) -> Iterable[Application]:
        """See :class:`View`."""
        return self._all(Application)

    def job(self, identifier: JobId) -> Job | None:
        """See :class:`View`."""
        return self._one(Job, identifier)

    def jobs(self) -> Iterable[Job]:
        """See :class:`View`."""
        return self._all(Job)
