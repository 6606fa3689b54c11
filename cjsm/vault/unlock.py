"""Mail keys kept in memory, sealed under a key that only the password gives back (see ``access.cache``)."""

from collections.abc import Mapping

import msgspec

from cjsm.vault.encoding import SUITE, bound
from cjsm.vault.primitives import derive, open_once, seal_once


def _key(cache_key: bytes, account: bytes, secret: bytes) -> bytes:
    return derive(secret, cache_key, bound(b"cjsm unlock cache", SUITE, account))


def seal_keys(cache_key: bytes, account: bytes, secret: bytes, mail_keys: Mapping[int, bytes]) -> bytes:
    """Return *mail_keys* (seed by epoch) sealed under *secret* and this process's *cache_key*."""
    sealed = msgspec.msgpack.encode(dict(mail_keys))
    return seal_once(_key(cache_key, account, secret), sealed, bound(b"cjsm unlock", account))


def open_keys(cache_key: bytes, account: bytes, secret: bytes, sealed: bytes) -> dict[int, bytes]:
    """Return what :func:`seal_keys` sealed.

    :raises NotAuthentic: when the secret is another.
    """
    opened = open_once(_key(cache_key, account, secret), sealed, bound(b"cjsm unlock", account))
    return msgspec.msgpack.decode(opened, type=dict[int, bytes])
