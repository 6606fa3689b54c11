"""POP3 commands and replies. Pure and total: any line is a command, :class:`Malformed` or :class:`Unknown`."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from msgspec import Struct

CRLF = b"\r\n"
END = b".\r\n"


class Capa(Struct, frozen=True):
    """``CAPA`` (RFC 2449 §5)."""


class Stls(Struct, frozen=True):
    """``STLS`` (RFC 2595 §4)."""


class User(Struct, frozen=True):
    """``USER name``."""

    name: str


class Pass:
    """``PASS secret``: everything after the one space (RFC 1939 §7)."""

    __slots__ = ("secret",)

    def __init__(self, secret: bytes) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return "<Pass>"


class Auth:
    """``AUTH mechanism [initial-response]`` (RFC 5034 §4)."""

    __slots__ = ("initial", "mechanism")

    def __init__(self, mechanism: bytes, initial: bytes | None) -> None:
        self.mechanism = mechanism
        self.initial = initial

    def __repr__(self) -> str:
        return f"<Auth {self.mechanism!r}>"


class Utf8(Struct, frozen=True):
    """``UTF8`` (RFC 6856 §2.1)."""


class Lang(Struct, frozen=True):
    """``LANG [range]``: choose a language, ``*`` for the preferred one, or list them (RFC 6856 §3)."""

    range: str | None


class Stat(Struct, frozen=True):
    """``STAT``."""


class List(Struct, frozen=True):
    """``LIST [msg]``: sizes of all messages, or of one, counted from 1."""

    number: int | None


class Uidl(Struct, frozen=True):
    """``UIDL [msg]``: unique-ids of all messages, or of one, counted from 1."""

    number: int | None


class Retr(Struct, frozen=True):
    """``RETR msg``."""

    number: int


class Top(Struct, frozen=True):
    """``TOP msg n``: header and *lines* lines of the body."""

    number: int
    lines: int


class Dele(Struct, frozen=True):
    """``DELE msg``."""

    number: int


class Noop(Struct, frozen=True):
    """``NOOP``."""


class Rset(Struct, frozen=True):
    """``RSET``."""


class Quit(Struct, frozen=True):
    """``QUIT``."""


class Malformed(Struct, frozen=True):
    """A known command with arguments it does not take.

    :ivar usage: how it is written.
    """

    usage: str


class Unknown(Struct, frozen=True):
    """No command of ours."""


Command: TypeAlias = (
    Capa
    | Stls
    | User
    | Pass
    | Auth
    | Utf8
    | Lang
    | Stat
    | List
    | Uidl
    | Retr
    | Top
    | Dele
    | Noop
    | Rset
    | Quit
    | Malformed
    | Unknown
)


class Code(Enum):
    """Response codes (RFC 2449 §8, RFC 3206)."""

    AUTH = "AUTH"
    IN_USE = "IN-USE"
    LOGIN_DELAY = "LOGIN-DELAY"
    SYS_TEMP = "SYS/TEMP"
    SYS_PERM = "SYS/PERM"


_NUMBER = re.compile(rb"[0-9]{1,10}")
_MECHANISM = re.compile(rb"[A-Za-z0-9_-]{1,20}")
_LANGUAGE_RANGE = re.compile(rb"\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")


def parse(line: bytes) -> Command:
    """Return the command of *line*, which has no CRLF. Spaces at the end count for ``PASS`` only."""
    keyword, _, rest = line.partition(b" ")
    known = _KEYWORDS.get(keyword.upper())
    if known is None:
        return Unknown()
    read, usage = known
    command = read(rest)
    return Malformed(usage) if command is None else command


def _arguments(rest: bytes) -> list[bytes]:
    rest = rest.rstrip(b" ")
    return rest.split(b" ") if rest else []


def _number(argument: bytes) -> int | None:
    return int(argument) if _NUMBER.fullmatch(argument) else None


def _plain(command: Command) -> Callable[[bytes], Command | None]:
    return lambda rest: None if rest.strip(b" ") else command


def _one_number(make: Callable[[int], Command]) -> Callable[[bytes], Command | None]:
    def read(rest: bytes) -> Command | None:
        numbers = [_number(argument) for argument in _arguments(rest)]
        return make(numbers[0]) if len(numbers) == 1 and numbers[0] is not None else None

    return read


def _perhaps_number(make: Callable[[int | None], Command]) -> Callable[[bytes], Command | None]:
    one = _one_number(make)
    return lambda rest: one(rest) if rest.strip(b" ") else make(None)


def _read_top(rest: bytes) -> Command | None:
    numbers = [_number(argument) for argument in _arguments(rest)]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        return None
    return Top(numbers[0], numbers[1])


def _read_user(rest: bytes) -> Command | None:
    names = _arguments(rest)
    if len(names) != 1:
        return None
    try:
        return User(names[0].decode("utf-8"))
    except UnicodeDecodeError:
        return None


def _read_pass(rest: bytes) -> Command | None:
    return Pass(rest) if rest else None


def _read_auth(rest: bytes) -> Command | None:
    arguments = _arguments(rest)
    if not 1 <= len(arguments) <= 2 or not _MECHANISM.fullmatch(arguments[0]):
        return None
    return Auth(arguments[0].upper(), arguments[1] if len(arguments) == 2 else None)


def _read_lang(rest: bytes) -> Command | None:
    arguments = _arguments(rest)
    if not arguments:
        return Lang(None)
    if len(arguments) > 1 or not _LANGUAGE_RANGE.fullmatch(arguments[0]):
        return None
    return Lang(arguments[0].decode("ascii"))


_KEYWORDS: Mapping[bytes, tuple[Callable[[bytes], Command | None], str]] = MappingProxyType(
    {
        b"CAPA": (_plain(Capa()), "CAPA"),
        b"STLS": (_plain(Stls()), "STLS"),
        b"USER": (_read_user, "USER name"),
        b"PASS": (_read_pass, "PASS password"),
        b"AUTH": (_read_auth, "AUTH mechanism"),
        b"UTF8": (_plain(Utf8()), "UTF8"),
        b"LANG": (_read_lang, "LANG [language]"),
        b"STAT": (_plain(Stat()), "STAT"),
        b"LIST": (_perhaps_number(List), "LIST [message]"),
        b"UIDL": (_perhaps_number(Uidl), "UIDL [message]"),
        b"RETR": (_one_number(Retr), "RETR message"),
        b"TOP": (_read_top, "TOP message lines"),
        b"DELE": (_one_number(Dele), "DELE message"),
        b"NOOP": (_plain(Noop()), "NOOP"),
        b"RSET": (_plain(Rset()), "RSET"),
        b"QUIT": (_plain(Quit()), "QUIT"),
    }
)


def ok(text: str) -> bytes:
    """Return a positive reply."""
    return b"+OK " + text.encode("utf-8") + CRLF


def error(text: str, code: Code | None = None) -> bytes:
    """Return a negative reply."""
    bracket = f"[{code.value}] " if code else ""
    return f"-ERR {bracket}{text}".encode() + CRLF


def challenge(encoded: bytes) -> bytes:
    """Return a SASL challenge (RFC 5034 §4); *encoded* is base64."""
    return b"+ " + encoded + CRLF


def listing(first: str, rows: Iterable[str]) -> Iterator[bytes]:
    """Yield a reply of several lines, piece by piece; no row begins with a dot."""
    yield ok(first)
    for row in rows:
        yield row.encode("ascii") + CRLF
    yield END
