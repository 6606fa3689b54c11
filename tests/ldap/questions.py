"""Searches made up by chance, of every kind that clients could send, over a directory that is known."""

import random
from collections.abc import Callable, Sequence

from msgspec import Struct

from cjsm.ldap.grammar.ber import OCTETS, SEQUENCE, element
from tests.ldap import support

#: Attributes as clients name them: their own names, other names, numbers, odd spellings.
TEXT = (
    *("cn", "sn", "givenName", "displayName", "mail", "uid", "o", "ou", "l", "description", "street", "postalCode"),
    *("businessCategory", "employeeType", "cjsmArea", "cjsmAccountStatus", "cjsmOrganisationState", "postalAddress"),
    *("commonName", "surname", "gn", "rfc822Mailbox", "localityName", "organizationalUnitName", "name", "userid"),
    *("CN", "Sn", "2.5.4.3", "0.9.2342.19200300.100.1.3", "dc", "cjsmAbbreviation", "rfc822MailMember"),
)
OTHER = (
    *("telephoneNumber", "mobile", "fax", "objectClass", "OBJECTCLASS", "2.5.4.0", "structuralObjectClass"),
    *("cjsmLocked", "hasSubordinates", "createTimestamp", "modifyTimestamp", "entryUUID", "entryDN", "manager"),
)
UNKNOWN = ("nosuch", "cn;lang-en", "mail;x-private", "1.2.3.4.5", "jpegPhoto", "c n", "", "cn;", "-x", "IMHandle")
RULES = (
    *("caseIgnoreMatch", "2.5.13.2", "caseExactMatch", "telephoneNumberMatch", "booleanMatch", "integerMatch"),
    *("distinguishedNameMatch", "generalizedTimeMatch", "UUIDMatch", "nosuchMatch", "1.2.3"),
)
_RULES_ALONE = ("caseIgnoreMatch", "2.5.13.2", "caseExactMatch", "nosuchMatch", "1.2.3")
SORTED_BY = ("cn", "sn", "mail", "displayName", "uid", "l", "createTimestamp", "entryUUID", "cjsmArea", "givenName")
#: Attributes of which the two take only some values for the same.
_NUMBERS = frozenset(("telephonenumber", "mobile", "fax"))
_BOOLEANS = frozenset(("cjsmlocked", "hassubordinates"))
#: Attributes that text rules of other syntaxes are for here only.
_OTHER_TEXT = frozenset(
    ("mail", "rfc822mailbox", "0.9.2342.19200300.100.1.3", "rfc822mailmember", "dc", "postaladdress")
)
_TEXT_ORDER = "caseIgnoreOrderingMatch"

_EQUAL, _SUBSTRINGS, _AT_LEAST, _AT_MOST, _SIMILAR, _MATCHES = 0xA3, 0xA4, 0xA5, 0xA6, 0xA8, 0xA9


class Question(Struct, frozen=True, kw_only=True):
    """One search without its number.

    :ivar words: what it asks, for people.
    :ivar size: its size limit.
    :ivar page: entries of a page; 0 for no pages.
    :ivar sort: its sort keys as :func:`tests.ldap.support.sort` takes them.
    """

    base: str
    scope: int
    filter: bytes
    words: str
    attributes: tuple[str, ...] = ()
    types_only: bool = False
    size: int = 0
    page: int = 0
    sort: tuple[str, ...] = ()

    def octets(self, message_id: int, cookie: bytes = b"", *, size: int | None = None) -> bytes:
        """Return the request."""
        controls = [support.paged(self.page, cookie)] if self.page else []
        controls += [support.sort(*self.sort)] if self.sort else []
        return support.search(
            message_id,
            self.filter,
            base=self.base,
            scope=self.scope,
            size=self.size if size is None else size,
            attributes=self.attributes,
            types_only=self.types_only,
            controls=controls,
        )


class Known(Struct, frozen=True, kw_only=True):
    """What there is to ask for.

    :ivar names: distinguished names.
    :ivar values: by attribute in lower case.
    """

    names: Sequence[str]
    values: dict[str, Sequence[str]]


