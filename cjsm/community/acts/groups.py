"""Lists and shared mailboxes: addresses that several people are behind."""

import msgspec

from cjsm.community.acts.acting import By, check_text, entry_of, made_in
from cjsm.community.address import Address, check_slug
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import BadValue, Exists
from cjsm.community.finding import abbreviation_for
from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import AddressRecord, MailList, OwnerKind, SharedMailbox
from cjsm.community.view import Change, View


def add_list(view: View, by: By, mail_list: MailList, address: Address) -> Change:
    """Add a distribution list with its address in the organisation's domain."""
    permission = require(may(view, by.actor, Action.MANAGE_LISTS, mail_list.organisation))
    record = _named(view, mail_list.slug, mail_list.organisation, address, OwnerKind.LIST, mail_list.id)
    made = msgspec.structs.replace(mail_list, name=check_text(mail_list.name, "a name"), created=view.moment)
    entry = entry_of(view, by, "list-add", "list", made.id, permission)
    return Change(put=(made, record), entry=made_in(made.organisation, entry))


def add_shared_mailbox(view: View, by: By, shared: SharedMailbox, address: Address) -> Change:
    """Add a shared mailbox with its address; key version ``shared.keys`` holds its generation."""
    permission = require(may(view, by.actor, Action.MANAGE_SHARED_MAILBOXES, shared.organisation))
    record = _named(view, shared.slug, shared.organisation, address, OwnerKind.SHARED_MAILBOX, shared.id)
    made = msgspec.structs.replace(shared, name=check_text(shared.name, "a name"), created=view.moment)
    entry = entry_of(view, by, "shared-mailbox-add", "shared-mailbox", made.id, permission)
    return Change(put=(made, record), entry=made_in(made.organisation, entry))


def _named(
    view: View, slug: str, organisation: OrganisationId, address: Address, kind: OwnerKind, owner: bytes
) -> AddressRecord:
    check_slug(slug)
    if address.domain != f"{abbreviation_for(view, organisation)}.{view.suffix}":
        raise BadValue(f"addresses there end in @{abbreviation_for(view, organisation)}.{view.suffix}")
    if view.reserved_address(str(address)) is not None:
        raise Exists(f"the address {address} is taken")
    return AddressRecord(address=str(address), owner_kind=kind, owner=owner)
