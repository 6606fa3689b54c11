"""How a filter is answered: from indexes where they cover it, so that few entries need to be looked at.

A plan gives candidates: every entry for which the filter is true is among them. Where a plan is exact they are all
true; else each is tested. What no plan covers is looked for everywhere.
"""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from cjsm.directory import names
from cjsm.directory.catalogue import FLAT, Catalogue
from cjsm.directory.entries import kinds
from cjsm.directory.evaluation import Compare, asked_rule, prepared_pieces, prepared_value
from cjsm.directory.index import Index, Run
from cjsm.directory.matching import Rule
from cjsm.directory.query import (
    And,
    AtLeast,
    AtMost,
    Equal,
    Filter,
    Matches,
    Not,
    Or,
    Present,
    Similar,
    Substrings,
    Undefined,
)
from cjsm.directory.rewriting import ambiguous
from cjsm.directory.schema import AttributeType

#: Indexes of operational attributes.
_TIMES = frozenset(("createtimestamp", "modifytimestamp"))
#: What a bucket that may have a match counts for where plans are compared.
_GUESS = 8
_END = "\n"


class Plan(Struct, frozen=True):
    """Where the entries are that a filter may be true for.

    :ivar size: how many candidates there are about, some perhaps more than once.
    :ivar exact: whether the filter is true for all of them.
    :ivar slots: yields them, in pieces.
    :ivar rest: what remains to be tested where the plan is not exact.
    """

    size: int
    exact: bool
    slots: Callable[[], Iterator[Sequence[int]]]
    rest: Filter


def _none() -> Iterator[Sequence[int]]:
    return iter(())


def plan(filter_: Filter, catalogue: Catalogue, *, flat: bool) -> Plan | None:
    """Return how the indexes of *catalogue* answer *filter_*; None when they do not.

    :param flat: whether the entries are those of the flat context.
    """
    return _Planner(catalogue, flat).plan(filter_)


