"""Administrative acts: each asks ``may``, checks its values and returns the whole :class:`Change` with its entry.

The moment comes from the view, identifiers from the caller. What an act may not do raises one of
:mod:`cjsm.community.errors`; nothing is written then.
"""

import msgspec
from msgspec import Struct

from cjsm.community import states
from cjsm.community.address import Address, UserId, check_domain, check_slug
from cjsm.community.authority import Action, Permission, may, may_grant, require
from cjsm.community.errors import BadValue, Conflict, Exists, NotFound
from cjsm.community.identifiers import (
    AccountId,
    ActId,
    ConnectionId,
    MailboxId,
    OrganisationId,
    RoleAssignmentId,
    SecretId,
)
from cjsm.community.records import (
    Account,
    AccountKind,
    AddressRecord,
    Connection,
    Credential,
    DevicePassword,
    Domain,
    LedgerEntry,
    Life,
    MailList,
    Organisation,
    OrganisationState,
    OwnerKind,
    Profile,
    Role,
    RoleAssignment,
    SharedMailbox,
)
from cjsm.community.view import Change, View

_LONGEST_TEXT = 200
_DEVICES = 20
PROTOCOLS = ("smtp", "pop3", "ldap")


class By(Struct, frozen=True, kw_only=True):
    """Who acts, under which id: an account, or None for the local operator; *reason* where one is due."""

    act_id: ActId
    actor: AccountId | None = None
    reason: str = ""


def _entry(
    view: View, by: By, act: str, kind: str, subject: bytes, permission: Permission, **details: str
) -> LedgerEntry:
    told = dict(details)
    if permission.break_glass:
        told["break-glass"] = "yes"
    return LedgerEntry(
        act_id=by.act_id,
        act=act,
        moment=view.moment,
        actor=by.actor or b"",
        subject_kind=kind,
        subject=subject,
        reason=by.reason,
        details=tuple(sorted(told.items())),
    )


def check_text(text: str, what: str) -> str:
    """Return *text* without outer space.

    :raises BadValue: when it is empty, too long or holds control characters.
    """
    told = text.strip()
    if not told or len(told) > _LONGEST_TEXT or not told.isprintable():
        raise BadValue(f"{what} needs 1 to {_LONGEST_TEXT} printable characters")
    return told


def organisation_of(view: View, path: str) -> Organisation:
    """Return the organisation at a slug path such as ``avon-police/crime``.

    :raises NotFound: naming the part that does not exist.
    """
    found: Organisation | None = None
    for slug in path.strip("/").lower().split("/"):
        below = view.organisation_below(found.id if found else None, slug)
        if below is None:
            raise NotFound(f"there is no organisation {path!r}", "see `cjsm organisation list`")
        found = below
    if found is None:
        raise NotFound(f"there is no organisation {path!r}", "see `cjsm organisation list`")
    return found


def path_of(view: View, organisation: OrganisationId | None) -> str:
    """Return the slug path of *organisation*; empty for the whole community."""
    return "/".join(found.slug for found in reversed(tuple(states.chain(view, organisation))))


def account_of(view: View, name: str) -> Account:
    """Return the account with a user ID or address.

    :raises NotFound: when there is none.
    """
    account = view.account_of_user_id(name.lower())
    if account is None:
        record = view.reserved_address(name.lower())
        if record is not None and record.owner_kind is OwnerKind.ACCOUNT:
            account = view.account(AccountId(record.owner))
    if account is None:
        raise NotFound(f"there is no user {name!r}", "see `cjsm user list`")
    return account


def primary_address(view: View, account: AccountId) -> str:
    """Return the account's one primary address."""
    return next((record.address for record in view.addresses_of(account) if not record.alias), "")


def abbreviation_for(view: View, organisation: OrganisationId) -> str:
    """Return the abbreviation in force: the organisation's own or the nearest above it.

    :raises Conflict: when no organisation on the way up has one.
    """
    for found in states.chain(view, organisation):
        if found.abbreviation is not None:
            return found.abbreviation
    raise Conflict("the organisation has no abbreviation", "give its top organisation one with --abbreviation")


