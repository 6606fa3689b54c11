"""The schema: which attributes there are, how they match and who may see them (RFC 4512 §4.1).

Its text is ``data/schema/cjsm.schema``; what is served as subschema and what searches go by are the same descriptions.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from msgspec import Struct

from cjsm import resources
from cjsm.directory.matching import RULES, Rule

#: Attribute classes, also the bits of a reader's grant (:mod:`cjsm.directory.visibility`).
PUBLIC, INTERNAL, STATE = 0, 8, 16

_SEEN = {"": PUBLIC, "internal": INTERNAL, "state": STATE}
_TOKEN = re.compile(r"'[^']*'|[()]|[^\s()']+")
_FILE = "cjsm.schema"
#: An option that asks for values in a language (RFC 3866).
_LANGUAGE = re.compile(r"lang-[a-z0-9-]*\Z")
#: The rule of texts that may be empty.
_IA5 = "caseignoreia5match"


class SchemaError(ValueError):
    """The schema's text cannot be used."""


class AttributeType(Struct, frozen=True, kw_only=True):
    """One kind of attribute.

    :ivar key: its own name in lower case: what entries and queries hold values under.
    :ivar names: as in the schema, its own name first.
    :ivar rule: how values are compared; None when they are not.
    :ivar empty: whether a value may be without characters, as an IA5 string may (RFC 4517 §3.3.15).
    :ivar seen: the attribute class: a bit that the reader's grant must have, 0 for every member.
    """

    key: str
    oid: str
    names: tuple[str, ...]
    rule: Rule | None
    empty: bool
    ordered: bool
    substrings: bool
    operational: bool
    seen: int
    superior: str | None


class ObjectClass(Struct, frozen=True, kw_only=True):
    """One object class and the names of all above it, itself included, top first."""

    name: str
    oid: str
    chain: tuple[str, ...]


class Schema:
    """Attributes and object classes by any of their names or OID, compared without case.

    :ivar attributes: every attribute type once, in the schema's order.
    :ivar texts: the descriptions as served, by kind: ``attributetype``, ``objectclass``, ``matchingrule``, ``syntax``.
    """

    def __init__(self, text: str) -> None:
        self.texts: dict[str, tuple[str, ...]] = {}
        self._attributes: dict[str, AttributeType] = {}
        self._below: dict[str, tuple[AttributeType, ...]] = {}
        self._classes: dict[str, ObjectClass] = {}
        described = list(_descriptions(text))
        for kind in ("attributetype", "objectclass", "matchingrule", "syntax"):
            self.texts[kind] = tuple(body for found, body in described if found == kind)
        for body in self.texts["attributetype"]:
            self._add_attribute(_parsed(body))
        for body in self.texts["objectclass"]:
            self._add_class(_parsed(body))
        self.attributes = tuple(dict.fromkeys(self._attributes.values()))
        self._kinds = {
            name: self._below.get(attribute.key, (attribute,)) for name, attribute in self._attributes.items()
        }

    def attribute(self, description: str) -> AttributeType | None:
        """Return the type of an attribute *description*; its ``binary`` option means nothing here.

        None for an unknown type or option (RFC 4512 §2.5). Of languages nothing has values: see :meth:`kinds`.
        """
        found = self._attributes.get(description)
        if found is not None:
            return found
        kind, semicolon, options = description.lower().partition(";")
        if semicolon and not all(option == "binary" or _LANGUAGE.match(option) for option in options.split(";")):
            return None
        return self._attributes.get(kind)

    def kinds(self, description: str) -> tuple[AttributeType, ...]:
        """Return the types whose values an attribute *description* stands for: it and those derived (RFC 4512 §2.5.1).

        None for an unknown type, and none with options that no value here has.
        """
        found = self._kinds.get(description)
        if found is not None:
            return found
        attribute = self.attribute(description)
        return () if attribute is None or _has_options(description) else self._kinds[attribute.oid]

    def object_class(self, name: str) -> ObjectClass | None:
        """Return the object class with this name or OID."""
        return self._classes.get(name.lower())

    def _add_attribute(self, fields: Mapping[str, list[str]]) -> None:
        superior = self._superior(fields)
        equality = fields.get("EQUALITY")
        attribute = AttributeType(
            key=fields["NAME"][0].lower(),
            oid=fields["OID"][0],
            names=tuple(fields["NAME"]),
            rule=_rule(equality[0]) if equality else superior.rule if superior else None,
            empty=equality[0].lower() == _IA5 if equality else bool(superior and superior.empty),
            ordered="ORDERING" in fields,
            substrings="SUBSTR" in fields or bool(superior and superior.substrings),
            operational=fields.get("USAGE", ["userApplications"])[0] != "userApplications",
            seen=_SEEN[fields.get("X-SEEN", [""])[0]],
            superior=superior.key if superior else None,
        )
        for name in (attribute.oid, *attribute.names):
            # As it stands in the schema, too: most clients write it so.
            self._attributes[name] = self._attributes[name.lower()] = attribute
        if superior:
            self._below[superior.key] = (*self._below.get(superior.key, (superior,)), attribute)

    def _superior(self, fields: Mapping[str, list[str]]) -> AttributeType | None:
        if "SUP" not in fields:
            return None
        superior = self.attribute(fields["SUP"][0])
        if superior is None:
            raise SchemaError(f"{fields['NAME'][0]}: {fields['SUP'][0]} must come before it")
        return superior

    def _add_class(self, fields: Mapping[str, list[str]]) -> None:
        name = fields["NAME"][0]
        above = self.object_class(fields["SUP"][0]) if "SUP" in fields else None
        for mentioned in (*fields.get("MUST", ()), *fields.get("MAY", ())):
            if self.attribute(mentioned) is None:
                raise SchemaError(f"{name}: there is no attribute {mentioned}")
        found = ObjectClass(name=name, oid=fields["OID"][0], chain=(*(above.chain if above else ()), name))
        for key in (name, found.oid):
            self._classes[key.lower()] = found


def _has_options(description: str) -> bool:
    """Whether an attribute description carries options other than ``binary``: no value here has any."""
    return ";" in description and any(option.lower() != "binary" for option in description.split(";")[1:])


@cache
def load() -> Schema:
    """Return the schema that this package comes with."""
    return Schema(read_text())


def read_text() -> str:
    """Return the schema's text."""
    return resources.data("schema", _FILE).read_text(encoding="utf-8")


def _descriptions(text: str) -> Iterator[tuple[str, str]]:
    joined = re.sub(r"\n[ \t]+", " ", text)
    for line in joined.splitlines():
        if line and not line.startswith("#"):
            kind, _, body = line.partition(" ")
            yield kind, body.strip()


def _parsed(body: str) -> dict[str, list[str]]:
    tokens = _TOKEN.findall(body)[1:-1]
    fields: dict[str, list[str]] = {"OID": [tokens[0]]}
    values: list[str] = []
    inside = False
    for token in tokens[1:]:
        if token in ("(", ")"):
            inside = token == "("
        elif token.isupper() and not inside and not token.startswith("'"):
            values = fields.setdefault(token, [])
        elif token != "$":
            values.append(token.strip("'"))
    return fields


def _rule(name: str) -> Rule:
    try:
        return RULES[name.lower()]
    except KeyError:
        raise SchemaError(f"there is no matching rule {name}") from None
