"""Communities for tests: one made by hand with a name for everything, and generated ones."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from cjsm.community.acts.acting import By
from cjsm.community.identifiers import (
    AccountId,
    ActId,
    ConnectionId,
    ListId,
    MailboxId,
    OrganisationId,
    RoleAssignmentId,
)
from cjsm.community.memory import MemoryView
from cjsm.community.records import (
    Account,
    AccountKind,
    AddressRecord,
    Connection,
    ConnectionKind,
    ConnectionState,
    Credential,
    Domain,
    DomainState,
    Life,
    MailboxRight,
    MailList,
    NextHop,
    Organisation,
    OrganisationState,
    OwnerKind,
    Profile,
    Record,
    Role,
    RoleAssignment,
    SharedMailbox,
    SharedMember,
    WhoMayPost,
)

SUFFIX = "cjsm.test"
NOW = 1_000_000


def identifier(name: str) -> bytes:
    """Sixteen octets from a name."""
    return name.encode().ljust(16, b".")[:16]


def by(actor: str | None = None, reason: str = "a test") -> By:
    """An act of somebody, or of the operator."""
    return By(act_id=ActId(identifier("act")), actor=AccountId(identifier(actor)) if actor else None, reason=reason)


def organisation(slug: str, parent: str | None = None, **more: Any) -> Organisation:
    """An organisation whose identifier is its slug."""
    above = OrganisationId(identifier(parent)) if parent else None
    return Organisation(id=OrganisationId(identifier(slug)), parent=above, slug=slug, name=slug.title(), **more)


def hosted(name: str, where: str, abbreviation: str, **more: Any) -> tuple[Account, AddressRecord]:
    """A hosted account that has chosen a password, and its address."""
    account = Account(
        id=AccountId(identifier(name)),
        organisation=OrganisationId(identifier(where)),
        kind=AccountKind.HOSTED,
        user_id=f"{name}@{abbreviation}",
        profile=Profile(first_name=name.partition(".")[0].title(), last_name=name.partition(".")[2].title()),
        mailbox=MailboxId(identifier(f"m-{name}")),
        **{"life": Life.ACTIVE, "credential": Credential.CHOSEN, "keys": 1, "mailbox_keys": 1} | more,
    )
    return account, address(f"{name}@{abbreviation}.{SUFFIX}", account.id)


def relayed(name: str, where: str, domain: str, **more: Any) -> tuple[Account, AddressRecord]:
    """A member whose mail is kept elsewhere."""
    account = Account(
        id=AccountId(identifier(name)),
        organisation=OrganisationId(identifier(where)),
        kind=AccountKind.RELAYED,
        user_id=f"{name}@{where}",
        profile=Profile(first_name="Re", last_name="Layed"),
        **{"life": Life.ACTIVE, "credential": Credential.CHOSEN, "keys": 1} | more,
    )
    return account, address(f"{name}@{domain}", account.id)


def address(text: str, owner: bytes, kind: OwnerKind = OwnerKind.ACCOUNT, **more: Any) -> AddressRecord:
    """An address and who has it."""
    return AddressRecord(address=text, owner_kind=kind, owner=owner, **more)


def role(account: str, kind: Role, where: str | None = None) -> RoleAssignment:
    """A role of somebody."""
    place = OrganisationId(identifier(where)) if where else None
    name = f"{account[:8]}{kind[:4]}{(where or '')[:4]}"
    return RoleAssignment(
        id=RoleAssignmentId(identifier(name)), account=AccountId(identifier(account)), role=kind, organisation=place
    )


FIRM_CONNECTION = Connection(
    id=ConnectionId(identifier("firm-server")),
    organisation=OrganisationId(identifier("firm")),
    kind=ConnectionKind.SERVER,
    name="Firm's server",
    state=ConnectionState.LIVE,
    slug="firm",
    next_hops=(NextHop(host="mail.firm.co.uk", port=25),),
    certificate_names=("mail.firm.co.uk",),
)
FIRM_DOMAIN = Domain(
    name=f"firm.co.uk.{SUFFIX}", connection=FIRM_CONNECTION.id, organisation=FIRM_CONNECTION.organisation
)
CRIME_LIST = MailList(
    id=ListId(identifier("crime-list")),
    organisation=OrganisationId(identifier("crime")),
    slug="all",
    name="All of crime",
    members=(f"jo.ward@avon.{SUFFIX}", f"re.layed@firm.co.uk.{SUFFIX}", f"no.body@avon.{SUFFIX}"),
    who_may_post=WhoMayPost.MEMBERS,
)
DESK = SharedMailbox(
    id=MailboxId(identifier("desk")),
    organisation=OrganisationId(identifier("avon")),
    slug="desk",
    name="Desk",
    members=(
        SharedMember(account=AccountId(identifier("jo.ward")), rights=(MailboxRight.READ, MailboxRight.SEND)),
        SharedMember(account=AccountId(identifier("sam.hill")), rights=(MailboxRight.READ,)),
    ),
    keys=1,
)


def records() -> list[Record]:
    """A police force with a branch and a refuge, a firm with its own server, and those who run the community."""
    made: list[Record] = [
        organisation("avon", abbreviation="avon"),
        organisation("crime", "avon"),
        organisation("refuge", "avon", protected=True),
        organisation("office", abbreviation="office"),
        organisation("firm", abbreviation="firm"),
        *hosted("jo.ward", "crime", "avon"),
        *hosted("sam.hill", "avon", "avon"),
        *hosted("olive.marsh", "avon", "avon"),
        *hosted("hid.den", "refuge", "avon"),
        *hosted("ada.central", "office", "office"),
        *hosted("henry.desk", "office", "office"),
        *hosted("erin.wright", "office", "office"),
        *hosted("law.yer", "firm", "firm"),
        *relayed("re.layed", "firm", FIRM_DOMAIN.name),
        FIRM_CONNECTION,
        FIRM_DOMAIN,
        CRIME_LIST,
        address(f"all@avon.{SUFFIX}", CRIME_LIST.id, OwnerKind.LIST),
        DESK,
        address(f"desk@avon.{SUFFIX}", DESK.id, OwnerKind.SHARED_MAILBOX),
        role("ada.central", Role.COMMUNITY_ADMINISTRATOR),
        role("henry.desk", Role.HELPDESK),
        role("erin.wright", Role.ENGINEER),
        role("olive.marsh", Role.ORGANISATION_ADMINISTRATOR, "avon"),
    ]
    return made


def community(*changed: Record, moment: int = NOW) -> MemoryView:
    """The community made by hand, with some records in place of those with the same key."""
    return MemoryView([*records(), *changed], suffix=SUFFIX, moment=moment, number=7)


def with_state(view: MemoryView, slug: str, state: OrganisationState) -> MemoryView:
    """The community with an organisation in another state."""
    found = view.organisation(OrganisationId(identifier(slug)))
    assert found is not None
    return MemoryView(
        [*view._records.values(), msgspec.structs.replace(found, state=state)],
        suffix=view.suffix,
        moment=view.moment,
        number=view.number,
    )


@st.composite
def communities(draw: st.DrawFn) -> MemoryView:
    """Small communities in every mixture of states."""
    states = st.sampled_from(OrganisationState)
    slugs = ["north", "south", "east"]
    made: list[Record] = []
    for place, slug in enumerate(slugs):
        parent = draw(st.sampled_from([None, *slugs[:place]]))
        made.append(
            organisation(
                slug,
                parent,
                abbreviation=slug,
                state=draw(states),
                ex_directory=draw(st.booleans()),
                protected=draw(st.booleans()),
            )
        )
    names = [f"p{number}.x" for number in range(4)]
    for name in names:
        where = draw(st.sampled_from(slugs))
        made += hosted(
            name,
            where,
            where,
            life=draw(st.sampled_from(Life)),
            locked=draw(st.booleans()),
            credential=draw(st.sampled_from(Credential)),
        )
    connection = Connection(
        id=ConnectionId(identifier("server")),
        organisation=OrganisationId(identifier(draw(st.sampled_from(slugs)))),
        kind=ConnectionKind.SERVER,
        name="Server",
        state=draw(st.sampled_from(ConnectionState)),
    )
    domain = Domain(
        name=f"own.example.{SUFFIX}",
        connection=connection.id,
        organisation=connection.organisation,
        state=draw(st.sampled_from(DomainState)),
        listed_members_only=draw(st.booleans()),
    )
    made += [connection, domain]
    made += relayed("r.x", draw(st.sampled_from(slugs)), domain.name, life=draw(st.sampled_from(Life)))
    mail_list = MailList(
        id=ListId(identifier("list")),
        organisation=OrganisationId(identifier(draw(st.sampled_from(slugs)))),
        slug="list",
        name="List",
        members=(*(record.address for record in made if isinstance(record, AddressRecord)), f"list@north.{SUFFIX}"),
        who_may_post=draw(st.sampled_from(WhoMayPost)),
    )
    made += [mail_list, address(f"list@north.{SUFFIX}", mail_list.id, OwnerKind.LIST)]
    for name in names[: draw(st.integers(0, 4))]:
        made.append(role(name, draw(st.sampled_from(Role)), draw(st.sampled_from([None, *slugs]))))
    return MemoryView(made, suffix=SUFFIX, moment=NOW, number=1)
