"""What the directory keeps of each record, packed, and the values it shows of it.

The ordinary address of a person is not among it: it is never listed (community §9).
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, TypeAlias

from msgspec import Struct

from cjsm.community.records import Account, AddressRecord, Life, MailList, Organisation, SharedMailbox
from cjsm.community.states import display_name, takes_mail
from cjsm.directory.places import Place

#: Values by attribute name; empty ones are not there.
Shown: TypeAlias = "dict[str, tuple[str, ...]]"


class ListedPerson(Struct, frozen=True, array_like=True, gc=False):
    """An account with its addresses: the primary one, which is shown, and the others, which match too."""

    user_id: str
    first_name: str
    last_name: str
    user_type: str
    address1: str
    address2: str
    town: str
    postcode: str
    telephone: str
    mobile: str
    description: str
    business_type: str
    area: str
    status: str
    locked: bool
    withdrawn: bool
    ex_directory: bool
    primary: tuple[str, ...]
    others: tuple[str, ...]
    created: int
    changed: int

    named_by: ClassVar[str] = "uid"

    @property
    def short(self) -> str:
        """What it is called in its organisation, where nobody else is; *whole* is what only it is called."""
        return self.user_id.partition("@")[0]

    def whole(self, _identity: bytes) -> str:
        """See :attr:`short`."""
        return self.user_id

    def order(self, _identity: bytes) -> tuple[str, bytes]:
        """Where it stands among its siblings."""
        return self.user_id, b""

    def shown(self, place: Place) -> Shown:
        """Return its values at *place*."""
        full = f"{self.first_name} {self.last_name}".strip() or self.user_id
        in_order = ", ".join(part for part in (self.last_name, self.first_name) if part) or self.user_id
        lines = tuple(line for line in (self.address1, self.address2) if line)
        return {
            "uid": (self.short, self.user_id),
            "cn": (full,),
            "sn": (self.last_name or self.user_id,),
            "givenName": (self.first_name,),
            "displayName": (f"{in_order} ({place.shown})",),
            "mail": self.primary,
            "street": (", ".join(lines),),
            "l": (self.town,),
            "postalCode": (self.postcode,),
            "postalAddress": (_postal((*lines, self.town, self.postcode)),),
            "telephoneNumber": (self.telephone,),
            "mobile": (self.mobile,),
            "description": (self.description,),
            "businessCategory": (self.business_type,),
            "employeeType": (self.user_type,),
            "cjsmArea": (self.area,),
            "cjsmAccountStatus": (self.status,),
            "cjsmLocked": ("TRUE" if self.locked else "FALSE",),
        }


class ListedFunction(Struct, frozen=True, array_like=True, gc=False):
    """A list or shared mailbox with its addresses; *members* are a list's, *status* is a deleted shared mailbox's."""

    slug: str
    name: str
    ex_directory: bool
    members: tuple[str, ...]
    primary: tuple[str, ...]
    others: tuple[str, ...]
    created: int
    changed: int = 0
    status: str = ""

    named_by: ClassVar[str] = "cn"

    @property
    def short(self) -> str:
        """See :attr:`ListedPerson.short`."""
        return self.slug

    def whole(self, identity: bytes) -> str:
        """See :attr:`ListedPerson.short`."""
        return f"{self.slug}-{identity.hex()[:8]}"

    def order(self, identity: bytes) -> tuple[str, bytes]:
        """See :meth:`ListedPerson.order`."""
        return self.slug, identity

    def shown(self, place: Place) -> Shown:
        """Return its values at *place*; clients take a shared mailbox for a person."""
        return {
            "cn": (self.name, self.slug),
            "sn": (self.name,),
            "displayName": (f"{self.name} ({place.shown})",),
            "mail": self.primary,
            "rfc822MailMember": self.members,
            "cjsmAccountStatus": (self.status,),
        }


class ListedOrganisation(Struct, frozen=True, array_like=True, gc=False):
    """An organisation."""

    slug: str
    name: str
    abbreviation: str
    state: str
    business_type: str
    area: str
    created: int
    changed: int = 0

    others: ClassVar[tuple[str, ...]] = ()

    def shown(self, place: Place) -> Shown:
        """Return its values at *place*, which is its own."""
        return {
            "o" if len(place.path) == 1 else "ou": (self.slug, self.name),
            "displayName": (place.shown,),
            "businessCategory": (self.business_type,),
            "cjsmArea": (self.area,),
            "cjsmAbbreviation": (self.abbreviation,),
            "cjsmOrganisationState": (self.state,),
        }


class ListedContext(Struct, frozen=True, array_like=True, gc=False):
    """The top of a naming context: one value of *attribute*, and a description."""

    attribute: str
    value: str
    description: str
    created: int = 0
    changed: int = 0

    others: ClassVar[tuple[str, ...]] = ()

    def shown(self, _place: Place) -> Shown:
        """Return its values."""
        return {self.attribute: (self.value,), "description": (self.description,)}


Listed: TypeAlias = "ListedPerson | ListedFunction | ListedOrganisation | ListedContext"


def of_account(account: Account, addresses: Sequence[AddressRecord]) -> ListedPerson:
    """Return what is kept of *account*."""
    profile = account.profile
    primary, others = _mail(addresses)
    return ListedPerson(
        account.user_id,
        profile.first_name,
        profile.last_name,
        profile.user_type,
        profile.address1,
        profile.address2,
        profile.town,
        profile.postcode,
        profile.telephone,
        profile.mobile,
        profile.description,
        profile.business_type,
        profile.area,
        display_name(account),
        account.locked or account.guard is not None,
        account.life in (Life.SUSPENDED, Life.DELETED),
        account.ex_directory,
        primary,
        others,
        account.created,
        max(account.created, account.state_since, account.profile_since, account.moved),
    )


def of_function(function: MailList | SharedMailbox, addresses: Sequence[AddressRecord]) -> ListedFunction:
    """Return what is kept of a list or shared mailbox."""
    primary, others = _mail(addresses)
    shared = function if isinstance(function, SharedMailbox) else None
    members = tuple(function.members) if isinstance(function, MailList) else ()
    changed = max(function.created, shared.state_since if shared is not None else 0)
    status = display_name(shared) if shared is not None and not takes_mail(shared) else ""
    return ListedFunction(
        function.slug,
        function.name,
        function.ex_directory,
        members,
        primary,
        others,
        function.created,
        changed,
        status,
    )


def of_organisation(organisation: Organisation) -> ListedOrganisation:
    """Return what is kept of *organisation*."""
    return ListedOrganisation(
        organisation.slug,
        organisation.name,
        organisation.abbreviation or "",
        organisation.state.value,
        organisation.business_type,
        organisation.area,
        organisation.created,
        organisation.created,
    )


def _mail(addresses: Sequence[AddressRecord]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    primary = tuple(record.address for record in addresses if not record.alias)[:1]
    return primary, tuple(record.address for record in addresses if record.address not in primary)


def _postal(lines: Iterable[str]) -> str:
    return "$".join(line.replace("\\", "\\5C").replace("$", "\\24") for line in lines if line)
