"""The running hash of a mailbox's list."""

from hypothesis import given
from hypothesis import strategies as st

from cjsm.vault.chain import START, advance, imported_id

ROWS = st.lists(
    st.tuples(st.integers(1, 2**32), st.integers(0, 2**40), st.binary(min_size=16, max_size=16), st.integers(1, 99)),
    max_size=6,
)


def total(rows: list[tuple[int, int, bytes, int]]) -> bytes:
    """The hash after all rows."""
    found = START
    for row in rows:
        found = advance(found, *row)
    return found


@given(ROWS, ROWS)
def test_every_row_and_their_order_count(
    one: list[tuple[int, int, bytes, int]], other: list[tuple[int, int, bytes, int]]
) -> None:
    """Two lists have the same hash only when they are the same."""
    assert (total(one) == total(other)) == (one == other)


def test_imported_id() -> None:
    """The same for the same mailbox and unique-id, another for any other; as it always was."""
    assert imported_id(b"m" * 16, "0042").hex() == "bbf251d178fb430ee2c3e715d6c98aa7"
    others = {imported_id(mailbox, name) for mailbox in (b"m" * 16, b"n" * 16) for name in ("0042", "42", "")}
    assert len(others) == 6
