"""The community's records: the domain's values and, encoded as MessagePack, their stored form.

Every record starts with its schema version (see :mod:`cjsm.store.encoding`); a field may be added with a default,
never removed or given another meaning. Times are whole seconds since the epoch, UTC. ``None`` in a date means never.
"""

from enum import StrEnum

from msgspec import Struct

from cjsm.community.applicationrecords import Application
from cjsm.community.identifiers import (
    AccountId,
    ActId,
    ConnectionId,
    JobId,
    ListId,
    MailboxId,
    OrganisationId,
    RequestId,
    RoleAssignmentId,
    SecretId,
)


class OrganisationState(StrEnum):
    """Life of an organisation (community §6)."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class Recovery(StrEnum):
    """An organisation's choice about the recovery of its people's mail (vault, "Acts")."""

    TWO_PERSON = "two-person"
    NONE = "none"


class Organisation(Struct, frozen=True, kw_only=True):
    """An organisation or sub-organisation of the community.

    ``slug`` is unique among siblings; ``abbreviation`` is the one-label hosted domain before the suffix, unique in
    the community, or None where the parent's is shared. ``moved`` is when it was last put below another parent,
    ``recovery_since`` when it last changed its choice of recovery. ``state_reason`` is a code. ``merging`` is since
    when it becomes part of its parent (0: it does not), and stays when that is done.
    """

    id: OrganisationId
    parent: OrganisationId | None
    slug: str
    name: str
    abbreviation: str | None = None
    state: OrganisationState = OrganisationState.ACTIVE
    recovery: Recovery = Recovery.TWO_PERSON
    ex_directory: bool = False
    protected: bool = False
    business_type: str = ""
    area: str = ""
    created: int = 0
    version: int = 1
    moved: int = 0
    recovery_since: int = 0
    state_reason: str = ""
    state_since: int = 0
    merging: int = 0


class AccountKind(StrEnum):
    """Where an account's mail is kept (community §2): here, or at the organisation."""

    HOSTED = "hosted"
    RELAYED = "relayed"


class Life(StrEnum):
    """The first of an account's three independent states (community §6), and the only one of a shared mailbox."""

    NEW = "new"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class Credential(StrEnum):
    """The second: whether the person has chosen a password of their own."""

    ONE_TIME = "one-time"
    CHOSEN = "chosen"


class Profile(Struct, frozen=True, kw_only=True):
    """What the directory lists of a person: the fields of the 15-column form that are not held elsewhere.

    Organisation and account status come from the account itself, ``secure_email`` from its primary address.
    ``ordinary_email`` is the non-secure address; it is never listed.
    """

    first_name: str
    last_name: str
    user_type: str = ""
    address1: str = ""
    address2: str = ""
    town: str = ""
    postcode: str = ""
    telephone: str = ""
    mobile: str = ""
    description: str = ""
    business_type: str = ""
    area: str = ""
    ordinary_email: str = ""


class DevicePassword(Struct, frozen=True, kw_only=True):
    """The public half of a device password; its verifier and slot are in the key store under ``id``."""

    id: SecretId
    name: str
    protocols: tuple[str, ...]
    created: int
    expires: int | None = None


class Guard(Struct, frozen=True, kw_only=True):
    """An account that guesses have locked: its own password is taken only from networks that it used before.

    ``until`` is when it opens again by itself; None for when somebody unlocks it.
    """

    since: int
    until: int | None = None


