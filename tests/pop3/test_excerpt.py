"""TOP: header, blank line and exactly so many lines, however the message is cut."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cjsm.pop3.excerpt import Excerpt

LINES = st.lists(st.sampled_from(["", "a", ".", "Subject: x", "longer line"]), max_size=10)


def excerpt(message: bytes, lines: int, cuts: list[int]) -> tuple[bytes, bool]:
    taken = Excerpt(lines)
    edges = sorted({0, len(message), *(at % (len(message) + 1) for at in cuts)})
    return b"".join(taken.take(message[a:b]) for a, b in pairwise(edges)), taken.complete


@given(LINES, LINES, st.integers(0, 12), st.lists(st.integers(0, 300), max_size=8))
def test_excerpt(header: list[str], body: list[str], lines: int, cuts: list[int]) -> None:
    """The same as splitting the whole message."""
    header = [line for line in header if line]
    message = "".join(line + "\r\n" for line in [*header, "", *body]).encode()
    expected = "".join(line + "\r\n" for line in [*header, "", *body[:lines]]).encode()
    assert excerpt(message, lines, cuts) == (expected, lines <= len(body))


def test_no_body_lines_ends_with_the_blank_line() -> None:
    """Nothing after it is looked at."""
    taken = Excerpt(0)
    assert taken.take(b"A: b\r\n\r\nbody\r\n") == b"A: b\r\n\r\n"
    assert taken.complete
    assert taken.take(b"more") == b""


def test_a_message_without_blank_line() -> None:
    """A header alone is given whole."""
    assert excerpt(b"A: b\r\n", 5, [1, 3]) == (b"A: b\r\n", False)