def add_organisation(view: View, by: By, organisation: Organisation) -> Change:
    """Add *organisation* below its parent, or at the top."""
    action = Action.MAKE_TOP_ORGANISATION if organisation.parent is None else Action.MAKE_SUB_ORGANISATION
    permission = require(may(view, by.actor, action, organisation.parent))
    check_slug(organisation.slug)
    made = msgspec.structs.replace(
        organisation, name=check_text(organisation.name, "a name"), created=view.moment, version=1
    )
    if organisation.parent is not None:
        above = tuple(states.chain(view, organisation.parent))
        if not above or above[0].state is OrganisationState.DELETED:
            raise NotFound("the organisation above does not exist")
        if len(above) >= states.DEEPEST - 1:
            raise BadValue(f"organisations are at most {states.DEEPEST - 1} deep")
    if view.organisation_below(organisation.parent, organisation.slug) is not None:
        raise Exists(f"{organisation.slug!r} exists there already", "choose another short name")
    if organisation.abbreviation is not None:
        check_slug(organisation.abbreviation)
        if view.organisation_of_abbreviation(organisation.abbreviation) is not None:
            raise Exists(f"the abbreviation {organisation.abbreviation!r} is taken", "choose another")
    entry = _entry(view, by, "organisation-add", "organisation", made.id, permission, slug=made.slug)
    return Change(put=(made,), entry=entry)


def add_hosted_account(view: View, by: By, account: Account) -> Change:
    """Add a person or function whose mail is kept here; the address follows from the user ID."""
    user = UserId.parse(account.user_id)
    if abbreviation_for(view, account.organisation) != user.abbreviation:
        raise BadValue(f"user IDs there end in @{abbreviation_for(view, account.organisation)}")
    if account.mailbox is None or account.kind is not AccountKind.HOSTED:
        raise BadValue("a hosted account has a mailbox")
    return _add_account(view, by, account, user.address(view.suffix))


def add_relayed_account(view: View, by: By, account: Account, address: Address) -> Change:
    """Add a member whose mail is kept at the organisation's own connection."""
    domain = view.domain(address.domain)
    above = {found.id for found in states.chain(view, account.organisation)}
    if domain is None or domain.organisation not in above:
        raise BadValue(f"{address.domain} is not a domain of that organisation", "see `cjsm organisation show`")
    UserId.parse(account.user_id)
    if account.kind is not AccountKind.RELAYED or account.mailbox is not None:
        raise BadValue("a relayed account has no mailbox")
    return _add_account(view, by, account, address)


def _add_account(view: View, by: By, account: Account, address: Address) -> Change:
    permission = require(may(view, by.actor, Action.MANAGE_USERS, account.organisation))
    if states.organisation_state(view, account.organisation) is not OrganisationState.ACTIVE:
        raise Conflict("the organisation is not active", "resume it first")
    check_text(account.profile.first_name, "a first name")
    check_text(account.profile.last_name, "a last name")
    if view.account_of_user_id(account.user_id) is not None:
        raise Exists(f"the user ID {account.user_id} is taken", "add -2 or a letter to the last name")
    if view.reserved_address(str(address)) is not None:
        raise Exists(f"the address {address} is taken or still reserved", "choose another user ID")
    made = msgspec.structs.replace(account, created=view.moment, state_since=view.moment, version=1)
    record = AddressRecord(address=str(address), owner_kind=OwnerKind.ACCOUNT, owner=made.id)
    entry = _entry(view, by, "user-add", "account", made.id, permission, access=made.kind.value)
    return Change(put=(made, record), entry=entry)


def free_user_id(view: View, name: str, abbreviation: str) -> str:
    """Return ``name@abbreviation``, with ``-2``, ``-3`` … behind the last name while it is taken."""
    for number in range(1, 10_000):
        told = name if number == 1 else f"{name}-{number}"
        candidate = UserId(told, abbreviation)
        if view.account_of_user_id(str(candidate)) is None and not view.reserved_address(
            str(candidate.address(view.suffix))
        ):
            return str(candidate)
    raise Exists(f"every form of {name} is taken", "give one with --user-id")


def _changed(account: Account, **changes: object) -> Account:
    return msgspec.structs.replace(account, version=account.version + 1, **changes)


def choose_password(view: View, by: By, account: AccountId, keys: int) -> Change:
    """The person chose a password: key version *keys* holds it. A new user is active from now on."""
    found = _account(view, account)
    permission = require(may(view, by.actor, Action.CHOOSE_PASSWORD, found.organisation, account=account))
    if found.life is Life.DELETED:
        raise Conflict("this user is deleted", "undelete the user first")
    life = Life.ACTIVE if found.life is Life.NEW else found.life
    made = _changed(
        found,
        keys=keys,
        credential=Credential.CHOSEN,
        life=life,
        password_version=found.password_version + 1,
    )
    return Change(put=(made,), entry=_entry(view, by, "password-chosen", "account", account, permission))


