"""vCards of entries, for address books: version 4.0 (RFC 6350) and 3.0 (RFC 2426)."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from cjsm.directory.excerpt import Found

#: Octets of a line, its end not counted (RFC 6350 section 3.2).
_LINE = 75
_KINDS = {"cjsmorganisation": "org", "cjsmdistributionlist": "group"}


class VCardWriter:
    """Makes vCards of entries.

    :param version: ``4.0`` or ``3.0``.
    """

    def __init__(self, version: str = "4.0") -> None:
        self._version = version

    def begin(self) -> bytes:
        """Return what is in front: nothing."""
        return b""

    def entry(self, found: Found) -> bytes:
        """Return the vCard of an entry."""
        lines = ["BEGIN:VCARD", f"VERSION:{self._version}", *self._properties(_Said(found)), "END:VCARD"]
        return b"".join(_folded(line) for line in lines)

    def _properties(self, said: "_Said") -> Iterator[str]:
        newer = self._version == "4.0"
        kind = said.kind
        identity, changed = said.one("entryUUID"), said.one("modifyTimestamp")
        name = said.one("cn") or (said.all("o") or said.all("ou") or ("",))[-1]
        yield f"UID:{'urn:uuid:' if newer else ''}{identity}"
        if newer:
            yield f"KIND:{kind}"
        yield f"FN:{_escaped(name)}"
        yield f"N:{_joined((said.one('sn') or name, said.one('givenName'), '', '', ''))}"
        if said.path:
            yield f"ORG:{_joined(said.path)}"
        for label, attribute in (
            ("TITLE", "employeeType"),
            ("NOTE", "description"),
            ("CATEGORIES", "businessCategory"),
        ):
            if said.one(attribute):
                yield f"{label}:{_escaped(said.one(attribute))}"
        if said.one("mail"):
            yield f"EMAIL;TYPE={'work' if newer else 'INTERNET,PREF'}:{_escaped(said.one('mail'))}"
        for attribute, type_ in (("telephoneNumber", "work"), ("mobile", "cell")):
            if said.one(attribute):
                yield f"TEL;TYPE={type_ if newer else type_.upper()}:{_escaped(said.one(attribute))}"
        place = (said.one("street"), said.one("l"), "", said.one("postalCode"), "")
        if any(place):
            yield f"ADR;TYPE={'work' if newer else 'WORK'}:{_joined(('', '', *place))}"
        if newer and kind == "group":
            for member in said.all("rfc822MailMember"):
                yield f"MEMBER:mailto:{quote(member, safe='@')}"
        yield f"REV:{changed[:8]}T{changed[8:]}"


class _Said:
    """What the reader may read of an entry."""

    def __init__(self, found: Found) -> None:
        self._found = found

    @property
    def kind(self) -> str:
        classes = (name.lower() for name in self.all("objectClass"))
        return next((_KINDS[name] for name in classes if name in _KINDS), "individual")

    @property
    def path(self) -> Sequence[str]:
        """The names of the organisation it is in, or is, from the top down."""
        return tuple(organisation.name for organisation in self._found.chain)

    def all(self, name: str) -> Sequence[str]:
        reading = self._found.reading
        attribute = reading.schema.attribute(name)
        return reading.values(self._found.position, attribute) if attribute is not None else ()

    def one(self, name: str) -> str:
        return next(iter(self.all(name)), "")


def _joined(parts: Sequence[str]) -> str:
    return ";".join(map(_escaped, parts))


def _escaped(text: str) -> str:
    """Return *text* as a value's part has it (RFC 6350 section 3.4)."""
    for plain, escaped in (("\\", "\\\\"), (",", "\\,"), (";", "\\;"), ("\r\n", "\n"), ("\r", "\n"), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return text


def _folded(line: str) -> bytes:
    """Return a line with its end, in pieces of whole characters."""
    pieces: list[bytes] = [b""]
    for character in line:
        octets = character.encode()
        if len(pieces[-1]) + len(octets) > _LINE - (len(pieces) > 1):
            pieces.append(b"")
        pieces[-1] += octets
    return b"\r\n ".join(pieces) + b"\r\n"
