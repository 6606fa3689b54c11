"""Mail keys kept in memory for clients that poll."""

import pytest

from cjsm.vault.errors import NotAuthentic
from cjsm.vault.unlock import open_keys, open_seed, seal_keys, seal_seed

KEYS = {1: b"1" * 32, 2: b"2" * 32}


def test_only_the_secret_opens_them() -> None:
    """Of the same account, in the same process."""
    sealed = seal_keys(b"cache key", b"account", b"secret", KEYS)
    assert b"1" * 16 not in sealed
    assert open_keys(b"cache key", b"account", b"secret", sealed) == KEYS
    for attempt in (
        (b"cache key", b"account", b"other"),
        (b"cache key", b"other", b"secret"),
        (b"other", b"account", b"secret"),
    ):
        with pytest.raises(NotAuthentic):
            open_keys(*attempt, sealed)


def test_only_the_mail_key_opens_a_seed() -> None:
    """In the same process, and as the seed of the same generation of the same mailbox."""
    sealed = seal_seed(b"cache key", b"mail key", b"mailbox", 3, b"s" * 32)
    assert b"s" * 16 not in sealed
    assert open_seed(b"cache key", b"mail key", b"mailbox", 3, sealed) == b"s" * 32
    for attempt in (
        (b"cache key", b"mail key", b"mailbox", 4),
        (b"cache key", b"mail key", b"another", 3),
        (b"cache key", b"other", b"mailbox", 3),
        (b"other", b"mail key", b"mailbox", 3),
    ):
        with pytest.raises(NotAuthentic):
            open_seed(*attempt, sealed)
