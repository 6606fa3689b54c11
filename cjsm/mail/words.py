"""Field values as people read them: encoded words decoded (RFC 2047), shortened, never failing."""

import binascii
import re

#: Characters of a text in a summary.
SHOWN = 256

_WORD = re.compile(r"=\?([A-Za-z0-9_-]{1,24})(?:\*[A-Za-z0-9-]{1,16})?\?([BbQq])\?([^?\s]{0,1024})\?=")
#: White space between encoded words only folds them (RFC 2047 §6.2).
_BETWEEN = re.compile(r"(\?=)\s+(?==\?)")
#: Character sets of mail. Python knows more codecs, some of which are no character sets at all.
_CHARSET = re.compile(
    r"utf-?8|us-ascii|ascii|iso-8859-\d{1,2}|(?:windows-|cp)125\d|koi8-[ru]|gb2312|gbk|gb18030|big5"
    r"|shift_jis|euc-(?:jp|kr)|iso-2022-jp",
    re.IGNORECASE,
)


def shown(value: str) -> str:
    """Return at most :data:`SHOWN` printable characters of *value*, encoded words decoded."""
    short = value[: 4 * SHOWN]
    if "=?" in short:
        short = _WORD.sub(_decoded, _BETWEEN.sub(r"\1", short))
    short = short[:SHOWN]
    return short if short.isprintable() else "".join(each if each.isprintable() else " " for each in short)


def _decoded(word: re.Match[str]) -> str:
    charset, encoding, text = word.groups()
    if not _CHARSET.fullmatch(charset):
        return word[0]
    try:
        octets = text.encode("ascii")
        plain = binascii.a2b_base64(octets) if encoding in "Bb" else binascii.a2b_qp(octets, header=True)
        return plain.decode(charset, "replace")
    except (ValueError, LookupError):
        return word[0]
