"""Finding records by the names that people give them, and names for new ones."""

import re
from contextlib import suppress

from cjsm.community import states
from cjsm.community.address import UserId
from cjsm.community.errors import Conflict, Exists, NotFound, quoted
from cjsm.community.identifiers import AccountId, ConnectionId, ListId, MailboxId, OrganisationId, from_text, text
from cjsm.community.records import Account, AddressRecord, Connection, MailList, Organisation, OwnerKind, SharedMailbox
from cjsm.community.view import View

#: What a namesake has behind the last name.
_NUMBER = re.compile(r"-[0-9]+\Z")


def organisation_of(view: View, path: str) -> Organisation:
    """Return the organisation at a slug path such as ``avon-police/crime``.

    :raises NotFound: naming the part that does not exist.
    """
    found: Organisation | None = None
    for slug in path.strip("/").lower().split("/"):
        below = view.organisation_below(found.id if found else None, slug)
        if below is None:
            raise NotFound(f"there is no organisation {quoted(path)}", "see `cjsm organisation list`")
        found = below
    assert found is not None, "splitting gives at least one part"
    return found


def path_of(view: View, organisation: OrganisationId | None) -> str:
    """Return the slug path of *organisation*; empty for the whole community."""
    return "/".join(found.slug for found in reversed(tuple(states.chain(view, organisation))))


def account_of(view: View, name: str) -> Account:
    """Return the account with a user ID or address; those of before too, while they are nobody else's.

    :raises NotFound: when there is none.
    """
    asked = name.lower()
    account = view.account_of_user_id(asked)
    for address in (asked, f"{asked}.{view.suffix}") if account is None else ():
        record = view.reserved_address(address)
        if record is not None and record.owner_kind is OwnerKind.ACCOUNT:
            account = view.account(AccountId(record.owner))
    if account is None:
        raise NotFound(f"there is no user {quoted(name)}", "see `cjsm user list`")
    return account


def user_id_of(view: View, account: AccountId) -> str:
    """Return the user ID of an account, in words where it is no more."""
    found = view.account(account)
    return found.user_id if found is not None else "nobody any more"


def shared_mailbox_of(view: View, name: str) -> SharedMailbox:
    """Return the shared mailbox with an address, deleted or not.

    :raises NotFound: when there is none.
    """
    record = view.reserved_address(name.lower())
    found = None
    if record is not None and record.owner_kind is OwnerKind.SHARED_MAILBOX:
        found = view.kept_shared_mailbox(MailboxId(record.owner))
    if found is None:
        raise NotFound(f"there is no shared mailbox {quoted(name)}", "see `cjsm shared list`")
    return found


def owner_of(view: View, mailbox: MailboxId) -> Account | SharedMailbox | None:
    """Return whose mailbox it is, somebody's or a shared one, deleted or not; None for nobody's."""
    return view.account_of_mailbox(mailbox) or view.kept_shared_mailbox(mailbox)


def owned_list(view: View, record: AddressRecord | None) -> MailList | None:
    """Return the distribution list whose address a record is; None for another's, and without one."""
    return view.mail_list(ListId(record.owner)) if record and record.owner_kind is OwnerKind.LIST else None


def list_of(view: View, name: str) -> MailList:
    """Return the distribution list with an address.

    :raises NotFound: when there is none.
    """
    found = owned_list(view, view.reserved_address(name.lower()))
    if found is None:
        raise NotFound(f"there is no list {quoted(name)}", "see `cjsm list list`")
    return found


def mailbox_owner_of(view: View, name: str) -> Account | SharedMailbox:
    """Return whose mailbox a user ID or an address means: a person's own, or a shared one.

    :raises NotFound: when it is none.
    """
    record = view.reserved_address(name.lower())
    if record is not None and record.owner_kind is OwnerKind.SHARED_MAILBOX:
        return shared_mailbox_of(view, name)
    account = account_of(view, name)
    if account.mailbox is None:
        raise NotFound(f"{account.user_id} has no mailbox here", "their mail is kept at their organisation")
    return account


def connection_of(view: View, name: str) -> Connection:
    """Return the connection with a short name, or with an identifier: those older than short names have only that.

    :raises NotFound: when there is none.
    """
    found = view.connection_of_slug(name.lower())
    if found is None:
        with suppress(ValueError):
            found = view.connection(ConnectionId(from_text(name.lower())))
    if found is None:
        raise NotFound(f"there is no connection {quoted(name)}", "see `cjsm connection list`")
    return found


def mailbox_of(view: View, name: str) -> MailboxId:
    """Return the mailbox of a user (by user ID or address), of a shared mailbox (by address), or with an identifier.

    :raises NotFound: when there is none, or the user's mail is kept elsewhere.
    """
    with suppress(ValueError):
        return MailboxId(from_text(name.lower()))
    record = view.reserved_address(name.lower())
    if record is not None and record.owner_kind is OwnerKind.SHARED_MAILBOX:
        return MailboxId(record.owner)
    account = account_of(view, name)
    if account.mailbox is None:
        raise NotFound(f"the mail of {account.user_id} is kept at the organisation, not here")
    return account.mailbox


def mailbox_name(view: View, mailbox: MailboxId) -> str:
    """Return what :func:`mailbox_of` finds a mailbox under: its owner's name, or its identifier where it has none."""
    owner = owner_of(view, mailbox)
    if isinstance(owner, Account):
        return owner.user_id
    return (primary_address(view, owner.id) if owner is not None else "") or text(mailbox)


def name_of(connection: Connection) -> str:
    """Return what :func:`connection_of` finds *connection* under."""
    return connection.slug or text(connection.id)


def primary_address(view: View, owner: bytes) -> str:
    """Return the one primary address of an account, shared mailbox or list; empty where it has none."""
    return next((record.address for record in view.addresses_of(owner) if not record.alias), "")


def abbreviation_for(view: View, organisation: OrganisationId) -> str:
    """Return the abbreviation in force: the organisation's own or the nearest above it.

    :raises Conflict: when no organisation on the way up has one.
    """
    for found in states.chain(view, organisation):
        if found.abbreviation is not None:
            return found.abbreviation
    raise Conflict("the organisation has no abbreviation", "give its top organisation one with --abbreviation")


def free_user_id(view: View, name: str, abbreviation: str, *, nor_in: str = "") -> str:
    """Return ``name@abbreviation``, with another number behind the last name while it is taken: ``-2``, ``-3`` …

    :param nor_in: another abbreviation, with which nobody has what stands before the @ either.
    """
    plain = _NUMBER.sub("", name)
    for told in (name, *(f"{plain}-{number}" for number in range(2, 10_000))):
        candidate = UserId(told, abbreviation)
        if nor_in and view.account_of_user_id(str(UserId(told, nor_in))) is not None:
            continue
        if view.account_of_user_id(str(candidate)) is None and not view.reserved_address(
            str(candidate.address(view.suffix))
        ):
            return str(candidate)
    raise Exists(f"every form of {name} is taken", "give one with --user-id")
