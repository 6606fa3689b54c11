"""Another name of a person, with user ID and address; that of before delivers for a time (community §3). Aliases."""

from collections.abc import Collection, Iterator, Mapping

import msgspec
from msgspec import Struct

from cjsm.community import states
from cjsm.community.acts import profiles
from cjsm.community.acts.acting import By, changed, check_not_deleted, entry_of, existing, saying
from cjsm.community.address import Address, UserId, hosted_domain, name_from
from cjsm.community.authority import Action, Permission, may, require
from cjsm.community.errors import BadValue, Conflict, Exists, NotFound
from cjsm.community.finding import abbreviation_for, free_user_id, primary_address
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Account, AccountKind, AddressRecord, MailList, OwnerKind
from cjsm.community.view import Change, View, address_delivers

#: What to do about an address that somebody else has.
_ANOTHER = {
    OwnerKind.ACCOUNT: "choose another user ID",
    OwnerKind.LIST: "choose another short name",
    OwnerKind.SHARED_MAILBOX: "choose another short name",
}


class OldAddress(Struct, frozen=True):
    """For how many seconds the address of before delivers, and is nobody else's."""

    delivers: int
    reserved: int


class Name(Struct, frozen=True, kw_only=True):
    """What somebody is called from now on.

    :ivar user_id: None for one made of the names.
    :ivar address: of a member whose mail is kept elsewhere; None where it stays.
    """

    first: str
    last: str
    user_id: str | None = None
    address: Address | None = None


def rename(view: View, by: By, account: AccountId, name: Name, old: OldAddress) -> Change:
    """Give somebody another name, user ID and address; lists that have the old address get the new one.

    Mail, keys and passwords stay. Sessions notice.
    """
    found = existing(view, account)
    permission = require(may(view, by.actor, Action.MANAGE_USERS, found.organisation, account=account))
    check_not_deleted(found)
    profile = profiles.with_values(found.profile, {"first_name": name.first, "last_name": name.last})
    user_id = renamed_user_id(view, found, name)
    if found.kind is AccountKind.HOSTED and name.address is not None:
        raise BadValue("the address of a mailbox here follows from the user ID", "leave --address away")
    address = _address(view, found, user_id, name)
    made = changed(found, profile=profile, user_id=user_id, profile_since=view.moment)
    addresses = tuple(readdressed(view, OwnerKind.ACCOUNT, account, address, old))
    lists = tuple(relisted(view, successors(addresses)))
    told = {"address": "changed" if addresses else "kept", "lists": str(len(lists))}
    entry = entry_of(view, by, "user-rename", "account", account, permission, **told)
    entry = saying(entry, ("user", user_id), ("address", str(address)))
    return Change(put=(made, *addresses, *lists), entry=entry)


def renamed_user_id(view: View, account: Account, name: Name) -> str:
    """Return the user ID that goes with a name, which is free or the account's own.

    :raises Exists: when somebody else has it.
    """
    abbreviation = abbreviation_for(view, account.organisation)
    if name.user_id is None:
        plain = name_from(name.first, name.last)
        if is_free_for(view, account, f"{plain}@{abbreviation}"):
            return f"{plain}@{abbreviation}"
        return free_user_id(view, plain, abbreviation)
    given = UserId.parse(name.user_id)
    if given.abbreviation != abbreviation:
        raise BadValue(f"user IDs there end in @{abbreviation}")
    holder = view.account_of_user_id(str(given))
    if holder is not None and holder.id != account.id:
        raise Exists(f"the user ID {given} is taken", "add -2 or a letter to the last name")
    return str(given)


def is_free_for(view: View, account: Account, user_id: str) -> bool:
    """Whether a user ID is the account's own, or nobody's, and its address not reserved for anybody else."""
    holder = view.account_of_user_id(user_id)
    record = view.reserved_address(str(UserId.parse(user_id).address(view.suffix)))
    return (holder is None or holder.id == account.id) and (record is None or record.owner == account.id)


def _address(view: View, account: Account, user_id: str, name: Name) -> Address:
    if account.kind is AccountKind.HOSTED:
        return UserId.parse(user_id).address(view.suffix)
    if name.address is None:
        return Address.parse(primary_address(view, account.id), international=True)
    domain = view.domain(name.address.domain)
    if domain is None or domain.organisation not in {each.id for each in states.chain(view, account.organisation)}:
        raise BadValue(f"{name.address.domain} is not a domain of that organisation")
    return name.address


