"""Places that messages are written to: what is written is read again, octet for octet, with its unique-id."""

import os
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjsm.mail.folders.errors import FolderError
from cjsm.mail.folders.files import Caller
from cjsm.mail.folders.opening import open_source
from cjsm.mail.folders.writing import Going, open_place
from cjsm.mail.importing import canonical
from tests.mail.folders.support import LIMITS, as_another, contents, descriptors

FORMS = ("mbox", "maildir", "eml")
ENDS = b"\r\n"
LINE = st.sampled_from(
    [b"", b"From jo 09:30", b">From me 1:23", b"X-UIDL: theirs", b"Content-Length: 3", b"Subject: a", b".", b"\xff\0"]
)
MESSAGE = st.lists(LINE, max_size=8).map(lambda lines: b"".join(line + ENDS for line in lines))
UNIQUE_ID = st.from_regex(r"[!-~]{1,70}", fullmatch=True)


def put(path: Path, form: str, messages: list[tuple[str, bytes]], size: int = 3, within: Caller = nullcontext) -> int:
    """Write messages; return how many were not there."""
    place = open_place(path, form, within)
    written = 0
    try:
        for number, (unique_id, content) in enumerate(messages):
            going = Going(unique_id=unique_id, accepted=1_000 + number)
            if place.has(going):
                continue
            written += 1
            place.begin(going)
            for at in range(0, len(content), size):
                place.write(content[at : at + size])
            place.end()
        place.finish()
    finally:
        place.close()
    return written


@settings(max_examples=60)
@given(
    messages=st.lists(st.tuples(UNIQUE_ID, MESSAGE), max_size=4, unique_by=lambda each: each[0]),
    form=st.sampled_from(FORMS),
)
def test_there_and_back(tmp_path_factory: pytest.TempPathFactory, messages: list[tuple[str, bytes]], form: str) -> None:
    """Whatever is in them."""
    path = tmp_path_factory.mktemp("place") / "it"
    assert put(path, form, messages) == len(messages)
    read = "mboxrd" if form == "mbox" else form
    assert [(unique_id, b"".join(canonical([content]))) for unique_id, content in contents(path, read)] == messages


@pytest.mark.parametrize("form", FORMS)
def test_only_the_owner_reads(tmp_path: Path, form: str) -> None:
    """Whatever the umask says."""
    before = os.umask(0)
    try:
        put(tmp_path / "it", form, [("a", b"x\r\n")])
    finally:
        os.umask(before)
    for path in tmp_path.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("form", FORMS)
def test_as_whoever_calls(tmp_path: Path, form: str) -> None:
    """Everything is made, written and read as the caller, whoever the data belongs to."""
    tmp_path.chmod(0o700)
    with as_another() as within:
        assert put(tmp_path / "it", form, [("a", b"x\r\n")], within=within) == 1
        source = open_source(tmp_path / "it", "auto", LIMITS, within)
        assert [b"".join(source.read(each)).strip() for each in source.found] == [b"x"]
        source.close()
    assert {path.stat().st_uid for path in tmp_path.rglob("*")} == {os.geteuid()}


@pytest.mark.parametrize("form", ["maildir", "eml"])
def test_written_again(tmp_path: Path, form: str) -> None:
    """What is there is not written again; the list says all."""
    messages = [("a", b"x\r\n"), ("b/../c", b"y\r\n")]
    assert put(tmp_path / "it", form, messages[:1]) == 1
    assert put(tmp_path / "it", form, messages) == 1
    assert [unique_id for unique_id, _ in contents(tmp_path / "it")] == ["a", "b/../c"]


def test_an_mbox_is_whole_or_not_there(tmp_path: Path) -> None:
    """Nor does it take the place of another file."""
    before = descriptors()
    place = open_place(tmp_path / "it", "mbox", nullcontext)
    place.begin(Going(unique_id="a", accepted=1))
    place.write(b"x\r\n")
    place.close()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "it").write_text("mine")
    with pytest.raises(FolderError):
        open_place(tmp_path / "it", "mbox", nullcontext)
    assert (tmp_path / "it").read_text() == "mine"
    assert descriptors() == before


@pytest.mark.parametrize("form", FORMS)
def test_half_a_message(tmp_path: Path, form: str) -> None:
    """Is nowhere that mail is looked for, also after a crash; the next run takes its place."""
    place = open_place(tmp_path / "it", form, nullcontext)
    place.begin(Going(unique_id="a", accepted=1_000))
    place.write(b"half")
    crashed = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.suffix == ".part" or path.parent.name == "tmp" for path in crashed)
    assert put(tmp_path / "it", form, [("a", b"whole\r\n")]) == 1
    assert [content.strip() for _, content in contents(tmp_path / "it")] == [b"whole"]
    place.close()


@pytest.mark.parametrize("form", FORMS)
def test_nowhere(tmp_path: Path, form: str) -> None:
    """A place that cannot be made."""
    with pytest.raises(FolderError):
        open_place(tmp_path / "no" / "such" / "it", form, nullcontext)
