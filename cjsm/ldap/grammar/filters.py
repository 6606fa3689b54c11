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
from cjsm.ldap.grammar.ber import OCTETS, SEQUENCE, BerError, Reader, attributed, spans

_AND, _OR, _NOT = 0xA0, 0xA1, 0xA2
_EQUAL, _SUBSTRINGS, _AT_LEAST, _AT_MOST = 0xA3, 0xA4, 0xA5, 0xA6
_PRESENT, _SIMILAR, _MATCHES = 0x87, 0xA8, 0xA9
_INITIAL, _INNER, _FINAL = 0x80, 0x81, 0x82
_RULE, _TYPE, _VALUE, _NAMES = 0x81, 0x82, 0x83, 0x84

_CONNECTIVES = frozenset({_AND, _OR, _NOT})
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
    data, tag, start, end = reader.span()
    return _Decoder(data, depth, most, octets).filter(tag, start, end, 1)


class _Decoder:
    """Goes through *data* by offsets: clients send many small elements, at each letter typed."""

    def __init__(self, data: bytes, depth: int, most: int, octets: int) -> None:
        self._data = data
        self._depth = depth
        self._most = most
        self._octets = octets
        self._seen = 0

    def filter(self, tag: int, start: int, end: int, depth: int) -> Filter:
        self._count()
        if depth > self._depth:
            raise FilterTooLarge(f"filter deeper than {self._depth}")
        if tag in _ITEMS:
            return self._item(tag, start, end)
        if tag not in _CONNECTIVES:
            raise BerError("unknown kind of filter")
        parts = tuple([self.filter(*part, depth + 1) for part in spans(self._data, start, end)])
        if tag == _OR:
            return Or(parts)
        if tag == _AND:
            return And(parts)
        if len(parts) != 1:
            raise BerError("a negation is of one filter")
        return Not(parts[0])

    def _count(self, elements: int = 1) -> None:
        self._seen += elements
        if self._seen > self._most:
            raise FilterTooLarge(f"filter of more than {self._most} elements")

    def _item(self, tag: int, start: int, end: int) -> Filter:
        if end - start > self._octets:
            raise FilterTooLarge(f"term of more than {self._octets} octets")
        data = self._data
        try:
            if tag == _PRESENT:
                return Present(_text(data[start:end]))
            if tag == _MATCHES:
                return _matches(Reader(data, start, end))
            begin, stop, kind, first, last = attributed(data, start, end)
            if tag == _SUBSTRINGS and kind == SEQUENCE:
                return self._substrings(data[begin:stop], first, last)
            if tag != _SUBSTRINGS and kind == OCTETS:
                return _ASSERTIONS[tag](_text(data[begin:stop]), _text(data[first:last]))
            raise BerError("an item is an attribute and what is asserted of it")
        except UnicodeDecodeError:
            return Undefined()

    def _substrings(self, attribute: bytes, start: int, end: int) -> Filter:
        data = self._data
        if end - start > 1 and data[start] == _INITIAL and data[start + 1] == end - start - 2 < 0x80:
            # One short beginning is what nearly all ask for.
            return Substrings(_text(attribute), _text(data[start + 2 : end]))
        pieces = list(spans(data, start, end))
        initial = final = b""
        if pieces and pieces[0][0] == _INITIAL:
            _, first, last = pieces.pop(0)
            initial = data[first:last]
        if pieces and pieces[-1][0] == _FINAL:
            _, first, last = pieces.pop()
            final = data[first:last]
        if any(tag != _INNER for tag, _, _ in pieces):
            raise BerError("pieces of a value out of order")
        self._count(len(pieces))
        inner = tuple([_text(data[first:last]) for _, first, last in pieces])
        return Substrings(_text(attribute), _text(initial), inner, _text(final))


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