class _Planner:
    def __init__(self, catalogue: Catalogue, flat: bool) -> None:
        self._catalogue = catalogue
        self._schema = catalogue.schema
        self._flat = flat

    def plan(self, filter_: Filter) -> Plan | None:
        if type(filter_) is Or:
            return self._any(filter_, [self.plan(part) for part in filter_.parts])
        if type(filter_) is And:
            return self._all(filter_)
        if type(filter_) is Not:
            return None
        if type(filter_) is Undefined:
            return self._nothing(filter_)
        if type(filter_) is Matches:
            return self._matches(filter_)
        meant = self._schema.kinds(filter_.attribute)
        if len(meant) == 1:
            return self._kind(filter_, meant[0], meant[0])
        if not meant:
            return self.plan(ambiguous(filter_)) if filter_.attribute.lower() == "anr" else self._nothing(filter_)
        return self._any(filter_, [self._kind(filter_, kind, meant[0]) for kind in meant])

    @staticmethod
    def _nothing(filter_: Filter) -> Plan:
        return Plan(0, True, _none, filter_)

    def _all(self, filter_: And) -> Plan | None:
        filter_ = And(tuple(part for part in filter_.parts if not is_everything(part)))
        plans = [self.plan(part) for part in filter_.parts]
        covered = [(found.size, at) for at, found in enumerate(plans) if found is not None]
        if not covered:
            return None
        _, at = min(covered)
        chosen = plans[at]
        assert chosen is not None
        others = tuple(part for place, part in enumerate(filter_.parts) if place != at)
        if chosen.exact:
            return Plan(chosen.size, not others, chosen.slots, And(others))
        return Plan(chosen.size, False, chosen.slots, And((chosen.rest, *others)))

    @staticmethod
    def _any(filter_: Filter, plans: Sequence[Plan | None]) -> Plan | None:
        if None in plans:
            return None
        found = [each for each in plans if each is not None and each.slots is not _none]
        size = sum(each.size for each in found)
        if len(found) == 1:
            slots = found[0].slots
        else:

            def slots() -> Iterator[Sequence[int]]:
                # What few have says more than what many have: where there is no room for all, it comes first.
                for each in sorted(found, key=lambda each: each.size):
                    yield from each.slots()

        return Plan(size, all(each.exact for each in found), slots if found else _none, filter_)

    # One attribute.

    def _kind(
        self,
        filter_: Present | Equal | Similar | Substrings | AtLeast | AtMost,
        kind: AttributeType,
        asked: AttributeType,
    ) -> Plan | None:
        """Plan for *kind*, one of those that the attribute *asked* for stands for."""
        if type(filter_) is Present:
            index = None if kind.key == "objectclass" else self._index(kind)
            return self._run(filter_, kind, index.between(None, None), exact=False) if index is not None else None
        if asked.rule is None:
            return self._nothing(filter_)
        if type(filter_) is Substrings:
            return self._substrings(filter_, kind, asked)
        wanted = prepared_value(filter_.value, asked, self._schema)
        if wanted is None:
            return self._nothing(filter_)
        if type(filter_) is AtLeast or type(filter_) is AtMost:
            return self._bounded(filter_, kind, asked, wanted)
        if kind.key == "entryuuid" and not self._flat:
            octets = bytes.fromhex(wanted.replace("-", ""))
            # The contexts' own entries have no identifier of the community.
            return self._run(filter_, kind, self._catalogue.index(kind.key).equal(octets)) if any(octets) else None
        if kind.key == "objectclass":
            return self._of_class(filter_, wanted)
        if kind.key == "entrydn":
            return self._named(filter_, filter_.value)
        index = self._index(kind)
        return self._run(filter_, kind, index.equal(wanted)) if index is not None else None

    def _bounded(self, filter_: AtLeast | AtMost, kind: AttributeType, asked: AttributeType, bound: str) -> Plan | None:
        if not asked.ordered:
            return self._nothing(filter_)
        index = self._index(kind)
        if index is None:
            return None
        least, most = (bound, None) if type(filter_) is AtLeast else (None, bound)
        return self._run(filter_, kind, index.between(least, most))

    def _of_class(self, filter_: Filter, wanted: str) -> Plan | None:
        index = self._catalogue.index("objectclass")
        runs = [index.equal(kind.name) for kind in kinds(self._schema).of_class(wanted)]
        return self._any(filter_, [Plan(run.size, True, run.slots, filter_) for run in runs])

    def _named(self, filter_: Filter, name: str) -> Plan:
        position = self._catalogue.position(names.parse(name))
        if position is None or (position >= FLAT) is not self._flat:
            return self._nothing(filter_)
        slot = position & (FLAT - 1)
        return Plan(1, True, lambda: iter([(slot,)]), filter_)

    def _index(self, kind: AttributeType) -> Index | None:
        """Return the index of *kind* where it has all terms of all entries."""
        if kind.operational and kind.key not in _TIMES:
            return None
        return self._catalogue.index(kind.key)

    @staticmethod
    def _run(filter_: Filter, kind: AttributeType, run: Run, *, exact: bool = True) -> Plan:
        size = run.size
        return Plan(size, exact and not kind.seen, run.slots if size else _none, filter_)

    def _substrings(self, filter_: Substrings, kind: AttributeType, asked: AttributeType) -> Plan | None:
        pieces = prepared_pieces(filter_, asked)
        index = self._index(kind)
        if pieces is None:
            return self._nothing(filter_)
        if index is None:
            return None
        beginning = pieces.initial.rstrip()
        if beginning:
            run = index.prefix(beginning)
            plain = pieces.initial == beginning and not pieces.inner and not pieces.final
            return self._run(filter_, kind, run) if plain else self._compared(filter_, kind, run, pieces.compare)
        inner = [piece.strip() for piece in pieces.inner]
        ending = pieces.final.lstrip()
        needles = [piece for piece in (*inner, ending + _END if ending else "") if piece]
        if not needles:
            return None
        bits = index.having(needles)
        single = len(needles) == 1 and (pieces.inner == (needles[0],) or (not inner and ending == pieces.final))
        compare = None if single else pieces.compare
        needle = max(needles, key=len)

        def slots() -> Iterator[Sequence[int]]:
            return index.containing(needle, compare, bits)

        return Plan(bits.bit_count() * _GUESS, not kind.seen, slots if bits else _none, filter_)

    @staticmethod
    def _compared(filter_: Filter, kind: AttributeType, run: Run, compare: Compare) -> Plan:
        size = run.size
        return Plan(size, not kind.seen, (lambda: run.matching(compare)) if size else _none, filter_)

    def _matches(self, filter_: Matches) -> Plan | None:
        if filter_.attribute is None:
            return None
        meant = self._schema.kinds(filter_.attribute)
        rule = asked_rule(filter_, meant[0]) if meant else None
        if rule is None:
            return self._nothing(filter_)
        attribute = meant[0]
        wanted = prepared_value(filter_.value, attribute, self._schema)
        index = self._index(attribute)
        if filter_.names or index is None or wanted is None or len(meant) > 1:
            return None
        if attribute.key == "objectclass":
            return self._of_class(filter_, wanted)
        if rule is not attribute.rule and attribute.rule is not Rule.TEXT:
            return None
        # What is the same to the letter is the same without regard to case.
        return self._run(filter_, attribute, index.equal(wanted), exact=rule is attribute.rule)


def is_everything(filter_: Filter) -> bool:
    """Whether *filter_* is true for every entry, whoever reads it."""
    if isinstance(filter_, And):
        return all(map(is_everything, filter_.parts))
    return isinstance(filter_, Present) and filter_.attribute.lower() in ("objectclass", "2.5.4.0")
