"""Whole messages for programs that do not say UTF8, however they come."""

from email import message_from_bytes, policy
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cjsm.pop3.surrogate import Surrogate

PLAIN = (
    b'From: a@b\r\nContent-Type: multipart/mixed; boundary="x y"\r\n\r\n'
    b"--x y\r\n\r\n\xc3\xa9 body\r\n--x y\r\nContent-Type: text/plain\r\n\r\n--x\r\n--x y--\r\n\xc3\xa9\r\n"
)
NESTED = (
    'Subject: é\r\nContent-Type: multipart/mixed; boundary="one"\r\n\r\npréamble\r\n--one\r\n'
    'Content-Disposition: attachment; filename="é.txt"\r\n\r\nSubject: é in a body\r\n--one  \r\n'
    "Content-Type: message/global\r\n\r\n"
    'Subject: tŷ\r\nContent-Type: multipart/alternative;\r\n boundary="two"\r\n\r\n--two\r\nX-Ŵ: é\r\n'
    "Content-Description: ŵ\r\n\r\nŵ\r\n--two--\r\n--one--\r\n"
).encode()


def told(message: bytes, cuts: list[int]) -> tuple[bytes, bool]:
    surrogate = Surrogate()
    edges = sorted({0, len(message), *(at % (len(message) + 1) for at in cuts)})
    parts = [surrogate.take(message[a:b]) for a, b in pairwise(edges)]
    return b"".join(parts) + surrogate.finish(), surrogate.changed


CUTS = st.lists(st.integers(0, 2_000), max_size=20)


@given(CUTS)
def test_what_needs_nothing_passes(cuts: list[int]) -> None:
    """Bodies are not looked at, whatever stands in them; nothing is told of a change."""
    assert told(PLAIN, cuts) == (PLAIN, False)


@given(CUTS)
def test_every_header_section(cuts: list[int]) -> None:
    """Of parts, of messages inside, and of their parts; bodies stay."""
    found, changed = told(NESTED, cuts)
    assert changed
    assert found == told(NESTED, [])[0]
    message = message_from_bytes(found, policy=policy.default)
    assert message["Subject"] == "é"
    attached, inner = message.iter_parts()
    assert attached.get_filename() == "é.txt"
    assert attached.get_payload(decode=True) == "Subject: é in a body".encode()
    (within,) = inner.get_payload()
    assert within["Subject"] == "tŷ"
    (leaf,) = within.iter_parts()
    assert leaf["Content-Description"] == "ŵ"
    assert [line for line in found.split(b"\r\n") if not line.isascii()] == [
        each.encode() for each in ("préamble", "Subject: é in a body", "ŵ")
    ]


@given(
    st.lists(st.sampled_from([b"\r\n", b"--b", b"-", b"\r", b"A: b", b"\xc3\xa9", b" ", b"x" * 600]), max_size=30), CUTS
)
def test_any_body(parts: list[bytes], cuts: list[int]) -> None:
    """However it is cut it is told the same, and nothing of it is lost but what is rewritten."""
    message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"".join(parts)
    found, changed = told(message, cuts)
    assert (found, changed) == told(message, [])
    assert changed or found == message


def test_a_header_alone_and_an_endless_one() -> None:
    """What has no body is rewritten too; a header that does not end is not waited for."""
    assert told("Subject: é\r\n".encode(), [])[0].isascii()
    endless = Surrogate()
    passed = sum(len(endless.take(b"A: b\r\n" * 1_000)) for _ in range(100))
    assert passed + 300_000 > 600_000


def test_a_large_attachment_is_not_held() -> None:
    """Octets of a body leave as they come."""
    surrogate = Surrogate()
    surrogate.take(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n")
    block = b"x" * 76 + b"\r\n"
    assert all(len(surrogate.take(block * 200)) >= len(block) * 200 - 80 for _ in range(50))
