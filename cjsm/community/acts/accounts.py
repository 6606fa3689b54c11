"""People and functions: added and locked."""

import msgspec

from cjsm.community import states
from cjsm.community.acts.acting import By, changed, check_text, entry_of, existing, made_in
from cjsm.community.acts.organisations import working_organisation
from cjsm.community.address import Address, UserId
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import BadValue, Exists
from cjsm.community.finding import abbreviation_for
from cjsm.community.identifiers import AccountId, MailboxId, OrganisationId
from cjsm.community.records import (
    Account,
    AccountKind,
    AddressRecord,
    OwnerKind,
    Profile,
)
from cjsm.community.view import Change, View


def add_hosted(view: View, by: By, account: Account) -> Change:
    """Add a person or function whose mail is kept here; the address follows from the user ID."""
    user = UserId.parse(account.user_id)
    if abbreviation_for(view, account.organisation) != user.abbreviation:
        raise BadValue(f"user IDs there end in @{abbreviation_for(view, account.organisation)}")
    if account.mailbox is None or account.kind is not AccountKind.HOSTED:
        raise BadValue("a hosted account has a mailbox")
    return _add_account(view, by, account, user.address(view.suffix))


def add_relayed(view: View, by: By, account: Account, address: Address) -> Change:
    """Add a member whose mail is kept at the organisation's own connection."""
    domain = view.domain(address.domain)
    above = {found.id for found in states.chain(view, account.organisation)}
    if domain is None or domain.organisation not in above:
        raise BadValue(
            f"{address.domain} is not a domain of that organisation",
            "its connection has to be approved for that domain first",
        )
    UserId.parse(account.user_id)
    if account.kind is not AccountKind.RELAYED or account.mailbox is not None:
        raise BadValue("a relayed account has no mailbox")
    return _add_account(view, by, account, address)


def _add_account(view: View, by: By, account: Account, address: Address) -> Change:
    permission = require(may(view, by.actor, Action.MANAGE_USERS, account.organisation))
    working_organisation(view, account.organisation)
    check_text(account.profile.first_name, "a first name")
    check_text(account.profile.last_name, "a last name")
    if view.account_of_user_id(account.user_id) is not None:
        raise Exists(f"the user ID {account.user_id} is taken", "add -2 or a letter to the last name")
    if view.reserved_address(str(address)) is not None:
        raise Exists(f"the address {address} is taken or still reserved", "choose another user ID")
    made = msgspec.structs.replace(account, created=view.moment, state_since=view.moment, version=1)
    record = AddressRecord(address=str(address), owner_kind=OwnerKind.ACCOUNT, owner=made.id)
    entry = entry_of(view, by, "user-add", "account", made.id, permission, access=made.kind.value)
    words = (("user", made.user_id), ("address", str(address)))
    return Change(put=(made, record), entry=made_in(made.organisation, entry, *words))


def set_locked(view: View, by: By, account: AccountId, *, locked: bool) -> Change:
    """Lock or unlock; everything else returns to what it was."""
    found = existing(view, account)
    action = Action.LOCK if locked else Action.UNLOCK
    permission = require(may(view, by.actor, action, found.organisation, account=account))
    act = "user-lock" if locked else "user-unlock"
    guard = found.guard if locked else None
    made = changed(found, locked=locked, guard=guard)
    return Change(put=(made,), entry=entry_of(view, by, act, "account", account, permission))


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
