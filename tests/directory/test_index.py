"""Indexes against a plain list of pairs."""

from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjsm.directory import index, indexing
from cjsm.directory.index import Index, Run
from cjsm.directory.indexing import in_order, making
from cjsm.directory.loading import finished

TERMS = st.one_of(
    st.text("ab c", min_size=1, max_size=6), st.sampled_from(("anna", "annabel", "ann smith", "\U0010ffff"))
)
PAIRS = st.lists(st.tuples(TERMS, st.integers(0, 40)), max_size=60, unique=True)


@contextmanager
def tiny() -> Iterator[None]:
    """All sizes are so small that a few terms are many."""
    with pytest.MonkeyPatch.context() as patch:
        for name, size in (("_MOST", 4), ("_LARGE", 2)):
            patch.setattr(index, name, size)
        for name, size in (("_MADE", 2), ("_AT_ONCE", 8), ("_SAMPLED", 2)):
            patch.setattr(indexing, name, size)
        yield


def small(pairs: list[tuple[str, int]]) -> Index:
    """An index with buckets of few pairs."""
    ordered = sorted(pairs, key=lambda pair: pair[1])
    *_, made = making([term for term, _ in ordered], [slot for _, slot in ordered], searched=True)
    assert made is not None
    return made


def slots(run: Run) -> list[int]:
    return [slot for piece in run.slots() for slot in piece]


def check(index: Index, pairs: list[tuple[str, int]], asked: str) -> None:
    """Whatever is asked, the index says what the list says."""
    ordered = sorted(pairs)
    assert slots(index.between(None, None)) == [slot for _, slot in ordered]
    assert len(index) == len(ordered)
    equal = [slot for term, slot in ordered if term == asked]
    assert slots(index.equal(asked)) == equal
    assert index.equal(asked).size == len(equal)
    assert slots(index.prefix(asked)) == [slot for term, slot in ordered if term.startswith(asked)]
    assert slots(index.between(asked, None)) == [slot for term, slot in ordered if term >= asked]
    assert slots(index.between(None, asked)) == [slot for term, slot in ordered if term <= asked]
    for needle, inside in ((asked, lambda term: asked in term), (f"{asked}\n", lambda term: term.endswith(asked))):
        found = [slot for piece in index.containing(needle, None, index.having([needle])) for slot in piece]
        assert sorted(found) == sorted(slot for term, slot in pairs if inside(term))


@settings(max_examples=150, deadline=None)
@given(PAIRS, PAIRS, TERMS, st.data())
def test_an_index_is_a_sorted_list(
    first: list[tuple[str, int]], more: list[tuple[str, int]], asked: str, data: st.DataObject
) -> None:
    """As made and after changes; the one before stays what it was."""
    with tiny():
        index, pairs = small(first), list(first)
        check(index, pairs, asked)
        if index.is_blunt and data.draw(st.booleans()):
            finished(index.sharpen())
            assert not index.is_blunt
            check(index, pairs, asked)
        following, changed = index.copy(), sorted(pairs)
        for pair in more:
            if pair in changed:
                changed.remove(pair)
                following.remove(*pair)
            else:
                insort(changed, pair)
                following.add(*pair)
        following.settle()
        check(following, changed, asked)
        check(index, pairs, asked)


def test_a_sharp_index_looks_into_few_buckets() -> None:
    """Only those that have all trigrams of what is looked for."""
    with tiny():
        index = small([(f"word{number}", number) for number in range(100, 200)])
        assert index.having(["word105"]).bit_count() == len(index.buckets)
        finished(index.sharpen())
        assert index.having(["word105"]).bit_count() < len(index.buckets) // 4
        assert index.having(["nowhere"]) == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(("ann", "bob", "cy")), max_size=200))
def test_terms_are_sorted_in_small_parts(terms: list[str]) -> None:
    """However many of them are equal; those stay in the order given."""
    with tiny():
        parts = list(in_order(terms))
        most = 2 * indexing._AT_ONCE + indexing._SAMPLED * -(-len(terms) // indexing._AT_ONCE)
    assert [place for part in parts for place in part] == sorted(range(len(terms)), key=terms.__getitem__)
    assert max(map(len, parts), default=0) <= most
