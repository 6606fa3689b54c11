"""The header section: read as it comes, refused where it is no header, kept byte for byte."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.configuration import MailSettings
from cjsm.mail.header import Header, HeaderReader
from cjsm.mail.interfaces import Refused

SECTION = b"From: jo@avon\r\nSubject: one\r\n two\r\nX-Any: \xff\r\nReceived: a\r\nReceived: b\r\n"


def read(octets: bytes, **limits: int) -> tuple[Header, bytes]:
    """Read what comes in one piece."""
    found = HeaderReader(MailSettings(**limits)).feed(octets)
    assert found is not None
    return found


def test_fields() -> None:
    """By name without regard to case, unfolded for reading, whole for passing on."""
    header, body = read(SECTION + b"\r\nbody")
    assert body == b"body"
    assert [field.name for field in header.fields] == [b"from", b"subject", b"x-any", b"received", b"received"]
    assert header.first(b"subject") == "one two"
    assert header.first(b"x-any") == "\N{REPLACEMENT CHARACTER}"
    assert header.first(b"date") == ""
    assert header.has(b"received")
    assert [field.title for field in header.all(b"received", b"x-any")] == ["X-Any", "Received", "Received"]


@given(st.lists(st.integers(1, 60)))
def test_any_chunking(cuts: list[int]) -> None:
    """However it comes, the same is found."""
    whole = SECTION + b"\r\nbody with \r\n\r\n more"
    reader, at, rest = HeaderReader(MailSettings()), 0, b""
    found = None
    for cut in [*cuts, len(whole)]:
        piece = whole[at : at + cut]
        at += cut
        if found is None:
            found = reader.feed(piece)
        else:
            rest += piece
    assert found is not None
    assert found[0] == read(whole)[0]
    assert found[1] + rest == b"body with \r\n\r\n more"


def test_edited() -> None:
    """Fields are put in front and at the end, others left out; what stays is byte for byte what it was."""
    header, _ = read(b"BCC: secret\r\n" + SECTION + b"\r\n")
    made = header.octets(before=b"Received: by us\r\n", without=frozenset((b"bcc",)), after=b"Date: now\r\n")
    assert made == b"Received: by us\r\n" + SECTION + b"Date: now\r\n\r\n"


@pytest.mark.parametrize(
    ("section", "code", "status"),
    [
        (b"\r\nbody", 550, "5.7.1"),
        (b"Subject: x\r\n\r\n", 550, "5.7.1"),
        (b"From: a@b\r\nFROM: c@d\r\n\r\n", 550, "5.7.1"),
        (b"From: a@b\r\nno field\r\n\r\n", 550, "5.6.0"),
        (b"From : a@b\r\n\r\n", 550, "5.6.0"),
        (b" folded first\r\nFrom: a@b\r\n\r\n", 550, "5.6.0"),
        (b"From: a@b\r\n \r\nSubject: x\r\n\r\n", 550, "5.6.0"),
        (b"From: a@b\r\nSub ject: x\r\n\r\n", 550, "5.6.0"),
        (b"From: a@b\r\nX: \0\r\n\r\n", 550, "5.6.0"),
        (b"From: a@b\r\nX: a\rb\r\n\r\n", 550, "5.6.0"),
        (b"From: a@b\r\nSubject: a\r\nsubject: b\r\n\r\n", 550, "5.6.0"),
        (b"From: a@b\r\nReply-To: a@b\r\nReply-To: c@d\r\n\r\n", 550, "5.6.0"),
        (b"From: a@b\r\n" + b"Received: x\r\n" * 51 + b"\r\n", 554, "5.4.6"),
        (b"From: a@b\r\n" + b"X: y\r\n" * 1_000 + b"\r\n", 552, "5.3.4"),
        (b"From: a@b\r\n" + b"X: " + b"y" * 102_400 + b"\r\n\r\n", 552, "5.3.4"),
    ],
)
def test_refused(section: bytes, code: int, status: str) -> None:
    """With a code and words."""
    with pytest.raises(Refused) as refused:
        read(section)
    assert (refused.value.code, refused.value.status) == (code, status)
    assert refused.value.text


def test_endless_header() -> None:
    """It is refused as soon as it is over its limit, not when it ends."""
    reader = HeaderReader(MailSettings(header_octets=1_000))
    line = b"X: " + b"y" * 95 + b"\r\n"
    for _ in range(10):
        assert reader.feed(line) is None
    with pytest.raises(Refused):
        reader.feed(line)


def test_without_a_body() -> None:
    """A message may end with its header."""
    reader = HeaderReader(MailSettings())
    assert reader.feed(b"From: a@b\r\n") is None
    assert reader.finish().first(b"from") == "a@b"
    with pytest.raises(Refused):
        HeaderReader(MailSettings()).finish()


@given(st.binary(max_size=200))
def test_anything(octets: bytes) -> None:
    """Any octets are a header, or refused."""
    with suppress(Refused):
        found = HeaderReader(MailSettings()).feed(octets)
        if found is not None:
            header, body = found
            assert header.octets(before=b"", without=frozenset(), after=b"") + body == octets
