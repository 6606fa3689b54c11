"""Stored records: what was written once can be read, and what is not ours is refused."""

import pytest

from cjsm.community.applicationrecords import (
    AcceptedTerms,
    Application,
    Checked,
    CheckResult,
    MailSystem,
    Person,
    Sponsor,
)
from cjsm.community.identifiers import AccountId, ApplicationId, ConnectionId, MailboxId, OrganisationId
from cjsm.community.records import (
    Connection,
    ConnectionKind,
    ConnectionState,
    Life,
    MailboxRight,
    NextHop,
    Organisation,
    SharedMailbox,
    SharedMember,
)
from cjsm.store.encoding import decode, encode
from cjsm.store.interfaces import Damaged, NewerStore

COURT = Organisation(id=OrganisationId(b"o" * 16), parent=None, slug="court", name="Court")
#: Of the first release, before organisations moved; before their states had reasons; and before they merged.
OLDER_SAMPLES = (
    bytes.fromhex(
        "018da26964c4106f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6fa6706172656e74c0a4736c7567a5636f757274a46e616d65a5436f"
        "757274ac616262726576696174696f6ec0a57374617465a6616374697665a87265636f76657279aa74776f2d706572736f6e"
        "ac65785f6469726563746f7279c2a970726f746563746564c2ad627573696e6573735f74797065a0a461726561a0a7637265"
        "6174656400a776657273696f6e01"
    ),
    bytes.fromhex(
        "018ea26964c4106f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6fa6706172656e74c0a4736c7567a5636f757274a46e616d65a5"
        "436f757274ac616262726576696174696f6ec0a57374617465a6616374697665a87265636f76657279aa74776f2d7065"
        "72736f6eac65785f6469726563746f7279c2a970726f746563746564c2ad627573696e6573735f74797065a0a4617265"
        "61a0a76372656174656400a776657273696f6e01a56d6f76656400"
    ),
    bytes.fromhex(
        "01de0011a26964c4106f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6fa6706172656e74c0a4736c7567a5636f757274a46e616d65a5"
        "436f757274ac616262726576696174696f6ec0a57374617465a6616374697665a87265636f76657279aa74776f2d70657273"
        "6f6eac65785f6469726563746f7279c2a970726f746563746564c2ad627573696e6573735f74797065a0a461726561a0a763"
        "72656174656400a776657273696f6e01a56d6f76656400ae7265636f766572795f73696e636500ac73746174655f72656173"
        "6f6ea0ab73746174655f73696e636500"
    ),
)
SAMPLE = bytes.fromhex(
    "01de0012a26964c4106f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6fa6706172656e74c0a4736c7567a5636f757274a46e616d65"
    "a5436f757274ac616262726576696174696f6ec0a57374617465a6616374697665a87265636f76657279aa74776f2d7065"
    "72736f6eac65785f6469726563746f7279c2a970726f746563746564c2ad627573696e6573735f74797065a0a461726561"
    "a0a76372656174656400a776657273696f6e01a56d6f76656400ae7265636f766572795f73696e636500ac73746174655f"
    "726561736f6ea0ab73746174655f73696e636500a76d657267696e6700"
)

LINK = Connection(
    id=ConnectionId(b"c" * 16),
    organisation=OrganisationId(b"o" * 16),
    kind=ConnectionKind.SERVER,
    name="Firm",
    state=ConnectionState.LIVE,
    next_hops=(NextHop(host="mail.firm.co.uk", port=25),),
)
#: Of the first release, before there were short names, certificates and limits.
LINK_SAMPLE = bytes.fromhex(
    "018da26964c41063636363636363636363636363636363ac6f7267616e69736174696f6ec4106f6f6f6f6f6f6f6f6f6f"
    "6f6f6f6f6f6fa46b696e64a6736572766572a46e616d65a44669726da57374617465a46c697665a96e6578745f686f70"
    "739182a4686f7374af6d61696c2e6669726d2e636f2e756ba4706f727419a86e6574776f726b7390b163657274696669"
    "636174655f6e616d657390a8746c735f70696e7390a674656e616e74a0a7636f6e74616374a0a76372656174656400a7"
    "76657273696f6e01"
)


def test_kept_sample() -> None:
    """A record is stored as it always was, and a kept one is read."""
    assert encode(COURT) == SAMPLE
    assert decode(SAMPLE, Organisation) == COURT
    for older in OLDER_SAMPLES:
        assert decode(older, Organisation) == COURT


def test_older_connection() -> None:
    """One of the first release is read, with defaults for what came later."""
    assert decode(LINK_SAMPLE, Connection) == LINK
    assert decode(LINK_SAMPLE, Connection).slug == ""


