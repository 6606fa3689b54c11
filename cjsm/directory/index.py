"""What finds entries by the terms of one attribute: (term, slot) pairs in the order of the terms.

An index never changes; the next one shares with it all but the few buckets that a change touches. Equality, beginnings
and order are ranges of it. What stands inside or at the end of terms is looked for in the text of whole buckets, and
only in those that have all of its trigrams.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, TypeAlias

from msgspec import Struct

#: Text under the rules of :mod:`~cjsm.directory.matching`; identifiers are octets. One index has one of them.
Term: TypeAlias = Any
Compare = Callable[[str], bool]

#: Pairs of a bucket at most.
_MOST = 512
#: Buckets from which on trigrams are worth their memory.
_LARGE = 8
_END = "\n"
_LETTERS = 3
#: One in so many distinct terms of a bucket has what is looked for: many.
_DENSE = 16


class Bucket(Struct, gc=False):
    """Neighbouring pairs.

    :ivar number: stays the same while the bucket does, whatever comes before it.
    :ivar text: the distinct terms, each with a line end; made when something is first looked for inside.
    :ivar starts: where each distinct term begins in the text, and *edges* its first pair.
    """

    number: int
    terms: tuple[Term, ...]
    slots: "array[int]"
    text: str = ""
    starts: "array[int] | None" = None
    edges: "array[int] | None" = None

    def open(self) -> None:
        """Make the text."""
        edges = array("H", (at for at, term in enumerate(self.terms) if not at or term != self.terms[at - 1]))
        distinct = [self.terms[at] for at in edges]
        self.starts = array("I", (0, *accumulate(len(term) + 1 for term in distinct)))
        edges.append(len(self.terms))
        self.edges = edges
        self.text = _END.join(distinct) + _END

    def containing(self, needle: str, compare: Compare | None, found: list[int]) -> None:
        """Add to *found* the slots of terms in which *needle* stands and that *compare* takes."""
        if self.starts is None:
            self.open()
        text, starts, edges = self.text, self.starts, self.edges
        assert starts is not None
        assert edges is not None
        if needle[-1] != _END and text.count(needle) * _DENSE > len(edges):
            # Where many have it, looking at each is quicker than going from one to the next.
            pairs = zip(self.terms, self.slots, strict=True)
            if compare is None:
                found += [slot for term, slot in pairs if needle in term]
            else:
                found += [slot for term, slot in pairs if needle in term and compare(term)]
            return
        at = text.find(needle)
        while at >= 0:
            which = bisect_right(starts, at) - 1
            if compare is None or compare(self.terms[edges[which]]):
                found += self.slots[edges[which] : edges[which + 1]]
            at = text.find(needle, starts[which + 1])


class Run(Struct, frozen=True, gc=False):
    """A range of pairs: from one place, a bucket and an offset in it, up to another."""

    index: "Index"
    begin: tuple[int, int]
    end: tuple[int, int]

    @property
    def size(self) -> int:
        """How many pairs there are."""
        if self.begin is self.end:
            return 0
        return max(self.index.before(self.end) - self.index.before(self.begin), 0)

    def slots(self) -> "Iterator[array[int]]":
        """Yield the slots, a bucket's at a time."""
        for bucket, first, last in self._pieces():
            yield bucket.slots[first:last]

    def backwards(self) -> "Iterator[array[int]]":
        """Yield the slots from the last to the first, a bucket's at a time."""
        for bucket, first, last in reversed(list(self._pieces())):
            yield bucket.slots[first:last][::-1]

    def matching(self, compare: Compare) -> Iterator[Sequence[int]]:
        """Yield the slots of terms that *compare* takes, a bucket's at a time."""
        for bucket, first, last in self._pieces():
            terms, slots = bucket.terms, bucket.slots
            yield [slots[at] for at in range(first, last) if compare(terms[at])]

    def _pieces(self) -> Iterator[tuple[Bucket, int, int]]:
        (first, begin), (last, end) = self.begin, self.end
        buckets = self.index.buckets
        for number in range(first, min(last, len(buckets) - 1) + 1):
            bucket = buckets[number]
            low = begin if number == first else 0
            high = end if number == last else len(bucket.slots)
            if low < high:
                yield bucket, low, high


