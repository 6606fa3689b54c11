"""The first indexes: the pairs of all attributes gathered from all entries, then each attribute's put in order.

All of it is done in slices of some milliseconds.
"""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from cjsm.directory.entries import Entry, Kinds, Terms, timestamps
from cjsm.directory.index import Bucket, Index, Term

#: Pairs of a bucket.
_MADE = 256
#: Terms that are sorted before others have their turn; one of so many helps to divide them into such parts.
_AT_ONCE = 4_096
_SAMPLED = 256


#: The types of a column in which each entry has one term.
_ONE_EACH = {str}


class _Pairs:
    """The pairs of one attribute. Slots of equal terms rise."""

    def __init__(self) -> None:
        self.terms: list[Term] = []
        self.slots = array("I")

    def add(self, slots: Sequence[int], terms: Sequence[Term]) -> None:
        """Add a term of each of some entries."""
        self.terms += terms
        self.slots.extend(slots)

    def add_column(self, slots: Sequence[int], column: Sequence[Terms]) -> None:
        """Add the terms of entries, one or none or several of each."""
        if set(map(type, column)) == _ONE_EACH:
            self.add(slots, column)
            return
        for slot, terms in zip(slots, column, strict=True):
            if isinstance(terms, str):
                self.terms.append(terms)
                self.slots.append(slot)
            elif terms is not None:
                # What has a value that cannot be compared is found by its having one.
                self.terms += terms or ("",)
                self.slots.extend([slot] * (len(terms) or 1))


def indexes(
    pieces: Iterable[Iterable[tuple[int, Entry]]], kinds: Kinds, is_searched: Callable[[str], bool]
) -> Generator[None, None, dict[str, Index]]:
    """Make the indexes of all entries, which come in *pieces* in the order of their slots; the generator returns them.

    :param is_searched: whether the attribute with this key is asked for by what its values have inside.
    """
    gathered: dict[str, _Pairs] = defaultdict(_Pairs)
    for piece in pieces:
        _gather(piece, gathered)
        yield
    found = {}
    for key in kinds.indexed:
        pairs = gathered.pop(key, _Pairs())
        index = Index()
        for done in making(pairs.terms, pairs.slots, searched=is_searched(key)):
            index = done or index
            yield
        found[key] = index
    return found


def _gather(piece: Iterable[tuple[int, Entry]], gathered: dict[str, _Pairs]) -> None:
    # Neighbours are of one kind and at one place nearly always: what they have in common costs nothing more then, and
    # their terms are turned from rows into columns all at once.
    for (kind, place), group in groupby(piece, key=lambda each: (each[1].kind, each[1].place)):
        slots, entries = zip(*group, strict=True)
        gathered["objectclass"].add(slots, [kind.name] * len(slots))
        for column, terms in zip(kind.columns, zip(*[entry.terms for entry in entries], strict=True), strict=True):
            gathered[column.attribute.key].add_column(slots, terms)
        if kind.inherits:
            for key, inherited in place.terms.items():
                for term in inherited:
                    gathered[key].add(slots, [term] * len(slots))
        if place.identifier is not None:
            gathered["entryuuid"].add(slots, [entry.identity for entry in entries])
        created, changed = zip(*map(timestamps, entries), strict=True)
        gathered["createtimestamp"].add(slots, created)
        gathered["modifytimestamp"].add(slots, changed)


def making(terms: Sequence[Term], slots: Sequence[int], *, searched: bool) -> Iterator[Index | None]:
    """Make the index of these pairs; the last one yielded is it.

    :param slots: those of equal terms rise.
    """
    buckets: list[Bucket] = []
    for part in in_order(terms):
        for at in range(0, len(part), _MADE):
            piece = part[at : at + _MADE]
            if len(piece) == 1:
                buckets.append(Bucket(len(buckets), (terms[piece[0]],), array("I", (slots[piece[0]],))))
            else:
                these = itemgetter(*piece)
                buckets.append(Bucket(len(buckets), these(terms), array("I", these(slots))))
        yield None
    yield Index(buckets, searched=searched)


def in_order(terms: Sequence[Term]) -> Iterator[list[int]]:
    """Yield the places of *terms* in their order, part by part.

    Equal terms stay in the order given, and may be in several parts; an empty part is work done.
    """
    runs: list[list[int]] = []
    for first in range(0, len(terms), _AT_ONCE):
        runs.append(sorted(range(first, min(first + _AT_ONCE, len(terms))), key=terms.__getitem__))
        yield []
    if len(runs) <= 1:
        yield from runs
        return

    def pair(place: int) -> tuple[Term, int]:
        return terms[place], place

    # No two pairs are equal, so that there are bounds among equal terms too.
    sample = sorted(pair(place) for run in runs for place in run[::_SAMPLED])
    begins = [0] * len(runs)
    for bound in (*sample[_AT_ONCE // _SAMPLED :: _AT_ONCE // _SAMPLED], None):
        ends = [
            len(run) if bound is None else bisect_left(run, bound, begin, key=pair)
            for run, begin in zip(runs, begins, strict=True)
        ]
        part = [place for run, begin, end in zip(runs, begins, ends, strict=True) for place in run[begin:end]]
        part.sort(key=terms.__getitem__)
        begins = ends
        yield part
