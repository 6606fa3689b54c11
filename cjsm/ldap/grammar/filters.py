"""Search filters from their encoding (RFC 4511 §4.5.1.7)."""

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
from cjsm.ldap.grammar.ber import SEQUENCE, BerError, Reader

_AND, _OR, _NOT = 0xA0, 0xA1, 0xA2
_EQUAL, _SUBSTRINGS, _AT_LEAST, _AT_MOST = 0xA3, 0xA4, 0xA5, 0xA6
_PRESENT, _SIMILAR, _MATCHES = 0x87, 0xA8, 0xA9
_INITIAL, _INNER, _FINAL = 0x80, 0x81, 0x82
_RULE, _TYPE, _VALUE, _NAMES = 0x81, 0x82, 0x83, 0x84

_ASSERTIONS: dict[int, type[Equal | Similar | AtLeast | AtMost]] = {
    _EQUAL: Equal,
    _SIMILAR: Similar,
    _AT_LEAST: AtLeast,
    _AT_MOST: AtMost,
}


_ITEMS = frozenset({_PRESENT, _SUBSTRINGS, _MATCHES, *_ASSERTIONS})


class FilterTooLarge(Exception):
    """More than this server looks at; the text says so to the client."""


def decode(reader: Reader, *, depth: int, most: int, octets: int) -> Filter:
    """Return the next element of *reader* as a filter.

    Assertions that are not text and attributes that are not names become :class:`Undefined`.

    :param depth: filters inside filters at most.
    :param most: items, connectives and pieces in all at most.
    :param octets: of one item, with its attribute and value, at most.
    :raises FilterTooLarge: beyond these.
    :raises BerError: when it is no filter.
    """
    return _Decoder(depth, most, octets).filter(reader, 1)


class _Decoder:
    def __init__(self, depth: int, most: int, octets: int) -> None:
        self._depth = depth
        self._most = most
        self._octets = octets
        self._seen = 0

    def filter(self, reader: Reader, depth: int) -> Filter:
        self._count()
        if depth > self._depth:
            raise FilterTooLarge(f"filter deeper than {self._depth}")
        tag = reader.peek()
        if tag == _AND:
            return And(self._parts(reader.inside(tag), depth))
        if tag == _OR:
            return Or(self._parts(reader.inside(tag), depth))
        if tag == _NOT:
            inside = reader.inside(tag)
            part = self.filter(inside, depth + 1)
            inside.finish()
            return Not(part)
        return self._item(reader, tag)

    def _count(self) -> None:
        self._seen += 1
        if self._seen > self._most:
            raise FilterTooLarge(f"filter of more than {self._most} elements")

    def _parts(self, inside: Reader, depth: int) -> tuple[Filter, ...]:
        parts: list[Filter] = []
        while not inside.done:
            parts.append(self.filter(inside, depth + 1))
        return tuple(parts)

    def _item(self, reader: Reader, tag: int | None) -> Filter:
        try:
            if tag is None or tag not in _ITEMS:
                raise BerError("unknown kind of filter")
            inside = reader.inside(tag)
            if inside.left > self._octets:
                raise FilterTooLarge(f"term of more than {self._octets} octets")
            if tag == _SUBSTRINGS:
                return self._substrings(inside)
            if tag == _PRESENT:
                return Present(_text(inside.rest()))
            if tag == _MATCHES:
                return _matches(inside)
            return _assertion(inside, _ASSERTIONS[tag])
        except UnicodeDecodeError:
            return Undefined()

    def _substrings(self, inside: Reader) -> Filter:
        attribute = inside.octets()
        pieces = inside.inside(SEQUENCE)
        inside.finish()
        initial = pieces.optional(_INITIAL)
        inner: list[bytes] = []
        while pieces.peek() == _INNER:
            self._count()
            inner.append(pieces.octets(_INNER))
        final = pieces.optional(_FINAL)
        pieces.finish()
        return Substrings(_text(attribute), _text(initial or b""), tuple(map(_text, inner)), _text(final or b""))


def _assertion(inside: Reader, kind: type[Equal | Similar | AtLeast | AtMost]) -> Filter:
    attribute, value = inside.octets(), inside.octets()
    inside.finish()
    return kind(_text(attribute), _text(value))


def _matches(inside: Reader) -> Filter:
    rule, attribute = inside.optional(_RULE), inside.optional(_TYPE)
    value = inside.octets(_VALUE)
    names = inside.boolean(_NAMES) if inside.peek() == _NAMES else False
    inside.finish()
    return Matches(
        None if attribute is None else _text(attribute), None if rule is None else _text(rule), _text(value), names
    )


def _text(octets: bytes) -> str:
    return octets.decode("utf-8")
