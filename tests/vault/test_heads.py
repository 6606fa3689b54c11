"""One hash over the heads of every mailbox: its form, and that no two communities have the same."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from cjsm.vault import heads

MAILBOX = bytes(range(16))
CHAIN = bytes(range(32))


def framed(tag: bytes, *fields: bytes) -> bytes:
    """The way fields are put together, as the specification has it."""
    told = b"\x01" + len(tag).to_bytes(4, "big") + tag
    return hashlib.sha256(told + b"".join(len(each).to_bytes(4, "big") + each for each in fields)).digest()


def test_vector() -> None:
    """The form of today stays readable for as long as there are entries made with it."""
    numbers = [number.to_bytes(8, "big") for number in (1, 7, 3, 2)]
    leaf = heads.leaf(MAILBOX, 1, 7, 3, 2, CHAIN)
    assert leaf == framed(b"cjsm mailbox head", MAILBOX, *numbers, CHAIN)
    bucket = heads.bucket(MAILBOX[:2], [leaf])
    assert bucket == framed(b"cjsm heads bucket", MAILBOX[:2], leaf)
    buckets = bytes(32) + bucket + bytes(32 * 254)
    shelf = heads.shelf(MAILBOX[:1], buckets)
    assert shelf == framed(b"cjsm heads shelf", MAILBOX[:1], buckets)
    root = heads.root(shelf + bytes(32 * 255))
    assert root == framed(b"cjsm heads root", shelf + bytes(32 * 255))
    assert root.hex() == "8cdae6cd8134183724c2cc16ce93294b5f95acb91e09ce0fdfc4f6296c7d341d"


def test_empty() -> None:
    """Where no mailbox is, there are noughts: a bucket that becomes empty is as if it had never been."""
    assert heads.bucket(b"ab", []) == heads.EMPTY
    assert heads.shelf(b"a", bytes(32 * 256)) == heads.EMPTY


@given(st.lists(st.integers(0, 2**40), min_size=5, max_size=5), st.integers(0, 3), st.integers(1, 9))
def test_every_number_counts(numbers: list[int], place: int, more: int) -> None:
    """And so does its place."""
    edition, appended, deleted, undeleted, _ = numbers
    changed = [edition, appended, deleted, undeleted]
    changed[place] += more
    assert heads.leaf(MAILBOX, edition, appended, deleted, undeleted, CHAIN) != heads.leaf(MAILBOX, *changed, CHAIN)
