"""What the door says of itself: root DSE and subschema (RFC 4512 §4.2, §5.1). Everybody may read these."""

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from cjsm.directory import names
from cjsm.directory.entries import PEOPLE, SUBSCHEMA, Facts, facts
from cjsm.directory.evaluation import compiled
from cjsm.directory.query import Filter, Scope
from cjsm.directory.schema import AttributeType, Schema
from cjsm.directory.selection import attributes, selected
from cjsm.ldap.grammar import controls, responses

START_TLS = "1.3.6.1.4.1.1466.20037"
WHO_AM_I = "1.3.6.1.4.1.4203.1.11.3"
PASSWORD_MODIFY = "1.3.6.1.4.1.4203.1.11.1"

#: SASL mechanisms.
MECHANISMS = ("PLAIN",)
_EXTENSIONS = (PASSWORD_MODIFY, WHO_AM_I)
#: All operational attributes (RFC 3673), absolute true and false filters (RFC 4526).
_FEATURES = ("1.3.6.1.4.1.4203.1.5.1", "1.3.6.1.4.1.4203.1.5.3")
_SUBSCHEMA = names.parse(SUBSCHEMA)


class ServiceEntry:
    """One entry by itself, for :mod:`cjsm.directory.evaluation` and :mod:`~cjsm.directory.selection`."""

    def __init__(self, schema: Schema, dn: str, said: Facts, *, all_shown: bool) -> None:
        self.schema = schema
        self._dn = dn
        self._facts = said
        self._all_shown = all_shown

    def terms(self, _position: int, attribute: AttributeType) -> Sequence[str]:
        """Return the comparable values of *attribute*."""
        return self._facts.terms.get(attribute.key, ())

    def has(self, _position: int, attribute: AttributeType) -> bool:
        """Whether *attribute* has a value."""
        return attribute.key in self._facts.values

    def values(self, _position: int, attribute: AttributeType) -> Sequence[str]:
        """Return the values of *attribute*."""
        return self._facts.values.get(attribute.key, ())

    def dn(self, _position: int) -> str:
        """Return the entry's name."""
        return self._dn

    def answer(self, filter_: Filter, requested: Sequence[str], *, types_only: bool) -> bytes | None:
        """Return the encoded entry, or None when *filter_* does not match."""
        if not compiled(filter_, self)(0):
            return None
        everything = self._all_shown and (not requested or "*" in requested)
        selection = selected(self.schema, (*requested, "*", "+") if everything else requested)
        return responses.entry(self._dn, attributes(self, 0, selection), types_only=types_only)


class ServiceEntries:
    """The root DSE and the subschema entry.

    :param base: the distinguished name of the community's own tree.
    :param starttls: whether TLS may begin by StartTLS here.
    """

    def __init__(self, schema: Schema, base: str, *, starttls: bool = False) -> None:
        # Clients ask for the root DSE without naming attributes and look for all of them.
        self._root = ServiceEntry(schema, "", facts(schema, _root(base, starttls=starttls)), all_shown=True)
        self._subschema = ServiceEntry(schema, SUBSCHEMA, facts(schema, _described(schema)), all_shown=False)

    def find(self, base: str, scope: Scope) -> ServiceEntry | None:
        """Return the entry that a search of *base* is about, or None when it is about the directory."""
        if scope is Scope.BASE and not base.strip():
            return self._root
        try:
            is_subschema = names.parse(base) == _SUBSCHEMA
        except names.BadName:
            return None
        return self._subschema if is_subschema and scope is not Scope.ONE else None


def _root(base: str, *, starttls: bool) -> Mapping[str, Sequence[str]]:
    return {
        "objectClass": ("top",),
        "namingContexts": (base, PEOPLE),
        "subschemaSubentry": (SUBSCHEMA,),
        "supportedLDAPVersion": ("3",),
        "supportedSASLMechanisms": MECHANISMS,
        "supportedControl": sorted(controls.SERVED),
        "supportedExtension": (*_EXTENSIONS, START_TLS) if starttls else _EXTENSIONS,
        "supportedFeatures": _FEATURES,
        "vendorName": ("CJSM suite",),
        "vendorVersion": (_version(),),
    }


def _described(schema: Schema) -> Mapping[str, Sequence[str]]:
    return {
        "objectClass": ("top", "subschema"),
        "cn": (names.parse(SUBSCHEMA)[0][0][1],),
        "entryDN": (SUBSCHEMA,),
        "subschemaSubentry": (SUBSCHEMA,),
        "attributeTypes": schema.texts["attributetype"],
        "objectClasses": schema.texts["objectclass"],
        "matchingRules": schema.texts["matchingrule"],
        "ldapSyntaxes": schema.texts["syntax"],
    }


def _version() -> str:
    try:
        return version("cjsm-suite")
    except PackageNotFoundError:
        return "unreleased"
