"""The closed community as properties: nobody outside writes in, nothing leads out, whatever state it is in."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.address import Address
from cjsm.community.admission import (
    Accept,
    AccountOrigin,
    ConnectionOrigin,
    EchoRoute,
    HostedRoute,
    ListRoute,
    Origin,
    Refuse,
    RelayRoute,
    SenderAccepted,
    Service,
    ServiceOrigin,
    admit,
    admit_sender,
    canonical,
    expand,
    is_member_address,
    may_appear_as,
    read_address,
)
from cjsm.community.identifiers import AccountId, ConnectionId, ListId, MailboxId
from cjsm.community.memory import MemoryView
from cjsm.community.records import ConnectionState, DomainState, Life, MailList, OrganisationState
from cjsm.community.states import may_send, organisation_state
from tests.community.communities import FIRM_DOMAIN, SUFFIX, communities, community, identifier, with_state

JO = AccountOrigin(account=AccountId(identifier("jo.ward")))
FIRM = ConnectionOrigin(connection=ConnectionId(identifier("firm-server")))
NOTICE = ServiceOrigin(service=Service.NOTICE)


def to(view: MemoryView, origin: Origin, sender: str | None, recipient: str) -> Accept | Refuse:
    """Ask for one message."""
    return admit(view, origin, Address.parse(sender) if sender else None, Address.parse(recipient))


def test_members_reach_members() -> None:
    """A mailbox kept here, a member's own server, a list, a shared mailbox, the echo."""
    view, own = community(), f"jo.ward@avon.{SUFFIX}"
    routes = {
        f"sam.hill@avon.{SUFFIX}": HostedRoute(mailbox=MailboxId(identifier("m-sam.hill"))),
        f"re.layed@firm.co.uk.{SUFFIX}": RelayRoute(connection=FIRM.connection, domain=f"firm.co.uk.{SUFFIX}"),
        f"all@avon.{SUFFIX}": ListRoute(mail_list=ListId(identifier("crime-list"))),
        f"desk@avon.{SUFFIX}": HostedRoute(mailbox=MailboxId(identifier("desk"))),
        f"echo@{SUFFIX}": EchoRoute(),
        f"postmaster@{SUFFIX}": HostedRoute(mailbox=MailboxId(identifier("m-henry.desk"))),
    }
    for recipient, expected in routes.items():
        verdict = to(view, JO, own, recipient)
        assert isinstance(verdict, Accept), verdict
        assert (verdict.route, verdict.view) == (expected, view.number)
        assert verdict.rules[0] == "origin-account"


def test_nothing_leads_out() -> None:
    """An address outside is refused; one that only lacks its suffix is named when it may be."""
    view, own = community(), f"jo.ward@avon.{SUFFIX}"
    outside = to(view, JO, own, "somebody@example.org")
    assert isinstance(outside, Refuse)
    assert (outside.code, outside.status) == (550, "5.7.1")
    meant = to(view, JO, own, "re.layed@firm.co.uk")
    assert isinstance(meant, Refuse)
    assert f"re.layed@firm.co.uk.{SUFFIX}" in meant.text
    unknown = to(view, JO, own, f"nobody@avon.{SUFFIX}")
    assert isinstance(unknown, Refuse)
    assert (unknown.code, unknown.status) == (550, "5.1.1")
    beside = to(view, JO, own, f"jo@evil{SUFFIX}")
    assert isinstance(beside, Refuse)


@pytest.mark.parametrize(
    "sender",
    [f"sam.hill@avon.{SUFFIX}", f"all@avon.{SUFFIX}", f"re.layed@firm.co.uk.{SUFFIX}", "jo@example.org", None],
)
def test_own_name_only(sender: str | None) -> None:
    """Nobody writes in another's name, in a list's, or in none."""
    verdict = to(community(), JO, sender, f"sam.hill@avon.{SUFFIX}")
    assert isinstance(verdict, Refuse)
    assert verdict.code == 550


def test_shared_mailboxes_send_through_their_members() -> None:
    """Those with the right to send, no others."""
    view, desk = community(), f"desk@avon.{SUFFIX}"
    sam = AccountOrigin(account=AccountId(identifier("sam.hill")))
    assert isinstance(to(view, JO, desk, f"sam.hill@avon.{SUFFIX}"), Accept)
    assert isinstance(to(view, sam, desk, f"jo.ward@avon.{SUFFIX}"), Refuse)


