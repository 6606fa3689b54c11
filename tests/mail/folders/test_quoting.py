"""Lines that begin with From, in and out of an mbox."""

from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.folders.quoting import Quoting

TEXT = st.lists(st.sampled_from([b">", b"From ", b"F", b"rom ", b"\n", b"x", b" "]), max_size=40).map(b"".join)


def through(quoting: Quoting, octets: bytes, sizes: list[int]) -> bytes:
    """Put octets through in pieces."""
    out, at = b"", 0
    for size in sizes:
        out += quoting.write(octets[at : at + size])
        at += size
    return out + quoting.write(octets[at:]) + quoting.finish()


@given(TEXT, st.lists(st.integers(0, 7), max_size=30), st.lists(st.integers(0, 7), max_size=30))
def test_there_and_back(text: bytes, some: list[int], others: list[int]) -> None:
    """No line begins with From any more, and it comes back octet for octet, however it is cut."""
    quoted = through(Quoting(), text, some)
    assert not any(line.startswith(b"From ") for line in quoted.split(b"\n"))
    assert quoted == b"\n".join(
        b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in text.split(b"\n")
    )
    assert through(Quoting(take=True), quoted, others) == text


def test_many_quotes() -> None:
    """Are one more, and one fewer again; a line of nothing else is held back for no longer than it takes."""
    for count in (0, 1, 70_000, 1_000_000):
        text = b">" * count + b"From me\n"
        quoted = through(Quoting(), text, [])
        assert quoted == b">" + text
        assert through(Quoting(take=True), quoted, [65_536, 1, 1]) == text
    assert len(Quoting().write(b">" * 1_000_000)) == 999_999