class Index:
    """The pairs of one attribute.

    :ivar buckets: in order.
    :ivar grams: for each trigram of words the numbers of the buckets that have it, as bits; None before the index is
        sharpened, for a small one, and for one that is seldom asked for what is inside.
    """

    __slots__ = ("_ends", "_firsts", "_next", "_numbered", "buckets", "grams", "searched")

    def __init__(self, buckets: Sequence[Bucket] = (), *, searched: bool = True) -> None:
        self.buckets = list(buckets)
        self.searched = searched
        self.grams: dict[str, int] | None = None
        self._next = len(self.buckets)
        self.settle()

    def __len__(self) -> int:
        return self._ends[-1]

    def before(self, place: tuple[int, int]) -> int:
        """Return how many pairs come before *place*."""
        return self._ends[place[0]] + place[1]

    # Ranges.

    def place(self, term: Term) -> tuple[int, int]:
        """Return where the first pair is whose term is not before *term*."""
        number = bisect_left(self._firsts, term)
        if number:
            terms = self.buckets[number - 1].terms
            offset = bisect_left(terms, term)
            if offset < len(terms):
                return number - 1, offset
        return number, 0

    def after(self, term: Term) -> tuple[int, int]:
        """Return where the first pair is whose term is after *term*."""
        number = bisect_right(self._firsts, term)
        if number:
            terms = self.buckets[number - 1].terms
            offset = bisect_right(terms, term)
            if offset < len(terms):
                return number - 1, offset
        return number, 0

    def _at(self, place: tuple[int, int]) -> Term | None:
        """Return the term at *place*; None behind the last one."""
        number, offset = place
        return self.buckets[number].terms[offset] if number < len(self.buckets) else None

    @property
    def end(self) -> tuple[int, int]:
        """The place after the last pair."""
        return len(self.buckets), 0

    def equal(self, term: Term) -> Run:
        """Return the pairs of *term*."""
        begin = self.place(term)
        return Run(self, begin, self.after(term) if self._at(begin) == term else begin)

    def prefix(self, beginning: str) -> Run:
        """Return the pairs whose terms begin with *beginning*, which is not empty."""
        begin = self.place(beginning)
        first = self._at(begin)
        if first is None or not first.startswith(beginning):
            return Run(self, begin, begin)
        following = _following(beginning)
        return Run(self, begin, self.end if following is None else self.place(following))

    def between(self, least: Term | None, most: Term | None) -> Run:
        """Return the pairs not before *least* and not after *most*; None for no bound."""
        begin = (0, 0) if least is None else self.place(least)
        return Run(self, begin, self.end if most is None else self.after(most))

    # Inside.

    def having(self, pieces: Iterable[str]) -> int:
        """Return the buckets, as bits of their numbers, that may have a term with all *pieces* in it."""
        bits = (1 << self._next) - 1
        if self.grams is None:
            return bits
        for word in (word for piece in pieces for word in piece.split()):
            for at in range(len(word) - _LETTERS + 1):
                bits &= self.grams.get(word[at : at + _LETTERS], 0)
                if not bits:
                    return 0
        return bits

    def containing(self, needle: str, compare: Compare | None, bits: int) -> Iterator[list[int]]:
        """Yield the slots of terms in which *needle* stands and that *compare* takes, from the buckets in *bits*."""
        found: list[int] = []
        while bits:
            lowest = bits & -bits
            bits ^= lowest
            bucket = self._numbered.get(lowest.bit_length() - 1)
            if bucket is not None:
                bucket.containing(needle, compare, found)
                yield found
                found = []

    @property
    def is_blunt(self) -> bool:
        """Whether it would be quicker at what is inside terms if it were sharpened."""
        return self.searched and self.grams is None and len(self.buckets) >= _LARGE

    def sharpen(self) -> Generator[None, None, None]:
        """Note which buckets have which trigrams, one bucket after another. Until then any of them may have any."""
        grams: dict[str, int] = {}
        for bucket in self.buckets:
            if bucket.starts is None:
                bucket.open()
            _note(grams, bucket.text, 1 << bucket.number)
            yield
        self.grams = grams

    # The next index.

    def copy(self) -> "Index":
        """Return an index that shares all of this one's buckets and may be changed until it is settled."""
        following = Index.__new__(Index)
        following.buckets, following._firsts = list(self.buckets), list(self._firsts)
        following.searched, following._next = self.searched, self._next
        following.grams = dict(self.grams) if self.grams is not None else None
        return following

    def settle(self) -> None:
        """All changes are made."""
        self._firsts = [bucket.terms[0] for bucket in self.buckets]
        self._numbered = {bucket.number: bucket for bucket in self.buckets}
        self._ends = list(accumulate((len(bucket.slots) for bucket in self.buckets), initial=0))

    def _find(self, term: Term, slot: int) -> tuple[int, int]:
        """Return the bucket and offset where the pair is or belongs."""
        number = bisect_left(self._firsts, term)
        if number:
            number -= 1
        while number < len(self.buckets):
            bucket = self.buckets[number]
            if (term, slot) <= (bucket.terms[-1], bucket.slots[-1]) or number == len(self.buckets) - 1:
                low, high = bisect_left(bucket.terms, term), bisect_right(bucket.terms, term)
                return number, bisect_left(bucket.slots, slot, low, high)
            number += 1
        return 0, 0

    def remove(self, term: Term, slot: int) -> None:
        """Take a pair out."""
        number, at = self._find(term, slot)
        bucket = self.buckets[number]
        if bucket.terms[at] != term or bucket.slots[at] != slot:
            raise KeyError(slot)
        if len(bucket.slots) == 1:
            del self.buckets[number], self._firsts[number]
            return
        terms = bucket.terms[:at] + bucket.terms[at + 1 :]
        self._put(number, Bucket(bucket.number, terms, bucket.slots[:at] + bucket.slots[at + 1 :]))

    def add(self, term: Term, slot: int) -> None:
        """Put a pair in."""
        if not self.buckets:
            self.buckets, self._firsts, self._next = [Bucket(0, (term,), array("I", (slot,)))], [term], 1
            return
        number, at = self._find(term, slot)
        bucket = self.buckets[number]
        terms = (*bucket.terms[:at], term, *bucket.terms[at:])
        self._put(number, Bucket(bucket.number, terms, bucket.slots[:at] + array("I", (slot,)) + bucket.slots[at:]))
        if self.grams is not None:
            _note(self.grams, term, 1 << bucket.number)
        if len(terms) > _MOST:
            self._split(number)

    def _put(self, number: int, bucket: Bucket) -> None:
        self.buckets[number] = bucket
        self._firsts[number] = bucket.terms[0]

    def _split(self, number: int) -> None:
        bucket, half = self.buckets[number], len(self.buckets[number].terms) // 2
        upper = Bucket(self._next, bucket.terms[half:], bucket.slots[half:])
        self._next += 1
        self._put(number, Bucket(bucket.number, bucket.terms[:half], bucket.slots[:half]))
        self.buckets.insert(number + 1, upper)
        self._firsts.insert(number + 1, upper.terms[0])
        if self.grams is not None:
            _note(self.grams, _END.join(upper.terms), 1 << upper.number)


def _note(grams: dict[str, int], text: str, bit: int) -> None:
    # Neighbours have many words in common.
    text = _END.join(set(text.split()))
    for gram in map("".join, set(zip(text, text[1:], text[2:], strict=False))):
        grams[gram] = grams.get(gram, 0) | bit


def _following(beginning: str) -> str | None:
    """Return the first text after all that begin with *beginning*; None when there is none."""
    stripped = beginning.rstrip(chr(0x10FFFF))
    return stripped[:-1] + chr(ord(stripped[-1]) + 1) if stripped else None
