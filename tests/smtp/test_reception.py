"""A text or a chunk on its way in: where it ends, and how fast it must come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.smtp.reception import ChunkReader, Reception, TooSlow
from cjsm.wire.dots import Unstuffer
from cjsm.wire.text import ChunkedText


@given(st.binary(max_size=60), st.integers(0, 40), st.lists(st.integers(1, 10), min_size=1, max_size=20))
def test_a_chunk_is_as_long_as_it_says(data: bytes, size: int, steps: list[int]) -> None:
    """What follows belongs to the next command, however it came."""
    reader = ChunkReader(min(size, len(data)), None, last=False)
    taken = at = 0
    ended = reader.feed(b"").ended
    for step in steps * 60:
        if ended or at >= len(data):
            break
        piece = data[at : at + step]
        at += step
        _, ended, rest = reader.feed(piece)
        taken += len(piece) - len(rest)
    assert ended
    assert taken == min(size, len(data))


def test_chunks_make_one_text() -> None:
    """Of several chunks; the last one ends it."""
    text = ChunkedText(1_000)
    first = ChunkReader(4, text, last=False).feed(b"one\rrest")
    assert (first.data, first.ended, first.rest) == (b"one", True, b"rest")
    last = ChunkReader(4, text, last=True).feed(b"\ntwo")
    assert (last.data, last.ended) == (b"\r\ntwo\r\n", True)
    assert text.fault is None


def test_too_slow() -> None:
    """After the time of grace the least rate holds; octets are counted as they are passed on."""
    reception = Reception(Unstuffer(1_000), rate=10, grace=5, since=100)
    reception.received(b"x" * 20, 104)
    assert reception.octets == 20
    reception.received(b"x" * 50, 106)
    with pytest.raises(TooSlow):
        reception.received(b"x", 200)
