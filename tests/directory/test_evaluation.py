"""Evaluation against a plain model: pieces as a pattern, three values as Kleene has them."""

import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cjsm.directory import schema
from cjsm.directory.evaluation import compiled
from cjsm.directory.query import And, Equal, Filter, Not, Or, Present, Substrings, Undefined
from cjsm.directory.schema import AttributeType, Schema

SCHEMA = schema.load()
LETTERS = st.text("ab", max_size=3)


class Card:
    """One entry with a common name, and a telephone number that may not be read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.schema: Schema = SCHEMA

    def terms(self, position: int, attribute: AttributeType) -> Sequence[str] | None:
        if attribute.key == "telephonenumber":
            return None
        return (self.name,) if attribute.key == "cn" else ()

    def has(self, position: int, attribute: AttributeType) -> bool:
        return bool(self.values(position, attribute))

    def values(self, position: int, attribute: AttributeType) -> Sequence[str]:
        return self.terms(position, attribute) or ()

    def dn(self, position: int) -> str:
        return f"cn={self.name}"


@given(st.text("ab", min_size=1, max_size=8), LETTERS, st.lists(LETTERS, max_size=3), LETTERS)
def test_pieces(name: str, initial: str, inner: list[str], final: str) -> None:
    """A value matches when the pieces stand in it in order and do not overlap."""
    found = compiled(Substrings("cn", initial, tuple(inner), final), Card(name))(0)
    if not (initial or final or any(inner)):
        assert found is None
    else:
        pattern = ".*".join((initial, *inner, final)) if inner else f"{initial}.*{final}"
        assert found == (re.fullmatch(pattern, name) is not None)


ITEMS = st.sampled_from(
    (
        (Equal("cn", "ab"), True),
        (Equal("cn", "ba"), False),
        (Present("cn"), True),
        (Present("sn"), False),
        (Equal("telephoneNumber", "1"), None),
        (Equal("noSuchAttribute", "x"), None),
        (Undefined(), None),
    )
)
Decided = tuple[Filter, bool | None]


def _and(parts: list[Decided]) -> Decided:
    values = [value for _, value in parts]
    decided = False if False in values else None if None in values else True
    return And(tuple(part for part, _ in parts)), decided


def _or(parts: list[Decided]) -> Decided:
    values = [value for _, value in parts]
    decided = True if True in values else None if None in values else False
    return Or(tuple(part for part, _ in parts)), decided


def _not(part: Decided) -> Decided:
    return Not(part[0]), None if part[1] is None else not part[1]


FILTERS = st.recursive(
    ITEMS,
    lambda parts: st.one_of(
        st.lists(parts, max_size=3).map(_and), st.lists(parts, max_size=3).map(_or), parts.map(_not)
    ),
    max_leaves=12,
)


@given(FILTERS)
def test_three_values(decided: Decided) -> None:
    """What may not be read, or does not exist, is neither true nor false, however deep it stands."""
    filter_, expected = decided
    assert compiled(filter_, Card("ab"))(0) is expected
