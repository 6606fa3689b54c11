"""Remembered verifications: found while they count, forgotten after, never too many."""

from cjsm.access.cache import VerificationCache

TAG = bytes(32)
OTHER = b"\1" * 32


def test_recall() -> None:
    """What was remembered counts for its life, to the second, and is then forgotten."""
    cache = VerificationCache(life=60, entries=10)
    assert cache.recall(TAG, 0) is None
    cache.remember(TAG, b"sealed", 0)
    found = cache.recall(TAG, 59.9)
    assert found is not None
    assert found.sealed_keys == b"sealed"
    assert cache.recall(OTHER, 0) is None
    assert cache.recall(TAG, 60) is None
    assert cache.recall(TAG, 0) is None


def test_keys_stay() -> None:
    """A success without keys keeps those of an earlier one; other keys take their place."""
    cache = VerificationCache(life=60, entries=10)
    cache.remember(TAG, b"sealed", 0)
    cache.remember(TAG, None, 30)
    found = cache.recall(TAG, 80)
    assert found is not None
    assert (found.until, found.sealed_keys) == (90, b"sealed")
    cache.remember(TAG, b"newer", 30)
    newer = cache.recall(TAG, 80)
    assert newer is not None
    assert newer.sealed_keys == b"newer"


def test_off() -> None:
    """A life of 0 turns it off."""
    cache = VerificationCache(life=0, entries=10)
    cache.remember(TAG, b"sealed", 0)
    assert cache.recall(TAG, 0) is None


def test_bounded() -> None:
    """The one that was remembered longest ago goes first."""
    cache = VerificationCache(life=60, entries=2)
    for number in (1, 2, 1, 3):
        cache.remember(bytes([number]), None, 0)
    assert [number for number in (1, 2, 3) if cache.recall(bytes([number]), 0)] == [1, 3]


def test_clear() -> None:
    """Everything is forgotten at once."""
    cache = VerificationCache(life=60, entries=2)
    cache.remember(TAG, None, 0)
    cache.clear()
    assert cache.recall(TAG, 0) is None
