"""Texts in counted chunks: whole however they are cut, with their faults named."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.wire.text import ChunkedText, TextFault

PIECES = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"\0", b".", b"ab", b"x" * 40]), max_size=20).map(b"".join)


def read(chunks: list[bytes], limit: int = 1_000) -> tuple[bytes, TextFault | None]:
    """What is passed on of a text in *chunks*, and what is wrong with it."""
    text = ChunkedText(limit)
    passed = b"".join(text.feed(chunk, last=number == len(chunks) - 1) for number, chunk in enumerate(chunks))
    return passed, text.fault


@given(PIECES, st.lists(st.integers(0, 200), max_size=6))
def test_any_cut(text: bytes, cuts: list[int]) -> None:
    """The same octets and the same verdict, whatever the chunks; a last line without its end gets it."""
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    chunks = [text[a:b] for a, b in pairwise(edges)] or [b""]
    passed, fault = read(chunks)
    assert (passed, fault is None) == (read([text])[0], read([text])[1] is None)
    if fault is None:
        assert passed == (text if not text or text.endswith(b"\r\n") else text + b"\r\n")


@pytest.mark.parametrize(
    ("chunks", "fault"),
    [
        ([b"a\r\n"], None),
        ([b"a\r", b"\nb\r\n"], None),
        ([b"a\r\n", b""], None),
        ([b".\r\n", b"\r\n.\r\n"], None),
        ([b"a\r", b"b\r\n"], TextFault.BARE_CR),
        ([b"a\r"], TextFault.BARE_CR),
        ([b"a\nb"], TextFault.BARE_LF),
        ([b"a\0b"], TextFault.NUL),
    ],
)
def test_faults(chunks: list[bytes], fault: TextFault | None) -> None:
    """A dot ends nothing here; what no text may hold is named."""
    assert read(chunks)[1] is fault


@pytest.mark.parametrize(("octets", "fault"), [(998, None), (999, TextFault.LINE_TOO_LONG)])
def test_long_lines(octets: int, fault: TextFault | None) -> None:
    """The limit counts the line's end, over chunks too."""
    assert read([b"x" * 500, b"x" * (octets - 500) + b"\r\n"])[1] is fault
