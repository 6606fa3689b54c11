"""Addresses of lists and shared mailboxes: in their organisation's domain, and nobody else's."""

import msgspec

from cjsm.community.acts.organisations import kept_organisation
from cjsm.community.address import Address, check_slug, hosted_domain
from cjsm.community.errors import BadValue, Exists
from cjsm.community.finding import abbreviation_for
from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import AddressRecord, OwnerKind
from cjsm.community.view import View


def new_address(
    view: View, slug: str, organisation: OrganisationId, address: Address, kind: OwnerKind, owner: bytes
) -> AddressRecord:
    """Return the record of *address* for a new list or shared mailbox with the short name *slug*.

    :raises CommunityError: when it is of another domain, taken or still reserved.
    """
    kept_organisation(view, organisation)
    check_slug(slug)
    domain = hosted_domain(abbreviation_for(view, organisation), view.suffix)
    if address.domain != domain:
        raise BadValue(f"addresses there end in @{domain}")
    if view.reserved_address(str(address)) is not None:
        raise Exists(f"the address {address} is taken", "choose another short name")
    return AddressRecord(address=str(address), owner_kind=kind, owner=owner)


def given_up(view: View, owner: bytes, reserved_for: int) -> tuple[AddressRecord, ...]:
    """Return the addresses of *owner*, which is no more: for *reserved_for* seconds they are nobody's."""
    until = view.moment + reserved_for
    return tuple(
        msgspec.structs.replace(record, delivers_until=view.moment, reserved_until=until)
        for record in view.addresses_of(owner)
    )
