"""Records of the community as directory entries: names, values as shown and terms as compared."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from msgspec import Struct

from cjsm.community.records import Account, AddressRecord, MailList, Organisation, SharedMailbox
from cjsm.community.states import display_name
from cjsm.directory import names
from cjsm.directory.matching import prepare, timestamp
from cjsm.directory.schema import Schema

#: Values or terms by attribute key. An attribute without any is not there.
Values = Mapping[str, tuple[str, ...]]

SUBSCHEMA = "cn=subschema"
PEOPLE = "o=people"


class Facts(Struct, frozen=True):
    """What an entry says, whichever of its names it is read under.

    :ivar values: as shown.
    :ivar terms: as compared; more than the values where something else matches too, such as other addresses.
    """

    values: Values
    terms: Values


class Entry(Struct, frozen=True, kw_only=True):
    """One entry of the directory.

    :ivar dn: its distinguished name.
    :ivar own: the operational attributes that belong to this entry and not to what it stands for.
    :ivar organisation: its number in the :class:`~cjsm.directory.visibility.OrganisationOrder`.
    :ivar needs: who may see it: a bit of :mod:`cjsm.directory.visibility`.
    :ivar person: whether it stands for an account.
    """

    dn: str
    facts: Facts
    own: Facts
    organisation: int = 0
    needs: int = 0
    person: bool = False


class Place(Struct, frozen=True):
    """Where an organisation stands: the names from the top down to it and its distinguished name."""

    dn: str
    path: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The path as people read it."""
        return " \N{EN DASH} ".join(self.path)


def facts(
    schema: Schema, values: Mapping[str, Sequence[str]], further: Mapping[str, Iterable[str]] | None = None
) -> Facts:
    """Return *values* by attribute name with their terms; *further* values match without being shown."""
    shown: dict[str, tuple[str, ...]] = {}
    terms: dict[str, tuple[str, ...]] = {}
    for name, given in values.items():
        attribute = schema.attribute(name)
        if attribute is None:
            raise KeyError(name)
        present = tuple(dict.fromkeys(value for value in given if value))
        if not present:
            continue
        shown[attribute.key] = present
        if attribute.rule is not None:
            compared = (prepare(attribute.rule, value) for value in (*present, *(further or {}).get(name, ())))
            terms[attribute.key] = tuple(dict.fromkeys(term for term in compared if term is not None))
    return Facts(MappingProxyType(shown), MappingProxyType(terms))


def own_facts(schema: Schema, dn: str, identity: uuid.UUID, structural: str, *, created: int, changed: int) -> Facts:
    """Return the operational attributes of the entry *dn*; times in seconds since the epoch."""
    return facts(
        schema,
        {
            "entryUUID": (str(identity),),
            "entryDN": (dn,),
            "createTimestamp": (_time(created),),
            "modifyTimestamp": (_time(max(created, changed)),),
            "structuralObjectClass": (structural,),
            "subschemaSubentry": (SUBSCHEMA,),
        },
    )


def identity(record: bytes, context: str = "") -> uuid.UUID:
    """Return the entryUUID of what *record* identifies: stable, and another one in each further *context*."""
    own = uuid.UUID(bytes=record)
    return uuid.uuid5(own, context) if context else own


