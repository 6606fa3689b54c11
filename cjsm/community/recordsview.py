"""What a view answers from single records and from all of a kind, whatever keeps them."""

from collections.abc import Iterable, Iterator
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
from cjsm.community.view import address_delivers, address_is_reserved

Kept = TypeVar("Kept", bound=Record)


class RecordsView:
    """The part of a :class:`~cjsm.community.view.View` that needs no index.

    Whoever keeps records subclasses it and says how one is found and all are; what is asked for otherwise, such as who
    is in an organisation, they answer themselves.

    :ivar moment: the time for which dated states are resolved, seconds since the epoch.
    """

    moment: int

    # What a subclass says.

    def one(self, kind: type[Kept], key: bytes | str) -> Kept | None:
        """Return the record of *kind* under its own key (:func:`~cjsm.community.view.record_key`)."""
        raise TypeError("a view says how it finds a record")

    def every(self, kind: type[Kept], after: bytes | None = None) -> Iterator[Kept]:
        """Yield all records of *kind* in the order of their keys, or those behind one."""
        raise TypeError("a view says how it goes through records")

    def kept_shared_mailboxes_in(self, organisation: OrganisationId) -> Iterable[SharedMailbox]:
        """See :class:`~cjsm.community.view.View`."""
        raise TypeError("a view says which shared mailboxes are in an organisation")

    def kept_shared_mailboxes_of(self, member: AccountId) -> Iterable[SharedMailbox]:
        """Yield the shared mailboxes, deleted or not, that *member* is a member of."""
        raise TypeError("a view says which shared mailboxes have a member")

    # What follows from that.

    def organisation(self, identifier: OrganisationId) -> Organisation | None:
        """See :class:`~cjsm.community.view.View`."""
        return self.one(Organisation, identifier)

    def organisations(self, after: OrganisationId | None = None) -> Iterable[Organisation]:
        """See :class:`~cjsm.community.view.View`."""
        return self.every(Organisation, after)

    def account(self, identifier: AccountId) -> Account | None:
        """See :class:`~cjsm.community.view.View`."""
        return self.one(Account, identifier)

    def accounts(self, after: AccountId | None = None) -> Iterable[Account]:
        """See :class:`~cjsm.community.view.View`."""
        return self.every(Account, after)

    def role(self, identifier: RoleAssignmentId) -> RoleAssignment | None:
        """See :class:`~cjsm.community.view.View`."""
        return self.one(RoleAssignment, identifier)

    def address(self, address: str) -> AddressRecord | None:
        """See :class:`~cjsm.community.view.View`."""
        record = self.one(AddressRecord, address)
        return record if record is not None and address_delivers(record, self.moment) else None

    def reserved_address(self, address: str) -> AddressRecord | None:
        """See :class:`~cjsm.community.view.View`."""
        record = self.one(AddressRecord, address)
        return record if record is not None and address_is_reserved(record, self.moment) else None

    def domain(self, name: str) -> Domain | None:
        """See :class:`~cjsm.community.view.View`."""
        return self.one(Domain, name)

    def domains(self) -> Iterable[Domain]:
        """See :class:`~cjsm.community.view.View`."""
        return self.every(Domain)

    def connection(self, identifier: ConnectionId) -> Connection | None:
        """See :class:`~cjsm.community.view.View`."""
        return self.one(Connection, identifier)

    def connections(self) -> Iterable[Connection]:
        """See :class:`~cjsm.community.view.View`."""
        return self.every(Connection)

    def mail_list(self, identifier: ListId) -> MailList | None:
        """See :class:`~cjsm.community.view.View`."""
        return self.one(MailList, identifier)

    def lists(self) -> Iterable[MailList]:
        """See :class:`~cjsm.community.view.View`."""
        return self.every(MailList)

    def shared_mailbox(self, identifier: MailboxId) -> SharedMailbox | None:
        """See :class:`~cjsm.community.view.View`."""
        found = self.kept_shared_mailbox(identifier)
        return found if found is not None and takes_mail(found) else None

    def shared_mailboxes_in(self, organisation: OrganisationId) -> Iterable[SharedMailbox]:
        """See :class:`~cjsm.community.view.View`."""
        return filter(takes_mail, self.kept_shared_mailboxes_in(organisation))

    def shared_mailboxes_of(self, member: AccountId) -> Iterable[SharedMailbox]:
        """See :class:`~cjsm.community.view.View`."""
        return filter(takes_mail, self.kept_shared_mailboxes_of(member))

    def kept_shared_mailbox(self, identifier: MailboxId) -> SharedMailbox | None:
        """See :class:`~cjsm.community.view.View`."""
        return self.one(SharedMailbox, identifier)

    def recovery_authority(self, identifier: OrganisationId) -> RecoveryAuthority | None:
        """See :class:`~cjsm.community.view.View`."""
        return self.one(RecoveryAuthority, identifier)

    def recovery_request(self, identifier: RequestId) -> RecoveryRequest | None:
        """See :class:`~cjsm.community.view.View`."""
        return self.one(RecoveryRequest, identifier)

    def recovery_requests(self) -> Iterable[RecoveryRequest]:
        """See :class:`~cjsm.community.view.View`."""
        return self.every(RecoveryRequest)

    def application(self, identifier: ApplicationId) -> Application | None:
        """See :class:`~cjsm.community.view.View`."""
        return self.one(Application, identifier)

    def applications(self) -> Iterable[Application]:
        """See :class:`~cjsm.community.view.View`."""
        return self.every(Application)

    def job(self, identifier: JobId) -> Job | None:
        """See :class:`~cjsm.community.view.View`."""
        return self.one(Job, identifier)

    def jobs(self) -> Iterable[Job]:
        """See :class:`~cjsm.community.view.View`."""
        return self.every(Job)
