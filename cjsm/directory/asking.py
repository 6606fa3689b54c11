"""Questions as people ask them, with the service's four operators, as filters."""

import re
from collections.abc import Iterable, Iterator, Mapping

from cjsm.directory.fields import SEARCHED, TEXT
from cjsm.directory.query import And, Equal, Filter, Not, Or, Substrings

#: The operators, as people write them.
OPERATORS = ("is", "contains", "begins", "ends")

#: A piece of a telephone number.
_NUMBER = re.compile(r"[-+(]?[0-9][-0-9().]+")

_PERSON = Equal("objectClass", "inetOrgPerson")
_SHARED = Equal("objectClass", "cjsmSharedMailbox")
#: What kinds of entries there are, and what tells them.
KINDS: Mapping[str, Filter] = {
    "person": And((_PERSON, Not(_SHARED))),
    "shared-mailbox": _SHARED,
    "list": Equal("objectClass", "cjsmDistributionList"),
    "organisation": Equal("objectClass", "cjsmOrganisation"),
}


def condition(operator: str, field: str, value: str) -> Filter:
    """Return the filter that *value* and one of the :data:`OPERATORS` make of a field.

    :param field: one of :data:`~cjsm.directory.fields.SEARCHED`.
    """
    return _any(_item(operator, attribute, value) for attribute in SEARCHED[field])


def text(typed: str) -> Filter:
    """Return the filter for free text: every word is somewhere in name, address, organisation, town or telephone."""
    return every(_any(_word(word)) for word in typed.split())


def _word(word: str) -> Iterator[Filter]:
    for attribute in TEXT:
        yield Substrings(attribute, inner=(word,))
    # Digits alone count in a number: those within other words would find anybody.
    if _NUMBER.fullmatch(word):
        yield Substrings("telephoneNumber", inner=(word,))


def every(parts: Iterable[Filter]) -> Filter:
    """Return the filter that holds where all *parts* do."""
    found = tuple(parts)
    return found[0] if len(found) == 1 else And(found)


def _any(parts: Iterable[Filter]) -> Filter:
    found = tuple(parts)
    return found[0] if len(found) == 1 else Or(found)


def _item(operator: str, attribute: str, value: str) -> Filter:
    if operator == "is":
        return Equal(attribute, value)
    if operator == "contains":
        return Substrings(attribute, inner=(value,))
    if operator == "begins":
        return Substrings(attribute, initial=value)
    return Substrings(attribute, final=value)
