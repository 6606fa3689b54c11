"""Who may send as whom, and in which states."""

import msgspec
import pytest

from cjsm.community.address import Address
from cjsm.community.identifiers import AccountId
from cjsm.community.records import ConnectionState, Domain, DomainState, Life
from cjsm.community.senders import admit_sender, may_appear_as, may_use
from cjsm.community.verdicts import AccountOrigin, ConnectionOrigin, Refuse, SenderAccepted, Service, ServiceOrigin
from tests.community.communities import (
    FIRM_CONNECTION,
    FIRM_DOMAIN,
    SUFFIX,
    address,
    community,
    hosted,
    identifier,
    relayed,
)

JO = AccountOrigin(account=AccountId(identifier("jo.ward")))
FIRM = ConnectionOrigin(connection=FIRM_CONNECTION.id)
OWN = Address.parse(f"jo.ward@avon.{SUFFIX}")


@pytest.mark.parametrize(
    "changed", [{"life": Life.SUSPENDED}, {"life": Life.DELETED}, {"locked": True}], ids=lambda value: str(value)
)
def test_states_of_an_account(changed: dict[str, object]) -> None:
    """Who may not sign in may not send either, even in a session that is still open."""
    assert isinstance(admit_sender(community(), JO, OWN), SenderAccepted)
    assert isinstance(admit_sender(community(*hosted("jo.ward", "crime", "avon", **changed)), JO, OWN), Refuse)


def test_former_addresses() -> None:
    """An old address is one's own while it delivers, and nobody's afterwards."""
    old = Address.parse(f"jo.maiden@avon.{SUFFIX}")
    record = address(str(old), JO.account, alias=True, delivers_until=2_000_000, reserved_until=3_000_000)
    assert may_use(community(record), JO, old)
    assert not may_use(community(record, moment=2_000_001), JO, old)


def test_the_service_uses_its_own_names() -> None:
    """Everything with the suffix, nothing else."""
    service = ServiceOrigin(service=Service.NOTICE)
    assert may_use(community(), service, Address.parse(f"postmaster@{SUFFIX}"))
    assert not may_use(community(), service, Address.parse("postmaster@example.org"))
    assert isinstance(admit_sender(community(), service, None), SenderAccepted)


@pytest.mark.parametrize(
    "changed",
    [
        msgspec.structs.replace(FIRM_CONNECTION, state=ConnectionState.SUSPENDED),
        msgspec.structs.replace(FIRM_DOMAIN, state=DomainState.SUSPENDED),
    ],
    ids=["connection", "domain"],
)
def test_states_of_a_connection(changed: Domain) -> None:
    """A suspended connection or domain sends nothing."""
    own = Address.parse(f"re.layed@firm.co.uk.{SUFFIX}")
    assert isinstance(admit_sender(community(), FIRM, own), SenderAccepted)
    assert isinstance(admit_sender(community(changed), FIRM, own), Refuse)


def test_listed_members_only() -> None:
    """Where a domain has listed members only, nobody else there sends; elsewhere everybody does."""
    stranger = Address.parse(f"new.clerk@firm.co.uk.{SUFFIX}")
    assert may_use(community(), FIRM, stranger)
    closed = msgspec.structs.replace(FIRM_DOMAIN, listed_members_only=True)
    assert not may_use(community(closed), FIRM, stranger)
    assert may_use(community(closed), FIRM, Address.parse(f"re.layed@firm.co.uk.{SUFFIX}"))


def test_suspended_relayed_member() -> None:
    """A listed member who is suspended does not send over the connection either."""
    view = community(*relayed("re.layed", "firm", FIRM_DOMAIN.name, life=Life.SUSPENDED))
    verdict = may_appear_as(view, FIRM, Address.parse(f"re.layed@firm.co.uk.{SUFFIX}"))
    assert isinstance(verdict, Refuse)
    assert "may not send as" in verdict.text
