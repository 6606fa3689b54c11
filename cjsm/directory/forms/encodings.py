"""How the characters of a file are meant: by its mark (BOM), else UTF-8, else Windows-1252; and it is said which."""

import codecs
from collections.abc import Mapping

from cjsm.directory.forms.rows import FormError

#: By the mark that a file begins with.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8, by its mark"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16, by its mark"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16, by its mark"),
)
#: What whoever knows better can say.
NAMES: Mapping[str, str] = {"utf-8": "UTF-8", "windows-1252": "Windows-1252", "iso-8859-15": "ISO 8859-15"}


def decoded(octets: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Return the text of a file, and in words how it was read.

    :param encoding: one of :data:`NAMES`, where it is known; a mark says more.
    :raises FormError: when it cannot be read so; naming the line.
    """
    for mark, known, told in _MARKS:
        if octets.startswith(mark):
            return _strictly(octets[len(mark) :], known, told), told
    if encoding is not None:
        return _strictly(octets, encoding, NAMES[encoding]), f"{NAMES[encoding]}, as you said"
    try:
        return octets.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError:
        told = "Windows-1252, since it is not UTF-8"
        return _strictly(octets, "windows-1252", told), told


def _strictly(octets: bytes, encoding: str, told: str) -> str:
    try:
        return octets.decode(encoding)
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise FormError(
            f"line {line} cannot be read as {told}", "save the file as UTF-8, or say what it is with --encoding"
        ) from None
