"""The running hash of a mailbox's list: each row binds all that came before it."""

import hashlib

from cjsm.vault.encoding import bound

#: What the first row's hash builds on.
START = bytes(32)


def advance(previous: bytes, uid: int, octets: int, delivery_id: bytes, generation: int) -> bytes:
    """Return the running hash after appending one row, 32 octets."""
    row = bound(b"cjsm mailbox row", previous, uid, octets, delivery_id, generation)
    return hashlib.sha256(row).digest()


def imported_id(mailbox: bytes, unique_id: str) -> bytes:
    """Return the delivery id, 16 octets, of a message that brings *unique_id* to *mailbox* from elsewhere."""
    return hashlib.sha256(bound(b"cjsm imported", mailbox, unique_id.encode())).digest()[:16]