DUTY = SharedMailbox(
    id=MailboxId(b"m" * 16),
    organisation=OrganisationId(b"o" * 16),
    slug="duty",
    name="Duty",
    members=(SharedMember(account=AccountId(b"a" * 16), rights=(MailboxRight.READ,), first=2),),
    managers=(AccountId(b"a" * 16),),
    keys=3,
    generation=2,
)
#: Of before shared mailboxes could be deleted.
DUTY_SAMPLE = bytes.fromhex(
    "018ea26964c4106d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6dac6f7267616e69736174696f6ec4106f6f6f6f6f6f6f6f6f6f6f"
    "6f6f6f6f6fa4736c7567a464757479a46e616d65a444757479a76d656d626572739183a76163636f756e74c41061616161"
    "616161616161616161616161a672696768747391a472656164a5666972737402a86d616e616765727391c4106161616161"
    "6161616161616161616161a571756f746100a46b65797303ac65785f6469726563746f7279c2a76372656174656400a776"
    "657273696f6e01aa67656e65726174696f6e02a7726f746174656400a66e6f74696365c2"
)


def test_older_shared_mailbox() -> None:
    """It is there for its members, as it was."""
    assert decode(DUTY_SAMPLE, SharedMailbox) == DUTY
    assert decode(DUTY_SAMPLE, SharedMailbox).life is Life.ACTIVE
    assert decode(encode(DUTY), SharedMailbox) == DUTY


ASKING = Application(
    id=ApplicationId(b"a" * 16),
    slug="firm",
    name="Firm",
    contact=Person(first_name="Jo", last_name="Law", email="jo@firm.co.uk"),
    sponsor=Sponsor(address="jane@avon.cjsm.test", code=b"t" * 32, expires=5),
    system=MailSystem.SERVER,
    checks=(Checked(item="contact", result=CheckResult.PASSED, moment=3, by=b"b" * 16),),
    terms=(AcceptedTerms(version="1", moment=4, signatory="Jo Law"),),
    entered_by=(b"",),
)
ASKING_SAMPLE = bytes.fromhex(
    "01de0023a26964c41061616161616161616161616161616161a4736c7567a46669726da46e616d65a44669726da7636f"
    "6e7461637485aa66697273745f6e616d65a24a6fa96c6173745f6e616d65a34c6177a5656d61696cad6a6f406669726d"
    "2e636f2e756ba974656c6570686f6e65a0a8706f736974696f6ea0a6646f6d61696ea0a773706f6e736f7287a7616464"
    "72657373b36a616e654061766f6e2e636a736d2e74657374a4636f6465c4207474747474747474747474747474747474"
    "747474747474747474747474747474a76578706972657305a66661696c656400a9636f6e6669726d656400ac636f6e66"
    "69726d65645f6279c400a46e6f7465a0a46e656564a0a5757365727300a673797374656da6736572766572a96e657874"
    "5f686f707390a870726f7669646572a0a674656e616e74a0a86164647265737331a0a86164647265737332a0a4746f77"
    "6ea0a8706f7374636f6465a0ad627573696e6573735f74797065a0a461726561a0a970726f746563746564c2ad61646d"
    "696e6973747261746f7285aa66697273745f6e616d65a0a96c6173745f6e616d65a0a5656d61696ca0a974656c657068"
    "6f6e65a0a8706f736974696f6ea0ac616262726576696174696f6ea0a97369676e61746f727985aa66697273745f6e61"
    "6d65a0a96c6173745f6e616d65a0a5656d61696ca0a974656c6570686f6e65a0a8706f736974696f6ea0a57465726d73"
    "9184a776657273696f6ea131a66d6f6d656e7404a97369676e61746f7279a64a6f204c6177a26279c400a6636865636b"
    "739185a46974656da7636f6e74616374a6726573756c74a6706173736564a66d6f6d656e7403a26279c4106262626262"
    "6262626262626262626262a46e6f7465a0a57374617465a36e6577ab73746174655f73696e636500a364756500a76372"
    "656174656400aa656e74657265645f627991c400aa646563696465645f6279c400a4636f6465a0a46e6f7465a0ac6f72"
    "67616e69736174696f6ec0a665726173656400a776657273696f6e01"
)


def test_application() -> None:
    """As it was first written."""
    assert encode(ASKING) == ASKING_SAMPLE
    assert decode(ASKING_SAMPLE, Application) == ASKING


def test_newer() -> None:
    """A newer version is refused with its cure."""
    with pytest.raises(NewerStore, match="newer version"):
        decode(b"\x02" + SAMPLE[1:], Organisation)


@pytest.mark.parametrize("stored", [b"", SAMPLE[:-1], SAMPLE[:1], b"\x01\x80"])
def test_damaged(stored: bytes) -> None:
    """What is no record is told as damage, not as a newer version."""
    with pytest.raises(Damaged):
        decode(stored, Organisation)
