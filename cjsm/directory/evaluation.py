"""Whether an entry matches a filter: true, false or undefined (RFC 4511 §4.5.1.7).

A filter is compiled once for a reading: attributes looked up, assertions prepared. What the reader may not read is
undefined, not false, so that neither it nor its negation can be guessed.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from cjsm.directory import names
from cjsm.directory.matching import RULES, Rule, in_order, prepare, prepare_piece
from cjsm.directory.query import (
    And,
    AtLeast,
    AtMost,
    Equal,
    Filter,
    Matches,
    Not,
    Or,
    Present,
    Similar,
    Substrings,
    Undefined,
)
from cjsm.directory.rewriting import ambiguous
from cjsm.directory.schema import AttributeType, Schema

#: True, False, or None for Undefined, of the entry at a position.
Test = Callable[[int], bool | None]
#: Whether a term is what an assertion asks for.
Compare = Callable[[str], bool]
_OF_TEXT = (Rule.TEXT, Rule.EXACT)
#: What nothing at all compares as, where that is a value.
_SPACE = " "
#: What a match with every attribute costs, and one with values that have to be made first.
_EVERY_ATTRIBUTE, _MADE = 64, 16


class Readable(Protocol):
    """What a filter is evaluated over: a :class:`~cjsm.directory.reading.Reading` or the like."""

    schema: Schema

    def terms(self, position: int, attribute: AttributeType) -> Sequence[str] | None:
        """The comparable values of *attribute*, or None when they may not be read."""

    def has(self, position: int, attribute: AttributeType) -> bool:
        """Whether *attribute* has a value that may be read."""

    def values(self, position: int, attribute: AttributeType) -> Sequence[str]:
        """The values of *attribute* that may be read."""

    def dn(self, position: int) -> str:
        """The entry's distinguished name."""


def cost(filter_: Filter, schema: Schema) -> int:
    """Return what testing one entry costs: about as many comparisons with a term that is at hand."""
    if isinstance(filter_, (And, Or)):
        return 1 + sum(cost(part, schema) for part in filter_.parts)
    if isinstance(filter_, Not):
        return 1 + cost(filter_.part, schema)
    if isinstance(filter_, Undefined):
        return 1
    if filter_.attribute is None:
        return _EVERY_ATTRIBUTE
    attribute = schema.attribute(filter_.attribute)
    if attribute is not None and attribute.operational:
        return _MADE
    if isinstance(filter_, Matches) and (filter_.rule is not None or filter_.names):
        return _MADE
    return 1 + len(filter_.inner) if isinstance(filter_, Substrings) else 1


def compiled(filter_: Filter, reading: Readable) -> Test:
    """Return the test that *filter_* is for the entries of *reading*."""
    if isinstance(filter_, And):
        return _all([compiled(part, reading) for part in filter_.parts])
    if isinstance(filter_, Or):
        return _any([compiled(part, reading) for part in filter_.parts])
    if isinstance(filter_, Not):
        return _not(compiled(filter_.part, reading))
    if isinstance(filter_, Undefined):
        return _undefined
    if isinstance(filter_, Matches):
        return _matches(filter_, reading)
    if filter_.attribute.lower() == "anr":
        return compiled(ambiguous(filter_), reading)
    attribute = reading.schema.attribute(filter_.attribute)
    if attribute is None:
        return _undefined
    kinds = reading.schema.kinds(filter_.attribute)
    if isinstance(filter_, Present):
        return _any([_present(kind, reading) for kind in kinds])
    compare = _comparison(filter_, attribute, reading.schema)
    if compare is None:
        return _undefined
    return _any([_some(kind, compare, reading) for kind in kinds])


def _undefined(_position: int) -> None:
    return None


def _false(_position: int) -> bool:
    return False


