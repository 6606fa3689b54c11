"""A Maildir as a source: order, unique-ids, and links that lead elsewhere."""

import os
from pathlib import Path

import msgspec
import pytest

from cjsm.mail.folders.errors import FolderError
from tests.mail.folders.support import LIMITS, contents, descriptors, maildir, opened

FILES = {
    "cur/100.b.host:2,S": b"b\n",
    "cur/99.a.host:2,": b"a\n",
    "new/101.c.host": b"c\n",
    "cur/98.z.host:2,T": b"z\n",
}


def test_without_a_list(tmp_path: Path) -> None:
    """Oldest first, as the names say; nothing has a unique-id."""
    path = maildir(tmp_path / "m", FILES)
    assert contents(path) == [("", b"z\n"), ("", b"a\n"), ("", b"b\n"), ("", b"c\n")]


def test_dovecot(tmp_path: Path) -> None:
    """In the list's order; what POP3 had an order of its own for is first, what the list does not know last."""
    path = maildir(tmp_path / "m", FILES)
    (path / "dovecot-uidlist").write_text("3 V1 N9 Gx\n5 :100.b.host\n7 :98.z.host:2,S\n8 O1 Pz-z :99.a.host\n")
    source = opened(path)
    assert source.listed_by == "dovecot-uidlist"
    source.close()
    assert contents(path) == [
        ("z-z", b"a\n"),
        ("0000000500000001", b"b\n"),
        ("0000000700000001", b"z\n"),
        ("", b"c\n"),
    ]
    assert contents(path, uidl_format="%v.%u")[1][0] == "1.5"


def test_courier(tmp_path: Path) -> None:
    """In the order of names, which is Courier's; its POP3 list goes before that of IMAP."""
    path = maildir(tmp_path / "m", FILES)
    (path / "courierimapuiddb").write_text("1 7 9\n2 100.b.host\n1 101.c.host\n")
    assert contents(path) == [("UID1-7", b"c\n"), ("UID2-7", b"b\n"), ("", b"z\n"), ("", b"a\n")]
    (path / "courierpop3dsizelist").write_text("/2 4 9\n100.b.host:2,S 3 3:9\n99.a.host 3 1:9\n")
    assert contents(path) == [("", b"z\n"), ("UID1-9", b"a\n"), ("UID3-9", b"b\n"), ("", b"c\n")]


def test_links_lead_nowhere(tmp_path: Path) -> None:
    """Neither a file, nor a directory, nor a list that is a link is read: it may be somebody else's secret."""
    secret = tmp_path / "secret"
    secret.write_text("3 V1 N9\n1 Psecret :99.a.host\n")
    path = maildir(tmp_path / "m", FILES)
    (path / "cur" / "97.link").symlink_to(secret)
    (path / "dovecot-uidlist").symlink_to(secret)
    os.mkfifo(path / "cur" / "96.pipe")
    (path / "cur" / "95.directory").mkdir()
    found = contents(path)
    assert [content for _, content in found] == [b"z\n", b"a\n", b"b\n", b"c\n"]
    assert {unique_id for unique_id, _ in found} == {""}
    source = opened(path)
    assert sorted(source.notes) == [f"cur/{name} is no file" for name in ("95.directory", "96.pipe", "97.link")]
    source.close()
    elsewhere = maildir(tmp_path / "other", FILES)
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "cur").symlink_to(elsewhere / "cur")
    assert contents(tmp_path / "n", "maildir") == []


def test_a_file_becomes_a_link(tmp_path: Path) -> None:
    """Also not after it was looked at."""
    path = maildir(tmp_path / "m", FILES)
    source = opened(path)
    (path / "cur" / "98.z.host:2,T").unlink()
    (path / "cur" / "98.z.host:2,T").symlink_to(tmp_path / "m" / "new" / "101.c.host")
    with pytest.raises(FolderError) as refused:
        list(source.read(source.found[0]))
    assert "not there any more" in str(refused.value)
    source.close()


def test_limits(tmp_path: Path) -> None:
    """Are named when they are reached, and nothing stays open."""
    path = maildir(tmp_path / "m", FILES)
    (path / "dovecot-uidlist").write_text("3 V1 N9 Gx\n5 :100.b.host\n")
    before = descriptors()
    for setting in ("messages", "list_octets"):
        with pytest.raises(FolderError) as refused:
            opened(path, limits=msgspec.structs.replace(LIMITS, **{setting: 3}))
        assert f"imports.{setting}" in refused.value.cure
    assert descriptors() == before


def test_names_of_any_octets(tmp_path: Path) -> None:
    """File names need not be text."""
    path = maildir(tmp_path / "m", {})
    Path(os.fsdecode(os.fsencode(path / "cur") + b"/1.\xff.h:2,")).write_bytes(b"x\n")
    (path / "dovecot-uidlist").write_bytes(b"3 V1 N9 Gx\n5 Pid :1.\xff.h\n")
    assert contents(path) == [("id", b"x\n")]
    (path / "cur" / "2.\x1b[2J").symlink_to("nowhere")
    source = opened(path)
    assert (source.found[0].name, source.notes) == ("cur/1.\\udcff.h:2,", ["cur/2.\\x1b[2J is no file"])
    source.close()
