"""Where a recipient leads."""

import msgspec
import pytest

from cjsm.community.address import Address
from cjsm.mail.destinations import destinations
from cjsm.mail.interfaces import Refused
from tests.community.communities import CRIME_LIST, community, hosted
from tests.mail.world import JO, JO_ADDRESS, OLIVE_ADDRESS, SAM, SAM_ADDRESS

OWN = Address.parse(JO_ADDRESS)


def test_one_mailbox() -> None:
    """With its owner's quota."""
    account, _ = hosted("sam.hill", "avon", "avon")
    view = community(msgspec.structs.replace(account, quota=77))
    found = destinations(view, JO, OWN, SAM_ADDRESS.upper())
    assert not found.of_list
    assert [(each.mailbox, each.address, each.quota) for each in found.every] == [(SAM, SAM_ADDRESS, 77)]
    shared = destinations(view, JO, OWN, "desk@avon.cjsm.test")
    assert [each.quota for each in shared.every] == [0]


def test_lists() -> None:
    """Every member's mailbox; one that cannot be reached yet closes the list to all, saying why."""
    members = (JO_ADDRESS, SAM_ADDRESS, OLIVE_ADDRESS)
    found = destinations(community(msgspec.structs.replace(CRIME_LIST, members=members)), JO, OWN, "all@avon.cjsm.test")
    assert found.of_list
    assert [each.address for each in found.every] == list(members)
    with pytest.raises(Refused) as refused:
        destinations(community(), JO, OWN, "all@avon.cjsm.test")
    assert refused.value.status == "5.4.4"
    nobody = msgspec.structs.replace(CRIME_LIST, members=("no.body@avon.cjsm.test",), managers=(JO.account,))
    with pytest.raises(Refused):
        destinations(community(nobody), JO, OWN, "all@avon.cjsm.test")


@pytest.mark.parametrize(
    ("path", "code", "status"),
    [
        ("somebody@example.org", 550, "5.7.1"),
        ("nobody@avon.cjsm.test", 550, "5.1.1"),
        ('"quoted"@avon.cjsm.test', 553, "5.1.3"),
        ("", 553, "5.1.3"),
        ("re.layed@firm.co.uk.cjsm.test", 550, "5.4.4"),
        ("echo@cjsm.test", 550, "5.3.3"),
    ],
)
def test_refused(path: str, code: int, status: str) -> None:
    """With admission's words, or that the way is not there yet."""
    with pytest.raises(Refused) as refused:
        destinations(community(), JO, OWN, path)
    assert (refused.value.code, refused.value.status) == (code, status)
