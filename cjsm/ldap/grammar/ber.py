"""The subset of the Basic Encoding Rules that LDAP uses (RFC 4511 §5.1): definite lengths, tags of one octet.

Reading is lazy and strict: an element is looked at when it is asked for, must lie inside the one around it and have the
tag that was asked for. Lengths may take up to four octets after the first, as some clients always write them.
"""

from collections.abc import Iterator

BOOLEAN = 0x01
INTEGER = 0x02
OCTETS = 0x04
ENUMERATED = 0x0A
SEQUENCE = 0x30
SET = 0x31

_LENGTH_OCTETS = 4
_INTEGER_OCTETS = 8


class BerError(ValueError):
    """Octets that are not what the encoding rules allow or the grammar expects."""


def header(data: bytes | bytearray, at: int, end: int) -> tuple[int, int, int] | None:
    """Return tag, start and length of the element at *at*; None when its header is not whole yet.

    :raises BerError: for long tags and indefinite or overlong lengths.
    """
    if end - at < 2:
        return None
    tag, first = data[at], data[at + 1]
    if tag & 0x1F == 0x1F:
        raise BerError("tag of more than one octet")
    if first < 0x80:
        return tag, at + 2, first
    count = first & 0x7F
    if not 0 < count <= _LENGTH_OCTETS:
        raise BerError("indefinite or overlong length")
    start = at + 2 + count
    if start > end:
        return None
    return tag, start, int.from_bytes(data[at + 2 : start], "big")


def spans(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield tag, begin and end of the contents of each element between two offsets of *data*.

    :raises BerError: for what is no element, once the others have been yielded.
    """
    while at < end:
        start = at + 2
        if start <= end and data[at + 1] < 0x80 and data[at] & 0x1F != 0x1F:
            stop = start + data[at + 1]
        else:
            found = header(data, at, end)
            if found is None:
                raise BerError("element cut off")
            _, start, length = found
            stop = start + length
        if stop > end:
            raise BerError("element longer than the one around it")
        yield data[at], start, stop
        at = stop


def attributed(data: bytes, at: int, end: int) -> tuple[int, int, int, int, int]:
    """Return begin and end of a string, and tag, begin and end of the one element that follows it up to *end*.

    :raises BerError: for anything else.
    """
    if end - at >= 4 and data[at] == OCTETS and data[at + 1] < 0x80:
        stop = at + 2 + data[at + 1]
        if stop + 2 <= end and data[stop + 1] == end - stop - 2 < 0x80:
            return at + 2, stop, data[stop], stop + 2, end
    found = list(spans(data, at, end))
    if len(found) != 2 or found[0][0] != OCTETS:
        raise BerError("an attribute and one element belong here")
    (_, begin, stop), second = found
    return begin, stop, *second


class Reader:
    """Reads the elements of *data* between two offsets, one after another."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self._data = data
        self._at = at
        self._end = len(data) if end is None else end

    @property
    def done(self) -> bool:
        """Whether everything was read."""
        return self._at == self._end

    @property
    def left(self) -> int:
        """How many octets are not read yet."""
        return self._end - self._at

    def peek(self) -> int | None:
        """Return the tag of the next element, None when there is none."""
        return self._data[self._at] if self._at < self._end else None

    def _next(self, tag: int) -> tuple[int, int]:
        data, at, start = self._data, self._at, self._at + 2
        if start <= self._end and data[at] == tag and data[at + 1] < 0x80:
            # Nearly every element: what was asked for, with a short length.
            end = start + data[at + 1]
        else:
            found = header(data, at, self._end)
            if found is None:
                raise BerError("element missing or cut off")
            actual, start, length = found
            if actual != tag:
                raise BerError(f"tag {actual:#04x} where {tag:#04x} belongs")
            end = start + length
        if end > self._end:
            raise BerError("element longer than the one around it")
        self._at = end
        return start, end

    def inside(self, tag: int = SEQUENCE) -> "Reader":
        """Return a reader of the contents of the next element, which must be *tag*."""
        return Reader(self._data, *self._next(tag))

    def octets(self, tag: int = OCTETS) -> bytes:
        """Return the contents of the next element."""
        start, end = self._next(tag)
        return self._data[start:end]

    def integer(self, tag: int = INTEGER) -> int:
        """Return the next element as a number of at most eight octets."""
        start, end = self._next(tag)
        if not 0 < end - start <= _INTEGER_OCTETS:
            raise BerError("number without octets or too large")
        return int.from_bytes(self._data[start:end], "big", signed=True)

    def boolean(self, tag: int = BOOLEAN) -> bool:
        """Return the next element as a truth value; anything but zero is true."""
        start, end = self._next(tag)
        if end - start != 1:
            raise BerError("truth value must be one octet")
        return self._data[start] != 0

    def span(self) -> tuple[bytes, int, int, int]:
        """Return what is read, and tag, begin and end of the contents of the next element in it, whatever it is.

        :raises BerError: when there is none.
        """
        tag = self.peek()
        if tag is None:
            raise BerError("element missing")
        return self._data, tag, *self._next(tag)

    def rest(self) -> bytes:
        """Return all that is not read yet."""
        at, self._at = self._at, self._end
        return self._data[at : self._end]

    def optional(self, tag: int) -> bytes | None:
        """Return the contents of the next element when it is *tag*, else None and nothing is read."""
        return self.octets(tag) if self.peek() == tag else None

    def finish(self) -> None:
        """Refuse anything left over.

        :raises BerError: when there is.
        """
        if not self.done:
            raise BerError("more elements than belong here")


def element(tag: int, content: bytes) -> bytes:
    """Return one element with the shortest length form."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    return _long_header(tag, length) + content


def sequence_header(length: int) -> bytes:
    """Return what a SEQUENCE of so many octets begins with."""
    return bytes((SEQUENCE, length)) if length < 0x80 else _long_header(SEQUENCE, length)


def _long_header(tag: int, length: int) -> bytes:
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets


def number(value: int, tag: int = INTEGER) -> bytes:
    """Return *value* as an INTEGER or ENUMERATED."""
    return element(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
