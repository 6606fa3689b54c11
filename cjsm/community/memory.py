"""A community held in memory: the :class:`~cjsm.community.view.View` of simulations and generated communities."""

from collections.abc import Callable, Iterable, Iterator

from cjsm.community.identifiers import (
    AccountId,
    ConnectionId,
    MailboxId,
    OrganisationId,
)
from cjsm.community.records import (
    Account,
    AddressRecord,
    Connection,
    Domain,
    MailList,
    Organisation,
    Record,
    RoleAssignment,
    SharedMailbox,
)
from cjsm.community.recordsview import Kept, RecordsView
from cjsm.community.view import Change, record_key, stored_key


class MemoryView(RecordsView):
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

    def one(self, kind: type[Kept], key: bytes | str) -> Kept | None:
        """See :class:`RecordsView`."""
        record = self._records.get((kind, key))
        return record if isinstance(record, kind) else None

    def every(self, kind: type[Kept], after: bytes | None = None) -> Iterator[Kept]:
        """See :class:`RecordsView`."""
        following = self._all(kind, lambda found: after is None or stored_key(found) > after)
        return iter(sorted(following, key=stored_key))

    def _all(self, kind: type[Kept], keep: Callable[[Kept], bool]) -> Iterator[Kept]:
        for record in self._records.values():
            if isinstance(record, kind) and keep(record):
                yield record

    def organisation_below(self, parent: OrganisationId | None, slug: str) -> Organisation | None:
        """See :class:`View`."""
        return next(self._all(Organisation, lambda found: (found.parent, found.slug) == (parent, slug)), None)

    def children(self, parent: OrganisationId | None) -> Iterable[Organisation]:
        """See :class:`View`."""
        return self._all(Organisation, lambda found: found.parent == parent)

    def organisation_of_abbreviation(self, abbreviation: str) -> Organisation | None:
        """See :class:`View`."""
        return next(self._all(Organisation, lambda found: found.abbreviation == abbreviation), None)

    def account_of_user_id(self, user_id: str) -> Account | None:
        """See :class:`View`."""
        return next(self._all(Account, lambda found: found.user_id == user_id.lower()), None)

    def account_of_mailbox(self, mailbox: MailboxId) -> Account | None:
        """See :class:`View`."""
        return next(self._all(Account, lambda found: found.mailbox == mailbox), None)

    def accounts_in(self, organisation: OrganisationId) -> Iterable[Account]:
        """See :class:`View`."""
        return self._all(Account, lambda found: found.organisation == organisation)

    def addresses_of(self, owner: bytes) -> Iterable[AddressRecord]:
        """See :class:`View`."""
        return self._all(AddressRecord, lambda found: found.owner == owner)

    def roles_of(self, account: AccountId) -> Iterable[RoleAssignment]:
        """See :class:`View`."""
        return self._all(RoleAssignment, lambda found: found.account == account)

    def roles_over(self, organisation: OrganisationId | None) -> Iterable[RoleAssignment]:
        """See :class:`View`."""
        return self._all(RoleAssignment, lambda found: found.organisation == organisation)

    def domains_of(self, connection: ConnectionId) -> Iterable[Domain]:
        """See :class:`View`."""
        return self._all(Domain, lambda found: found.connection == connection)

    def connection_of_slug(self, slug: str) -> Connection | None:
        """See :class:`View`."""
        return next(self._all(Connection, lambda found: bool(slug) and found.slug == slug), None)

    def lists_in(self, organisation: OrganisationId) -> Iterable[MailList]:
        """See :class:`View`."""
        return self._all(MailList, lambda found: found.organisation == organisation)

    def kept_shared_mailboxes_in(self, organisation: OrganisationId) -> Iterable[SharedMailbox]:
        """See :class:`View`."""
        return self._all(SharedMailbox, lambda found: found.organisation == organisation)

    def kept_shared_mailboxes_of(self, member: AccountId) -> Iterable[SharedMailbox]:
        """See :class:`RecordsView`."""
        return self._all(SharedMailbox, lambda found: any(each.account == member for each in found.members))