def readdressed(
    view: View, kind: OwnerKind, owner: bytes, address: Address, old: OldAddress
) -> Iterator[AddressRecord]:
    """Yield the records of an owner's new primary address and of those that end with it; nothing where it stays.

    The primary address of before ends, and in another domain every other one too: aliases stay with a domain.

    :raises Exists: when somebody else has it.
    """
    held = view.reserved_address(str(address))
    if held is not None and held.owner != owner:
        raise Exists(f"the address {address} is taken or still reserved", _ANOTHER[kind])
    if held is not None and not held.alias:
        return
    yield AddressRecord(address=str(address), owner_kind=kind, owner=owner)
    for record in view.addresses_of(owner):
        leaving = not record.alias or not record.address.endswith(f"@{address.domain}")
        if leaving and record.address != str(address) and address_delivers(record, view.moment):
            yield _ending(record, view.moment, old)


def _ending(record: AddressRecord, moment: int, old: OldAddress) -> AddressRecord:
    """Return the record of an address of before; one that was to end sooner does."""
    delivers, reserved = moment + old.delivers, moment + max(old.delivers, old.reserved)
    if record.delivers_until is not None:
        delivers = min(delivers, record.delivers_until)
        reserved = max(reserved, record.reserved_until or 0)
    return msgspec.structs.replace(record, alias=True, delivers_until=delivers, reserved_until=reserved)


def successors(records: Collection[AddressRecord]) -> dict[str, str]:
    """Return which address stands for each that ends, of what :func:`readdressed` yielded for one owner or several."""
    primary = {record.owner: record.address for record in records if not record.alias}
    return {record.address: primary[record.owner] for record in records if record.alias}


def relisted(view: View, successors: Mapping[str, str]) -> Iterator[MailList]:
    """Yield the lists that have an address of before, with its successor in its place. Reads every list."""
    for found in view.lists() if successors else ():
        if not successors.keys().isdisjoint(found.members):
            members = dict.fromkeys(successors.get(member, member) for member in found.members)
            yield changed(found, members=tuple(members))


def add_alias(view: View, by: By, account: AccountId, address: Address, most: int) -> Change:
    """Give somebody with a mailbox here another address that delivers, in the organisation's hosted domain.

    :param most: how many aliases there may be.
    """
    found = existing(view, account)
    permission = _permitted(view, by, found)
    domain = hosted_domain(abbreviation_for(view, found.organisation), view.suffix)
    if found.kind is not AccountKind.HOSTED or address.domain != domain:
        raise BadValue(f"aliases are for mailboxes here, in {domain}")
    held = view.reserved_address(str(address))
    if held is not None and (held.owner != account or held.delivers_until is None):
        raise Exists(f"the address {address} is taken or still reserved", "choose another")
    if sum(record.alias and record.delivers_until is None for record in view.addresses_of(account)) >= most:
        raise Conflict(f"a user has at most {most} aliases", "take one away: cjsm user alias remove")
    made = AddressRecord(address=str(address), owner_kind=OwnerKind.ACCOUNT, owner=account, alias=True)
    entry = saying(entry_of(view, by, "alias-add", "account", account, permission), ("address", str(address)))
    return Change(put=(changed(found), made), entry=entry)


def remove_alias(view: View, by: By, account: AccountId, address: Address, reserved_for: int) -> Change:
    """Take an alias away: it delivers no more, and is nobody's for *reserved_for* seconds."""
    found = existing(view, account)
    permission = _permitted(view, by, found)
    record = view.address(str(address))
    if record is None or record.owner != account:
        raise NotFound(f"{address} is no address of this user", "see `cjsm user show`")
    if not record.alias:
        raise Conflict("this is the user's own address", "change it with `cjsm user rename`")
    until = max(view.moment + reserved_for, record.reserved_until or 0)
    gone = msgspec.structs.replace(record, delivers_until=view.moment, reserved_until=until)
    entry = saying(entry_of(view, by, "alias-remove", "account", account, permission), ("address", str(address)))
    return Change(put=(changed(found), gone), entry=entry)


def _permitted(view: View, by: By, account: Account) -> Permission:
    check_not_deleted(account)
    return require(may(view, by.actor, Action.MANAGE_USERS, account.organisation, account=account.id))
