"""Stored records: what was written once can be read, and what is not ours is refused."""

import pytest

from cjsm.community.identifiers import ConnectionId, OrganisationId
from cjsm.community.records import Connection, ConnectionKind, ConnectionState, NextHop, Organisation
from cjsm.store.encoding import decode, encode
from cjsm.store.interfaces import Damaged, NewerStore

COURT = Organisation(id=OrganisationId(b"o" * 16), parent=None, slug="court", name="Court")
#: Of the first release, before organisations moved, and of the next, before their states had reasons.
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
)
SAMPLE = bytes.fromhex(
    "01de0011a26964c4106f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6fa6706172656e74c0a4736c7567a5636f757274a46e616d65a5"
    "436f757274ac616262726576696174696f6ec0a57374617465a6616374697665a87265636f76657279aa74776f2d70657273"
    "6f6eac65785f6469726563746f7279c2a970726f746563746564c2ad627573696e6573735f74797065a0a461726561a0a763"
    "72656174656400a776657273696f6e01a56d6f76656400ae7265636f766572795f73696e636500ac73746174655f72656173"
    "6f6ea0ab73746174655f73696e636500"
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


def test_newer() -> None:
    """A newer version is refused with its cure."""
    with pytest.raises(NewerStore, match="newer version"):
        decode(b"\x02" + SAMPLE[1:], Organisation)


@pytest.mark.parametrize("stored", [b"", SAMPLE[:-1], SAMPLE[:1], b"\x01\x80"])
def test_damaged(stored: bytes) -> None:
    """What is no record is told as damage, not as a newer version."""
    with pytest.raises(Damaged):
        decode(stored, Organisation)
