"""Mail keys kept in memory for clients that poll."""

import pytest

from cjsm.vault.errors import NotAuthentic
from cjsm.vault.unlock import open_keys, seal_keys

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
