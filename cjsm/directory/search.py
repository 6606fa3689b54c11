"""A query on its way: candidates of a plan, or all entries, a few at a time, so that others get their turn."""

from collections.abc import Iterator, Sequence
from enum import Enum

from cjsm.directory import names, ordering, planning
from cjsm.directory.evaluation import compiled, cost
from cjsm.directory.extent import Extent
from cjsm.directory.ordering import NO_ORDERING, NO_SUCH_ATTRIBUTE, Unsortable, WindowFound
from cjsm.directory.planning import Plan
from cjsm.directory.query import Filter, Limits, Query, Scope
from cjsm.directory.reading import Reading
from cjsm.directory.rewriting import narrowed

__all__ = ["NO_ORDERING", "NO_SUCH_ATTRIBUTE", "Outcome", "Search", "Unsortable", "WindowFound"]

#: Candidates times what testing one costs, in one step; about a millisecond.
_STEP = 4_096
#: What a piece counts for by itself, and looking whether a candidate is visible.
_PIECE, _LOOK = 32, 0.2
#: Entries whose visibility is looked at in one go.
_TOGETHER = 1_024
#: Entries that are sorted in one go; more are put in order by the indexes.
_FEW = 512
#: Sorted answers so long are remembered: who looks at one part of them looks at others.
_LONG = 64


class Outcome(Enum):
    """How a search ended."""

    COMPLETE = "complete"
    SIZE_LIMIT = "size limit"


class Search:
    """One query over one reading.

    :param planned: False looks at all entries, whatever the indexes know.
    :ivar outcome: how it ended; None while :meth:`step` has more.
    :ivar hits: how many entries it gave.
    :ivar found_window: where the query's window is, once it is known; None without a window.
    :raises BadName: when the base is not a distinguished name.
    :raises NoSuchEntry: when the base is not there or not visible.
    :raises TermTooShort: when a member's filter would list nearly everybody.
    :raises Unsortable: when the answer cannot be sorted as asked.
    """

    def __init__(self, reading: Reading, query: Query, limits: Limits, *, planned: bool = True) -> None:
        self.base = reading.find(names.parse(query.base or reading.catalogue.base))
        filter_ = query.filter
        if query.scope is not Scope.BASE and not reading.in_charge:
            filter_ = narrowed(filter_, limits.term_characters)
        allowed = limits.administrator_entries if reading.in_charge else limits.entries
        self.outcome: Outcome | None = None
        self.hits = 0
        self.found_window: WindowFound | None = None
        self._reading = reading
        self._filter = filter_
        self._limit = min(query.size_limit or allowed, allowed)
        self._extent = Extent(reading, self.base, query.scope)
        self._plan = self._planned(filter_) if planned else None
        self._window = query.window
        keys = ordering.resolved(query.sort, reading.schema)
        self._work = 0
        self._queue: list[int] = []
        self._ended = False
        self._pieces: Iterator[Sequence[int]] = self._sorted(query, keys) if keys else self._matching()

    def step(self, most: int | None = None) -> list[int]:
        """Look at the next candidates and return the positions of those that match, at most *most* of them.

        The same search goes on with the next call, however much later.
        """
        wanted = self._limit - self.hits if most is None else min(self._limit - self.hits, most)
        self._work = 0
        # One more than wanted says that there are more.
        while len(self._queue) <= wanted and self._work < _STEP and not self._ended:
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
            else:
                self._queue += piece
                self._work += _PIECE
        found, self._queue = self._queue[:wanted], self._queue[wanted:]
        self.hits += len(found)
        if self._queue:
            self.outcome = Outcome.SIZE_LIMIT if self.hits == self._limit else None
        elif self._ended:
            self.outcome = Outcome.COMPLETE
        if self.outcome is not None:
            # It holds this search, which holds it.
            self._pieces, self._queue = iter(()), []
        return found

    def run(self) -> list[int]:
        """Take all steps at once: for callers with time."""
        found: list[int] = []
        while self.outcome is None:
            found += self.step()
        return found

    def _planned(self, filter_: Filter) -> Plan | None:
        extent = self._extent
        if not extent.size:
            return None
        found = planning.plan(filter_, self._reading.catalogue, flat=extent.flat)
        return found if found is not None and found.size < extent.size else None

    # What matches, in pieces; an empty piece is work done.

    def _matching(self) -> Iterator[Sequence[int]]:
        extent, plan = self._extent, self._plan
        if extent.first is not None:
            test = compiled(self._filter, self._reading)
            yield (extent.first,) if self._reading.visible(extent.first) and test(extent.first) else ()
        if plan is None:
            everything = planning.is_everything(self._filter)
            yield from self._tested(self._everything(), None if everything else self._filter)
        else:
            yield from self._tested(self._candidates(plan), None if plan.exact else plan.rest)

    def _tested(self, pieces: Iterator[list[int]], filter_: "Filter | None") -> Iterator[Sequence[int]]:
        added = self._extent.added
        test, each = None, 0
        if filter_ is not None:
            test, each = compiled(filter_, self._reading), cost(filter_, self._reading.schema)
        together = max(_STEP // max(each, 1), 16)
        for piece in pieces:
            positions = [slot + added for slot in piece] if added else piece
            if test is None:
                yield positions
                continue
            for first in range(0, len(positions), together):
                self._work += min(together, len(positions)) * each
                yield [position for position in positions[first : first + together] if test(position)]
            if not positions:
                yield ()

    def _everything(self) -> Iterator[list[int]]:
        visible = self._extent.visible
        for piece in self._extent.slots():
            # One organisation may have many.
            for first in range(0, len(piece), _TOGETHER):
                part = piece[first : first + _TOGETHER]
                self._work += int(len(part) * _LOOK)
                yield visible(part)

    def _candidates(self, plan: Plan) -> Iterator[list[int]]:
        """Yield the visible slots of *plan*, each once; in tree order when there are few."""
        visible = self._extent.visible
        seen: set[int] = set()
        few: list[int] | None = []
        for piece in plan.slots():
            fresh = set(piece).difference(seen)
            seen |= fresh
            found = visible(sorted(fresh))
            if few is None:
                yield found
                continue
            few += found
            if len(few) > self._limit:
                found, few = few, None
                yield found
            else:
                yield []
        if few:
            few.sort()
            yield few

    # Sorted answers.

    def _sorted(self, query: Query, keys: tuple[ordering.Key, ...]) -> Iterator[Sequence[int]]:
        reading, browsed = self._reading, self._reading.catalogue.browsed
        asked = (reading.sight, self.base, query.scope, self._filter, query.sort)
        order: Sequence[int] | None = browsed.get(asked)
        if order is None:
            matched: list[int] = []
            for piece in self._matching():
                matched += piece
                yield ()
            if len(matched) <= _FEW:
                order = ordering.arranged(matched, keys, reading)
            else:
                for made in ordering.walked(matched, keys, reading):
                    order = made
                    self._work += _STEP // 2
                    yield ()
                assert order is not None
            if len(matched) > _LONG:
                browsed.remember(asked, order)
        yield from self._shown(order, keys)

    def _shown(self, order: Sequence[int], keys: tuple[ordering.Key, ...]) -> Iterator[Sequence[int]]:
        if self._window is None:
            for first in range(0, len(order), 128):
                yield order[first : first + 128]
            return
        place = ordering.target(self._window, order, keys, self._reading)
        self.found_window = WindowFound(place, len(order))
        yield ordering.shown(self._window, place, order, self._limit)
