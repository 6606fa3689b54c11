"""Mail relayed to other servers: this service beside Postfix, from submission to the last message at the sink."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import load, ours
from benchmarks.load import Target, Work
from benchmarks.peers import postfix_dovecot, sink
from benchmarks.peers.sink import Sink
from benchmarks.processes import processor_seconds
from benchmarks.report import Comparison, Measured

#: Name, work, destinations, and the ratio that is asked for.
WORK = (
    ("5 KB, 1 destination", Work(20, 100, 5_000), 1, 1.0),
    ("5 KB, 100 destinations", Work(20, 100, 5_000), sink.DESTINATIONS, 1.0),
)
_PEOPLE = 50


def compare(home: Path, pairs: int, say: Callable[[str], None]) -> list[Comparison]:
    """Measure both sides in turn, *pairs* times each piece of work."""
    say("setting both sides up (half a minute)")
    with (
        ours.service_in_parts(home / "ours", _PEOPLE) as (mine, processes),
        postfix_dovecot.service(home / "postfix-dovecot", mine) as (theirs, masters),
        sink.service(home / "sink", Path(mine.authority)) as taking,
    ):
        # Inside the community an address has the suffix, and the organisation's server sees it without.
        sides = ((mine, ".bench.test", processes), (theirs, "", masters))
        for target, _, _ in sides:
            load.warm(target)
        comparisons = []
        for name, work, destinations, bar in WORK:
            comparison = Comparison(name, "message", bar)
            for number in range(pairs):
                say(f"{name}: pair {number + 1} of {pairs}")
                found = {
                    target.name: _run(taking, target, work, destinations, suffix, roots)
                    for target, suffix, roots in sides[:: 1 if number % 2 else -1]
                }
                comparison.pairs.append((found[mine.name], found[theirs.name]))
            say(comparison.line())
            comparisons.append(comparison)
        return comparisons


def _run(taking: Sink, target: Target, work: Work, destinations: int, suffix: str, roots: Sequence[int]) -> Measured:
    def recipients(session: int, number: int) -> list[str]:
        return [f"jo@{sink.domain((session * work.each + number) % destinations)}{suffix}"]

    taken, before = taking.taken(), processor_seconds(*roots)
    began = load.send(target, work, recipients)
    taking.wait_for(taken + work.messages)
    seconds = time.perf_counter() - began
    return Measured(work.messages / seconds, (processor_seconds(*roots) - before) / work.messages)
