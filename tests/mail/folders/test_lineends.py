"""Ends of lines come out the same however a message is cut."""

import re

from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.folders.lineends import Canonical, Local

RAGGED = st.lists(st.sampled_from([b"a", b"From ", b"\r", b"\n", b"\r\n", b"\r" * 17]), max_size=40).map(b"".join)
LINES = st.lists(st.binary(max_size=6).map(lambda line: re.sub(rb"[\r\n]", b"x", line)), max_size=10)


def through(ends: Canonical | Local, octets: bytes, sizes: list[int]) -> bytes:
    """Put octets through in pieces."""
    out, at = b"", 0
    for size in sizes:
        out += ends.write(octets[at : at + size])
        at += size
    return out + ends.write(octets[at:]) + ends.finish()


@given(RAGGED, st.lists(st.integers(0, 7), max_size=30))
def test_canonical(octets: bytes, sizes: list[int]) -> None:
    """CR and LF occur in pairs only, the last line has an end, and pieces do not matter."""
    out = through(Canonical(), octets, sizes)
    assert out == through(Canonical(), octets, [])
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", out)
    assert not out or out.endswith(b"\r\n")
    assert re.sub(rb"[\r\n]", b"", out) == re.sub(rb"[\r\n]", b"", octets)
    assert through(Canonical(), out, sizes) == out, "what is canonical stays"


@given(LINES)
def test_every_form_of_lines(lines: list[bytes]) -> None:
    """LF, CR, CRLF, and CRLF that somebody doubled the CR of are the same lines."""
    wanted = b"".join(line + b"\r\n" for line in lines)
    for end in (b"\n", b"\r\n", b"\r\r\n"):
        assert through(Canonical(), b"".join(line + end for line in lines), []) == wanted
    if all(lines):
        assert through(Canonical(), b"".join(line + b"\r" for line in lines), []) == wanted


@given(LINES, st.lists(st.integers(0, 7), max_size=30))
def test_there_and_back(lines: list[bytes], sizes: list[int]) -> None:
    """A message goes out with LF and comes back as it was."""
    message = b"".join(line + b"\r\n" for line in lines)
    local = through(Local(), message, sizes)
    assert b"\r" not in local
    assert through(Canonical(), local, sizes) == message


def test_a_million_returns() -> None:
    """Nothing is held back for long."""
    ends = Canonical()
    assert len(ends.write(b"\r" * 1_000_000)) == 2 * (1_000_000 - 16)
    assert ends.finish() == b"\r\n" * 16
