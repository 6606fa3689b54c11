"""Octets that are no record are told as damage by whoever reads them, whatever is wrong with them."""

from collections.abc import Callable

import msgspec
import pytest

from cjsm.community.records import Organisation
from cjsm.store.encoding import decode
from cjsm.store.interfaces import Damaged
from cjsm.store.lmdb import notices, outgoing, spool, trace

DAMAGE = {
    "nothing": b"",
    "another": b"\x90",
    "no text": b"\x81\xa4name\xa2\xff\xff\xa6reason\xa2\xff\xff",
    "deep where nobody looks": b"\x81\xa1x" + b"\x91" * 100_000,
}
READERS: dict[str, Callable[[bytes], object]] = {
    "community": lambda octets: decode(b"\1" + octets, Organisation),
    "notices": lambda octets: notices._decode(b"\1" + octets),
    "trace": lambda octets: trace._decode(b"\1" + octets),
    "spool": spool._decode_entry,
    "progress": spool._decode_progress,
    "queue": lambda octets: outgoing._decoded(msgspec.msgpack.Decoder(outgoing.Outgoing), octets),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage(reader: str, damage: str) -> None:
    """Like any other: one record that cannot be read keeps none of the others."""
    with pytest.raises(Damaged):
        READERS[reader](DAMAGE[damage])