class Asker:
    """Makes up questions, the same ones for the same *seed*."""

    def __init__(self, known: Known, seed: int) -> None:
        self._random = random.Random(seed)
        self._known = known
        self._every = [value for values in known.values.values() for value in values]

    def question(self) -> Question:
        """Return the next."""
        chance = self._random
        filter_, words = self._filter(chance.choice((1, 1, 2, 3, 4)))
        kind = chance.random()
        return Question(
            base=self._base(),
            scope=chance.choice((0, 1, 2, 2, 2)),
            filter=filter_,
            words=words,
            attributes=self._attributes(),
            types_only=chance.random() < 0.1,
            size=chance.choice((1, 2, 5, 20)) if kind < 0.1 else 0,
            page=chance.choice((1, 2, 3, 7, 500)) if 0.1 < kind < 0.2 else 0,
            sort=self._sort() if 0.15 < kind < 0.3 else (),
        )

    # Where, and what of it.

    def _base(self) -> str:
        chance, names = self._random, self._known.names
        if chance.random() < 0.6:
            return chance.choice((names[0], names[0], "o=people"))
        name = chance.choice(names)
        return chance.choice(
            (
                lambda: name,
                lambda: name.upper(),
                lambda: name.replace(",", " , ").replace("=", "= "),
                lambda: name.replace("uid=", "0.9.2342.19200300.100.1.1=").replace("ou=", "organizationalUnitName="),
                lambda: f"cn=nobody,{name}",
                lambda: f"cn=nobody,ou=nowhere,{name}",
                lambda: name.partition(",")[2] or name,
                lambda: name.replace("o", "\\6f", 1) if "=o" not in name.lower() and name.startswith("uid") else name,
                lambda: chance.choice(
                    ("dc=com", "jane", "=x", "o=people,o=people", "uid=a+cn=b,o=people", "cn=,o=people")
                ),
            )
        )()

    def _attributes(self) -> tuple[str, ...]:
        chance = self._random
        return chance.choice(
            (
                lambda: (),
                lambda: ("*",),
                lambda: ("*", "+"),
                lambda: ("+",),
                lambda: ("1.1",),
                lambda: ("1.1", "cn"),
                lambda: tuple(chance.choices(TEXT + OTHER + UNKNOWN, k=chance.randrange(1, 6))),
                lambda: ("*", *chance.choices(TEXT + OTHER + UNKNOWN, k=chance.randrange(1, 3))),
            )
        )()

    def _sort(self) -> tuple[str, ...]:
        chance = self._random
        keys = []
        for attribute in chance.sample(SORTED_BY, chance.choice((1, 1, 2))):
            own = attribute in ("createTimestamp", "entryUUID")
            keys.append(chance.choice(("", "-")) + attribute + ("" if own else f":{_TEXT_ORDER}"))
        return tuple(keys)

    # Filters.

    def _filter(self, depth: int) -> tuple[bytes, str]:
        chance = self._random
        kind = chance.random() if depth > 1 else 1.0
        if kind < 0.3:
            return self._many(0xA0, "&", depth)
        if kind < 0.6:
            return self._many(0xA1, "|", depth)
        if kind < 0.75:
            inner, words = self._filter(depth - 1)
            return element(0xA2, inner), f"(!{words})"
        return chance.choice(
            (self._present, self._equal, self._equal, self._pieces, self._pieces, self._ordered, self._extensible)
        )()

    def _many(self, tag: int, sign: str, depth: int) -> tuple[bytes, str]:
        parts = [self._filter(depth - 1) for _ in range(self._random.choice((0, 1, 2, 2, 3, 4)))]
        return element(tag, b"".join(part for part, _ in parts)), f"({sign}{''.join(words for _, words in parts)})"

    def _attribute(self) -> str:
        chance = self._random
        return chance.choice(TEXT if chance.random() < 0.65 else OTHER if chance.random() < 0.8 else UNKNOWN)

    def _value(self, attribute: str) -> str:
        """A value that is there, or one like it, or anything."""
        chance = self._random
        if attribute.lower() in _BOOLEANS:
            return chance.choice(("TRUE", "FALSE", "MAYBE", "1"))
        if attribute.lower() in _NUMBERS:
            return chance.choice(
                ("0117 496 0002", "0117-4960001", "-07700-900 001", "441174960001", "12", "01 17", "9")
            )
        if attribute == "structuralObjectClass":
            return chance.choice(self._known.values["structuralobjectclass"])
        own = self._known.values.get(attribute.partition(";")[0].lower()) or self._every
        value = chance.choice(own if chance.random() < 0.8 else self._every)
        if attribute.lower() in _OTHER_TEXT:
            value = value.encode("ascii", "ignore").decode().strip() or "x"
        odd: tuple[Callable[[], str], ...] = (
            lambda: value,
            lambda: value,
            # Letters that become two are not the same everywhere.
            lambda: value.upper() if len(value.upper()) == len(value) else value,
            lambda: value.swapcase() if len(value.upper()) == len(value) else value,
            lambda: value.replace(" ", "   "),
            lambda: f"  {value} ",
            lambda: value.replace(" ", "-"),
            lambda: value[: chance.randrange(len(value) + 1)],
            lambda: value + "x",
            lambda: chance.choice(("*", "(", "person", "top", "TRUE", "20231114221320Z", "0117", "nobody")),
        )
        return chance.choice(odd)()

    def _octets(self, attribute: str) -> tuple[bytes, str]:
        value = self._value(attribute)
        if self._random.random() < 0.01:
            return b"\xff\xfe" + value.encode(), "not text"
        return value.encode(), value

    def _present(self) -> tuple[bytes, str]:
        attribute = self._attribute()
        return support.present(attribute), f"({attribute}=*)"

    def _equal(self) -> tuple[bytes, str]:
        return self._assertion(_EQUAL, "=")

    def _ordered(self) -> tuple[bytes, str]:
        return self._random.choice(
            (lambda: self._assertion(_AT_LEAST, ">="), lambda: self._assertion(_AT_MOST, "<="))
        )()

    def _assertion(self, tag: int, sign: str) -> tuple[bytes, str]:
        attribute = self._attribute()
        octets, words = self._octets(attribute)
        return element(
            tag, element(OCTETS, attribute.encode()) + element(OCTETS, octets)
        ), f"({attribute}{sign}{words})"

    def _pieces(self) -> tuple[bytes, str]:
        chance = self._random
        attribute = self._attribute()
        value = self._value(attribute).strip().replace("\\", "")
        filler = "0124" if attribute.lower() in _NUMBERS else "aeiou"
        shape = chance.choice(("i", "i", "a", "a", "f", "ia", "if", "af", "iaf", "aa", "iaaf"))
        cuts = sorted(chance.randrange(len(value) + 1) for _ in range(2 * len(shape)))
        pieces, words = b"", ""
        for place, which in enumerate(shape):
            piece = value[cuts[2 * place] : cuts[2 * place + 1]]
            # Spaces at the ends of a piece are not the same everywhere.
            piece = piece.strip() if piece.strip(" -") else chance.choice(filler)
            if piece.lower() in "strasse" and piece.lower() not in "straße":
                piece = chance.choice(filler)
            pieces += element({"i": 0x80, "a": 0x81, "f": 0x82}[which], piece.encode())
            words += f"{which}:{piece}*"
        return (
            element(_SUBSTRINGS, element(OCTETS, attribute.encode()) + element(SEQUENCE, pieces)),
            f"({attribute}={words})",
        )

    def _extensible(self) -> tuple[bytes, str]:
        chance = self._random
        attribute = self._attribute() if chance.random() < 0.85 else None
        if attribute in ("hasSubordinates", "entryUUID"):
            # Which slapd knows no other match of than by equality.
            attribute = "cjsmLocked"
        rule = chance.choice(RULES if attribute else _RULES_ALONE) if not attribute or chance.random() < 0.6 else None
        if rule is not None and (attribute or "").lower() in _OTHER_TEXT:
            rule = "booleanMatch"
        octets, words = self._octets(attribute) if attribute else (b"jane smith", "jane smith")
        content = (element(0x81, rule.encode()) if rule else b"") + (
            element(0x82, attribute.encode()) if attribute is not None else b""
        )
        content += element(0x83, octets) + (b"\x84\x01\xff" if chance.random() < 0.3 else b"")
        return element(_MATCHES, content), f"({attribute or ''}:{rule or ''}:={words})"
