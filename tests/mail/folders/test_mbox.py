"""An mbox as a source: every variant, and what a hostile one would like."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjsm.mail.folders.errors import FolderError
from tests.mail.folders.support import LIMITS, contents, descriptors, opened

FROM = b"From jo@firm.example Sat Jan 31 09:30:00 2026\n"


def made(directory: Path, octets: bytes) -> Path:
    path = directory / "mbox"
    path.write_bytes(octets)
    return path


def test_mboxrd(tmp_path: Path) -> None:
    """Quotes go, one of each; a From in the middle of text is text."""
    path = made(
        tmp_path,
        FROM + b"Subject: one\n\n>From here\n>>From there\n > From\n\n"
        b"From now on nobody quotes\n\n" + FROM + b"Subject: two\n\nlast\n\n",
    )
    one = b"Subject: one\n\nFrom here\n>From there\n > From\n\nFrom now on nobody quotes\n"
    assert contents(path) == [("", one), ("", b"Subject: two\n\nlast\n")]
    assert contents(path, "mboxo")[0][1] == one.replace(b"\nFrom here\n>", b"\n>From here\n>>"), "nothing undoes mboxo"


def test_crlf(tmp_path: Path) -> None:
    """Files from elsewhere have other ends of lines."""
    path = made(tmp_path, (FROM + b"Subject: one\n\n>From x\n\n" + FROM + b"S: two\n\n\n").replace(b"\n", b"\r\n"))
    assert contents(path) == [("", b"Subject: one\r\n\r\nFrom x\r\n"), ("", b"S: two\r\n\r\n")]


def test_mboxcl2(tmp_path: Path) -> None:
    """Lengths that are right say where messages end, and nothing is quoted then; one that is wrong voids all."""
    text = b"text\n\n" + FROM + b">From quoted by its writer\n"
    first = FROM + b"Subject: one\nContent-Length: %d\n\n" % len(text) + text + b"\n"
    second = FROM + b"content-length: 5\n\nlast\n"
    path = made(tmp_path, first + second)
    source = opened(path)
    assert source.form == "mboxcl2"
    assert [b"".join(source.read(each)).split(b"\n\n", 1)[1] for each in source.found] == [text, b"last\n"]
    source.close()
    path = made(tmp_path, first + second.replace(b": 5", b": 6"))
    source = opened(path)
    assert (source.form, len(source.found), source.notes) == ("mboxrd", 3, [])
    source.close()
    source = opened(path, "mboxcl2")
    assert "Content-Length" in source.notes[0]
    source.close()


@pytest.mark.parametrize("length", [b"-1", b"99999999999999999999999", b"1", b"x", b"", b"0", b"100000"])
def test_wrong_lengths(tmp_path: Path, length: bytes) -> None:
    """Neither lose nor join messages."""
    path = made(tmp_path, FROM + b"Content-Length: " + length + b"\n\na\n\n" + FROM + b"Subject: two\n\nb\n\n")
    assert [content[-2:] for _, content in contents(path)] == [b"a\n", b"b\n"]


def test_unique_ids(tmp_path: Path) -> None:
    """The mbox's own field goes; what stands in the header stays in it; a UID makes one where UIDVALIDITY is known."""
    path = made(
        tmp_path,
        FROM + b"X-UIDL: mine\nX-UIDL: theirs\nSubject: one\n\na\n\n"
        + FROM + b"Subject: two\nX-UIDL:  two-two \n\nX-UIDL: text\n\n"
        + FROM + b"Subject: three\n\nc\n\n",
    )  # fmt: skip
    found = contents(path)
    assert [unique_id for unique_id, _ in found] == ["mine", "two-two", ""]
    assert found[0][1].startswith(b"X-UIDL: theirs\n")
    assert b"two-two" in found[1][1]
    path = made(
        tmp_path,
        FROM + b"X-IMAPbase: 1138183450 0000000009\nX-UID: 3\nX-UIDL: forged\n\na\n\n" + FROM + b"X-UID: 8\n\nb\n\n",
    )
    assert [unique_id for unique_id, _ in contents(path)] == ["0000000343d74d1a", "0000000843d74d1a"]
    assert [unique_id for unique_id, _ in contents(path, uidl_format="%v.%u")] == ["1138183450.3", "1138183450.8"]


def test_empty(tmp_path: Path) -> None:
    """Nothing in it is nothing found; a message of nothing is one."""
    assert contents(made(tmp_path, b"")) == []
    assert contents(made(tmp_path, FROM + b"\n" + FROM + b"X-UIDL: a\n\n")) == [("", b""), ("a", b"")]
    assert contents(made(tmp_path, FROM + b"\n\n" + FROM + b"S: a\n")) == [("", b"\n"), ("", b"S: a\n")]


def test_not_one(tmp_path: Path) -> None:
    """Something else is refused, and nothing stays open."""
    before = descriptors()
    for octets in (b"Subject: a\n\nb\n", b"\0" * 100_000, b"x" * 200_000):
        with pytest.raises(FolderError) as refused:
            opened(made(tmp_path, octets), "mbox")
        assert "--format" in refused.value.cure
    assert descriptors() == before


def test_long_lines(tmp_path: Path) -> None:
    """A line of megabytes is a line."""
    text = b"x" * 3_000_000 + b"From a 1:23\n"
    path = made(tmp_path, FROM + b"Subject: one\n\n" + text + b"\n" + FROM + b"S: b\n\nb\n\n")
    assert [content[-30:] for _, content in contents(path)] == [text[-30:], b"S: b\n\nb\n"]


def test_too_many(tmp_path: Path) -> None:
    """Over the limit is an error that names it."""
    path = made(tmp_path, (FROM + b"S: a\n\nb\n\n") * 3)
    with pytest.raises(FolderError) as refused:
        opened(path, limits=msgspec.structs.replace(LIMITS, messages=2))
    assert "imports.messages" in refused.value.cure


PIECES = [
    FROM,
    b"From ",
    b"\n",
    b"\r\n",
    b"Content-Length: 3\n",
    b"Content-Length: 0\n",
    b"X-UIDL: a\n",
    b"abc",
    b">",
    b" ",
]


@settings(max_examples=200)
@given(octets=st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join))
def test_anything(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    """Is read in order or refused; messages never share an octet."""
    directory = tmp_path_factory.mktemp("mbox")
    for form in ("mbox", "mboxrd", "mboxo", "mboxcl2"):
        try:
            found = contents(made(directory, FROM + octets), form)
        except FolderError:
            continue
        assert sum(len(content) for _, content in found) <= len(octets)
        assert found
