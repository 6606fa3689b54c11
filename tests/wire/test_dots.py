"""Dot-stuffing: exact over every cut, and CRLF.CRLF alone ends a text."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.wire.dots import Stuffer, Unstuffer
from cjsm.wire.text import TextFault

PIECES = st.sampled_from([b".", b"..", b"\r\n", b"\r\n.", b"a", b"bcd", b"\r", b"\n", b"\0"])
WIRE = st.lists(PIECES, max_size=30).map(b"".join)
TEXT = st.lists(st.sampled_from([b".", b"..", b"", b".a", b"abc.", b"x" * 9]), max_size=12).map(
    lambda lines: b"".join(line + b"\r\n" for line in lines)
)
CUTS = st.lists(st.integers(0, 200), max_size=10)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(at % (len(data) + 1) for at in cuts)})
    return [data[a:b] for a, b in pairwise(edges)]


def stuffed(chunks: list[bytes]) -> bytes:
    stuffer = Stuffer()
    return b"".join([*map(stuffer.write, chunks), stuffer.finish()])


def unstuffed(chunks: list[bytes], limit: int = 1_000) -> tuple[bytes, bytes | None, TextFault | None]:
    """Text, what follows its end (None: no end yet), and the fault."""
    unstuffer, text = Unstuffer(limit), b""
    for number, chunk in enumerate(chunks):
        data, ended, rest = unstuffer.feed(chunk)
        text += data
        if ended:
            return text, rest + b"".join(chunks[number + 1 :]), unstuffer.fault
    return text, None, unstuffer.fault


def naive_stuffed(text: bytes) -> bytes:
    lines = text.split(b"\r\n")
    last = lines.pop()
    out = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
    if last:
        out += (b"." if last.startswith(b".") else b"") + last + b"\r\n"
    return out + b".\r\n"


def naive_unstuffed(wire: bytes) -> tuple[bytes, bytes] | None:
    """The text line by line, where a line ends in CRLF only; None when it has not ended."""
    text = b""
    while b"\r\n" in wire:
        line, _, wire = wire.partition(b"\r\n")
        if line == b".":
            return text, wire
        text += line.removeprefix(b".") + b"\r\n"
    return None


@given(TEXT, st.sampled_from([b"", b".", b"..", b"end"]), CUTS)
def test_stuffing_does_not_depend_on_the_cut(text: bytes, last: bytes, cuts: list[int]) -> None:
    """A message goes out the same, whatever the pieces it is read in."""
    assert stuffed(cut(text + last, cuts)) == naive_stuffed(text + last)


@given(WIRE, CUTS)
def test_unstuffing_does_not_depend_on_the_cut(wire: bytes, cuts: list[int]) -> None:
    """A text that comes in ends at the same octet and holds the same, whatever the pieces."""
    text, rest, _ = unstuffed(cut(wire, cuts))
    expected = naive_unstuffed(wire)
    if expected is None:
        assert rest is None
    else:
        assert (text, rest) == expected


@given(WIRE, CUTS)
def test_faults_do_not_depend_on_the_cut(wire: bytes, cuts: list[int]) -> None:
    """Whether a text is refused does not depend on the pieces either."""
    text, rest, fault = unstuffed(cut(wire, cuts), limit=12)
    if rest is None:
        return
    lines = text.split(b"\r\n")
    stray = any(octet in line for line in lines for octet in (b"\r", b"\n", b"\0"))
    overlong = any(len(line) + 2 > 12 for line in lines)
    assert (fault is not None) == (stray or overlong)


@given(TEXT, CUTS, CUTS)
def test_a_message_survives_the_way_there_and_back(text: bytes, out: list[int], back: list[int]) -> None:
    """What one side stuffs the other side reads back, with nothing left over."""
    assert unstuffed(cut(stuffed(cut(text, out)), back)) == (text, b"", None)


EDGES = [*range(16_370, 16_401), *range(32_768 - 20, 32_768 + 21)]


@pytest.mark.parametrize("edge", EDGES)
def test_every_way_to_place_a_dot_line_at_a_buffer_edge(edge: int) -> None:
    """Dots, CRLF and the terminator on both sides of the usual buffer sizes stay exact, out and in."""
    filler = (b"x" * 76 + b"\r\n") * 500
    for ending in (b"\r\n", b"a\r\n", b"\r\n.", b"\r\n.."):
        text = filler[: edge - len(ending) - 3].rpartition(b"\r\n")[0]
        text += b"y" * (edge - len(ending) - len(text)) + ending + b".\r\n..b\r\nlast\r\n"
        for at in (edge - 2, edge - 1, edge, edge + 1, edge + 2):
            wire = stuffed([text[:at], text[at:]])
            assert wire == naive_stuffed(text)
            assert unstuffed([wire[:at], wire[at:]], limit=40_000) == (text, b"", None)


@pytest.mark.parametrize("edge", EDGES)
def test_terminator_at_a_buffer_edge(edge: int) -> None:
    """The end is found, and the next command kept, wherever a chunk ends inside CRLF.CRLF."""
    text = (b"x" * 76 + b"\r\n") * 500
    text = text[: edge - 2].rpartition(b"\r\n")[0]
    text += b"y" * (edge - 2 - len(text)) + b"\r\n"
    wire = text + b".\r\nQUIT\r\n"
    for at in range(edge - 3, edge + 5):
        assert unstuffed([wire[:at], wire[at:]]) == (text, b"QUIT\r\n", None)


FORMS = [
    *(b"\n.\n", b"\r.\r", b"\r.\n", b"\n.\r", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r"),
    *(b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\n\n.\r\n", b"\r\r\n.\n", b"\r\n.\r\r\n"),
]


@pytest.mark.parametrize("form", FORMS)
def test_no_other_end_of_data(form: bytes) -> None:
    """A smuggled end of data is never one: the text goes on to its real end and is refused."""
    wire = b"one" + form + b"MAIL FROM:<x@y>\r\n"
    assert unstuffed([bytes([octet]) for octet in wire])[1] is None
    for chunks in ([wire + b".\r\nNOOP\r\n"], [bytes([octet]) for octet in wire + b".\r\nNOOP\r\n"]):
        _, rest, fault = unstuffed(chunks)
        assert rest == b"NOOP\r\n"
        assert fault in {TextFault.BARE_CR, TextFault.BARE_LF, TextFault.NUL}


@pytest.mark.parametrize(
    ("text", "fault"),
    [(b"a\nb", TextFault.BARE_LF), (b"a\rb", TextFault.BARE_CR), (b"a\0b", TextFault.NUL), (b"a\r\nb", None)],
)
def test_what_is_wrong_is_named(text: bytes, fault: TextFault | None) -> None:
    """The reply can say which octet was wrong."""
    assert unstuffed([text + b"\r\n.\r\n"]) == (text + b"\r\n", b"", fault)


@pytest.mark.parametrize(("octets", "fault"), [(998, None), (999, TextFault.LINE_TOO_LONG)])
def test_text_line_limit_counts_crlf_but_not_the_doubled_dot(octets: int, fault: TextFault | None) -> None:
    """998 characters and CRLF are allowed, one more is not, in one piece or octet by octet."""
    wire = b"short\r\n." + b"." * octets + b"\r\n.\r\n"
    assert unstuffed([wire])[2] is fault
    assert unstuffed([bytes([octet]) for octet in wire])[2] is fault


def test_a_very_long_line_is_flagged_while_reading_goes_on() -> None:
    """17,000 octets without CRLF do not bring back command mode: the text ends where it ends."""
    wire = b"x" * 17_000 + b"\r\nRSET\r\n.\r\nNOOP\r\n"
    text, rest, fault = unstuffed([wire[at : at + 512] for at in range(0, len(wire), 512)])
    assert (text, rest, fault) == (b"x" * 17_000 + b"\r\nRSET\r\n", b"NOOP\r\n", TextFault.LINE_TOO_LONG)


def test_empty_messages() -> None:
    """No text at all is only the terminator, both ways."""
    assert stuffed([]) == b".\r\n"
    assert unstuffed([b".\r\nQUIT\r\n"]) == (b"", b"QUIT\r\n", None)