def add_device_password(view: View, by: By, account: AccountId, password: DevicePassword, keys: int) -> Change:
    """Add a named device password; key version *keys* holds its verifier and slot."""
    found = _account(view, account)
    permission = require(may(view, by.actor, Action.OWN_SECRETS, found.organisation, account=account))
    check_text(password.name, "a device's name")
    if not password.protocols or not set(password.protocols) <= set(PROTOCOLS):
        raise BadValue(f"a device password is for some of {', '.join(PROTOCOLS)}")
    if any(known.name == password.name for known in found.device_passwords):
        raise Exists(f"there is a device password {password.name!r} already", "revoke it or choose another name")
    if len(found.device_passwords) >= _DEVICES:
        raise Conflict(f"a user has at most {_DEVICES} device passwords", "revoke one that is not used any more")
    made = _changed(found, keys=keys, device_passwords=(*found.device_passwords, password))
    entry = _entry(view, by, "device-add", "account", account, permission, device=password.id.hex())
    return Change(put=(made,), entry=entry)


def revoke_device_password(view: View, by: By, account: AccountId, secret: SecretId, keys: int) -> Change:
    """Take a device password away; key version *keys* no longer has it."""
    found = _account(view, account)
    permission = may(view, by.actor, Action.OWN_SECRETS, found.organisation, account=account)
    if not permission.allowed:
        permission = require(may(view, by.actor, Action.MANAGE_USERS, found.organisation))
    kept = tuple(known for known in found.device_passwords if known.id != secret)
    if len(kept) == len(found.device_passwords):
        raise NotFound("there is no such device password", "see `cjsm device list`")
    made = _changed(found, keys=keys, device_passwords=kept)
    entry = _entry(view, by, "device-revoke", "account", account, permission, device=secret.hex())
    return Change(put=(made,), entry=entry)


def _account(view: View, account: AccountId) -> Account:
    found = view.account(account)
    if found is None:
        raise NotFound("there is no such user")
    return found


def set_locked(view: View, by: By, account: AccountId, *, locked: bool) -> Change:
    """Lock or unlock; everything else returns to what it was."""
    found = _account(view, account)
    action = Action.LOCK if locked else Action.UNLOCK
    permission = require(may(view, by.actor, action, found.organisation, account=account))
    act = "user-lock" if locked else "user-unlock"
    return Change(put=(_changed(found, locked=locked),), entry=_entry(view, by, act, "account", account, permission))


def set_life(view: View, by: By, account: AccountId, life: Life) -> Change:
    """Suspend, resume, delete or undelete; suspending and deleting need a reason."""
    found = _account(view, account)
    permission = require(may(view, by.actor, Action.MANAGE_USERS, found.organisation, account=account))
    if life in (Life.SUSPENDED, Life.DELETED) and not by.reason:
        raise BadValue("suspending and deleting need a reason", "give one with --reason")
    if life in (Life.NEW, Life.ACTIVE):
        life = Life.ACTIVE if found.credential is Credential.CHOSEN else Life.NEW
    made = _changed(found, life=life, state_reason=by.reason, state_since=view.moment)
    return Change(put=(made,), entry=_entry(view, by, f"user-{life.value}", "account", account, permission))


def set_organisation_state(view: View, by: By, organisation: OrganisationId, state: OrganisationState) -> Change:
    """Suspend, resume or delete an organisation; deleting needs it empty."""
    found = view.organisation(organisation)
    if found is None:
        raise NotFound("there is no such organisation")
    permission = require(may(view, by.actor, Action.CHANGE_ORGANISATION, organisation))
    if state is not OrganisationState.ACTIVE and not by.reason:
        raise BadValue("suspending and deleting need a reason", "give one with --reason")
    occupied = any(account.life is not Life.DELETED for account in view.accounts_in(organisation))
    below = any(child.state is not OrganisationState.DELETED for child in view.children(organisation))
    if state is OrganisationState.DELETED and (occupied or below):
        raise Conflict("the organisation is not empty", "move or delete its users and sub-organisations first")
    made = msgspec.structs.replace(found, state=state, version=found.version + 1)
    entry = _entry(view, by, f"organisation-{state.value}", "organisation", organisation, permission)
    return Change(put=(made,), entry=entry)


def grant_role(view: View, by: By, assignment: RoleAssignment) -> Change:
    """Give an account a role over an organisation and all below."""
    account = _account(view, assignment.account)
    permission = require(may_grant(view, by.actor, assignment.role, assignment.organisation))
    if assignment.organisation is not None and view.organisation(assignment.organisation) is None:
        raise NotFound("there is no such organisation")
    if assignment.organisation is None and assignment.role in (
        Role.ORGANISATION_ADMINISTRATOR,
        Role.MAILBOX_USER,
    ):
        raise BadValue(f"{assignment.role} is a role over an organisation", "name one")
    same = (assignment.role, assignment.organisation)
    if any((found.role, found.organisation) == same for found in view.roles_of(account.id)):
        raise Exists("this user has that role there already")
    made = msgspec.structs.replace(assignment, created=view.moment)
    entry = _entry(view, by, "role-grant", "account", account.id, permission, role=made.role.value)
    return Change(put=(made, _changed(account)), entry=entry)


