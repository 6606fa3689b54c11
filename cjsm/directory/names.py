"""Distinguished names: text to a form that compares, and back (RFC 4514)."""

import re
from functools import lru_cache

from cjsm.directory.folding import fold

_ESCAPED = ',+"\\<>;='
_HEX = re.compile(r"[0-9A-Fa-f]{2}")
_TYPE = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)*)\Z")

#: Names in which a comma always separates: nearly all.
_PLAIN = re.compile(r'[^\\"<>;#+\0]*\Z')

_LONGEST = 4096
_DEEPEST = 64

#: One relative name: (attribute type in lower case, folded value) pairs, sorted.
RelativeName = tuple[tuple[str, str], ...]
#: A name: its relative names, the entry's own first.
Name = tuple[RelativeName, ...]

_ALIASES = {
    "0.9.2342.19200300.100.1.25": "dc",
    "domaincomponent": "dc",
    "2.5.4.10": "o",
    "organizationname": "o",
    "2.5.4.11": "ou",
    "organizationalunitname": "ou",
    "2.5.4.3": "cn",
    "commonname": "cn",
    "0.9.2342.19200300.100.1.1": "uid",
    "userid": "uid",
}


class BadName(ValueError):
    """Not a distinguished name."""


def parse(text: str) -> Name:
    """Return *text* in comparable form; the empty name is ``()``.

    :raises BadName: when it is not a distinguished name, or is longer or deeper than any here.
    """
    if len(text) > _LONGEST:
        raise BadName("name too long")
    if not text.strip(" "):
        return ()
    found = _plainly(text) if _PLAIN.match(text) else _with_escapes(text)
    if len(found) > _DEEPEST:
        raise BadName("name too deep")
    return found


@lru_cache(1024)
def _plainly(text: str) -> Name:
    found: list[RelativeName] = []
    for part in text.split(","):
        kind, equals, value = part.partition("=")
        if not equals:
            raise BadName("attribute type expected")
        found.append(((_kind(kind), _folded(value)),))
    return tuple(found)


def _folded(value: str) -> str:
    folded = fold(value)
    if not folded:
        raise BadName("value expected")
    return folded


def _kind(text: str) -> str:
    kind = text.strip(" ")
    if not _TYPE.match(kind):
        raise BadName("attribute type expected")
    plain = kind.lower()
    return _ALIASES.get(plain, plain)


def _with_escapes(text: str) -> Name:
    found: list[RelativeName] = []
    pairs: list[tuple[str, str]] = []
    at = 0
    while True:
        pair, at = _pair(text, at)
        pairs.append(pair)
        ended = at == len(text)
        if ended or text[at] != "+":
            found.append(tuple(sorted(pairs)))
            pairs = []
        if ended:
            return tuple(found)
        at += 1


def _pair(text: str, at: int) -> tuple[tuple[str, str], int]:
    kind, equals, _ = text[at : at + 256].partition("=")
    if not equals:
        raise BadName("attribute type expected")
    value, following = _value(text, at + len(kind) + 1)
    return (_kind(kind), _folded(value)), following


def _value(text: str, at: int) -> tuple[str, int]:
    octets = bytearray()
    kept = 0
    while at < len(text) and text[at] == " ":
        at += 1
    if text[at : at + 1] == "#":
        raise BadName("values in hexadecimal are not used here")
    while at < len(text) and text[at] not in ",;+":
        if text[at] in '"<>\0':
            raise BadName("character must be escaped")
        if text[at] == "\\":
            escaped, at = _escape(text, at + 1)
            octets += escaped
            kept = len(octets)
            continue
        octets += text[at].encode("utf-8", "surrogatepass")
        if text[at] != " ":
            kept = len(octets)
        at += 1
    try:
        return octets[:kept].decode("utf-8"), at
    except UnicodeDecodeError:
        raise BadName("value is not UTF-8") from None


def _escape(text: str, at: int) -> tuple[bytes, int]:
    following = text[at : at + 2]
    if _HEX.fullmatch(following):
        return bytes.fromhex(following), at + 2
    if following and following[0] in _ESCAPED + " #":
        return following[0].encode(), at + 1
    raise BadName("unknown escape")


def relative(kind: str, value: str) -> str:
    """Return one relative name as text, *value* escaped."""
    escaped = re.sub(r'([,+"\\<>;=])', r"\\\1", value).replace("\0", "\\00")
    if escaped.startswith((" ", "#")):
        escaped = "\\" + escaped
    if escaped.endswith(" ") and not escaped.endswith("\\ "):
        escaped = escaped[:-1] + "\\ "
    return f"{kind}={escaped}"


def of_suffix(suffix: str) -> str:
    """Return the name of a community's own tree: ``dc=cjsm,dc=test`` for ``cjsm.test``."""
    return ",".join(relative("dc", label) for label in suffix.split("."))
