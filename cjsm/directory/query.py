"""What can be asked of the directory: a filter, where to look, what to return, how much. No protocol in it."""

from enum import Enum
from typing import TypeAlias, final

from msgspec import Struct


class Scope(Enum):
    """Which entries a query looks at, relative to its base (RFC 4511 §4.5.1.2)."""

    BASE = 0
    ONE = 1
    SUBTREE = 2


# What a filter is made of is told apart by ``type(part) is Or``: that costs a third of what isinstance() does, and all
# parts of each filter are looked at several times.


@final
class And(Struct, frozen=True):
    """True when every part is; of none, true (RFC 4526)."""

    parts: tuple["Filter", ...]


@final
class Or(Struct, frozen=True):
    """True when any part is; of none, false (RFC 4526)."""

    parts: tuple["Filter", ...]


@final
class Not(Struct, frozen=True):
    """True when the part is false; what is Undefined stays so."""

    part: "Filter"


@final
class Present(Struct, frozen=True):
    """The attribute has a value."""

    attribute: str


@final
class Equal(Struct, frozen=True):
    """The attribute has this value."""

    attribute: str
    value: str


@final
class Similar(Struct, frozen=True):
    """The attribute has about this value; the same as :class:`Equal` here."""

    attribute: str
    value: str


@final
class Substrings(Struct, frozen=True):
    """The attribute has a value with these pieces in this order: at its start, inside it, at its end."""

    attribute: str
    initial: str = ""
    inner: tuple[str, ...] = ()
    final: str = ""


@final
class AtLeast(Struct, frozen=True):
    """The attribute has a value that is not before this one."""

    attribute: str
    value: str


@final
class AtMost(Struct, frozen=True):
    """The attribute has a value that is not after this one."""

    attribute: str
    value: str


@final
class Matches(Struct, frozen=True):
    """The attribute has this value under a matching *rule* of one's choice (RFC 4511 §4.5.1.7.7).

    :ivar names: the parts of the entry's name count as values too.
    """

    attribute: str | None
    rule: str | None
    value: str
    names: bool = False


@final
class Undefined(Struct, frozen=True):
    """Cannot be decided for any entry: neither true nor false."""


Item: TypeAlias = "Present | Equal | Similar | Substrings | AtLeast | AtMost | Matches | Undefined"
Filter: TypeAlias = "And | Or | Not | Item"

#: True for every entry.
EVERYTHING = Present("objectClass")


class SortKey(Struct, frozen=True, kw_only=True):
    """What to sort an answer by (RFC 2891).

    :ivar rule: the ordering rule's name or OID, None for the attribute's own.
    """

    attribute: str
    rule: str | None = None
    descending: bool = False


class Window(Struct, frozen=True, kw_only=True):
    """A part of a sorted answer (virtual list view, draft-ietf-ldapext-ldapv3-vlv-09).

    The target is the entry at *offset*, from 1, in a list that the client takes to have *count* entries (0: it does not
    know); or, where *at_least* is given, the first one that the first sort key does not put before that value.

    :ivar before: entries wanted before the target, and *after* after it.
    """

    before: int
    after: int
    offset: int = 0
    count: int = 0
    at_least: str | None = None


class Query(Struct, frozen=True, kw_only=True):
    """One question.

    :ivar base: the name of the entry to start at; empty for the community's own tree.
    :ivar attributes: descriptions of what to return; empty for all but the operational ones.
    :ivar size_limit: most entries wanted, 0 for as many as allowed.
    :ivar sort: the first key counts most; without any, entries come in no order that is promised.
    :ivar window: what part of the sorted answer is wanted, None for all of it.
    """

    base: str = ""
    scope: Scope = Scope.SUBTREE
    filter: Filter = EVERYTHING
    attributes: tuple[str, ...] = ()
    size_limit: int = 0
    sort: tuple[SortKey, ...] = ()
    window: Window | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """What one query may take.

    :ivar entries: most entries of a member's answer.
    :ivar administrator_entries: most entries of an answer to somebody who administers or supports an organisation.
    :ivar term_characters: a member's search terms have at least as many characters.
    """

    entries: int = 100
    administrator_entries: int = 1_000
    term_characters: int = 2


class NoSuchEntry(Exception):
    """The base is not there, or not for this reader.

    :ivar matched: the name of the nearest entry above it that the reader may see, or the empty string.
    """

    def __init__(self, matched: str) -> None:
        super().__init__("there is no such entry, or you may not see it")
        self.matched = matched


class TermTooShort(Exception):
    """What was asked would list nearly everybody."""

    def __init__(self, characters: int) -> None:
        super().__init__(f"type at least {characters} characters of a name, address or number")
