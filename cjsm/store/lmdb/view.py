"""The community's tables and indexes, and a :class:`~cjsm.community.view.View` straight over a transaction."""

from collections.abc import Iterable, Iterator
from typing import Any

import lmdb

from cjsm.community.applicationrecords import Application
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
    Job,
    MailList,
    Organisation,
    Record,
    RecoveryAuthority,
    RecoveryRequest,
    RoleAssignment,
    SharedMailbox,
)
from cjsm.community.recordsview import Kept, RecordsView
from cjsm.community.view import key_octets
from cjsm.store.encoding import decode
from cjsm.store.lmdb.environment import Environment, prefixed

#: The table of each kind of record.
TABLES: dict[type, str] = {
    Organisation: "organisations",
    Account: "accounts",
    AddressRecord: "addresses",
    RoleAssignment: "roles",
    Domain: "domains",
    Connection: "connections",
    MailList: "lists",
    SharedMailbox: "shared",
    RecoveryAuthority: "recovery-authorities",
    RecoveryRequest: "recovery-requests",
    Application: "applications",
    Job: "jobs",
}
INDEX = "index"
SEQUENCE = b"sequence"

#: Stands for the whole community, or no parent, in index keys.
_NONE = bytes(16)


def index_keys(record: Record) -> list[bytes]:
    """Return the index keys of *record*; the value of each is the record's own key."""
    match record:
        case Organisation():
            keys = [b"org-slug\0" + (record.parent or _NONE) + record.slug.encode()]
            return keys + ([b"org-abbr\0" + record.abbreviation.encode()] if record.abbreviation else [])
        case Account():
            keys = [b"acc-user\0" + record.user_id.encode(), b"acc-org\0" + record.organisation + record.id]
            return keys + ([b"acc-mbox\0" + record.mailbox] if record.mailbox is not None else [])
        case AddressRecord():
            return [b"addr-own\0" + record.owner + record.address.encode()]
        case RoleAssignment():
            place = record.organisation or _NONE
            return [b"role-acc\0" + record.account + record.id, b"role-org\0" + place + record.id]
        case Domain():
            return [b"dom-conn\0" + record.connection + record.name.encode()]
        case Connection():
            return [b"conn-slug\0" + record.slug.encode()] if record.slug else []
        case MailList():
            return [b"list-org\0" + record.organisation + record.id]
        case SharedMailbox():
            keys = [b"shared-org\0" + record.organisation + record.id]
            return keys + [b"shared-mem\0" + member.account + record.id for member in record.members]
        case _:
            return []


#: Octets of the longest key that LMDB takes.
_LONGEST_KEY = 511


class Remembered:
    """Records that were read, and index entries, while the community stays what it is: each change empties it."""

    def __init__(self, most: int = 50_000) -> None:
        self.records: dict[tuple[type, bytes], Record | None] = {}
        self.keys: dict[bytes, bytes | None] = {}
        self._most = most
        self._number = -1

    def at(self, number: int) -> "Remembered":
        """Return this, emptied when it remembers another state than *number* or too much."""
        if number != self._number or len(self.records) + len(self.keys) > self._most:
            self.records.clear()
            self.keys.clear()
            self._number = number
        return self