def person_facts(schema: Schema, account: Account, place: Place, addresses: Sequence[AddressRecord]) -> Facts:
    """Return what is listed of *account*; the ordinary address never is (community §9)."""
    profile = account.profile
    primary, others = _mail(addresses)
    address = tuple(line for line in (profile.address1, profile.address2) if line)
    values = {
        "objectClass": _classes(schema, "inetOrgPerson", "cjsmMailbox"),
        "uid": (account.user_id.partition("@")[0], account.user_id),
        "cn": (full_name(account) or account.user_id,),
        "sn": (profile.last_name or account.user_id,),
        "givenName": (profile.first_name,),
        "displayName": (f"{sorted_name(account) or account.user_id} ({place.shown})",),
        "mail": primary,
        "o": place.path[:1],
        "ou": place.path[1:],
        "street": (", ".join(address),),
        "l": (profile.town,),
        "postalCode": (profile.postcode,),
        "postalAddress": (_postal((*address, profile.town, profile.postcode)),),
        "telephoneNumber": (profile.telephone,),
        "mobile": (profile.mobile,),
        "description": (profile.description,),
        "businessCategory": (profile.business_type,),
        "employeeType": (profile.user_type,),
        "cjsmArea": (profile.area,),
        "cjsmAccountStatus": (display_name(account),),
        "cjsmLocked": ("TRUE" if account.locked or account.guard is not None else "FALSE",),
    }
    return facts(schema, values, {"mail": others})


def organisation_facts(schema: Schema, organisation: Organisation, place: Place) -> Facts:
    """Return what is listed of *organisation*."""
    top = len(place.path) == 1
    own_names = (organisation.slug, organisation.name)
    return facts(
        schema,
        {
            "objectClass": _classes(schema, "organization" if top else "organizationalUnit", "cjsmOrganisation"),
            "o" if top else "ou": own_names,
            "displayName": (place.shown,),
            "businessCategory": (organisation.business_type,),
            "cjsmArea": (organisation.area,),
            "cjsmAbbreviation": (organisation.abbreviation or "",),
            "cjsmOrganisationState": (organisation.state.value,),
        },
    )


def shared_mailbox_facts(
    schema: Schema, shared: SharedMailbox, place: Place, addresses: Sequence[AddressRecord]
) -> Facts:
    """Return what is listed of a shared mailbox, so that clients take it for a person."""
    primary, others = _mail(addresses)
    values = {
        "objectClass": _classes(schema, "inetOrgPerson", "cjsmMailbox", "cjsmSharedMailbox"),
        "cn": (shared.name, shared.slug),
        "sn": (shared.name,),
        "displayName": (f"{shared.name} ({place.shown})",),
        "mail": primary,
        "o": place.path[:1],
        "ou": place.path[1:],
    }
    return facts(schema, values, {"mail": others})


def list_facts(schema: Schema, found: MailList, place: Place, addresses: Sequence[AddressRecord]) -> Facts:
    """Return what is listed of a list; its members are for those who administer or support it."""
    primary, others = _mail(addresses)
    values = {
        "objectClass": _classes(schema, "cjsmDistributionList"),
        "cn": (found.name, found.slug),
        "displayName": (f"{found.name} ({place.shown})",),
        "mail": primary,
        "o": place.path[:1],
        "ou": place.path[1:],
        "rfc822MailMember": found.members,
    }
    return facts(schema, values, {"mail": others})


def full_name(account: Account) -> str:
    """Return first and last name."""
    return f"{account.profile.first_name} {account.profile.last_name}".strip()


def sorted_name(account: Account) -> str:
    """Return ``Last, First``."""
    return ", ".join(part for part in (account.profile.last_name, account.profile.first_name) if part)


def organisation_dn(organisation: Organisation, above: str, *, top: bool) -> str:
    """Return the name of *organisation* below *above*."""
    return f"{names.relative('o' if top else 'ou', organisation.slug)},{above}"


def _classes(schema: Schema, *classes: str) -> tuple[str, ...]:
    chains = (found.chain for found in map(schema.object_class, classes) if found is not None)
    return tuple(dict.fromkeys(name for chain in chains for name in chain))


def _mail(addresses: Sequence[AddressRecord]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    primary = tuple(record.address for record in addresses if not record.alias)[:1]
    return primary, tuple(record.address for record in addresses if record.address not in primary)


def _postal(lines: Iterable[str]) -> str:
    return "$".join(line.replace("\\", "\\5C").replace("$", "\\24") for line in lines if line)


def _time(seconds: int) -> str:
    return timestamp(datetime.fromtimestamp(seconds, UTC))
