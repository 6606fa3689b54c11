"""Keyed tags: what must be compared or counted without keeping what it is made from."""

from cjsm.vault.encoding import bound
from cjsm.vault.primitives import mac

#: Unknown names share this many counters, so that guessing names cannot fill the store.
_UNKNOWN_SUBJECTS = 65_536


def failure_tag(key: bytes, subject: bytes, secret: bytes) -> int:
    """Return 16 bits that tell one wrong secret of *subject* from another, and no more."""
    return int.from_bytes(mac(key, bound(b"cjsm failure", subject, secret))[:2], "big")


def unknown_subject(key: bytes, name: str) -> bytes:
    """Return the 16 octets that failures of a name without an account are counted under."""
    digest = mac(key, bound(b"cjsm unknown", name.casefold().encode()))
    bucket = int.from_bytes(digest[:8], "big") % _UNKNOWN_SUBJECTS
    return bytes(12) + bucket.to_bytes(4, "big")


def verification_tag(key: bytes, account: bytes, keys_version: int, secret: bytes) -> bytes:
    """Return the tag under which a successful verification is remembered, 32 octets."""
    return mac(key, bound(b"cjsm verified", account, keys_version, secret))


def imported_body(key: bytes, mailbox: bytes, unique_id: str, digest: bytes) -> bytes:
    """Return the body id, 16 octets, of a message with SHA-256 *digest* that is imported into *mailbox*.

    Whoever has the key can tell whether a message that is there under *unique_id* is the same; for others it is random.
    """
    return mac(key, bound(b"cjsm imported body", mailbox, unique_id.encode(), digest))[:16]


def sponsor_tag(key: bytes, application: bytes, code: str) -> bytes:
    """Return the tag, 32 octets, under which the code of an application's sponsor is kept."""
    return mac(key, bound(b"cjsm sponsor", application, code.encode()))


def pseudonym(key: bytes, name: bytes) -> str:
    """Return how logs call *name*: 12 hexadecimal digits, the same each time, meaning nothing without the key."""
    return mac(key, bound(b"cjsm pseudonym", name))[:6].hex()