class Account(Struct, frozen=True, kw_only=True):
    """A member of the community: a person or function that signs in or is only listed.

    ``version`` rises with every change that sessions and caches must notice. ``keys`` and ``mailbox_keys`` name the
    versions of the account's and the mailbox's records in the key store (0: none yet). ``mailbox`` is None for
    relayed accounts. ``password_version`` rises when the person's own password changes. ``quota`` in octets.
    ``locked`` is somebody's act and shuts out everybody; ``guard`` is what guesses led to. ``password_since`` is when
    the person chose the password, ``factor_since`` when the second factor was turned on (0: there is none), and
    ``recovery_codes`` how many of these are left.
    ``state_reason`` is a code, ``state_note`` an administrator's free text, which goes with the account.
    ``mailbox_generation`` is the newest generation of the mailbox's keys and ``mailbox_rotated`` when it was made
    (0: the first one, made with the account). ``moved`` is when the person was last put into another organisation,
    ``profile_since`` when the profile was changed (0: never), and ``inactive_warned`` when they were last warned that
    they did not sign in. ``reset_by`` gave a one-time password, ``factor_removed_by`` took the second factor away, and
    the person has shown nothing of their own since (empty: nobody, or the operator).
    """

    id: AccountId
    organisation: OrganisationId
    kind: AccountKind
    user_id: str
    profile: Profile
    life: Life = Life.NEW
    credential: Credential = Credential.ONE_TIME
    locked: bool = False
    ex_directory: bool = False
    mailbox: MailboxId | None = None
    quota: int = 0
    keys: int = 0
    mailbox_keys: int = 0
    password_version: int = 0
    device_passwords: tuple[DevicePassword, ...] = ()
    state_reason: str = ""
    state_since: int = 0
    created: int = 0
    version: int = 1
    guard: Guard | None = None
    password_since: int = 0
    factor_since: int = 0
    recovery_codes: int = 0
    state_note: str = ""
    mailbox_generation: int = 0
    mailbox_rotated: int = 0
    moved: int = 0
    profile_since: int = 0
    reset_by: bytes = b""
    factor_removed_by: bytes = b""
    inactive_warned: int = 0


class OwnerKind(StrEnum):
    """What an address belongs to."""

    ACCOUNT = "account"
    LIST = "list"
    SHARED_MAILBOX = "shared-mailbox"


class AddressRecord(Struct, frozen=True, kw_only=True):
    """One canonical address and who owns it.

    ``alias`` is False for the owner's one primary address. After a change of name the old address delivers until
    ``delivers_until`` and stays reserved until ``reserved_until`` (community §3).
    """

    address: str
    owner_kind: OwnerKind
    owner: bytes
    alias: bool = False
    delivers_until: int | None = None
    reserved_until: int | None = None


class Role(StrEnum):
    """What a role assignment gives; it covers its organisation and all below (community §4)."""

    COMMUNITY_ADMINISTRATOR = "community-administrator"
    ORGANISATION_ADMINISTRATOR = "organisation-administrator"
    HELPDESK = "helpdesk"
    ENGINEER = "engineer"
    MAILBOX_USER = "mailbox-user"


class RoleAssignment(Struct, frozen=True, kw_only=True):
    """*account* has *role* over *organisation* and everything below; None stands for the whole community."""

    id: RoleAssignmentId
    account: AccountId
    role: Role
    organisation: OrganisationId | None
    recovery_officer: bool = False
    created: int = 0


class DomainState(StrEnum):
    """Whether mail may use a domain."""

    APPROVED = "approved"
    SUSPENDED = "suspended"


class Domain(Struct, frozen=True, kw_only=True):
    """A connection's domain in canonical form, with the suffix; two labels or more before it.

    ``exceptions`` are (canonical address, address at the organisation) pairs that the suffix rule does not give
    (community §3).
    """

    name: str
    connection: ConnectionId
    organisation: OrganisationId
    state: DomainState = DomainState.APPROVED
    listed_members_only: bool = False
    exceptions: tuple[tuple[str, str], ...] = ()


class ConnectionKind(StrEnum):
    """How an organisation's own mail system joins (community §2)."""

    SERVER = "server"
    CLOUD = "cloud"
    GOVERNMENT = "government"


class ConnectionState(StrEnum):
    """Life of a connection (community §12)."""

    TESTING = "testing"
    LIVE = "live"
    SUSPENDED = "suspended"


class NextHop(Struct, frozen=True, kw_only=True):
    """Where a connection takes mail: a host name and a port, never looked up as MX."""

    host: str
    port: int