def _all(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def test(position: int) -> bool | None:
        result: bool | None = True
        for part in tests:
            found = part(position)
            if found is False:
                return False
            if found is None:
                result = None
        return result

    return test


def _any(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def test(position: int) -> bool | None:
        result: bool | None = False
        for part in tests:
            found = part(position)
            if found:
                return True
            if found is None:
                result = None
        return result

    return test


def _not(inner: Test) -> Test:
    def test(position: int) -> bool | None:
        found = inner(position)
        return None if found is None else not found

    return test


def _present(attribute: AttributeType, reading: Readable) -> Test:
    def test(position: int) -> bool | None:
        if attribute.seen and reading.terms(position, attribute) is None:
            return None
        return reading.has(position, attribute)

    return test


def _some(attribute: AttributeType, compare: Compare, reading: Readable) -> Test:
    terms = reading.terms

    def test(position: int) -> bool | None:
        found = terms(position, attribute)
        if found is None:
            return None
        return any(map(compare, found))

    return test


def _comparison(
    item: Equal | Similar | Substrings | AtLeast | AtMost, attribute: AttributeType, schema: Schema
) -> Compare | None:
    rule = attribute.rule
    if rule is None:
        return None
    if isinstance(item, Substrings):
        pieces = prepared_pieces(item, attribute)
        return pieces.compare if pieces is not None else None
    asserted = prepared_value(item.value, attribute, schema)
    if asserted is None:
        return None
    wanted = asserted
    if isinstance(item, (Equal, Similar)):
        return wanted.__eq__
    if not attribute.ordered:
        return None
    if isinstance(item, AtLeast):
        return lambda term: in_order(rule, wanted, term)
    return lambda term: in_order(rule, term, wanted)


def prepared_value(value: str, attribute: AttributeType, schema: Schema, rule: Rule | None = None) -> str | None:
    """Return an asserted *value* of *attribute* as terms are compared; None when it is no such value.

    :param rule: another one than the attribute's own.
    """
    if attribute.key in ("objectclass", "structuralobjectclass"):
        found = schema.object_class(value)
        return found.name.lower() if found else None
    rule = rule or attribute.rule
    if rule is None:
        return None
    return prepare(rule, value or _SPACE if attribute.empty else value)


class Pieces(Struct, frozen=True):
    """Pieces of a value in order, none overlapping (RFC 4517 §3.3.30), prepared; spaces at their ends count."""

    initial: str
    inner: tuple[str, ...]
    final: str

    @property
    def compare(self) -> Compare:
        """What says whether a term has the pieces."""
        initial, final, inner = self.initial, self.final, self.inner
        if not inner and not final:
            return lambda term: term.startswith(initial) or (term + " ") == initial
        if not initial and not final and len(inner) == 1:
            only = inner[0]
            return lambda term: only in f" {term} " if only[0] == " " or only[-1] == " " else only in term
        if not initial and not final and len(inner) == 2:
            one, other = inner
            return lambda term: (at := term.find(one)) >= 0 and term.find(other, at + len(one)) >= 0
        return lambda term: _in_pieces(term, initial, inner, final)


def prepared_pieces(item: Substrings, attribute: AttributeType) -> Pieces | None:
    """Return the pieces of *item*; None when it can match no value of *attribute*, nor fail to."""
    if not attribute.substrings or attribute.rule is None:
        return None
    rule = attribute.rule
    if item.initial and not item.inner and not item.final:
        beginning = prepare_piece(rule, item.initial)
        return Pieces(beginning.lstrip(), (), "") if beginning is not None else None
    given = (item.initial, *item.inner, item.final)
    prepared = [prepare_piece(rule, piece) if piece else "" for piece in given]
    if None in prepared or not any(given):
        return None
    initial, *inner, final = (piece or "" for piece in prepared)
    return Pieces(initial.lstrip(), tuple(piece for piece in inner if piece), final.rstrip())


def _in_pieces(term: str, initial: str, inner: Sequence[str], final: str) -> bool:
    if not term.startswith(initial) or not term.endswith(final):
        return False
    at, end = len(initial), len(term) - len(final)
    for piece in inner:
        found = term.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return at <= end


def _matches(item: Matches, reading: Readable) -> Test:
    """An extensible match with an attribute's own rule, or one that compares the same kind of text."""
    if item.attribute is None:
        return _any_attribute(item, reading)
    attribute = reading.schema.attribute(item.attribute)
    rule = asked_rule(item, attribute) if attribute is not None else None
    if attribute is None or rule is None:
        return _undefined
    wanted = prepared_value(item.value, attribute, reading.schema, rule)
    if wanted is None:
        return _undefined
    kinds = reading.schema.kinds(item.attribute)
    tests = [
        _some(kind, wanted.__eq__, reading) if rule is kind.rule else _exactly(kind, rule, wanted, reading)
        for kind in kinds
    ]
    if item.names:
        tests += [_in_name(kind, wanted, reading) for kind in kinds]
    return _any(tests)


def asked_rule(item: Matches, attribute: AttributeType) -> Rule | None:
    """Return the rule by which *item* compares values of *attribute*; None when there is none that fits them."""
    rule = RULES.get(item.rule.lower()) if item.rule is not None else attribute.rule
    return rule if rule is not None and _compares(rule, attribute) else None


def _compares(rule: Rule, attribute: AttributeType) -> bool:
    """Whether *rule* is for values of *attribute* (RFC 4517 §4.2)."""
    return rule is attribute.rule or (rule in _OF_TEXT and attribute.rule in (*_OF_TEXT, Rule.TELEPHONE))


def _any_attribute(item: Matches, reading: Readable) -> Test:
    """A match by rule alone: with every attribute that the rule is for."""
    rule = RULES.get(item.rule.lower()) if item.rule is not None else None
    if rule is None:
        return _undefined
    kinds = (attribute for attribute in reading.schema.attributes if _compares(rule, attribute))
    return _any([_matches(Matches(kind.key, item.rule, item.value, item.names), reading) for kind in kinds])


def _exactly(attribute: AttributeType, rule: Rule, wanted: str, reading: Readable) -> Test:
    def test(position: int) -> bool | None:
        if reading.terms(position, attribute) is None:
            return None
        return any(prepare(rule, value) == wanted for value in reading.values(position, attribute))

    return test


def _in_name(attribute: AttributeType, wanted: str, reading: Readable) -> Test:
    def test(position: int) -> bool:
        name = names.parse(reading.dn(position))
        return any(pair == (attribute.key, wanted) for relative in name for pair in relative)

    return test
