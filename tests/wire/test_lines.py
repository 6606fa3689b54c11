"""Framing: CRLF only, one line at a time, bounded."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.wire.lines import BadLine, Line, LineReader, LineTooLong

OCTETS = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\0", b".", b"a", b"bcdefgh"]), max_size=40).map(b"".join)


def every_line(reader: LineReader) -> list[Line]:
    lines = []
    while (line := reader.next_line()) is not None:
        lines.append(line)
    return lines


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(at % (len(data) + 1) for at in cuts)})
    return [data[a:b] for a, b in pairwise(edges)]


def model(data: bytes, limit: int) -> list[Line]:
    """What a reader of the whole input says, line by line."""
    lines: list[Line] = []
    *whole, last = data.split(b"\r\n")
    for content in whole:
        lines.append(judged(content, limit) or content)
    fault = judged(last, limit, complete=False)
    return [*lines, fault] if fault else lines


def judged(content: bytes, limit: int, *, complete: bool = True) -> BadLine | LineTooLong | None:
    for at, octet in enumerate(content[:limit]):
        last = at + 1 == len(content)
        if octet == 0:
            return BadLine("NUL")
        if octet == 10:
            return BadLine("bare LF")
        # At the very end of the limit it cannot be seen what follows; then the line is too long.
        if octet == 13 and at + 1 < limit and not (last and not complete):
            return BadLine("bare CR")
    too_long = len(content) + 2 > limit if complete else len(content) >= limit
    return LineTooLong(limit) if too_long else None


@given(OCTETS, st.lists(st.integers(0, 500), max_size=8))
def test_lines_are_the_same_however_the_input_is_cut(data: bytes, cuts: list[int]) -> None:
    """A client's lines and faults do not depend on how the network cuts them."""
    reader = LineReader(16)
    seen: list[Line] = []
    for chunk in cut(data, cuts):
        reader.feed(chunk)
        seen += every_line(reader)
    assert seen == model(data, 16)


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (b"QUIT\n", "bare LF"),
        (b"QUIT\r\r\n", "bare CR"),
        (b"QU\rIT\r\n", "bare CR"),
        (b"QU\0IT\r\n", "NUL"),
        (b"\n.\n", "bare LF"),
        (b"\0", "NUL"),
    ],
)
def test_stray_octets_are_reported_at_once_and_their_line_is_skipped(sent: bytes, kind: str) -> None:
    """A bare CR, bare LF or NUL is told without waiting for the line's end; nothing of that line is a command."""
    reader = LineReader(100)
    reader.feed(sent)
    assert reader.next_line() == BadLine(kind)
    assert reader.next_line() is None
    reader.feed(b"DELE 1\r\nNOOP\r\n" if not sent.endswith(b"\r\n") else b"NOOP\r\n")
    assert every_line(reader) == [b"NOOP"]


def test_limit_counts_crlf_and_may_change_between_lines() -> None:
    """254 octets and CRLF fit in 256; one more does not; a longer limit lets SASL answers through."""
    reader = LineReader(256)
    reader.feed(b"a" * 254 + b"\r\n" + b"b" * 255 + b"\r\n" + b"c" * 300 + b"\r\n")
    assert reader.next_line() == b"a" * 254
    assert reader.next_line() == LineTooLong(256)
    reader.limit = 12_288
    assert reader.next_line() == b"c" * 300


def test_an_endless_line_is_dropped_as_it_comes() -> None:
    """A line without end is refused once and takes no memory."""
    reader = LineReader(255)
    answers = []
    for _ in range(1_000):
        reader.feed(b"x" * 1_000)
        answers += every_line(reader)
        assert reader.buffered <= 1_000
    assert answers == [LineTooLong(255)]
    reader.feed(b"\r\nNOOP\r\n")
    assert every_line(reader) == [b"NOOP"]


def test_reader_asks_for_a_pause_and_says_what_is_left() -> None:
    """A client that sends faster than it is answered is no longer read; what follows STARTTLS can be seen."""
    reader = LineReader(255, pause_at=20)
    reader.feed(b"STARTTLS\r\nRSET\r\n")
    assert reader.next_line() == b"STARTTLS"
    assert (reader.buffered, reader.wants_pause) == (6, False)
    reader.feed(b"NOOP\r\n" * 3)
    assert reader.wants_pause
    assert reader.take() == b"RSET\r\n" + b"NOOP\r\n" * 3
    assert (reader.buffered, reader.wants_pause) == (0, False)
