"""Who a message says it is from."""

import pytest

from cjsm.community.admission import ConnectionOrigin, Origin
from cjsm.configuration import MailSettings
from cjsm.mail.header import HeaderReader
from cjsm.mail.identity import check_identity
from cjsm.mail.interfaces import Refused
from tests.community.communities import FIRM_CONNECTION, community
from tests.mail.world import JO, JO_ADDRESS, SAM_ADDRESS


def check(section: str, origin: Origin = JO, most: int = 10) -> None:
    """Check a header."""
    found = HeaderReader(MailSettings()).feed(section.encode() + b"\r\n")
    assert found is not None
    check_identity(community(), origin, found[0], most)


def test_own_names() -> None:
    """One's own address, with any display name; answers go to members."""
    check(f"From: Jo Ward <{JO_ADDRESS}>\r\n")
    check(f"From: {JO_ADDRESS}\r\nSender: {JO_ADDRESS}\r\nReply-To: Team: {SAM_ADDRESS}, {JO_ADDRESS};\r\n")
    check("From: desk@avon.cjsm.test\r\nTo: anybody at all <not an address\r\n")
    firm = ConnectionOrigin(connection=FIRM_CONNECTION.id)
    check("From: re.layed@firm.co.uk\r\nReply-To: re.layed@firm.co.uk\r\n", firm)


@pytest.mark.parametrize(
    "section",
    [
        f"From: {SAM_ADDRESS}\r\n",
        f"From: {JO_ADDRESS}, {SAM_ADDRESS}\r\n",
        f"From: Team: {JO_ADDRESS};\r\n",
        "From: \r\n",
        "From: jo@example.org\r\n",
        f'From: "{JO_ADDRESS}" <{SAM_ADDRESS}>\r\n',
        f"From: {JO_ADDRESS} <{SAM_ADDRESS}>\r\n",
        f"From: {JO_ADDRESS}\r\nSender: {SAM_ADDRESS}\r\n",
        f"From: {JO_ADDRESS}\r\nReply-To: out@example.org\r\n",
        f"From: {JO_ADDRESS}\r\nReply-To: {SAM_ADDRESS}, out@example.org\r\n",
        f"From: {JO_ADDRESS}\r\nDisposition-Notification-To: out@example.org\r\n",
        f"From: {JO_ADDRESS}\r\nReturn-Receipt-To: out@example.org\r\n",
        f"From: {JO_ADDRESS}\r\nErrors-To: out@example.org\r\n",
        f'From: {JO_ADDRESS}\r\nReply-To: "broken\r\n',
    ],
)
def test_forged(section: str) -> None:
    """Refused with the field that is wrong."""
    with pytest.raises(Refused) as refused:
        check(section)
    assert (refused.value.code, refused.value.status) == (550, "5.7.1")


def test_many_answers() -> None:
    """Asking for answers to more addresses than a message may have is no small message any more."""
    many = ", ".join([SAM_ADDRESS, JO_ADDRESS, "olive.marsh@avon.cjsm.test"])
    check(f"From: {JO_ADDRESS}\r\nReply-To: {many}\r\n", most=3)
    with pytest.raises(Refused):
        check(f"From: {JO_ADDRESS}\r\nReply-To: {many}\r\n", most=2)
