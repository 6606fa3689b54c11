"""Keys kept in memory, sealed so that only who has the secret behind them gets them back (see ``access.cache``).

Mail keys are sealed under the password, seeds of mailboxes under the mail key that they were granted to: whoever reads
the memory can do no more with those than with the grant on the disk.
"""

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


def _mailbox_key(cache_key: bytes, mail_key: bytes, mailbox: bytes) -> bytes:
    return derive(mail_key, cache_key, bound(b"cjsm opened grant", SUITE, mailbox))


def seal_seed(cache_key: bytes, mail_key: bytes, mailbox: bytes, generation: int, seed: bytes) -> bytes:
    """Return the *seed* of a mailbox's generation sealed under the *mail_key* that opened its grant."""
    key = _mailbox_key(cache_key, mail_key, mailbox)
    return seal_once(key, seed, bound(b"cjsm opened seed", mailbox, generation))


def open_seed(cache_key: bytes, mail_key: bytes, mailbox: bytes, generation: int, sealed: bytes) -> bytes:
    """Return what :func:`seal_seed` sealed.

    :raises NotAuthentic: when the mail key is another, or the seed that of something else.
    """
    key = _mailbox_key(cache_key, mail_key, mailbox)
    return open_once(key, sealed, bound(b"cjsm opened seed", mailbox, generation))
