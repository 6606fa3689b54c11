"""Formats of POP3 unique-ids, as Dovecot writes them."""

import pytest

from cjsm.mail.folders import uidlformat
from cjsm.mail.folders.errors import FolderError


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("%08Xu%08Xv", "0000001a43d7c01a"),
        ("%08Xv%08Xu", "43d7c01a0000001a"),
        ("%{uid | hex(8)}%{uidvalidity | hex(8)}", "0000001a43d7c01a"),
        ("%{uid}-%{guid|md5}", "26-4297f44b13955235245b2497399d7a93"),
        ("%u", "26"),
        ("%v.%u", "1138212890.26"),
        ("UID%u-%v", "UID26-1138212890"),
        ("%f", "1138.M1.host"),
        ("%g", "123123"),
        ("%Mg", "4297f44b13955235245b2497399d7a93"),
        ("%%%Uf%5v", "%1138.M1.HOST11382"),
    ],
)
def test_made(text: str, made: str) -> None:
    """Each is what the server said."""
    given = uidlformat.parse(text).unique_id(26, 1_138_212_890, "1138.M1.host", "123123")
    assert given == made


def test_guid_is_the_file_name() -> None:
    """Where a message has no other."""
    assert uidlformat.parse("%g").unique_id(1, 1, "name") == "name"


@pytest.mark.parametrize("text", ["", "fixed", "%v", "%m", "%08Xq", "%{uid | sha512}", "%{size}", "%"])
def test_refused(text: str) -> None:
    """What is no format, or makes one unique-id of all, with what to do."""
    with pytest.raises(FolderError) as refused:
        uidlformat.parse(text)
    assert "pop3_uidl_format" in refused.value.cure
