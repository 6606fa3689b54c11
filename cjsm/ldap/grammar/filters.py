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


class FilterTooLarge(Exception):
    """More than this server looks at; the text says so to the client."""


def decode(reader: Reader, *, depth: int, most: int) -> Filter:
    """Return the next element of *reader* as a filter.

    Assertions that are not text and attributes that are not names become :class:`Undefined`.

    :param depth: filters inside filters at most.
    :param most: items, connectives and pieces in all at most.
    :raises FilterTooLarge: beyond these.
    :raises BerError: when it is no filter.
    """
    return _Decoder(depth, most).filter(reader, 1)


class _Decoder:
    def __init__(self, depth: int, most: int) -> None:
        self._depth = depth
        self._most = most
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
            if tag == _PRESENT:
                return Present(_text(reader.octets(tag)))
            if tag == _SUBSTRINGS:
                return self._substrings(reader.inside(tag))
            if tag == _MATCHES:
                return _matches(reader.inside(tag))
            if tag in _ASSERTIONS:
                return _assertion(reader.inside(tag), _ASSERTIONS[tag])
        except UnicodeDecodeError:
            return Undefined()
        raise BerError("unknown kind of filter")

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
        return Substrings(
            _text(attribute), _text(initial or b""), tuple(_text(piece) for piece in inner), _text(final or b"")
        )


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
