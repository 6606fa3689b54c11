"""Canonical encoding of ledger entries: what is stored, and later hashed into the tree.

``cjsm ledger entry`` and every field behind its length (4 octets, big-endian), in the order of the record; so one
entry has one encoding. The first field is the version.
"""

from cjsm.community.identifiers import ActId
from cjsm.community.records import LedgerEntry

_TAG = b"cjsm ledger entry"
_VERSION = b"\x01"


class MalformedEntry(Exception):
    """Not a ledger entry that this version reads."""


def encode_entry(entry: LedgerEntry) -> bytes:
    """Return the canonical encoding of *entry*."""
    fields = [
        _TAG,
        _VERSION,
        entry.act_id,
        entry.act.encode(),
        entry.moment.to_bytes(8, "big"),
        entry.actor,
        entry.subject_kind.encode(),
        entry.subject,
        entry.reason.encode(),
    ]
    for name, value in entry.details:
        fields += (name.encode(), value.encode())
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def decode_entry(encoded: bytes) -> LedgerEntry:
    """Return the entry that :func:`encode_entry` wrote.

    :raises MalformedEntry: for anything else.
    """
    fields = _fields(encoded)
    if len(fields) < 9 or fields[0] != _TAG or fields[1] != _VERSION or len(fields) % 2 == 0:
        raise MalformedEntry("not a ledger entry of version 1")
    try:
        details = [field.decode() for field in fields[9:]]
        return LedgerEntry(
            act_id=ActId(fields[2]),
            act=fields[3].decode(),
            moment=int.from_bytes(fields[4], "big"),
            actor=fields[5],
            subject_kind=fields[6].decode(),
            subject=fields[7],
            reason=fields[8].decode(),
            details=tuple(zip(details[::2], details[1::2], strict=True)),
        )
    except UnicodeDecodeError as error:
        raise MalformedEntry("not text where text should be") from error


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
