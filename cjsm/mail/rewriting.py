"""The suffix where mail crosses to a connection and back: envelope addresses and address fields (community §3).

Inside, every address of the community has the suffix. A connection sees its own people's addresses without it and
everybody else's with it. Nothing changes but addr-specs (RFC 5322 §3.4.1), and of them only the suffix, or all of
one in the exception map: letter case, folds, comments and names stay.

With one set of rules, whatever text there is:

- ``leaving`` and ``entering`` are idempotent, and neither ever raises.
- ``entering(leaving(x))`` is *x* but for letter case, in the suffix and in addresses of the exception map, where *x* is
  canonical: ``entering(x)`` is *x*. One address is not told apart: where an exception gives a member the outside
  address ``joe@firm.example``, what the plain rule would call ``joe@firm.example.cjsm.test`` comes back as that member.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct

from cjsm.community.address import Address, BadAddress, has_suffix
from cjsm.community.records import Domain
from cjsm.mail.header import Field, Header
from cjsm.mail.identity import ANSWER_TO

#: Fields that people or programs take addresses from to write to, as a mistaken one would take the answer out of the
#: community: to those of community §3 belong the fields that ask for automatic answers, which admission lets a
#: connection write without suffix (a receipt is refused where its address is not the reverse-path's, RFC 8098 §2.1),
#: and what a program shows of a message that was sent on.
_FIELDS = frozenset(
    (
        *(b"from", b"sender", b"to", b"cc"),
        *ANSWER_TO,
        *(b"resent-from", b"resent-sender", b"resent-to", b"resent-cc"),
    )
)

# The parts of an address list as octets, without obsolete forms (RFC 5322 §3.2, RFC 6532 §3.2). Each octet that may go
# on is told apart by itself, so that no text is gone over more than a few times.
_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
_PAIR = r"\\[\t -~\x80-\xff]"
_INSIDE = rf"[^()\\{_CONTROLS}]|{_PAIR}"
_COMMENT = rf"\((?:{_INSIDE}|\((?:{_INSIDE}|\((?:{_INSIDE})*\))*\))*\)"
_TOKEN = re.compile(
    rf"""(?P<between>[ \t\r\n]+|{_COMMENT})
      | (?P<quoted>"(?:[^"\\{_CONTROLS}]|{_PAIR})*")
      | (?P<special>[<>,;:])
      | (?P<plain>[^ \t\r\n"()<>,;:\\{_CONTROLS}]+)""".encode("ascii"),
    re.VERBOSE,
)
#: One at sign, and no encoded word (RFC 2047) where the name of the mailbox should be.
_ADDRESS = re.compile(rb"(?!=\?)[^@]+@[^@]+\Z")
#: An encoded word that is cut by what separates addresses: some readers decode it before they look.
_CUT = re.compile(rb"=\?[^?]+\?[bq]\?[^?]*\Z", re.IGNORECASE)
_ENCODED = re.compile(rb"=\?.+\?=\Z")


class _Token(NamedTuple):
    """A part of a list: what it is, where it is, its octets, and whether it stands right behind the one before it."""

    kind: str
    start: int
    octets: bytes
    joined: bool


class SuffixRules(Struct, frozen=True, kw_only=True):
    """What addresses look like to one connection. Everything is in lower case.

    :ivar suffix: the community suffix, such as ``cjsm.test``.
    :ivar own: the connection's domains, in canonical form.
    :ivar connected: whether a name is, in canonical form, a domain of any connection.
    :ivar outside: the exception map: the address outside for a canonical one.
    :ivar canonical: the same the other way.
    """

    suffix: str
    own: frozenset[str]
    connected: Callable[[str], bool]
    outside: Mapping[str, str]
    canonical: Mapping[str, str]


def suffix_rules(suffix: str, own: Iterable[Domain], connected: Callable[[str], bool]) -> SuffixRules:
    """Return the rules for the connection whose domains are *own*.

    A pair of an exception map is left out when it is not two addresses, the first in its domain and the second without
    suffix, or names one that another pair names.
    """
    domains = [domain for domain in own if _once_suffixed(domain.name, suffix)]
    outside: dict[str, str] = {}
    canonical: dict[str, str] = {}
    for domain in domains:
        for pair in domain.exceptions:
            try:
                inner, outer = (Address.parse(text) for text in pair)
            except BadAddress:
                continue
            taken = str(inner) in outside or str(outer) in canonical
            if inner.domain == domain.name and not outer.has_suffix(suffix) and not taken:
                outside[str(inner)], canonical[str(outer)] = str(outer), str(inner)
    names = frozenset(domain.name for domain in domains)
    return SuffixRules(suffix=suffix, own=names, connected=connected, outside=outside, canonical=canonical)


def _once_suffixed(name: str, suffix: str) -> bool:
    outside = name.removesuffix(f".{suffix}")
    return outside != name and not has_suffix(outside, suffix)


def leaving(header: Header, rules: SuffixRules) -> Header:
    """Return *header* as the connection sees it. A field that is not plainly an address list stays as it is."""
    return Header(tuple(_rewritten(field, rules, address_leaving) for field in header.fields))


def entering(header: Header, rules: SuffixRules) -> Header:
    """Return what the connection wrote in canonical form. A field that is not plainly an address list stays."""
    return Header(tuple(_rewritten(field, rules, address_entering) for field in header.fields))


def address_leaving(address: str, rules: SuffixRules) -> str:
    """Return *address* as the connection sees it."""
    known = address.lower() if address.isascii() else ""
    if known in rules.canonical:
        return address
    if known in rules.outside:
        return rules.outside[known]
    if _domain(address) in rules.own:
        return address[: -len(rules.suffix) - 1]
    return _suffixed(address, rules, but=rules.own)


def address_entering(address: str, rules: SuffixRules) -> str:
    """Return what the connection calls *address* in canonical form."""
    known = address.lower() if address.isascii() else ""
    if known in rules.canonical:
        return rules.canonical[known]
    return _suffixed(address, rules)


def _suffixed(address: str, rules: SuffixRules, but: frozenset[str] = frozenset()) -> str:
    domain = _domain(address)
    if not domain or has_suffix(domain, rules.suffix):
        return address
    name = f"{domain}.{rules.suffix}"
    member = name not in but and (name in rules.own or rules.connected(name))
    return f"{address}.{rules.suffix}" if member else address


def _domain(address: str) -> str:
    """Return the domain in lower case; empty where it is none, or of letters that are only like ASCII ones."""
    local, _, domain = address.rpartition("@")
    return domain.lower() if local and domain.isascii() else ""


def _rewritten(field: Field, rules: SuffixRules, rewrite: Callable[[str, SuffixRules], str]) -> Field:
    if field.name not in _FIELDS:
        return field
    octets = field.octets
    pieces: list[bytes] = []
    kept = 0
    for start, end in _addresses(octets, octets.find(b":") + 1):
        # Octets that are not UTF-8 come back as they were.
        old = octets[start:end].decode("utf-8", "surrogateescape")
        new = rewrite(old, rules)
        if new != old:
            pieces += octets[kept:start], new.encode("utf-8", "surrogateescape")
            kept = end
    return Field(field.name, b"".join((*pieces, octets[kept:]))) if pieces else field


def _addresses(octets: bytes, at: int) -> list[tuple[int, int]]:
    """Return where addr-specs begin and end; none at all when the list cannot be read in one way only."""
    found: list[tuple[int, int]] = []
    item: list[_Token] = []
    in_group = in_angle = False
    for token in _tokens(octets, at):
        mark = token.octets if token.kind == "special" else b""
        if token.kind == "unreadable" or (mark == b">") > in_angle or (in_angle and mark in (b"<", b",", b";", b":")):
            return []
        if mark in (b",", b";", b":"):
            place = _names(item) if mark == b":" else _item(item)
            if place is None or (mark == b":" and in_group) or (mark == b";" and not in_group):
                return []
            found += place
            in_group = mark == b":" or (in_group and mark != b";")
            item = []
        else:
            in_angle = mark == b"<" or (in_angle and mark != b">")
            item.append(token)
    last = _item(item)
    return [] if in_group or in_angle or last is None else found + last


def _tokens(octets: bytes, at: int) -> Iterator[_Token]:
    """Yield what a list is made of, white space and comments left out; the last is unreadable where one is."""
    joined = False
    while at < len(octets):
        match = _TOKEN.match(octets, at)
        if match is None:
            yield _Token("unreadable", at, b"", joined)
            return
        if match.lastgroup != "between":
            yield _Token(match.lastgroup or "", at, match[0], joined)
        joined = match.lastgroup != "between"
        at = match.end()


def _names(item: list[_Token]) -> list[tuple[int, int]] | None:
    """Return no place, where *item* is a name of at least one word; else None."""
    return [] if item and all(_is_word(token) for token in item) else None


def _item(item: list[_Token]) -> list[tuple[int, int]] | None:
    """Return where the address of ``address`` or ``name <address>`` is; no place for a name, None for the rest."""
    if not item:
        return []
    if item[-1].octets == b">" and item[-1].kind == "special":
        begins = next((place for place, token in enumerate(item) if token.octets == b"<"), len(item))
        named = all(_is_word(token) for token in item[:begins])
        return _spec(item[begins + 1 : -1]) if named and begins < len(item) else None
    place = _spec(item)
    return place if place is not None else _names(item)


def _spec(item: list[_Token]) -> list[tuple[int, int]] | None:
    """Return where the one address is that *item* is; no place for one with a quoted local part, which nobody has."""
    if len(item) == 1 and item[0].kind == "plain" and _ADDRESS.match(item[0].octets):
        return [(item[0].start, item[0].start + len(item[0].octets))]
    if len(item) == 2 and item[0].kind == "quoted" and item[1].kind == "plain" and item[1].joined:
        return [] if item[1].octets.startswith(b"@") and item[1].octets.count(b"@") == 1 else None
    return None


def _is_word(token: _Token) -> bool:
    if token.kind == "quoted":
        return True
    plain = token.kind == "plain" and not _CUT.match(token.octets)
    return plain and (b"@" not in token.octets or _ENCODED.match(token.octets) is not None)
