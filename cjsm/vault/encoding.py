"""The one way fields are put together before they are hashed, signed, bound or derived from."""

from cjsm.vault.errors import UnknownSuite

#: ML-KEM-768 + X25519 HPKE, HKDF-SHA-256, AES-256-GCM, Ed25519, SHA-256.
SUITE = 1

#: Version of the way :func:`bound` puts fields together; its first octet.
_FORM = b"\x01"


def bound(tag: bytes, *fields: bytes | int) -> bytes:
    """Return a version octet, then *tag* and *fields*, each behind its length: no two different tuples read the same.

    :param tag: the domain, such as ``b"cjsm wrap"``.
    :param fields: octet strings, or integers of at most 64 bits.
    """
    parts = [_FORM, len(tag).to_bytes(4, "big"), tag]
    for field in fields:
        octets = field.to_bytes(8, "big") if isinstance(field, int) else field
        parts += (len(octets).to_bytes(4, "big"), octets)
    return b"".join(parts)


def check_suite(suite: int) -> None:
    """Refuse what was made with other algorithms.

    :raises UnknownSuite: when *suite* is not one that this version knows.
    """
    if suite != SUITE:
        raise UnknownSuite(f"algorithm suite {suite} is not known to this version")
