"""How characters are meant."""

import pytest

from cjsm.directory.forms.encodings import decoded
from cjsm.directory.forms.rows import FormError


@pytest.mark.parametrize(
    ("octets", "text", "told"),
    [
        ("Siân".encode(), "Siân", "UTF-8"),
        ("Siân".encode("utf-8-sig"), "Siân", "UTF-8, by its mark"),
        ("Siân".encode("utf-16"), "Siân", "UTF-16, by its mark"),
        (b"\xfe\xff" + "Siân".encode("utf-16-be"), "Siân", "UTF-16, by its mark"),
        (b"Si\xe2n \x80", "Siân €", "Windows-1252, since it is not UTF-8"),
        (b"", "", "UTF-8"),
    ],
)
def test_told(octets: bytes, text: str, told: str) -> None:
    """By the mark, else UTF-8, else Windows-1252."""
    assert decoded(octets) == (text, told)


def test_as_said() -> None:
    """Whoever knows better says so; a mark knows better still."""
    assert decoded(b"\xa4", "iso-8859-15") == ("€", "ISO 8859-15, as you said")
    assert decoded("é".encode("utf-8-sig"), "windows-1252")[0] == "é"


@pytest.mark.parametrize(
    ("octets", "encoding", "line"),
    [(b"a\nb\n\x81", None, 3), (b"\xe2", "utf-8", 1), (b"\xef\xbb\xbfa\n\xff", None, 2), (b"\xff\xfea", None, 1)],
)
def test_cannot_be_read(octets: bytes, encoding: str | None, line: int) -> None:
    """Named by its line, with the cure."""
    with pytest.raises(FormError, match=f"line {line} cannot be read as") as caught:
        decoded(octets, encoding)
    assert "--encoding" in caught.value.cure
