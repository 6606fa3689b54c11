"""Stored records: what was written once can be read, and what is not ours is refused."""

import pytest

from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import Organisation
from cjsm.store.encoding import decode, encode
from cjsm.store.interfaces import Damaged, NewerStore

COURT = Organisation(id=OrganisationId(b"o" * 16), parent=None, slug="court", name="Court")
SAMPLE = bytes.fromhex(
    "018da26964c4106f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6fa6706172656e74c0a4736c7567a5636f757274a46e616d65a5436f"
    "757274ac616262726576696174696f6ec0a57374617465a6616374697665a87265636f76657279aa74776f2d706572736f6e"
    "ac65785f6469726563746f7279c2a970726f746563746564c2ad627573696e6573735f74797065a0a461726561a0a7637265"
    "6174656400a776657273696f6e01"
)


def test_kept_sample() -> None:
    """A record is stored as it always was, and a kept one is read."""
    assert encode(COURT) == SAMPLE
    assert decode(SAMPLE, Organisation) == COURT


def test_newer() -> None:
    """A newer version is refused with its cure."""
    with pytest.raises(NewerStore, match="newer version"):
        decode(b"\x02" + SAMPLE[1:], Organisation)


@pytest.mark.parametrize("stored", [b"", SAMPLE[:-1], SAMPLE[:1], b"\x01\x80"])
def test_damaged(stored: bytes) -> None:
    """What is no record is told as damage, not as a newer version."""
    with pytest.raises(Damaged):
        decode(stored, Organisation)
