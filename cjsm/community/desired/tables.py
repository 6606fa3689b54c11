"""The tables of a file of the desired state: one for each thing, in the names that people give.

What a table does not mention stays as it is; a new thing has the usual value. Lists of things, such as members, are
whole.
"""

from msgspec import UNSET, Struct, UnsetType, field

from cjsm.community.records import (
    ConnectionKind,
    ConnectionState,
    DomainState,
    MailboxRight,
    OrganisationState,
    Recovery,
    TlsTrust,
    TlsVersion,
    WhoMayPost,
)

#: The form of the file; another one gets another number.
FORMAT = 1


class OrganisationTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An organisation, under its path. ``was`` is the path it moves from."""

    name: str | UnsetType = UNSET
    abbreviation: str | UnsetType = UNSET
    business_type: str | UnsetType = UNSET
    area: str | UnsetType = UNSET
    ex_directory: bool | UnsetType = UNSET
    protected: bool | UnsetType = UNSET
    recovery: Recovery | UnsetType = UNSET
    state: OrganisationState | UnsetType = UNSET
    was: str | UnsetType = UNSET


class ConnectionTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A connection, under its short name. ``was`` is the short name it had."""

    organisation: str | UnsetType = UNSET
    kind: ConnectionKind | UnsetType = UNSET
    name: str | UnsetType = UNSET
    state: ConnectionState | UnsetType = UNSET
    next_hops: tuple[str, ...] | UnsetType = UNSET
    networks: tuple[str, ...] | UnsetType = UNSET
    certificate_names: tuple[str, ...] | UnsetType = UNSET
    tls_name: str | UnsetType = UNSET
    tls_trust: TlsTrust | UnsetType = UNSET
    tls_minimum: TlsVersion | UnsetType = UNSET
    tls_pins: tuple[str, ...] | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    tenant: str | UnsetType = UNSET
    limits: dict[str, int] | UnsetType = UNSET
    contact: str | UnsetType = UNSET
    was: str | UnsetType = UNSET


class DomainTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A domain of a connection, under its name; exceptions are by the member's address."""

    connection: str | UnsetType = UNSET
    organisation: str | UnsetType = UNSET
    state: DomainState | UnsetType = UNSET
    listed_members_only: bool | UnsetType = UNSET
    exceptions: dict[str, str] | UnsetType = UNSET


class ListTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A distribution list, under its address; managers by user ID, members by address."""

    organisation: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    who_may_post: WhoMayPost | UnsetType = UNSET
    ex_directory: bool | UnsetType = UNSET
    managers: tuple[str, ...] | UnsetType = UNSET
    members: tuple[str, ...] | UnsetType = UNSET


class SharedTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A shared mailbox, under its address; managers and members by user ID, ``quota`` in octets."""

    organisation: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    quota: int | UnsetType = UNSET
    ex_directory: bool | UnsetType = UNSET
    notice: bool | UnsetType = UNSET
    managers: tuple[str, ...] | UnsetType = UNSET
    members: dict[str, tuple[MailboxRight, ...]] | UnsetType = UNSET


class RoleTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What somebody is, under the user ID: for each role the paths of the organisations that it is over."""

    community_administrator: tuple[str, ...] | UnsetType = UNSET
    organisation_administrator: tuple[str, ...] | UnsetType = UNSET
    helpdesk: tuple[str, ...] | UnsetType = UNSET
    engineer: tuple[str, ...] | UnsetType = UNSET
    mailbox_user: tuple[str, ...] | UnsetType = UNSET


class Removed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What there shall be no more."""

    organisations: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()


class Desired(Struct, frozen=True, kw_only=True):
    """A whole file; every key in its one form."""

    organisation: dict[str, OrganisationTable] = field(default_factory=dict)
    connection: dict[str, ConnectionTable] = field(default_factory=dict)
    domain: dict[str, DomainTable] = field(default_factory=dict)
    list: dict[str, ListTable] = field(default_factory=dict)
    shared: dict[str, SharedTable] = field(default_factory=dict)
    role: dict[str, RoleTable] = field(default_factory=dict)
    removed: Removed = Removed()


Table = OrganisationTable | ConnectionTable | DomainTable | ListTable | SharedTable | RoleTable

#: Each kind of table by the word before its key, in the order of the file.
KINDS: dict[str, type[Table]] = {
    "organisation": OrganisationTable,
    "connection": ConnectionTable,
    "domain": DomainTable,
    "list": ListTable,
    "shared": SharedTable,
    "role": RoleTable,
}
