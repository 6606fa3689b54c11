"""Canonical encoding of ledger entries: what is stored, and hashed into the tree. ``docs/specifications/ledger.md``.

Fields, each behind its length (4 octets, big-endian), in the order of the record; so one entry has one encoding. The
first is ``cjsm ledger entry``, the second the version. What people could be known by is not in it: where the record has
words about a person, the encoding has commitments to them, hashes with a salt that is kept beside and destroyed with
the person.
"""

import hashlib
from collections.abc import Sequence

from cjsm.community.identifiers import ActId
from cjsm.community.records import LedgerEntry
from cjsm.ledger.errors import EntryTooLong

_TAG = b"cjsm ledger entry"
_COMMITMENT = b"cjsm ledger words"
_FIRST, _SECOND = b"\x01", b"\x02"
#: Octets of an entry at most: where many are put together, the length of each has 16 bits (C2SP tlog-tiles).
LONGEST = 65_535
#: Where the act begins: behind tag, version and act id.
_ACT_AT = 4 + len(_TAG) + 4 + 1 + 4 + 16
#: Octets of a salt, and of a commitment.
SALT = 32


class MalformedEntry(Exception):
    """Not a ledger entry that this version reads."""


def encode_entry(entry: LedgerEntry, salts: Sequence[bytes] = ()) -> bytes:
    """Return the canonical encoding of *entry*, of version 2.

    :param salts: 32 random octets for each of ``entry.words``.
    :raises EntryTooLong: when it is longer than 65,535 octets.
    """
    made = [(name, commitment(name, salt, text)) for (name, text), salt in zip(entry.words, salts, strict=True)]
    fields = [
        _TAG,
        _SECOND,
        entry.act_id,
        entry.act.encode(),
        entry.moment.to_bytes(8, "big"),
        entry.actor,
        entry.organisation or b"",
        entry.subject_kind.encode(),
        entry.subject,
        entry.reason.encode(),
        len(entry.details).to_bytes(4, "big"),
    ]
    for name, value in entry.details:
        fields += (name.encode(), value.encode())
    for name, committed in (*made, *entry.commitments):
        fields += (name.encode(), committed)
    encoded = _joined(fields)
    if len(encoded) > LONGEST:
        raise EntryTooLong(f"the ledger's entry of this would have {len(encoded):,} octets, {LONGEST:,} at most")
    return encoded


def tells_of(encoded: bytes, act: str) -> bool:
    """Whether an encoded entry is of *act*, without reading the rest."""
    return encoded.startswith(_joined([act.encode()]), _ACT_AT)


def commitment(name: str, salt: bytes, text: str) -> bytes:
    """Return what stands in an entry for the words *text* that are called *name*: 32 octets that tell nothing of them
    to who does not have *salt*.
    """
    return hashlib.sha256(_joined([_COMMITMENT, _FIRST, name.encode(), salt, text.encode()])).digest()


def decode_entry(encoded: bytes) -> LedgerEntry:
    """Return the entry that :func:`encode_entry` wrote, of any version; its words are commitments.

    :raises MalformedEntry: for anything else.
    """
    fields = _fields(encoded)
    if len(fields) < 2 or fields[0] != _TAG or fields[1] not in (_FIRST, _SECOND):
        raise MalformedEntry("not a ledger entry of version 1 or 2")
    try:
        return _first(fields) if fields[1] == _FIRST else _second(fields)
    except (UnicodeDecodeError, IndexError, ValueError) as error:
        raise MalformedEntry("not what should be in a ledger entry") from error


def _first(fields: list[bytes]) -> LedgerEntry:
    """Return the entry of version 1, which had no organisation and no commitments."""
    return LedgerEntry(
        act_id=ActId(fields[2]),
        act=fields[3].decode(),
        moment=int.from_bytes(fields[4], "big"),
        actor=fields[5],
        subject_kind=fields[6].decode(),
        subject=fields[7],
        reason=fields[8].decode(),
        details=tuple((name.decode(), value.decode()) for name, value in _pairs(fields[9:])),
    )


def _second(fields: list[bytes]) -> LedgerEntry:
    details = 11 + 2 * int.from_bytes(fields[10], "big")
    if len(fields[4]) != 8 or len(fields[10]) != 4 or details > len(fields):
        raise ValueError("numbers have their own lengths")
    commitments = tuple((name.decode(), value) for name, value in _pairs(fields[details:]))
    if any(len(value) != SALT for _, value in commitments):
        raise ValueError("a commitment has 32 octets")
    return LedgerEntry(
        act_id=ActId(fields[2]),
        act=fields[3].decode(),
        moment=int.from_bytes(fields[4], "big"),
        actor=fields[5],
        organisation=fields[6],
        subject_kind=fields[7].decode(),
        subject=fields[8],
        reason=fields[9].decode(),
        details=tuple((name.decode(), value.decode()) for name, value in _pairs(fields[11:details])),
        commitments=commitments,
    )


def _pairs(fields: list[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(fields[::2], fields[1::2], strict=True))


def _joined(fields: Sequence[bytes]) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def _fields(encoded: bytes) -> list[bytes]:
    fields = []
    offset = 0
    while offset < len(encoded):
        end = offset + 4 + int.from_bytes(encoded[offset : offset + 4], "big")
        if end > len(encoded):
            raise MalformedEntry("shorter than its fields")
        fields.append(encoded[offset + 4 : end])
        offset = end
    return fields
