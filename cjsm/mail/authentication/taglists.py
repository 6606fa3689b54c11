"""Lists of tags (RFC 6376 §3.2), as in signatures, key records and DMARC records."""

import re

_FOLDING = re.compile(r"[ \t\r\n]+")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
#: Beyond ASCII: RFC 8616. What a value may hold, whoever reads it checks.
_VALUE = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f;]*")
_MOST = 64


class BadTags(ValueError):
    """Not a list of tags."""


def tags(text: str) -> dict[str, str]:
    """Return values by name, in order; white space around names and values is no part of them.

    :raises BadTags: when it is no list of tags, one occurs twice or there are too many.
    """
    found: dict[str, str] = {}
    parts = text.split(";", _MOST)
    if not parts[-1].strip(" \t\r\n"):
        parts.pop()
    if not parts or len(parts) > _MOST:
        raise BadTags("no tags, or too many")
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip(" \t\r\n")
        if not equals or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or name in found:
            raise BadTags("a tag is malformed or occurs twice")
        found[name] = value.strip(" \t\r\n")
    return found


def packed(value: str) -> str:
    """Return *value* without any white space, as base64 and lists with colons are read."""
    return _FOLDING.sub("", value)