def test_connections_send_from_their_own_domains() -> None:
    """With or without the suffix, and from nowhere else."""
    view = community()
    plain = Address.parse("re.layed@firm.co.uk")
    own = canonical(view, FIRM, plain)
    assert str(own) == f"re.layed@firm.co.uk.{SUFFIX}"
    assert isinstance(admit(view, FIRM, own, Address.parse(f"jo.ward@avon.{SUFFIX}")), Accept)
    assert canonical(view, JO, plain) == plain
    for other in (f"jo.ward@avon.{SUFFIX}", "a@example.org", f"law.yer@firm.{SUFFIX}"):
        assert isinstance(admit_sender(view, FIRM, Address.parse(other)), Refuse)


@pytest.mark.parametrize("listed_only", [False, True])
def test_an_exception_is_the_member(listed_only: bool) -> None:
    """The address that the organisation's system knows a member by is that member's, as it is in the header."""
    member = f"re.layed@firm.co.uk.{SUFFIX}"
    pairs = ((member, "re@elsewhere.example"), (f"re.lay@firm.co.uk.{SUFFIX}", "re.layed@firm.co.uk"))
    view = community(msgspec.structs.replace(FIRM_DOMAIN, exceptions=pairs, listed_members_only=listed_only))
    outside = Address.parse("RE@elsewhere.example")
    assert canonical(view, FIRM, outside) == Address.parse(member)
    assert isinstance(may_appear_as(view, FIRM, canonical(view, FIRM, outside)), SenderAccepted)
    assert str(canonical(view, FIRM, Address.parse("re.layed@firm.co.uk"))) == pairs[1][0]
    assert canonical(view, JO, outside) == outside
    assert canonical(view, FIRM, Address.parse("x@elsewhere.example")) == Address.parse("x@elsewhere.example")


def test_relayed_members_send_over_their_connection() -> None:
    """Signed in here they look people up; their mail goes through their own server."""
    origin = AccountOrigin(account=AccountId(identifier("re.layed")))
    verdict = to(community(), origin, f"re.layed@firm.co.uk.{SUFFIX}", f"jo.ward@avon.{SUFFIX}")
    assert isinstance(verdict, Refuse)
    assert "own mail server" in verdict.text


def test_states_close_the_way() -> None:
    """A suspended organisation neither sends nor receives, nor do those below it."""
    view = with_state(community(), "avon", OrganisationState.SUSPENDED)
    sent = to(view, JO, f"jo.ward@avon.{SUFFIX}", f"law.yer@firm.{SUFFIX}")
    received = to(view, FIRM, f"re.layed@firm.co.uk.{SUFFIX}", f"jo.ward@avon.{SUFFIX}")
    assert isinstance(sent, Refuse)
    assert isinstance(received, Refuse)
    assert "another route" in received.text


def test_lists() -> None:
    """Members post to a members' list; what it reaches is asked again; nobody unknown stops it."""
    view, own = community(), f"all@avon.{SUFFIX}"
    sam = AccountOrigin(account=AccountId(identifier("sam.hill")))
    assert isinstance(to(view, sam, f"sam.hill@avon.{SUFFIX}", own), Refuse)
    reached = expand(view, ListId(identifier("crime-list")))
    assert not isinstance(reached, Refuse)
    assert [str(address) for address, _ in reached] == [f"jo.ward@avon.{SUFFIX}", f"re.layed@firm.co.uk.{SUFFIX}"]


def test_lists_in_lists() -> None:
    """A loop ends by itself, and too many are refused."""
    base = community()
    inner = MailList(
        id=ListId(identifier("inner")),
        organisation=base.organisation_below(None, "avon").id,  # type: ignore[union-attr]
        slug="inner",
        name="Inner",
        members=(f"all@avon.{SUFFIX}", f"sam.hill@avon.{SUFFIX}"),
    )
    import msgspec

    from cjsm.community.records import OwnerKind
    from tests.community.communities import CRIME_LIST, address, records

    looped = msgspec.structs.replace(CRIME_LIST, members=(*CRIME_LIST.members, f"inner@avon.{SUFFIX}"))
    view = MemoryView(
        [*records(), looped, inner, address(f"inner@avon.{SUFFIX}", inner.id, OwnerKind.LIST)], suffix=SUFFIX
    )
    reached = expand(view, looped.id)
    assert not isinstance(reached, Refuse)
    assert len(reached) == 3
    assert isinstance(expand(view, looped.id, total=2), Refuse)


def test_automatic_mail() -> None:
    """The service's own mail reaches members, is not distributed to lists, and never answers itself."""
    view = community()
    assert isinstance(to(view, NOTICE, None, f"jo.ward@avon.{SUFFIX}"), Accept)
    bounce = ServiceOrigin(service=Service.DSN)
    assert isinstance(to(view, bounce, None, f"all@avon.{SUFFIX}"), Refuse)
    assert isinstance(to(view, NOTICE, None, f"echo@{SUFFIX}"), Refuse)
    assert isinstance(to(view, NOTICE, None, "somebody@example.org"), Refuse)