class TlsTrust(StrEnum):
    """Whose certificates a next hop may show, where it is not pinned."""

    COMMUNITY = "community"
    PUBLIC = "public"


class TlsVersion(StrEnum):
    """The oldest version of TLS that is spoken with a next hop."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class IssuedCertificate(Struct, frozen=True, kw_only=True):
    """A client certificate that the community's authority issued for a connection; ``revoked`` is a moment or None.

    ``fingerprint`` is SHA-256 over the DER form, in hexadecimal; ``serial`` is hexadecimal too.
    """

    serial: str
    fingerprint: str
    not_before: int
    not_after: int
    revoked: int | None = None


class RelayLimits(Struct, frozen=True, kw_only=True):
    """A connection's own figures; None stands for the service's setting of the same name in ``[relay]``.

    Times in seconds; rates in messages a minute; ``message_octets`` is the largest message that the other side takes.
    """

    concurrency: int | None = None
    messages_per_connection: int | None = None
    messages_per_minute: int | None = None
    message_octets: int | None = None
    retry_first: int | None = None
    retry_most: int | None = None
    delay_notice: int | None = None
    give_up: int | None = None


class Connection(Struct, frozen=True, kw_only=True):
    """An organisation's own mail system.

    ``slug`` is its short name, unique in the community; empty in records that are older than short names.

    What it shows when it relays in: a client certificate that the community issued (``issued``), or one of a public
    authority with one of ``certificate_names``; ``networks`` narrow where it may come from. A cloud connection is one
    ``tenant`` of a ``provider`` in the provider table. What it must show when mail is relayed out: a certificate for
    ``tls_name`` (empty: the next hop's host name) that ``tls_trust`` vouches for, or one whose key is pinned in
    ``tls_pins`` (SHA-256 of the SubjectPublicKeyInfo, in hexadecimal; the current one and the next).
    """

    id: ConnectionId
    organisation: OrganisationId
    kind: ConnectionKind
    name: str
    state: ConnectionState = ConnectionState.TESTING
    next_hops: tuple[NextHop, ...] = ()
    networks: tuple[str, ...] = ()
    certificate_names: tuple[str, ...] = ()
    tls_pins: tuple[str, ...] = ()
    tenant: str = ""
    contact: str = ""
    created: int = 0
    version: int = 1
    provider: str = ""
    issued: tuple[IssuedCertificate, ...] = ()
    tls_name: str = ""
    tls_trust: TlsTrust = TlsTrust.COMMUNITY
    tls_minimum: TlsVersion = TlsVersion.TLS_1_2
    limits: RelayLimits = RelayLimits()
    slug: str = ""
    state_reason: str = ""
    state_since: int = 0


class WhoMayPost(StrEnum):
    """Who may send to a list (community §8)."""

    MEMBERS = "members"
    ORGANISATION = "organisation"
    COMMUNITY = "community"


class MailList(Struct, frozen=True, kw_only=True):
    """A distribution list; members are canonical addresses of accounts, relayed members or lists."""

    id: ListId
    organisation: OrganisationId
    slug: str
    name: str
    members: tuple[str, ...] = ()
    managers: tuple[AccountId, ...] = ()
    who_may_post: WhoMayPost = WhoMayPost.ORGANISATION
    ex_directory: bool = False
    created: int = 0
    version: int = 1


class MailboxRight(StrEnum):
    """What a member of a shared mailbox may do."""

    READ = "read"
    DELETE = "delete"
    SEND = "send"


class SharedMember(Struct, frozen=True, kw_only=True):
    """One member of a shared mailbox and that member's rights; who reads does so from generation ``first`` on."""

    account: AccountId
    rights: tuple[MailboxRight, ...]
    first: int = 0


class SharedMailbox(Struct, frozen=True, kw_only=True):
    """A mailbox that several accounts open; ``generation``, ``rotated`` and ``moved`` as in :class:`Account`.

    ``notice``: members are told that there is new mail, and nothing of it. ``life`` is active or deleted, with
    ``state_reason``, ``state_note`` and ``state_since`` as an account has them.
    """

    id: MailboxId
    organisation: OrganisationId
    slug: str
    name: str
    members: tuple[SharedMember, ...] = ()
    managers: tuple[AccountId, ...] = ()
    quota: int = 0
    keys: int = 0
    ex_directory: bool = False
    created: int = 0
    version: int = 1
    generation: int = 0
    rotated: int = 0
    notice: bool = False
    life: Life = Life.ACTIVE
    state_reason: str = ""
    state_note: str = ""
    state_since: int = 0
    moved: int = 0


class RecoveryAuthority(Struct, frozen=True, kw_only=True):
    """Who may recover mail of an organisation, or counter-sign for those below: officers, by their role assignments.

    ``id`` is the organisation's, or :data:`COMMUNITY`. ``keys`` names the version of its record in the key store, and
    ``number`` the newest of its recovery keys, which was made at ``since``.
    """

    id: OrganisationId
    keys: int
    number: int
    since: int
    version: int = 1


#: Stands for the whole community among recovery authorities: it counter-signs for top organisations.
COMMUNITY = OrganisationId(b"the community   ")


class RequestState(StrEnum):
    """How far a request for recovery has come."""

    REQUESTED = "requested"
    COUNTER_SIGNED = "counter-signed"
    OPENED = "opened"
    ENDED = "ended"
    REFUSED = "refused"


class RecoveryRequest(Struct, frozen=True, kw_only=True):
    """A request to open ``generations`` of a mailbox to ``beneficiary`` again: its owner, or for a time somebody else.

    ``organisation`` and ``counter_signer`` are the two authorities whose officers approve, each another person.
    ``keys`` names the version of what the counter-signer released. ``until`` is None for the owner.
    """

    id: RequestId
    mailbox: MailboxId
    account: AccountId
    beneficiary: AccountId
    organisation: OrganisationId
    counter_signer: OrganisationId
    generations: tuple[int, ...]
    reason: str
    requested_by: bytes = b""
    created: int = 0
    expires: int = 0
    until: int | None = None
    state: RequestState = RequestState.REQUESTED
    counter_signed_by: bytes = b""
    counter_signed: int = 0
    opened_by: bytes = b""
    keys: int = 0
    version: int = 1


class Job(Struct, frozen=True, kw_only=True):
    """Something the service does by itself: durable, claimed by one worker until ``claimed_until``.

    :ivar done: of things to be done one by one those that it went through, of ``total``; 0 where it does not count.
    """

    id: JobId
    kind: str
    due: int
    subject: bytes = b""
    every: int | None = None
    attempts: int = 0
    last_run: int | None = None
    last_result: str = ""
    claimed_by: str = ""
    claimed_until: int = 0
    done: int = 0
    total: int = 0


class LedgerEntry(Struct, frozen=True, kw_only=True):
    """What was done, by whom, to what; written in the transaction of the act itself.

    ``actor`` is the account's id, or empty for the local operator and the service itself; ``reason`` is a code, and
    ``details`` holds nothing that a person could be known by.

    :ivar organisation: whose administrators may read it: where the subject belonged then; empty for the whole
        community, None in entries that are older than this.
    :ivar words: what is said of a person, by name: kept beside the entry, which has commitments only.
    :ivar person: with whom the words are destroyed; never encoded.
    :ivar commitments: what an entry that was read has for words.
    """

    act_id: ActId
    act: str
    moment: int
    actor: bytes
    subject_kind: str
    subject: bytes
    reason: str = ""
    details: tuple[tuple[str, str], ...] = ()
    organisation: bytes | None = None
    words: tuple[tuple[str, str], ...] = ()
    person: bytes = b""
    commitments: tuple[tuple[str, bytes], ...] = ()


#: Every record that a community store holds under an identifier or name of its own.
Record = (
    Organisation
    | Account
    | AddressRecord
    | RoleAssignment
    | Domain
    | Connection
    | MailList
    | SharedMailbox
    | RecoveryAuthority
    | RecoveryRequest
    | Application
    | Job
)