class LmdbView(RecordsView):
    """A view for one slice: it ends with its transaction.

    :param remembered: may be filled and used; None in a transaction that writes.
    """

    def __init__(
        self,
        environment: Environment,
        transaction: lmdb.Transaction,
        suffix: str,
        moment: int,
        remembered: Remembered | None = None,
    ) -> None:
        self._environment = environment
        self._transaction = transaction
        self.suffix = suffix
        self.moment = moment
        self._remembered = remembered.at(self.number) if remembered is not None else Remembered()

    @property
    def number(self) -> int:
        """See :class:`~cjsm.community.view.View`."""
        return int.from_bytes(self._transaction.get(SEQUENCE, db=self._environment.meta) or b"", "big")

    def one(self, kind: type[Kept], key: bytes | str) -> Kept | None:
        """See :class:`RecordsView`."""
        key = key_octets(key)
        records = self._remembered.records
        try:
            found: Any = records[kind, key]
        except KeyError:
            stored = self._stored(TABLES[kind], key)
            found = records[kind, key] = decode(stored, kind) if stored is not None else None
        record: Kept | None = found
        return record

    def _stored(self, table: str, key: bytes) -> bytes | None:
        """Return what is under *key*; nothing is under one that cannot be stored, such as an empty name."""
        if not 0 < len(key) <= _LONGEST_KEY:
            return None
        stored = self._transaction.get(key, db=self._environment.table(table))
        return bytes(stored) if stored is not None else None

    def every(self, kind: type[Kept], after: bytes | None = None) -> Iterator[Kept]:
        """See :class:`RecordsView`."""
        cursor = self._transaction.cursor(db=self._environment.table(TABLES[kind]))
        # The first key after another one is that with a zero octet more.
        if cursor.first() if after is None else cursor.set_range(after + b"\0"):
            for _, stored in cursor:
                yield decode(bytes(stored), kind)

    def _indexed(self, kind: type[Kept], key: bytes) -> Kept | None:
        keys = self._remembered.keys
        try:
            found = keys[key]
        except KeyError:
            found = keys[key] = self._stored(INDEX, key)
        return self.one(kind, found) if found is not None else None

    def _under(self, kind: type[Kept], prefix: bytes) -> Iterator[Kept]:
        for _, key in prefixed(self._transaction, self._environment.table(INDEX), prefix):
            record = self.one(kind, key)
            if record is not None:
                yield record

    def organisation_below(self, parent: OrganisationId | None, slug: str) -> Organisation | None:
        """See :class:`~cjsm.community.view.View`."""
        return self._indexed(Organisation, b"org-slug\0" + (parent or _NONE) + slug.encode())

    def children(self, parent: OrganisationId | None) -> Iterable[Organisation]:
        """See :class:`~cjsm.community.view.View`."""
        return self._under(Organisation, b"org-slug\0" + (parent or _NONE))

    def organisation_of_abbreviation(self, abbreviation: str) -> Organisation | None:
        """See :class:`~cjsm.community.view.View`."""
        return self._indexed(Organisation, b"org-abbr\0" + abbreviation.encode())

    def account_of_user_id(self, user_id: str) -> Account | None:
        """See :class:`~cjsm.community.view.View`."""
        return self._indexed(Account, b"acc-user\0" + user_id.lower().encode())

    def account_of_mailbox(self, mailbox: MailboxId) -> Account | None:
        """See :class:`~cjsm.community.view.View`."""
        return self._indexed(Account, b"acc-mbox\0" + mailbox)

    def accounts_in(self, organisation: OrganisationId) -> Iterable[Account]:
        """See :class:`~cjsm.community.view.View`."""
        return self._under(Account, b"acc-org\0" + organisation)

    def addresses_of(self, owner: bytes) -> Iterable[AddressRecord]:
        """See :class:`~cjsm.community.view.View`."""
        return self._under(AddressRecord, b"addr-own\0" + owner)

    def roles_of(self, account: AccountId) -> Iterable[RoleAssignment]:
        """See :class:`~cjsm.community.view.View`."""
        return self._under(RoleAssignment, b"role-acc\0" + account)

    def roles_over(self, organisation: OrganisationId | None) -> Iterable[RoleAssignment]:
        """See :class:`~cjsm.community.view.View`."""
        return self._under(RoleAssignment, b"role-org\0" + (organisation or _NONE))

    def domains_of(self, connection: ConnectionId) -> Iterable[Domain]:
        """See :class:`~cjsm.community.view.View`."""
        return self._under(Domain, b"dom-conn\0" + connection)

    def connection_of_slug(self, slug: str) -> Connection | None:
        """See :class:`~cjsm.community.view.View`."""
        return self._indexed(Connection, b"conn-slug\0" + slug.encode())

    def lists_in(self, organisation: OrganisationId) -> Iterable[MailList]:
        """See :class:`~cjsm.community.view.View`."""
        return self._under(MailList, b"list-org\0" + organisation)

    def kept_shared_mailboxes_in(self, organisation: OrganisationId) -> Iterable[SharedMailbox]:
        """See :class:`~cjsm.community.view.View`."""
        return self._under(SharedMailbox, b"shared-org\0" + organisation)

    def kept_shared_mailboxes_of(self, member: AccountId) -> Iterable[SharedMailbox]:
        """See :class:`RecordsView`."""
        return self._under(SharedMailbox, b"shared-mem\0" + member)