def test_forms() -> None:
    """What is no address is refused as such."""
    refused = read_address(community(), '"a b"@example.org')
    assert isinstance(refused, Refuse)
    assert (refused.code, refused.status) == (553, "5.1.3")


ADDRESSES = st.sampled_from(
    [
        *(f"p{number}.x@{slug}.{SUFFIX}" for number in range(4) for slug in ("north", "south", "east")),
        *(f"r.x@own.example.{SUFFIX}", f"new@own.example.{SUFFIX}", f"list@north.{SUFFIX}", f"echo@{SUFFIX}"),
        *(f"postmaster@{SUFFIX}", "r.x@own.example", "outside@example.org", f"a@b.c.d.{SUFFIX}", f"x@not{SUFFIX}"),
    ]
).map(Address.parse)
ORIGINS: st.SearchStrategy[Origin] = st.one_of(
    st.sampled_from([*(f"p{number}.x" for number in range(4)), "r.x", "stranger"]).map(
        lambda name: AccountOrigin(account=AccountId(identifier(name)))
    ),
    st.sampled_from(["server", "stranger"]).map(
        lambda name: ConnectionOrigin(connection=ConnectionId(identifier(name)))
    ),
    st.sampled_from(Service).map(lambda service: ServiceOrigin(service=service)),
)


@given(communities(), ORIGINS, st.none() | ADDRESSES, ADDRESSES)
def test_closed(view: MemoryView, origin: Origin, sender: Address | None, recipient: Address) -> None:
    """In every mixture of states: what is accepted stays inside, goes to somebody active, and comes from somebody."""
    verdict = admit(view, origin, sender, recipient)
    assert verdict.view == view.number
    assert verdict.rules
    if isinstance(verdict, Refuse):
        assert verdict.code in (450, 550, 553)
        assert verdict.text
        assert verdict.status[0] == str(verdict.code)[0]
        return
    assert recipient.has_suffix(SUFFIX)
    _check_origin(view, origin, sender)
    _check_route(view, origin, recipient, verdict)


def _check_origin(view: MemoryView, origin: Origin, sender: Address | None) -> None:
    if isinstance(origin, AccountOrigin):
        account = view.account(origin.account)
        assert account is not None
        assert may_send(view, account)
        assert sender is not None
        record = view.address(str(sender))
        assert record is not None
        assert record.owner == account.id
    if isinstance(origin, ConnectionOrigin):
        connection = view.connection(origin.connection)
        assert connection is not None
        assert connection.state is not ConnectionState.SUSPENDED
        if sender is not None:
            assert sender.domain == f"own.example.{SUFFIX}"


def _check_route(view: MemoryView, origin: Origin, recipient: Address, verdict: Accept) -> None:
    match verdict.route:
        case HostedRoute(mailbox):
            owner = view.account_of_mailbox(mailbox)
            assert owner is not None
            assert owner.life is not Life.DELETED
            if recipient.domain != SUFFIX:
                assert organisation_state(view, owner.organisation) is OrganisationState.ACTIVE
        case RelayRoute(connection, name):
            domain, server = view.domain(name), view.connection(connection)
            assert domain is not None
            assert server is not None
            assert domain.connection == connection
            assert domain.state is DomainState.APPROVED
            assert organisation_state(view, server.organisation) is OrganisationState.ACTIVE
            if isinstance(origin, AccountOrigin):
                assert server.state is ConnectionState.LIVE
        case ListRoute(mail_list):
            found = view.mail_list(mail_list)
            assert found is not None
            assert organisation_state(view, found.organisation) is OrganisationState.ACTIVE


@given(communities(), ORIGINS, ADDRESSES)
def test_answers_can_be_sent_where_mail_can(view: MemoryView, origin: Origin, recipient: Address) -> None:
    """What Reply-To may name is what a message without a list's rules could reach."""
    reachable = is_member_address(view, origin, recipient)
    for sender in [None, recipient]:
        verdict = admit(view, origin, sender, recipient)
        if isinstance(verdict, Accept):
            assert reachable


@given(communities())
def test_lists_reach_members_only(view: MemoryView) -> None:
    """Whatever a list contains, what it reaches would be accepted from it by itself."""
    reached = expand(view, ListId(identifier("list")))
    assert not isinstance(reached, Refuse)
    origin = ServiceOrigin(service=Service.LIST, on_behalf=ListId(identifier("list")))
    for address, accepted in reached:
        assert not isinstance(accepted.route, ListRoute)
        assert isinstance(admit(view, origin, None, address), Accept)
