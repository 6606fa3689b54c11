"""Ledger entries have one encoding each, which never changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.identifiers import ActId
from cjsm.community.records import LedgerEntry
from cjsm.ledger.entries import MalformedEntry, decode_entry, encode_entry

SAMPLE = LedgerEntry(
    act_id=ActId(b"act 000000000001"),
    act="user-add",
    moment=1_767_225_600,
    actor=b"actor 0000000001",
    subject_kind="account",
    subject=b"subject 00000001",
    reason="joined",
    details=(("access", "hosted"),),
)
#: The sample as version 1 has always written it.
ENCODED = bytes.fromhex(
    "00000011" + b"cjsm ledger entry".hex()
    + "00000001" + "01"
    + "00000010" + b"act 000000000001".hex()
    + "00000008" + b"user-add".hex()
    + "00000008" + "000000006955b900"
    + "00000010" + b"actor 0000000001".hex()
    + "00000007" + b"account".hex()
    + "00000010" + b"subject 00000001".hex()
    + "00000006" + b"joined".hex()
    + "00000006" + b"access".hex()
    + "00000006" + b"hosted".hex()
)  # fmt: skip


def test_sample() -> None:
    """The stored form has not changed."""
    assert encode_entry(SAMPLE) == ENCODED
    assert decode_entry(ENCODED) == SAMPLE


TEXT = st.text(max_size=20)
ENTRIES = st.builds(
    LedgerEntry,
    act_id=st.binary(min_size=16, max_size=16).map(ActId),
    act=TEXT,
    moment=st.integers(0, 2**60),
    actor=st.binary(max_size=16),
    subject_kind=TEXT,
    subject=st.binary(max_size=40),
    reason=TEXT,
    details=st.lists(st.tuples(TEXT, TEXT), max_size=4).map(tuple),
)


@given(ENTRIES)
def test_round_trip(entry: LedgerEntry) -> None:
    """What is written is read again."""
    assert decode_entry(encode_entry(entry)) == entry


@given(ENTRIES, ENTRIES)
def test_one_encoding_each(one: LedgerEntry, other: LedgerEntry) -> None:
    """Different entries never look the same."""
    assert (encode_entry(one) == encode_entry(other)) == (one == other)


@given(st.binary(max_size=100))
def test_anything_else(octets: bytes) -> None:
    """Is no entry, and says so."""
    with pytest.raises(MalformedEntry):
        decode_entry(octets)


@pytest.mark.parametrize("cut", range(0, len(ENCODED), 7))
def test_cut_short(cut: int) -> None:
    """Half an entry is none."""
    with pytest.raises(MalformedEntry):
        decode_entry(ENCODED[:cut])
    with pytest.raises(MalformedEntry):
        decode_entry(ENCODED + b"\0")
