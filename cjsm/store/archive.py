"""The form of an export: frames of kind, length and octets, of which the last is the digest of all before.

``docs/specifications/stores.md`` describes it. It names nothing of this back end, so that any back end reads it.
"""

import hashlib
import struct
from typing import BinaryIO, TypeVar

import msgspec
from msgspec import Struct

from cjsm.community.identifiers import AccountId, BodyId, DeliveryId, MailboxId
from cjsm.store.interfaces import UNREADABLE, BackupDamaged, Head, NewerStore, Row

Record = TypeVar("Record", bound=Struct)

MAGIC = b"cjsm mailbox export\n"
VERSION = 1
BEGIN, MESSAGE, PIECE, END = b"b", b"m", b"p", b"e"
#: Octets of a sealed body in one frame at most, and of any frame.
PIECE_OCTETS = 1 << 20
_LONGEST = 1 << 26
_FRAME = struct.Struct(">cQ")


class Beginning(Struct, frozen=True, kw_only=True):
    """What an export begins with.

    :ivar delivered: (spool sequence, delivery id) of what the spool may hand out again.
    :ivar hidden: for each member the uids that are hidden.
    """

    version: int
    mailbox: MailboxId
    head: Head
    messages: int
    full_since: int = 0
    delivered: tuple[tuple[int, DeliveryId], ...] = ()
    hidden: tuple[tuple[AccountId, tuple[int, ...]], ...] = ()


class Exported(Struct, frozen=True, kw_only=True):
    """One message of an export; its sealed body follows in pieces.

    :ivar deleted: when it was deleted; None while it is listed.
    :ivar inline: the body was kept inside the mailbox, not in a file.
    """

    row: Row
    body_id: BodyId
    sealed_octets: int
    inline: bool
    wrap: bytes
    summary: bytes
    deleted: int | None = None


class ArchiveWriter:
    """Writes frames to *to*."""

    def __init__(self, to: BinaryIO) -> None:
        self._to = to
        self._digest = hashlib.sha256()
        self._write(MAGIC)

    def frame(self, kind: bytes, octets: bytes) -> None:
        """Write one frame."""
        self._write(_FRAME.pack(kind, len(octets)))
        self._write(octets)

    def record(self, kind: bytes, record: Struct) -> None:
        """Write one frame that holds *record*."""
        self.frame(kind, msgspec.msgpack.encode(record))

    def end(self) -> None:
        """Write the last frame."""
        self.frame(END, self._digest.digest())

    def _write(self, octets: bytes) -> None:
        self._digest.update(octets)
        self._to.write(octets)


class ArchiveReader:
    """Reads frames from *source*.

    :raises BackupDamaged: when it is not an export, here and from each method where it is not whole.
    :raises NewerStore: when a newer version wrote it.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._digest = hashlib.sha256()
        if self._read(len(MAGIC)) != MAGIC:
            raise BackupDamaged("this is not an export of a mailbox")
        kind, octets = self._frame()
        if kind != BEGIN:
            raise BackupDamaged("the export has no beginning")
        version = _decode(octets, _Version).version
        if version > VERSION:
            raise NewerStore("the export was written by a newer version of this software")
        self.beginning = _decode(octets, Beginning)

    def message(self) -> Exported | None:
        """Return the next message, or None behind the last one, when all that was read is what was written."""
        before = self._digest.digest()
        kind, octets = self._frame()
        if kind == END:
            if octets != before or self._source.read(1):
                raise BackupDamaged("the export is not what was written")
            return None
        if kind != MESSAGE:
            raise BackupDamaged("the export is not in order")
        return _decode(octets, Exported)

    def piece(self) -> bytes:
        """Return the next piece of the message's sealed body."""
        kind, octets = self._frame()
        if kind != PIECE or not octets:
            raise BackupDamaged("a body in the export is cut short")
        return octets

    def _frame(self) -> tuple[bytes, bytes]:
        kind, length = _FRAME.unpack(self._read(_FRAME.size))
        if length > _LONGEST:
            raise BackupDamaged("a frame of the export is too long")
        return kind, self._read(length)

    def _read(self, length: int) -> bytes:
        octets = b""
        while len(octets) < length:
            more = self._source.read(length - len(octets))
            if not more:
                raise BackupDamaged("the export is cut short")
            octets += more
        self._digest.update(octets)
        return octets


class _Version(Struct):
    version: int


def _decode(octets: bytes, kind: type[Record]) -> Record:
    try:
        return msgspec.msgpack.decode(octets, type=kind)
    except UNREADABLE as error:
        raise BackupDamaged("a record of the export cannot be read") from error
