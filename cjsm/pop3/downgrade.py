"""Header fields with UTF-8 as ASCII, for programs that do not say UTF8: after RFC 6857, and RFC 6858 for addresses.

What can be said in ASCII is (RFC 2047, RFC 2231). An address that has no ASCII form becomes one that nobody has, with
the real one in its name, so that it can be read and a thoughtless answer goes nowhere. Pure and total: any octets give
ASCII, in lines that end in CRLF.
"""

import re
from collections.abc import Iterable, Iterator
from email.header import Header

NOBODY = "<invalid@internationalized-address.invalid>"
"""Stands where an address cannot be written in ASCII (RFC 6858 §2.1)."""

_ADDRESSES = frozenset(
    (
        *("from", "sender", "reply-to", "to", "cc", "bcc", "return-path"),
        *("resent-from", "resent-sender", "resent-reply-to", "resent-to", "resent-cc", "resent-bcc"),
        *("mail-reply-to", "mail-followup-to", "disposition-notification-to", "return-receipt-to", "errors-to"),
    )
)
#: Fields that programs read: encoded words would be taken for what they say (RFC 6857 §3.1.10).
_KEPT_APART = frozenset(
    (
        *("message-id", "in-reply-to", "references", "resent-message-id", "content-id", "received"),
        *("original-recipient", "final-recipient", "delivered-to", "date", "dkim-signature"),
    )
)
_PARAMETERS = frozenset(("content-type", "content-disposition"))

_CRLF = "\r\n"
_FIELD = re.compile(rb"[^\n]*\n(?:[ \t][^\n]*\n)*|[^\n]+")
_FOLD = re.compile(r"[\r\n]+")
_TOKEN = re.compile(
    r'(?P<quoted>"(?:[^"\\]|\\.)*"?)|(?P<comment>\([^()]*\))|(?P<angle><[^>]*>?)|(?P<special>[,;:])'
    r'|(?P<space>\s+)|(?P<plain>[^\s"(<,;:]+|.)',
    re.DOTALL,
)
_PARAMETER = re.compile(r';\s*([^=;\s"]+?)\s*=\s*("(?:[^"\\]|\\.)*"|[^;"]*)', re.DOTALL)
#: Characters of a parameter's value in one piece, as RFC 2231 cuts them.
_PIECE = 16


def downgraded(header: bytes) -> bytes:
    """Return a header section, or lines of one, with every field in ASCII; what is ASCII stays as it is."""
    return b"".join(each if each.isascii() else _field(each) for each in _FIELD.findall(header))


def _field(octets: bytes) -> bytes:
    name, colon, value = _FOLD.sub("", _text(octets)).partition(":")
    if not colon or not re.fullmatch(r"[!-9;-~]+[ \t]*", name):
        # No field that anybody could read.
        return b""
    name = name.rstrip(" \t")
    told = _value(name, value.strip(" \t"))
    return f"{told}\r\n".encode("ascii", "replace")


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        # Not what RFC 6532 allows; older programs wrote such letters.
        return octets.decode("iso-8859-1")


def _value(name: str, value: str) -> str:
    kind = name.lower()
    if kind in _KEPT_APART:
        return _unstructured(f"Downgraded-{name}", value)
    if kind == "return-path":
        return f"{name}: {NOBODY}"
    if kind in _ADDRESSES:
        return f"{name}: {_addresses(value)}"
    if kind in _PARAMETERS:
        return f"{name}: {_with_parameters(value)}"
    return _unstructured(name, value)


def _unstructured(name: str, value: str) -> str:
    return f"{name}: {Header(_printable(value), 'utf-8', maxlinelen=75, header_name=name).encode(linesep=_CRLF)}"


def _encoded(text: str) -> str:
    """Return *text* in encoded words, folded."""
    return Header(_printable(text), "utf-8", maxlinelen=75).encode(linesep=_CRLF)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)


def _addresses(value: str) -> str:
    """Return an address list with each part that is not ASCII replaced, each mailbox on a line of its own."""
    return "".join(_mailboxes(_TOKEN.finditer(value)))


def _mailboxes(tokens: Iterable["re.Match[str]"]) -> Iterator[str]:
    parts: list[re.Match[str]] = []
    for token in tokens:
        if token.lastgroup == "special":
            yield _mailbox(parts) + token[0] + ("\r\n " if token[0] == "," else " ")
            parts = []
        else:
            parts.append(token)
    yield _mailbox(parts)


def _mailbox(parts: list["re.Match[str]"]) -> str:
    whole = "".join(part[0] for part in parts).strip()
    if whole.isascii():
        return whole
    # A comment that is not ASCII is left away: nothing is addressed by it.
    told = [part for part in parts if part.lastgroup != "comment" or part[0].isascii()]
    phrase = " ".join(_unquoted(part) for part in told if part.lastgroup in ("quoted", "plain"))
    angle = next((part[0] for part in told if part.lastgroup == "angle"), None)
    if angle is None:
        joined = "".join(part[0] for part in told if part.lastgroup != "comment").strip()
        if "@" not in joined:
            return joined if joined.isascii() else _encoded(phrase)
        return joined if joined.isascii() else f"{_encoded(joined)}\r\n {NOBODY}"
    if not angle.isascii():
        return f"{_encoded(f'{phrase} {angle}'.strip())}\r\n {NOBODY}"
    return f"{_encoded(phrase)}\r\n {angle}" if phrase else angle


def _unquoted(part: "re.Match[str]") -> str:
    if part.lastgroup != "quoted":
        return part[0]
    return re.sub(r"\\(.)", r"\1", part[0][1:].removesuffix('"'), flags=re.DOTALL)


def _with_parameters(value: str) -> str:
    """Return a field with parameters, those that are not ASCII as RFC 2231 §4 writes them."""
    first, _, _ = value.partition(";")
    told = [first.strip() if first.isascii() else "text/plain"]
    for match in _PARAMETER.finditer(value):
        name, given = match[1], match[2].strip()
        if not name.isascii():
            continue
        told += [f"{name}={given}"] if given.isascii() else _extended(name.rstrip("*"), given)
    return ";\r\n ".join(told)


def _extended(name: str, value: str) -> list[str]:
    if value.startswith('"'):
        value = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
    pieces = [_percent(value[at : at + _PIECE]) for at in range(0, len(value), _PIECE)]
    pieces[0] = f"utf-8''{pieces[0]}"
    return [f"{name}*{number}*={piece}" for number, piece in enumerate(pieces)]


def _percent(text: str) -> str:
    return "".join(chr(each) if chr(each).isalnum() and each < 128 else f"%{each:02X}" for each in text.encode("utf-8"))
