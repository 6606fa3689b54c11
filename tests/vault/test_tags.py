"""Tags, running hash and the unlock cache: what is compared or counted without being kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.vault.chain import START, advance
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.tags import failure_tag, imported_body, pseudonym, sponsor_tag, unknown_subject, verification_tag
from cjsm.vault.unlock import open_keys, seal_keys

KEY = bytes(range(32))


def test_failures_are_told_apart_and_no_more() -> None:
    """The same wrong secret counts once; 16 bits say nothing about which it was."""
    assert failure_tag(KEY, b"jo", b"guess") == failure_tag(KEY, b"jo", b"guess")
    tags = {failure_tag(KEY, b"jo", b"guess %d" % n) for n in range(50)}
    assert len(tags) > 45
    assert all(0 <= tag < 1 << 16 for tag in tags)
    assert failure_tag(KEY, b"jo", b"g") != failure_tag(KEY, b"sam", b"g") != failure_tag(bytes(32), b"sam", b"g")


@given(st.text(max_size=30))
def test_unknown_names_share_counters(name: str) -> None:
    """Guessed names cannot fill the store, and capitals make no new name."""
    assert unknown_subject(KEY, name)[:12] == bytes(12)
    assert len(unknown_subject(KEY, name)) == 16
    assert int.from_bytes(unknown_subject(KEY, name)[12:], "big") < 65_536
    assert unknown_subject(KEY, "Jo.Smith") == unknown_subject(KEY, "jo.smith")


def test_imported_bodies() -> None:
    """Another mailbox, unique-id, content or key: another body id."""
    known = imported_body(KEY, b"jo", "1", b"digest")
    others = {
        imported_body(KEY, b"sam", "1", b"digest"),
        imported_body(KEY, b"jo", "2", b"digest"),
        imported_body(KEY, b"jo", "1", b"Digest"),
        imported_body(bytes(32), b"jo", "1", b"digest"),
    }
    assert len(known) == 16
    assert len(others | {known}) == 5


def test_verification_tags() -> None:
    """Another account, version, secret or process key: another tag."""
    known = verification_tag(KEY, b"jo", 1, b"secret")
    others = {
        verification_tag(KEY, b"sam", 1, b"secret"),
        verification_tag(KEY, b"jo", 2, b"secret"),
        verification_tag(KEY, b"jo", 1, b"Secret"),
        verification_tag(bytes(32), b"jo", 1, b"secret"),
    }
    assert len(others | {known}) == 5


def test_pseudonyms() -> None:
    """The same name reads the same in every line, and cannot be read back."""
    assert pseudonym(KEY, b"jo") == pseudonym(KEY, b"jo") != pseudonym(bytes(32), b"jo")
    assert len(pseudonym(KEY, b"jo")) == 12
    assert "jo" not in pseudonym(KEY, b"jo")


delivery_ids = st.binary(min_size=16, max_size=16)
rows = st.lists(
    st.tuples(st.integers(1, 1 << 32), st.integers(0, 1 << 40), delivery_ids, st.integers(1, 99)), max_size=5
)


def running(listed: list[tuple[int, int, bytes, int]]) -> bytes:
    """The running hash after *listed*."""
    head = START
    for row in listed:
        head = advance(head, *row)
    return head


@given(one=rows, two=rows)
def test_running_hash(one: list[tuple[int, int, bytes, int]], two: list[tuple[int, int, bytes, int]]) -> None:
    """Rows taken out, put in, exchanged or changed give another hash."""
    assert (running(one) == running(two)) == (one == two)
    assert len(running(one)) == 32


def test_unlock_cache() -> None:
    """Remembered keys come back to who gives the secret again, and to nobody else."""
    keys = {1: bytes(32), 2: KEY}
    sealed = seal_keys(KEY, b"jo", b"secret", keys)
    assert open_keys(KEY, b"jo", b"secret", sealed) == keys
    assert KEY not in sealed
    for process, account, secret, octets in (
        (KEY, b"jo", b"Secret", sealed),
        (KEY, b"sam", b"secret", sealed),
        (bytes(32), b"jo", b"secret", sealed),
        (KEY, b"jo", b"secret", sealed[:-1]),
        (KEY, b"jo", b"secret", b""),
    ):
        with pytest.raises(NotAuthentic):
            open_keys(process, account, secret, octets)


def test_a_sponsors_code() -> None:
    """Belongs to one application, and to nobody without the key."""
    made = sponsor_tag(b"k" * 32, b"a" * 16, "ABCD-EFGH")
    assert len(made) == 32
    assert made == sponsor_tag(b"k" * 32, b"a" * 16, "ABCD-EFGH")
    for other in (
        (b"l" * 32, b"a" * 16, "ABCD-EFGH"),
        (b"k" * 32, b"b" * 16, "ABCD-EFGH"),
        (b"k" * 32, b"a" * 16, "X"),
    ):
        assert sponsor_tag(*other) != made
