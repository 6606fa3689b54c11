"""How Dovecot makes a POP3 unique-id (its setting ``pop3_uidl_format``), and with it many who came before it.

``%u`` UID, ``%v`` UIDVALIDITY, ``%f`` file name, ``%g`` GUID, each with modifiers: a width (``08``), ``X`` hexadecimal,
``M`` MD5, ``L`` and ``U`` small and capital letters. 2.4 writes the same as ``%{uid | hex(8)}``.
"""

import hashlib
import re
from collections.abc import Callable, Mapping

from msgspec import Struct

from cjsm.mail.folders.errors import FolderError

#: Dovecot's own, for as long as it has had one.
USUAL = "%08Xu%08Xv"

_PART = re.compile(
    r"%(?P<zeros>0?)(?P<width>\d{0,3})(?P<modifiers>[XMLU]*)(?P<letter>[uvfg])"
    r"|%\{ *(?P<name>uid|uidvalidity|filename|guid)(?P<filters>(?: *\| *[a-z0-9]+(?:\(\d{1,3}\))?)*) *\}"
    r"|(?P<escaped>%%)|(?P<text>[^%]+)"
)
_FILTER = re.compile(r"([a-z0-9]+)(?:\((\d{1,3})\))?")
_LETTERS = {"u": "uid", "v": "uidvalidity", "f": "filename", "g": "guid"}
_CURE = "give the server's own pop3_uidl_format, made of %u, %v, %f and %g, such as %08Xu%08Xv or %{uid | hex(8)}"

_Make = Callable[[Mapping[str, str]], str]


class UidlFormat(Struct, frozen=True):
    """A format that was understood."""

    parts: tuple[_Make, ...]

    def unique_id(self, uid: int, validity: int, filename: str, guid: str = "") -> str:
        """Return the unique-id of a message."""
        values = {"uid": str(uid), "uidvalidity": str(validity), "filename": filename, "guid": guid or filename}
        return "".join(part(values) for part in self.parts)


def parse(text: str) -> UidlFormat:
    """Return the format that *text* writes.

    :raises FolderError: for what is no such format, or gives every message the same unique-id.
    """
    parts: list[_Make] = []
    at, varies = 0, False
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            raise FolderError(f"{text[at:][:12]!r} is no part of a format for unique-ids", _CURE)
        parts.append(_part(match))
        varies |= (match["letter"] or "v") != "v" or (match["name"] or "uidvalidity") != "uidvalidity"
        at = match.end()
    if not varies:
        raise FolderError(f"{text!r} gives every message the same unique-id", _CURE)
    return UidlFormat(tuple(parts))


def _part(match: re.Match[str]) -> _Make:
    if match["letter"]:
        width = int(match["width"] or 0)
        return _variable(_LETTERS[match["letter"]], _modified(match["modifiers"], width, bool(match["zeros"])))
    if match["name"]:
        return _variable(match["name"], _filtered(match["filters"]))
    text = "%" if match["escaped"] else match["text"]
    return lambda values: text


def _variable(name: str, change: Callable[[str], str]) -> _Make:
    return lambda values: change(values[name])


def _modified(modifiers: str, width: int, zeros: bool) -> Callable[[str], str]:
    def change(value: str) -> str:
        for modifier in modifiers:
            value = _CHANGES[modifier](value)
        return value.rjust(width, "0") if zeros else value[:width] if width else value

    return change


def _filtered(filters: str) -> Callable[[str], str]:
    def change(value: str) -> str:
        for name, argument in _FILTER.findall(filters):
            if name not in _FILTERS:
                raise FolderError(f"the filter {name} in a format for unique-ids is not known", _CURE)
            value = _FILTERS[name](value)
            if argument:
                value = value.rjust(int(argument), "0")
        return value

    change("1")
    return change


def _hexadecimal(value: str) -> str:
    return f"{int(value):x}" if value.isdecimal() else value


def _md5(value: str) -> str:
    return hashlib.md5(value.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


_CHANGES: Mapping[str, Callable[[str], str]] = {"X": _hexadecimal, "M": _md5, "L": str.lower, "U": str.upper}
_FILTERS: Mapping[str, Callable[[str], str]] = {
    "hex": _hexadecimal,
    "md5": _md5,
    "lower": str.lower,
    "upper": str.upper,
}
