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
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from cjsm.community.address import Address, BadAddress, has_suffix
from cjsm.community.records import Domain
from cjsm.mail.header import Field, Header

#: Fields that people or programs take addresses from to write to, as a mistaken one would take the answer out of the
#: community: to those of community §3 belong the fields that ask for automatic answers, which admission lets a
#: connection write without suffix (a receipt is refused where its address is not the reverse-path's, RFC 8098 §2.1),
#: and what a program shows of a message that was sent on.
_FIELDS = frozenset(
    (
        *(b"from", b"sender", b"reply-to", b"to", b"cc"),
        *(b"disposition-notification-to", b"return-receipt-to", b"errors-to"),
        *(b"resent-from", b"resent-sender", b"resent-to", b"resent-cc"),
    )
)

# The grammar of an address list over octets, without obsolete forms (RFC 5322 §3.4, RFC 6532 §3.2). Every repetition is
# possessive and what fails once makes the whole field unreadable, so that no text is gone over more than a few times.
_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
_PAIR = r"\\[\t -~\x80-\xff]"
_QUOTED = rf'"(?:[^"\\{_CONTROLS}]++|{_PAIR})*+"'
_FLAT = rf"\((?:[^()\\{_CONTROLS}]++|{_PAIR})*+\)"
_NESTED = rf"\((?:[^()\\{_CONTROLS}]++|{_PAIR}|{_FLAT})*+\)"
_COMMENT = rf"\((?:[^()\\{_CONTROLS}]++|{_PAIR}|{_NESTED})*+\)"
_BETWEEN = rf"(?:[ \t\r\n]++|{_COMMENT})*+"
_PLAIN = rf'[^ \t\r\n"()<>,;:\\@{_CONTROLS}]'
#: One at sign, and no encoded word (RFC 2047) where the name of the mailbox should be.
_ADDRESS = rf"(?!=\?){_PLAIN}++@{_PLAIN}++(?!@)"
#: With a quoted local part: nobody here has one, but it is plain what it is.
_FOREIGN = rf"{_QUOTED}@{_PLAIN}++(?!@)"
#: An encoded word with what separates addresses in it, which it must not have: some readers decode it before they look.
_MISLEADING = r"=\?[^? \t\r\n]++\?[bq]\?[^? \t\r\n<>,;:]*+[<>,;:][^? \t\r\n]*+\?="
_WORD = rf"(?:{_QUOTED}(?!@)|(?!{_MISLEADING})(?:=\?(?:{_PLAIN}|@)++(?<=\?=)|{_PLAIN}++(?!@))){_BETWEEN}"
_ITEM = re.compile(
    rf"""(?:[ \t\r\n,]++|{_COMMENT})*+
    (?: (?P<group>(?:{_WORD})++:)
      | (?P<end>;)
      | (?: (?P<bare>{_ADDRESS})
          | {_FOREIGN}
          | (?:{_WORD})*+<{_BETWEEN}(?:(?P<angled>{_ADDRESS})|{_FOREIGN}){_BETWEEN}>
          | (?:{_WORD})++
        ){_BETWEEN}(?=[,;]|\Z)
      | \Z)""".encode("ascii"),
    re.VERBOSE | re.IGNORECASE,
)


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
    in_group = False
    while at < len(octets):
        match = _ITEM.match(octets, at)
        kind = match.lastgroup if match is not None else ""
        if match is None or kind == ("group" if in_group else "end"):
            return []
        if kind == "group" or kind == "end":
            in_group = not in_group
        elif kind:
            found.append(match.span(kind))
        at = match.end()
    return [] if in_group else found
