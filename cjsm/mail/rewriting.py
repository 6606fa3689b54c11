"""The suffix at the edge of the community: taken from addresses that leave for their own organisation, put behind
members' addresses that come without it (community section 3).

Only the domains of addresses change. Every other octet of a field, every other field and the body stay as they are, and
a field that two readers could understand differently stays as it is altogether.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from cjsm.mail.header import Field, Header

#: Fields that name people; Resent ones are trace and stay.
_FIELDS = (b"from", b"sender", b"reply-to", b"to", b"cc")
#: In this order: white space, a quoted string, a comment without another in it, a special, a run of anything else.
_TOKEN = re.compile(
    rb"""(?P<space>[ \t\r\n]+)
      | (?P<quoted>"(?:[^"\\\r\n]|\\[^\r\n]|\r\n[ \t])*")
      | (?P<comment>\((?:[^()\\\r\n]|\\[^\r\n]|\r\n[ \t])*\))
      | (?P<special>[<>,;:])
      | (?P<plain>[^ \t\r\n"()<>,;:\\]+)""",
    re.VERBOSE,
)
_Token = tuple[str, int, int]


class SuffixRules(Struct, frozen=True, kw_only=True):
    """What holds for one connection.

    :ivar suffix: the community's.
    :ivar own: its domains in canonical form, with the suffix.
    :ivar is_connected: whether a canonical domain is any connection's.
    :ivar exceptions: addresses of its domains that the rule does not give: canonical to what it is outside.
    """

    suffix: str
    own: frozenset[str]
    is_connected: Callable[[str], bool]
    exceptions: Mapping[str, str] = {}

    def leaving(self, address: str) -> str:
        """Return *address* as the connection's own system knows it."""
        found = self.exceptions.get(address.lower())
        if found is not None:
            return found
        local, at, domain = address.rpartition("@")
        if domain.lower() in self.own:
            return f"{local}{at}{domain[: -len(self.suffix) - 1]}"
        if address.lower() in self.exceptions.values() or f"{domain.lower()}.{self.suffix}" in self.own:
            return address
        return self._suffixed(address, domain)

    def entering(self, address: str) -> str:
        """Return *address* in canonical form."""
        for canonical, outside in self.exceptions.items():
            if outside == address.lower():
                return canonical
        return self._suffixed(address, address.rpartition("@")[2])

    def _suffixed(self, address: str, domain: str) -> str:
        plain = domain.lower()
        if plain.endswith(f".{self.suffix}") or not self.is_connected(f"{plain}.{self.suffix}"):
            return address
        return f"{address}.{self.suffix}"


def leaving(header: Header, rules: SuffixRules) -> Header:
    """Return *header* as the connection's own people are to see it. Idempotent."""
    return _rewritten(header, rules.leaving)


def entering(header: Header, rules: SuffixRules) -> Header:
    """Return *header* with members' addresses in canonical form. Idempotent; it undoes :func:`leaving`."""
    return _rewritten(header, rules.entering)


def _rewritten(header: Header, change: Callable[[str], str]) -> Header:
    fields = tuple(_field(field, change) if field.name in _FIELDS else field for field in header.fields)
    return Header(fields)


def _field(field: Field, change: Callable[[str], str]) -> Field:
    octets = field.octets
    made, done = [], 0
    for start, end in _addresses(octets, octets.index(b":") + 1):
        try:
            address = octets[start:end].decode("utf-8")
        except UnicodeDecodeError:
            continue
        made += [octets[done:start], change(address).encode()]
        done = end
    return Field(field.name, b"".join((*made, octets[done:]))) if made else field


def _addresses(octets: bytes, at: int) -> list[tuple[int, int]]:
    """Return where the addresses of a field are; nothing where it is not plainly a list of them."""
    tokens = _tokens(octets, at)
    found: list[tuple[int, int]] = []
    item: list[_Token] = []
    in_angle = False
    for token in (*(tokens or ()), ("special", len(octets), len(octets))):
        kind, start, end = token
        separates = kind == "special" and octets[start:end] in (b",", b":", b";", b"")
        if separates and in_angle:
            return []
        if not separates:
            item.append(token)
            in_angle = (kind == "special" and octets[start:end] == b"<") or (in_angle and octets[start:end] != b">")
            continue
        # What stands before a colon is a group's name.
        if octets[start:end] != b":":
            found += _address(octets, item)
        item = []
    return found


def _address(octets: bytes, item: list[_Token]) -> Iterator[tuple[int, int]]:
    """Yield where the address of ``address`` or ``name <address>`` is."""
    words = [octets[start:end] for _, start, end in item]
    place = item[0] if len(item) == 1 else item[-2] if words[-3:-2] == [b"<"] and words[-1:] == [b">"] else None
    if place is not None and place[0] == "plain" and octets[place[1] : place[2]].count(b"@") == 1:
        yield place[1], place[2]


def _tokens(octets: bytes, at: int) -> list[_Token] | None:
    """Return what a field is made of, white space and comments left out; None where it cannot be told apart."""
    found: list[_Token] = []
    while at < len(octets):
        match = _TOKEN.match(octets, at)
        if match is None:
            return None
        kind = match.lastgroup or ""
        if kind not in ("space", "comment"):
            found.append((kind, match.start(), match.end()))
        at = match.end()
    return found
