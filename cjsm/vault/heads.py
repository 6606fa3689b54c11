"""One hash over the heads of every mailbox's list, made anew in steps that grow with what changed.

A mailbox's id is random, so its first two octets choose one of 65,536 *buckets*, and the first of them one of 256
*shelves* that hold 256 buckets each. The form is in ``docs/specifications/vault.md``.
"""

import hashlib
from collections.abc import Iterable

from cjsm.vault.encoding import bound

#: Octets of every hash here.
HASH = 32
#: Stands for a bucket, or a shelf, without any mailbox.
EMPTY = bytes(HASH)


def leaf(mailbox: bytes, edition: int, appended: int, deleted: int, undeleted: int, chain: bytes) -> bytes:
    """Return the hash of one mailbox's head."""
    told = bound(b"cjsm mailbox head", mailbox, edition, appended, deleted, undeleted, chain)
    return hashlib.sha256(told).digest()


def bucket(place: bytes, leaves: Iterable[bytes]) -> bytes:
    """Return the hash of the leaves whose mailboxes begin with the two octets *place*, in order of mailbox."""
    inside = b"".join(leaves)
    return hashlib.sha256(bound(b"cjsm heads bucket", place, inside)).digest() if inside else EMPTY


def shelf(place: bytes, buckets: bytes) -> bytes:
    """Return the hash of 256 buckets, put together in order, whose places begin with the octet *place*."""
    empty = not any(buckets)
    return EMPTY if empty else hashlib.sha256(bound(b"cjsm heads shelf", place, buckets)).digest()


def root(shelves: bytes) -> bytes:
    """Return the hash of the 256 shelves, put together in order."""
    return hashlib.sha256(bound(b"cjsm heads root", shelves)).digest()
