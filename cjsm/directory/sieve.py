"""What a filter could find, told from a record's own text: most of a large community need not be made entries."""

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from msgspec import Struct

from cjsm.directory.folding import fold
from cjsm.directory.matching import Rule, prepare
from cjsm.directory.query import And, Equal, Filter, Matches, Or, Similar, Substrings, Undefined
from cjsm.directory.schema import Schema

_WORD = re.compile(r"\w+")
_NO_DIGITS = re.compile(r"[^0-9]+")
_CLASS = "objectclass"
#: Attributes whose values are put together from texts that records, their addresses and organisations have, with
#: nothing but marks and spaces between them.
_PLAIN = frozenset(
    (
        *("cn", "sn", "givenname", "displayname", "mail", "uid", "o", "ou", "employeetype", "street", "l"),
        *("postalcode", "telephonenumber", "mobile", "description", "businesscategory", "cjsmarea"),
    )
)


class Said(Struct, frozen=True):
    """What a record says: its texts, folded; the digits of its telephones; its object classes, in small letters."""

    text: str
    digits: str = ""
    classes: frozenset[str] = frozenset()


Test: TypeAlias = Callable[[Said], bool]


class Sieve(Struct, frozen=True):
    """What keeps all that a filter may be true of.

    :ivar test: whether something that says this could match.
    :ivar addresses: whether addresses matter to it.
    :ivar digits: whether telephones do.
    """

    test: Test
    addresses: bool = False
    digits: bool = False


#: Keeps everything.
ALL = Sieve(lambda said: True)
_NOTHING = Sieve(lambda said: False)


def text_of(texts: Iterable[str]) -> str:
    """Return *texts* folded, with spaces between them."""
    joined = " ".join(texts)
    return joined.lower() if joined.isascii() else fold(joined)


def digits_of(telephones: Iterable[str]) -> str:
    """Return the digits of *telephones*, apart."""
    return " ".join([_NO_DIGITS.sub("", each) for each in telephones])


def sieve(filter_: Filter, schema: Schema) -> Sieve:
    """Return what keeps all that *filter_* may be true of, and as little else as can be told without an entry."""
    if isinstance(filter_, (And, Or)):
        parts = [sieve(part, schema) for part in filter_.parts]
        if len(parts) == 1:
            return parts[0]
        tests = [part.test for part in parts]
        test = _all(tests) if isinstance(filter_, And) else _any(tests)
        return Sieve(test, any(part.addresses for part in parts), any(part.digits for part in parts))
    if isinstance(filter_, (Equal, Similar, Substrings, Matches)):
        return _item(filter_, schema)
    return _NOTHING if isinstance(filter_, Undefined) else ALL


def _item(item: Equal | Similar | Substrings | Matches, schema: Schema) -> Sieve:
    attribute = schema.attribute(item.attribute) if item.attribute is not None else None
    if attribute is None or (isinstance(item, Matches) and item.names):
        return ALL
    if attribute.key == _CLASS and isinstance(item, Equal):
        return _of_class(item.value, schema)
    if attribute.key not in _PLAIN:
        return ALL
    given = (item.initial, *item.inner, item.final) if isinstance(item, Substrings) else (item.value,)
    if attribute.rule is Rule.TELEPHONE:
        digits = tuple(filter(None, (prepare(Rule.TELEPHONE, piece) for piece in given)))
        # Without a digit it is undefined, and nobody is found by it.
        return Sieve(lambda said: all(map(said.digits.__contains__, digits)), digits=True) if digits else _NOTHING
    words = tuple(word for piece in given for word in _WORD.findall(fold(piece)))
    if not words:
        return ALL
    return Sieve(lambda said: all(map(said.text.__contains__, words)), addresses=attribute.key == "mail")


def _of_class(name: str, schema: Schema) -> Sieve:
    found = schema.object_class(name.strip())
    if found is None:
        return _NOTHING
    wanted = found.name.lower()
    return Sieve(lambda said: wanted in said.classes)


def _all(tests: list[Test]) -> Test:
    def test(said: Said) -> bool:
        for each in tests:  # noqa: SIM110 - asked of every record of a community
            if not each(said):
                return False
        return True

    return test


def _any(tests: list[Test]) -> Test:
    def test(said: Said) -> bool:
        for each in tests:  # noqa: SIM110 - asked of every record of a community
            if each(said):
                return True
        return False

    return test
