"""Requests with something wrong in them: lengths, tags, nesting, pieces of other requests, text."""

import random
from collections.abc import Callable, Sequence

from cjsm.ldap.grammar.ber import BerError, element, header

_LENGTHS = (
    b"\x80",
    b"\x84\xff\xff\xff\xff",
    b"\x84\x7f\xff\xff\xff",
    b"\x85\x00\x00\x00\x00\x01",
    b"\x81\x7f",
    b"\x00",
    b"\xff",
)
_TAGS = (0x00, 0x01, 0x02, 0x04, 0x05, 0x0A, 0x30, 0x31, 0x60, 0x63, 0x77, 0x80, 0x87, 0xA0, 0xA2, 0xA9, 0x1F, 0xFF)
_NUMBERS = (b"", b"\x00", b"\x7f", b"\x80", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00\x00", b"\xff" * 9, b"\x00" * 8)
_TEXTS = (b"", b"\0", b"\xff\xfe", b"*", b"\\", b"=", b",", b"\xf0\x9f\x98\x80", b"x" * 5_000, b"\xed\xa0\x80", b"1.1")


class Place:
    """One element of a request: where it begins, its contents, and where it ends."""

    __slots__ = ("end", "start", "tag", "whole")

    def __init__(self, tag: int, whole: int, start: int, end: int) -> None:
        self.tag, self.whole, self.start, self.end = tag, whole, start, end


def places(octets: bytes, at: int = 0, end: int | None = None) -> list[Place]:
    """Return all elements in *octets*, those inside others too; also inside the values of controls."""
    found: list[Place] = []
    end = len(octets) if end is None else end
    while at < end:
        try:
            head = header(octets, at, end)
        except BerError:
            break
        if head is None or head[1] + head[2] > end:
            break
        tag, start, length = head
        found.append(Place(tag, at, start, start + length))
        if tag & 0x20 or (tag == 0x04 and length > 4 and octets[start] == 0x30):
            found += places(octets, start, start + length)
        at = start + length
    return found


class Mutants:
    """Makes them of *samples*, the same ones for the same *seed*."""

    def __init__(self, samples: Sequence[bytes], seed: int) -> None:
        self._random = random.Random(seed)
        self._samples = [(octets, places(octets)) for octets in samples]

    def mutant(self) -> bytes:
        """Return the next."""
        chance = self._random
        octets, inside = chance.choice(self._samples)
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            octets = chance.choice(_WAYS)(self, octets, chance.choice(inside))
        return octets

    # Ways to go wrong. A place may not fit any more after another change: slices do not mind.

    def _length(self, octets: bytes, place: Place) -> bytes:
        return octets[: place.whole + 1] + self._random.choice(_LENGTHS) + octets[place.start :]

    def _longer(self, octets: bytes, place: Place) -> bytes:
        """The element says that it has a little more or less in it."""
        length = max(0, place.end - place.start + self._random.choice((-2, -1, 1, 2, 100)))
        said = element(place.tag, bytes(length))[: -length or None]
        return octets[: place.whole] + said + octets[place.start :]

    def _tag(self, octets: bytes, place: Place) -> bytes:
        return octets[: place.whole] + bytes((self._random.choice(_TAGS),)) + octets[place.whole + 1 :]

    def _value(self, octets: bytes, place: Place) -> bytes:
        """Other contents, with all lengths around them made to fit."""
        return self._put(octets, place, element(place.tag & 0xFF, self._random.choice(_NUMBERS + _TEXTS)))

    def _gone(self, octets: bytes, place: Place) -> bytes:
        return self._put(octets, place, b"")

    def _twice(self, octets: bytes, place: Place) -> bytes:
        return self._put(octets, place, octets[place.whole : place.end] * self._random.choice((2, 3, 40)))

    def _nested(self, octets: bytes, place: Place) -> bytes:
        inner = octets[place.whole : place.end]
        tag = self._random.choice((0xA0, 0xA1, 0xA2, 0x30, place.tag))
        for _ in range(self._random.choice((1, 5, 40, 300))):
            inner = element(tag, inner)
        return self._put(octets, place, inner)

    def _other(self, octets: bytes, place: Place) -> bytes:
        other, inside = self._random.choice(self._samples)
        piece = self._random.choice(inside)
        return self._put(octets, place, other[piece.whole : piece.end])

    def _put(self, octets: bytes, place: Place, new: bytes) -> bytes:
        """Return *octets* with *new* in *place*; elements around it fit it, where they still are what they were."""
        around = [each for each in places(octets) if each.start <= place.whole and place.end <= each.end]
        made, start, end = new, place.whole, place.end
        for each in sorted(around, key=lambda each: each.start, reverse=True):
            if (each.whole, each.end) == (place.whole, place.end):
                continue
            made = element(each.tag, octets[each.start : start] + made + octets[end : each.end])
            start, end = each.whole, each.end
        return octets[:start] + made + octets[end:]

    def _octet(self, octets: bytes, _place: Place) -> bytes:
        changed = bytearray(octets or b"\0")
        changed[self._random.randrange(len(changed))] = self._random.randrange(256)
        return bytes(changed)

    def _cut(self, octets: bytes, _place: Place) -> bytes:
        return octets[: self._random.randrange(len(octets) + 1)]

    def _noise(self, octets: bytes, _place: Place) -> bytes:
        at = self._random.randrange(len(octets) + 1)
        return octets[:at] + self._random.randbytes(self._random.choice((1, 2, 20, 2_000))) + octets[at:]


_WAYS: tuple[Callable[[Mutants, bytes, Place], bytes], ...] = (
    Mutants._length,
    Mutants._longer,
    Mutants._tag,
    Mutants._value,
    Mutants._value,
    Mutants._gone,
    Mutants._twice,
    Mutants._nested,
    Mutants._other,
    Mutants._other,
    Mutants._octet,
    Mutants._cut,
    Mutants._noise,
)
