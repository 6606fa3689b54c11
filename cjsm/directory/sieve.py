"""What a filter could find, told from a record's own text: most of a large community need not be made entries of."""

import re
from collections.abc import Callable, Iterable

from msgspec import Struct

from cjsm.directory.folding import fold
from cjsm.directory.matching import Rule, prepare
from cjsm.directory.query import And, Equal, Filter, Matches, Or, Similar, Substrings
from cjsm.directory.schema import Schema

_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"[^0-9]+")
#: Attributes whose values are put together from texts that records, their addresses and organisations have, with
#: nothing but marks and spaces between them.
_PLAIN = frozenset(
    (
        *("cn", "sn", "givenname", "displayname", "mail", "uid", "o", "ou", "employeetype", "street", "l"),
        *("postalcode", "telephonenumber", "mobile", "description", "businesscategory", "cjsmarea"),
    )
)


class Sieve(Struct, frozen=True):
    """What keeps all that a filter may be true of.

    :ivar test: whether something with this text (see :func:`said`) could match.
    :ivar addresses: whether the text of its addresses matters.
    """

    test: Callable[[str], bool]
    addresses: bool = False


#: Keeps everything.
ALL = Sieve(lambda text: True)


def said(texts: Iterable[str], telephones: Iterable[str] = ()) -> str:
    """Return the text of a record to look through: its *texts* folded, and the digits of *telephones*."""
    digits = " ".join([_DIGITS.sub("", each) for each in telephones])
    return f"{fold(' '.join(texts))} {digits}"


def sieve(filter_: Filter, schema: Schema) -> Sieve:
    """Return what keeps all that *filter_* may be true of, and as little else as can be told without an entry."""
    if isinstance(filter_, (And, Or)):
        parts = [sieve(part, schema) for part in filter_.parts]
        tests, combine = [part.test for part in parts], all if isinstance(filter_, And) else any
        return Sieve(lambda text: combine([test(text) for test in tests]), any(part.addresses for part in parts))
    if isinstance(filter_, (Equal, Similar, Substrings, Matches)):
        wanted, of_addresses = _wanted(filter_, schema)
        if wanted:
            return Sieve(lambda text: all(map(text.__contains__, wanted)), of_addresses)
    return ALL


def _wanted(item: Equal | Similar | Substrings | Matches, schema: Schema) -> tuple[tuple[str, ...], bool]:
    """Return what must be somewhere in the text, nothing where that cannot be told; and whether addresses count."""
    attribute = schema.attribute(item.attribute) if item.attribute is not None else None
    if attribute is None or attribute.key not in _PLAIN or (isinstance(item, Matches) and item.names):
        return (), False
    given = (item.initial, *item.inner, item.final) if isinstance(item, Substrings) else (item.value,)
    if attribute.rule is Rule.TELEPHONE:
        return tuple(filter(None, (prepare(Rule.TELEPHONE, piece) for piece in given))), False
    return tuple(word for piece in given for word in _WORD.findall(fold(piece))), attribute.key == "mail"
