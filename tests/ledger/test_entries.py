"""Ledger entries have one encoding each, which never changes."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.identifiers import ActId
from cjsm.community.records import LedgerEntry
from cjsm.ledger.entries import MalformedEntry, commitment, decode_entry, encode_entry, tells_of
from cjsm.ledger.errors import EntryTooLong

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
#: The sample as version 1 wrote it.
FIRST = bytes.fromhex(
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
SALT = bytes(range(32))
WITH_WORDS = msgspec.structs.replace(
    SAMPLE, organisation=b"organisation 001", words=(("user", "jane.smith@avon"),), person=b"subject 00000001"
)
#: SHA-256 of the tag, version 01, name, salt and text, each behind its length.
COMMITMENT = "d1aa240fb176e4b6e3a3cc12abea5bb45483b5335d942195ffc7938e7f937e06"
#: The sample with words as version 2 has always written it.
SECOND = bytes.fromhex(
    "00000011" + b"cjsm ledger entry".hex()
    + "00000001" + "02"
    + "00000010" + b"act 000000000001".hex()
    + "00000008" + b"user-add".hex()
    + "00000008" + "000000006955b900"
    + "00000010" + b"actor 0000000001".hex()
    + "00000010" + b"organisation 001".hex()
    + "00000007" + b"account".hex()
    + "00000010" + b"subject 00000001".hex()
    + "00000006" + b"joined".hex()
    + "00000004" + "00000001"
    + "00000006" + b"access".hex()
    + "00000006" + b"hosted".hex()
    + "00000004" + b"user".hex()
    + "00000020" + COMMITMENT
)  # fmt: skip


def test_first_version() -> None:
    """What version 1 wrote is read."""
    assert decode_entry(FIRST) == SAMPLE


def test_second_version() -> None:
    """The stored form has not changed, and has a hash where the record has words."""
    assert encode_entry(WITH_WORDS, [SALT]) == SECOND
    assert commitment("user", SALT, "jane.smith@avon").hex() == COMMITMENT
    read = decode_entry(SECOND)
    assert (read.commitments, read.words) == ((("user", bytes.fromhex(COMMITMENT)),), ())
    assert b"jane" not in SECOND
    again = msgspec.structs.replace(WITH_WORDS, words=(), person=b"", commitments=read.commitments)
    assert read == again
    assert encode_entry(read) == SECOND


TEXT = st.text(max_size=20)
WORDS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
ENTRIES = st.builds(
    LedgerEntry,
    act_id=st.binary(min_size=16, max_size=16).map(ActId),
    act=TEXT,
    moment=st.integers(0, 2**60),
    actor=st.binary(max_size=16),
    organisation=st.binary(max_size=16),
    subject_kind=TEXT,
    subject=st.binary(max_size=40),
    reason=TEXT,
    details=st.lists(st.tuples(TEXT, TEXT), max_size=4).map(tuple),
    words=WORDS,
)


def salts(entry: LedgerEntry) -> Sequence[bytes]:
    return [bytes([place]) * 32 for place, _ in enumerate(entry.words)]


@given(ENTRIES)
def test_round_trip(entry: LedgerEntry) -> None:
    """What is written is read again, words as commitments."""
    read = decode_entry(encode_entry(entry, salts(entry)))
    made = [(name, commitment(name, salt, text)) for (name, text), salt in zip(entry.words, salts(entry), strict=True)]
    assert read == msgspec.structs.replace(entry, words=(), commitments=tuple(made))


@given(ENTRIES, ENTRIES)
def test_one_encoding_each(one: LedgerEntry, other: LedgerEntry) -> None:
    """Different entries never look the same."""
    assert (encode_entry(one, salts(one)) == encode_entry(other, salts(other))) == (one == other)


@given(TEXT, TEXT, TEXT, TEXT)
def test_commitments_bind(name: str, text: str, other_name: str, other: str) -> None:
    """Other words, or another name for them, do not fit a commitment; nor does another salt."""
    made = commitment(name, SALT, text)
    assert (commitment(other_name, SALT, other) == made) == ((name, text) == (other_name, other))
    assert commitment(name, bytes(32), text) != made


@given(ENTRIES, TEXT)
def test_act_alone(entry: LedgerEntry, act: str) -> None:
    """Which act an entry is of is seen without reading it."""
    encoded = encode_entry(entry, salts(entry))
    assert tells_of(encoded, entry.act)
    assert tells_of(encoded, act) == (act == entry.act)
    assert tells_of(FIRST, "user-add")


def test_too_long() -> None:
    """What a bundle cannot hold is refused when it is made."""
    long = msgspec.structs.replace(SAMPLE, details=(("long", "x" * 66_000),))
    with pytest.raises(EntryTooLong, match=r"65,535"):
        encode_entry(long)


@given(st.binary(max_size=100))
def test_anything_else(octets: bytes) -> None:
    """Is no entry, and says so."""
    with pytest.raises(MalformedEntry):
        decode_entry(octets)


@given(st.lists(st.binary(max_size=40), max_size=16), st.sampled_from([b"\1", b"\2", b"\3"]))
def test_other_fields(fields: list[bytes], version: bytes) -> None:
    """Whatever comes behind tag and version: it is an entry that is written so, or none."""
    octets = b"".join(len(each).to_bytes(4, "big") + each for each in (b"cjsm ledger entry", version, *fields))
    try:
        entry = decode_entry(octets)
    except MalformedEntry:
        return
    assert version == b"\1" or encode_entry(entry) == octets


@pytest.mark.parametrize("cut", range(0, len(SECOND), 7))
def test_cut_short(cut: int) -> None:
    """Half an entry is none."""
    for whole in (FIRST, SECOND):
        with pytest.raises(MalformedEntry):
            decode_entry(whole[: min(cut, len(whole) - 1)])
        with pytest.raises(MalformedEntry):
            decode_entry(whole + b"\0")
