"""The form of an export stays readable; one of a newer version is refused."""

import hashlib
import io
from pathlib import Path

import msgspec
import pytest

from cjsm.community.identifiers import AccountId, DeliveryId
from cjsm.store.archive import BEGIN, VERSION, ArchiveReader, ArchiveWriter, Beginning
from cjsm.store.interfaces import Damaged, Head, NewerStore

from .support import MAILBOX, delivery, identifier, open_mailboxes, result

SAMPLE = Path(__file__).parent / "samples" / "export-1"
MEMBER = AccountId(identifier("account", 1))


def test_kept_export(tmp_path: Path) -> None:
    """An export of version 1 is restored to what it was made of, and exported again octet for octet."""
    store = open_mailboxes(tmp_path)
    with SAMPLE.open("rb") as source:
        result(store.restore(MAILBOX, source))
    listed = result(store.list(MAILBOX))
    assert [row.unique_id for row in listed.rows] == [
        *(delivery(number).delivery_id.hex() for number in (1, 3, 4)),
        "old-5",
    ]
    assert (listed.head.appended, listed.head.deleted, listed.head.undeleted, listed.head.edition) == (5, 2, 1, 1)
    assert [row.uid for row in result(store.list(MAILBOX, MEMBER)).rows] == [1, 3, 5]
    assert [(each.row.uid, each.moment) for each in result(store.deleted(MAILBOX))] == [(2, 1000)]
    assert result(store.full(MAILBOX, 1)) == 900
    body = result(store.open(MAILBOX, delivery(1).delivery_id)).body
    assert result(body.read(0, 6)) == b"sealed"
    body.close()
    again = io.BytesIO()
    result(store.export(MAILBOX, again))
    kept = bytearray(SAMPLE.read_bytes())
    at = kept.index(b"\xa7edition") + 8
    kept[at] = 1
    assert again.getvalue()[:-32] == bytes(kept[:-32])
    store.close()


def test_newer() -> None:
    """It is not guessed what is in it."""
    octets = io.BytesIO()
    ArchiveWriter(octets).frame(BEGIN, msgspec.msgpack.encode({"version": VERSION + 1, "other": 1}))
    octets.seek(0)
    with pytest.raises(NewerStore):
        ArchiveReader(octets)


@pytest.mark.parametrize(
    "octets", [b"", b"cjsm mailbox export\n", b"From nobody", b"cjsm mailbox export\nb" + b"\xff" * 8]
)
def test_no_export(octets: bytes) -> None:
    """Whatever it is."""
    with pytest.raises(Damaged):
        ArchiveReader(io.BytesIO(octets))


def test_frames() -> None:
    """As the specification says: kind, length, octets; the last is the digest of everything before it."""
    octets = io.BytesIO()
    archive = ArchiveWriter(octets)
    beginning = Beginning(version=1, mailbox=MAILBOX, head=Head(), messages=0, delivered=((1, DeliveryId(b"d" * 16)),))
    archive.record(BEGIN, beginning)
    archive.end()
    record = msgspec.msgpack.encode(beginning)
    before = b"cjsm mailbox export\nb" + len(record).to_bytes(8, "big") + record
    assert octets.getvalue() == before + b"e" + (32).to_bytes(8, "big") + hashlib.sha256(before).digest()
    octets.seek(0)
    reader = ArchiveReader(octets)
    assert (reader.beginning, reader.message()) == (beginning, None)
