"""Stored form of the community's records: one schema version byte and MessagePack, fields by name.

A field may be added with a default; then older records still read. Samples of every version are kept in
``tests/store/samples``.
"""

from typing import TypeVar

import msgspec

from cjsm.community.records import Record
from cjsm.store.interfaces import UNREADABLE, Damaged, NewerStore

VERSION = 1

Kept = TypeVar("Kept", bound=Record)

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type, msgspec.msgpack.Decoder[Record]] = {}


def encode(record: Record) -> bytes:
    """Return the stored form of *record*."""
    return bytes((VERSION,)) + _encoder.encode(record)


def decode(stored: bytes, kind: type[Kept]) -> Kept:
    """Return the record of *kind* in *stored*.

    :raises NewerStore: when it was written by a newer version.
    :raises Damaged: when it is none.
    """
    if not stored:
        raise Damaged(f"a stored {kind.__name__} is empty")
    if stored[0] > VERSION:
        raise NewerStore("a record was written by a newer version of this software")
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    try:
        return decoder.decode(memoryview(stored)[1:])  # type: ignore[return-value]  # the table pairs kind and decoder
    except UNREADABLE as error:
        raise Damaged(f"a stored {kind.__name__} cannot be read: {error}") from error
