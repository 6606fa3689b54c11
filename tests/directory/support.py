"""A small community to search in, and short ways to do it."""

from collections.abc import Sequence

from cjsm.community.identifiers import AccountId, ListId, MailboxId, OrganisationId, RoleAssignmentId
from cjsm.community.memory import MemoryView
from cjsm.community.records import (
    Account,
    AccountKind,
    AddressRecord,
    Credential,
    Life,
    MailList,
    Organisation,
    OrganisationState,
    OwnerKind,
    Profile,
    Record,
    Role,
    RoleAssignment,
    SharedMailbox,
)
from cjsm.directory import schema
from cjsm.directory.catalogue import Catalogue
from cjsm.directory.loading import load
from cjsm.directory.query import Filter, Limits, Query, Scope
from cjsm.directory.reading import Reading
from cjsm.directory.search import Search

BASE = "dc=cjsm,dc=test"


def number(count: int) -> bytes:
    """Return the identifier with this number."""
    return count.to_bytes(16, "big")


AVON, CRIME, FRAUD, LAW, REFUGE, GONE = (OrganisationId(number(count)) for count in range(1, 7))
JANE, BOB, ADA, EVE, SAM, DEL, HELP, ENGINEER, COMMUNITY, RITA, LOU, OLD = (
    AccountId(number(100 + count)) for count in range(12)
)


def organisation(
    identifier: OrganisationId, parent: OrganisationId | None, slug: str, name: str, **more: object
) -> Organisation:
    return Organisation(id=identifier, parent=parent, slug=slug, name=name, **more)  # type: ignore[arg-type]


def person(
    identifier: AccountId, home: OrganisationId, user_id: str, first: str, last: str, **more: object
) -> list[Record]:
    """An account with its address and, of the keywords, fields of its profile or of itself."""
    in_profile = {name: more.pop(name) for name in list(more) if name in Profile.__struct_fields__}
    states: dict[str, object] = {
        "life": Life.ACTIVE,
        "credential": Credential.CHOSEN,
        "kind": AccountKind.HOSTED,
        "created": 1_700_000_000,
    }
    account = Account(
        id=identifier,
        organisation=home,
        user_id=user_id,
        profile=Profile(first_name=first, last_name=last, ordinary_email=f"{first}@outside.example", **in_profile),  # type: ignore[arg-type]
        **{**states, **more},  # type: ignore[arg-type]
    )
    local, _, abbreviation = user_id.partition("@")
    return [account, address(f"{local}@{abbreviation}.cjsm.test", identifier)]


def address(text: str, owner: bytes, *, alias: bool = False, kind: OwnerKind = OwnerKind.ACCOUNT) -> AddressRecord:
    return AddressRecord(address=text, owner_kind=kind, owner=owner, alias=alias)


def role(count: int, account: AccountId, what: Role, where: OrganisationId | None) -> RoleAssignment:
    return RoleAssignment(id=RoleAssignmentId(number(900 + count)), account=account, role=what, organisation=where)


def records() -> list[Record]:
    """Three top organisations, one hidden; two levels below the first; every kind of entry, state and reader."""
    desk, watch = MailboxId(number(300)), ListId(number(301))
    return [
        organisation(AVON, None, "avon-police", "Avon Police", abbreviation="avon"),
        organisation(CRIME, AVON, "crime", "Crime"),
        organisation(FRAUD, CRIME, "fraud", "Fraud"),
        organisation(LAW, None, "law-firm", "Law & Sons, Solicitors", abbreviation="law", area="London"),
        organisation(REFUGE, None, "refuge", "Refuge", abbreviation="refuge", ex_directory=True, protected=True),
        organisation(GONE, None, "gone", "Gone", abbreviation="gone", state=OrganisationState.SUSPENDED),
        *person(
            JANE,
            CRIME,
            "jane.smith@avon",
            "Jane",
            "Smith",
            telephone="+44 117 496 0001",
            mobile="07700 900001",
            town="Bristol",
            postcode="BS1 1AA",
            address1="1 High Street",
            description="Detective",
            area="Avon",
        ),
        address("jane.jones@avon.cjsm.test", JANE, alias=True),
        *person(BOB, AVON, "bob.müller@avon".replace("ü", "u"), "Bob", "Müller", mobile="07700 900002"),
        *person(ADA, AVON, "ada.admin@avon", "Ada", "Admin"),
        *person(EVE, FRAUD, "eve.secret@avon", "Eve", "Secret", ex_directory=True),
        *person(SAM, CRIME, "sam.smithers@avon", "Sam", "Smithers", life=Life.SUSPENDED),
        *person(DEL, CRIME, "del.eted@avon", "Del", "Eted", life=Life.DELETED),
        *person(HELP, LAW, "helen.desk@law", "Helen", "Desk"),
        *person(ENGINEER, LAW, "enid.wire@law", "Enid", "Wire"),
        *person(COMMUNITY, LAW, "carl.community@law", "Carl", "Community"),
        *person(LOU, LAW, "lou.smith@law", "Lou", "Smith", mobile="07700 900003", locked=True),
        *person(RITA, REFUGE, "rita.hidden@refuge", "Rita", "Hidden"),
        *person(OLD, GONE, "olive.old@gone", "Olive", "Old"),
        SharedMailbox(id=desk, organisation=CRIME, slug="duty-desk", name="Duty Desk"),
        address("duty-desk@avon.cjsm.test", desk, kind=OwnerKind.SHARED_MAILBOX),
        MailList(
            id=watch, organisation=AVON, slug="all-crime", name="All Crime", members=("jane.smith@avon.cjsm.test",)
        ),
        address("all-crime@avon.cjsm.test", watch, kind=OwnerKind.LIST),
        role(1, ADA, Role.ORGANISATION_ADMINISTRATOR, AVON),
        role(2, HELP, Role.HELPDESK, None),
        role(3, ENGINEER, Role.ENGINEER, None),
        role(4, COMMUNITY, Role.COMMUNITY_ADMINISTRATOR, None),
    ]


def catalogue(more: Sequence[Record] = ()) -> Catalogue:
    return load(MemoryView([*records(), *more], number=7), schema.load())


def reading(reader: AccountId, more: Sequence[Record] = ()) -> Reading:
    return Reading(catalogue(more), reader)


def search(
    seen: Reading, filter_: Filter, *, base: str = "", scope: Scope = Scope.SUBTREE, size: int = 0, **limits: int
) -> list[str]:
    """Return the names that *filter_* finds."""
    query = Query(base=base, scope=scope, filter=filter_, size_limit=size)
    return [seen.dn(position) for position in Search(seen, query, Limits(**limits)).run()]


def first_names(found: list[str]) -> list[str]:
    """Return the first relative name of each."""
    return [dn.split(",")[0] for dn in found]
