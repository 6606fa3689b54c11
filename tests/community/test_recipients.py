"""Where an address leads, and what is said of those that lead nowhere."""

import msgspec
import pytest

from cjsm.community.address import Address
from cjsm.community.identifiers import AccountId
from cjsm.community.recipients import route, visible_to
from cjsm.community.records import ConnectionState, DomainState, Life, OrganisationState, OwnerKind
from cjsm.community.verdicts import Accept, AccountOrigin, ConnectionOrigin, Refuse, Service, ServiceOrigin
from tests.community.communities import (
    FIRM_CONNECTION,
    FIRM_DOMAIN,
    SUFFIX,
    community,
    hosted,
    identifier,
    with_state,
)

JO = AccountOrigin(account=AccountId(identifier("jo.ward")))
FIRM = ConnectionOrigin(connection=FIRM_CONNECTION.id)


def test_suspended_people_still_get_mail() -> None:
    """With a note for the sender; deleted ones are nobody."""
    sam = Address.parse(f"sam.hill@avon.{SUFFIX}")
    suspended = route(community(*hosted("sam.hill", "avon", "avon", life=Life.SUSPENDED)), JO, sam)
    assert isinstance(suspended, Accept)
    assert suspended.notes == ("the mailbox is not in use at the moment",)
    deleted = route(community(*hosted("sam.hill", "avon", "avon", life=Life.DELETED)), JO, sam)
    assert isinstance(deleted, Refuse)
    assert deleted.status == "5.1.1"


def test_mailbox_in_the_making() -> None:
    """Mail waits at the sender until it is made."""
    verdict = route(
        community(
            *hosted("sam.hill", "avon", "avon"),
            msgspec.structs.replace(hosted("sam.hill", "avon", "avon")[0], mailbox=None),
        ),
        JO,
        Address.parse(f"sam.hill@avon.{SUFFIX}"),
    )
    assert isinstance(verdict, Refuse)
    assert verdict.code == 450


@pytest.mark.parametrize("state", ConnectionState)
def test_connections(state: ConnectionState) -> None:
    """Members reach live connections; one in testing gets the service's mail and its own."""
    view = community(msgspec.structs.replace(FIRM_CONNECTION, state=state))
    recipient = Address.parse(f"anybody@firm.co.uk.{SUFFIX}")
    accepted = {
        origin: isinstance(route(view, origin, recipient), Accept)
        for origin in (JO, FIRM, ServiceOrigin(service=Service.NOTICE), ServiceOrigin(service=Service.LIST))
    }
    live, testing = state is ConnectionState.LIVE, state is ConnectionState.TESTING
    assert list(accepted.values()) == [live, live or testing, live or testing, live]


def test_unapproved_domains() -> None:
    """A domain under the suffix that nobody connected, or that is suspended, takes nothing."""
    for view, recipient in (
        (community(), f"a@other.co.uk.{SUFFIX}"),
        (community(msgspec.structs.replace(FIRM_DOMAIN, state=DomainState.SUSPENDED)), f"a@firm.co.uk.{SUFFIX}"),
        (with_state(community(), "firm", OrganisationState.SUSPENDED), f"a@firm.co.uk.{SUFFIX}"),
    ):
        assert isinstance(route(view, JO, Address.parse(recipient)), Refuse)


def test_hidden_people_are_not_named() -> None:
    """The suffix that was forgotten is suggested only for people whom everybody may see."""
    closed = msgspec.structs.replace(FIRM_DOMAIN, listed_members_only=True)
    for address, named in ((f"re.layed@{FIRM_DOMAIN.name}", True), (f"secret@{FIRM_DOMAIN.name}", False)):
        verdict = route(community(closed), JO, Address.parse(address.removesuffix(f".{SUFFIX}")))
        assert isinstance(verdict, Refuse)
        assert (address in verdict.text) is named


def test_who_may_learn_of_whom() -> None:
    """People of a refuge are seen by themselves and the service only, yet mail reaches them."""
    view = community()
    hidden = view.address(f"hid.den@avon.{SUFFIX}")
    assert hidden is not None
    assert not visible_to(view, JO, hidden)
    assert visible_to(view, AccountOrigin(account=AccountId(identifier("hid.den"))), hidden)
    assert visible_to(view, ServiceOrigin(service=Service.NOTICE), hidden)
    assert isinstance(route(view, JO, Address.parse(hidden.address)), Accept)
    for kind, address in ((OwnerKind.LIST, f"all@avon.{SUFFIX}"), (OwnerKind.SHARED_MAILBOX, f"desk@avon.{SUFFIX}")):
        record = view.address(address)
        assert record is not None
        assert record.owner_kind is kind
        assert visible_to(view, JO, record)


def test_service_addresses() -> None:
    """Nobody else has an address directly under the suffix."""
    verdict = route(community(), JO, Address.parse(f"someone@{SUFFIX}"))
    assert isinstance(verdict, Refuse)
    assert verdict.status == "5.1.1"
