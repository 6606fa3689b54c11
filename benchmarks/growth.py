"""What a session costs in a large community, beside a small one: many mailboxes, few of them open."""

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import crowd, ours, reading
from benchmarks.crowd import Crowd
from benchmarks.load import Person, Target
from benchmarks.pop3 import AT_ONCE, alternate
from benchmarks.processes import processor_seconds, settle
from benchmarks.report import Comparison, Measured

_SMALL = 100
_MESSAGES = 10
_OCTETS = 1_000
_SESSIONS = 1_000
#: Those of a large community who come, by chance: many times as many mailboxes as are kept open, and few enough for
#: all their files to be in the system's cache. What disks do is not what is measured.
_COMING = 2_000
#: A unit may cost 1.3 times as much as in the small community.
_BAR = 1 / 1.3


def compare(home: Path, people: int, pairs: int, say: Callable[[str], None]) -> list[Comparison]:
    """Measure sessions of everybody in turn, in a community of so many *people* and in one of a hundred.

    In the large one nearly each session opens a mailbox that was not open.
    """
    few, many = (Crowd(number, _MESSAGES, _OCTETS) for number in (_SMALL, people))
    for each in (few, many):
        crowd.prepare(crowd.place(home, each), each, say)
    with (
        ours.serving(crowd.place(home, many), many.everybody()) as (large, process),
        ours.serving(crowd.place(home, few), few.everybody()) as (small, other),
    ):
        both = ((large, (process,)), (small, (other,)))
        settle(process)
        chance = random.Random(people)
        coming: dict[tuple[int, ...], Iterator[Person]] = {}
        for target, roots in both:
            visitors = chance.sample(target.people, min(_COMING, len(target.people)))
            coming[roots] = itertools.cycle(visitors)
            reading.read(target, visitors, (1,), AT_ONCE)
        seconds, spent = (
            Comparison(f"{people:,} : {_SMALL} mailboxes, {what}", "session", _BAR) for what in ("time", "processor")
        )

        def run(target: Target, roots: tuple[int, ...]) -> Measured:
            # Always in the same order: whoever comes next came longest ago.
            wanted = list(itertools.islice(coming[roots], _SESSIONS))
            before = processor_seconds(*roots)
            took, _ = reading.read(target, wanted, (1,), AT_ONCE)
            return Measured(len(wanted) / took, (processor_seconds(*roots) - before) / len(wanted))

        alternate(seconds, both, run, pairs, say)
        spent.pairs = [
            (Measured(1 / first.processor, first.processor), Measured(1 / second.processor, second.processor))
            for first, second in seconds.pairs
        ]
        return [seconds, spent]
