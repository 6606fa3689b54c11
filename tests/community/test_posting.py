"""Who may post to a list."""

import msgspec
import pytest

from cjsm.community.address import Address
from cjsm.community.identifiers import AccountId, ListId
from cjsm.community.posting import may_post
from cjsm.community.records import MailList, OwnerKind, WhoMayPost
from cjsm.community.verdicts import AccountOrigin, ConnectionOrigin, Origin, Service, ServiceOrigin
from tests.community.communities import CRIME_LIST, FIRM_CONNECTION, SUFFIX, address, community, identifier


def account(name: str) -> AccountOrigin:
    """Somebody's own mail."""
    return AccountOrigin(account=AccountId(identifier(name)))


JO, SAM, LAWYER = account("jo.ward"), account("sam.hill"), account("law.yer")
FIRM = ConnectionOrigin(connection=FIRM_CONNECTION.id)
SENDERS = {
    JO: f"jo.ward@avon.{SUFFIX}",
    SAM: f"sam.hill@avon.{SUFFIX}",
    LAWYER: f"law.yer@firm.{SUFFIX}",
    FIRM: f"re.layed@firm.co.uk.{SUFFIX}",
}


def posts(found: MailList) -> list[Origin]:
    """Those of the four who may post."""
    view = community(found)
    return [origin for origin, sender in SENDERS.items() if may_post(view, origin, Address.parse(sender), found)]


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (WhoMayPost.MEMBERS, [JO, FIRM]),
        (WhoMayPost.ORGANISATION, [JO, SAM]),
        (WhoMayPost.COMMUNITY, [JO, SAM, LAWYER, FIRM]),
    ],
)
def test_three_rules(who: WhoMayPost, expected: list[Origin]) -> None:
    """Members, everybody of the same top organisation, or everybody."""
    assert posts(msgspec.structs.replace(CRIME_LIST, who_may_post=who)) == expected


def test_managers() -> None:
    """A manager posts without being a member."""
    assert LAWYER in posts(msgspec.structs.replace(CRIME_LIST, managers=(LAWYER.account,)))


def test_members_of_lists_inside() -> None:
    """Whoever is in a list that is in the list is a member too."""
    inner = msgspec.structs.replace(
        CRIME_LIST, id=ListId(identifier("inner")), slug="inner", members=(SENDERS[SAM], f"all@avon.{SUFFIX}")
    )
    outer = msgspec.structs.replace(CRIME_LIST, members=(f"inner@avon.{SUFFIX}",))
    view = community(outer, inner, address(f"inner@avon.{SUFFIX}", inner.id, OwnerKind.LIST))
    assert may_post(view, SAM, Address.parse(SENDERS[SAM]), outer)
    assert not may_post(view, LAWYER, Address.parse(SENDERS[LAWYER]), outer)


def test_automatic_mail() -> None:
    """Reports and echoes never; notices always; a list of the same organisation, or one that all may post to."""
    view = community()
    allowed = {
        service: may_post(view, ServiceOrigin(service=service, on_behalf=CRIME_LIST.id), None, CRIME_LIST)
        for service in Service
    }
    assert allowed == {
        Service.DSN: False,
        Service.ECHO: False,
        Service.NOTICE: True,
        Service.LIST: True,
        Service.REDIRECT: True,
    }
    assert not may_post(view, ServiceOrigin(service=Service.REDIRECT), None, CRIME_LIST)
    assert not may_post(view, JO, None, CRIME_LIST)
