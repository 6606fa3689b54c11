"""A query on its way: candidates tested a few at a time, so that others get their turn."""

from collections.abc import Iterator
from enum import Enum

from cjsm.directory import names, ordering
from cjsm.directory.evaluation import compiled
from cjsm.directory.ordering import NO_ORDERING, NO_SUCH_ATTRIBUTE, Unsortable, WindowFound
from cjsm.directory.query import Limits, Query, Scope, elements
from cjsm.directory.reading import Reading
from cjsm.directory.rewriting import narrowed

__all__ = ["NO_ORDERING", "NO_SUCH_ATTRIBUTE", "Outcome", "Search", "Unsortable", "WindowFound"]

#: Filter elements evaluated in one step; about a millisecond.
_STEP = 4_096
_FEWEST = 16


class Outcome(Enum):
    """How a search ended."""

    COMPLETE = "complete"
    SIZE_LIMIT = "size limit"


class Search:
    """One query over one reading.

    :ivar outcome: how it ended; None while :meth:`step` has more.
    :ivar hits: how many entries it gave.
    :ivar found_window: where the query's window is, once it is known; None without a window.
    :raises BadName: when the base is not a distinguished name.
    :raises NoSuchEntry: when the base is not there or not visible.
    :raises TermTooShort: when a member's filter would list nearly everybody.
    :raises Unsortable: when the answer cannot be sorted as asked.
    """

    def __init__(self, reading: Reading, query: Query, limits: Limits) -> None:
        self.base = _base(reading, query.base)
        filter_ = query.filter
        if query.scope is not Scope.BASE and not reading.in_charge:
            filter_ = narrowed(filter_, limits.term_characters)
        allowed = limits.administrator_entries if reading.in_charge else limits.entries
        self.outcome: Outcome | None = None
        self.hits = 0
        self.found_window: WindowFound | None = None
        self._reading = reading
        self._window = query.window
        self._keys = ordering.resolved(query.sort, reading.schema)
        self._limit = min(query.size_limit or allowed, allowed)
        self._test = compiled(filter_, reading)
        self._candidates = _candidates(reading, self.base, query.scope)
        self._at_a_time = max(_FEWEST, _STEP // elements(filter_))
        self._gathered: list[int] | None = [] if self._keys else None

    def step(self, most: int | None = None) -> list[int]:
        """Look at the next candidates and return the positions of those that match, at most *most* of them.

        The same search goes on with the next call, however much later.
        """
        if self._gathered is not None:
            self._gather(self._gathered)
            return []
        found: list[int] = []
        visible, test = self._reading.visible, self._test
        for _ in range(self._at_a_time):
            if most is not None and len(found) == most:
                break
            position = next(self._candidates, None)
            if position is None:
                self.outcome = Outcome.COMPLETE
                break
            if not visible(position) or not test(position):
                continue
            if self.hits == self._limit:
                self.outcome = Outcome.SIZE_LIMIT
                break
            self.hits += 1
            found.append(position)
        return found

    def run(self) -> list[int]:
        """Take all steps at once: for callers with time."""
        found: list[int] = []
        while self.outcome is None:
            found += self.step()
        return found

    def _gather(self, gathered: list[int]) -> None:
        """Look for all that match; they are sorted when there are no more, and then given."""
        visible, test = self._reading.visible, self._test
        for _ in range(self._at_a_time):
            position = next(self._candidates, None)
            if position is None:
                self._arrange(gathered)
                return
            if visible(position) and test(position):
                gathered.append(position)

    def _arrange(self, gathered: list[int]) -> None:
        arranged = ordering.arranged(gathered, self._keys, self._reading)
        window = self._window
        if window is not None:
            place = ordering.target(window, arranged, self._keys, self._reading)
            self.found_window = WindowFound(place, len(arranged))
            arranged = ordering.shown(window, place, arranged, self._limit)
        self._gathered = None
        self._candidates = iter(arranged)


def _base(reading: Reading, base: str) -> int:
    return reading.find(names.parse(base or reading.catalogue.base))


def _candidates(reading: Reading, base: int, scope: Scope) -> Iterator[int]:
    if scope is Scope.BASE:
        return iter((base,))
    if scope is Scope.ONE:
        return iter(reading.catalogue.children[base])
    return iter(range(base, reading.catalogue.ends[base]))