def revoke_role(view: View, by: By, account: AccountId, identifier: RoleAssignmentId) -> Change:
    """Take a role away; an organisation that has an administrator keeps at least one, and so does the community."""
    found = next((held for held in view.roles_of(account) if held.id == identifier), None)
    if found is None:
        raise NotFound("this user does not have that role", "see `cjsm role list`")
    permission = require(may_grant(view, by.actor, found.role, found.organisation))
    if found.role in (Role.ORGANISATION_ADMINISTRATOR, Role.COMMUNITY_ADMINISTRATOR):
        others = [
            held
            for held in view.roles_over(found.organisation)
            if held.role is found.role and held.id != found.id and held.account != account
        ]
        if not others:
            raise Conflict("nobody would be left to administer it", "appoint another administrator first")
    entry = _entry(view, by, "role-revoke", "account", account, permission, role=found.role.value)
    return Change(put=(_changed(_account(view, account)),), removed=(found,), entry=entry)


def add_connection(view: View, by: By, connection: Connection) -> Change:
    """Add an organisation's own mail system."""
    permission = require(may(view, by.actor, Action.MANAGE_CONNECTIONS, connection.organisation))
    if view.organisation(connection.organisation) is None:
        raise NotFound("there is no such organisation")
    made = msgspec.structs.replace(connection, name=check_text(connection.name, "a name"), created=view.moment)
    entry = _entry(view, by, "connection-add", "connection", made.id, permission, access=made.kind.value)
    return Change(put=(made,), entry=entry)


def add_domain(view: View, by: By, name: str, connection: ConnectionId, *, listed_members_only: bool) -> Change:
    """Approve a domain, given with or without suffix, for a connection."""
    found = view.connection(connection)
    if found is None:
        raise NotFound("there is no such connection")
    permission = require(may(view, by.actor, Action.MANAGE_CONNECTIONS, found.organisation))
    plain = name.lower().removesuffix("." + view.suffix)
    check_domain(plain)
    domain = Domain(
        name=f"{plain}.{view.suffix}",
        connection=connection,
        organisation=found.organisation,
        listed_members_only=listed_members_only,
    )
    if view.domain(domain.name) is not None:
        raise Exists(f"the domain {plain} is connected already")
    entry = _entry(view, by, "domain-add", "domain", domain.name.encode(), permission)
    return Change(put=(domain,), entry=entry)


def add_list(view: View, by: By, mail_list: MailList, address: Address) -> Change:
    """Add a distribution list with its address in the organisation's domain."""
    permission = require(may(view, by.actor, Action.MANAGE_LISTS, mail_list.organisation))
    record = _named(view, mail_list.slug, mail_list.organisation, address, OwnerKind.LIST, mail_list.id)
    made = msgspec.structs.replace(mail_list, name=check_text(mail_list.name, "a name"), created=view.moment)
    return Change(put=(made, record), entry=_entry(view, by, "list-add", "list", made.id, permission))


def add_shared_mailbox(view: View, by: By, shared: SharedMailbox, address: Address) -> Change:
    """Add a shared mailbox with its address; key version ``shared.keys`` holds its generation."""
    permission = require(may(view, by.actor, Action.MANAGE_SHARED_MAILBOXES, shared.organisation))
    record = _named(view, shared.slug, shared.organisation, address, OwnerKind.SHARED_MAILBOX, shared.id)
    made = msgspec.structs.replace(shared, name=check_text(shared.name, "a name"), created=view.moment)
    entry = _entry(view, by, "shared-mailbox-add", "shared-mailbox", made.id, permission)
    return Change(put=(made, record), entry=entry)


def _named(
    view: View, slug: str, organisation: OrganisationId, address: Address, kind: OwnerKind, owner: bytes
) -> AddressRecord:
    check_slug(slug)
    if address.domain != f"{abbreviation_for(view, organisation)}.{view.suffix}":
        raise BadValue(f"addresses there end in @{abbreviation_for(view, organisation)}.{view.suffix}")
    if view.reserved_address(str(address)) is not None:
        raise Exists(f"the address {address} is taken")
    return AddressRecord(address=str(address), owner_kind=kind, owner=owner)


def new_hosted(
    identifier: AccountId, mailbox: MailboxId, organisation: OrganisationId, user_id: str, profile: Profile, quota: int
) -> Account:
    """Return a new hosted account's record, keys of version 1 named."""
    return Account(
        id=identifier,
        organisation=organisation,
        kind=AccountKind.HOSTED,
        user_id=user_id,
        profile=profile,
        mailbox=mailbox,
        quota=quota,
        keys=1,
        mailbox_keys=1,
    )
