"""Mail accepted and readable: this service beside Postfix, LMTP and Dovecot."""

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import load, ours
from benchmarks.load import Target, Work
from benchmarks.peers import postfix_dovecot
from benchmarks.processes import processor_seconds
from benchmarks.report import Comparison, Measured

#: Name, work, and the ratio that is asked for. Each session sends so much that signing in is not what is measured.
WORK = (
    ("5 KB, 1 session", Work(1, 400, 5_000), 1.0),
    ("5 KB, 20 sessions", Work(20, 200, 5_000), 3.0),
    ("5 KB, 50 sessions", Work(50, 80, 5_000), 3.0),
)
MORE_WORK = (
    ("75 KB, 20 sessions", Work(20, 20, 75_000), 2.0),
    ("1 MB, 20 sessions", Work(20, 10, 1_000_000), 2.0),
    ("5 KB, 20 sessions, 10 recipients", Work(20, 20, 5_000, recipients=10), 2.0),
)
_PEOPLE = 50


def compare(home: Path, pairs: int, everything: bool, say: Callable[[str], None]) -> list[Comparison]:
    """Measure both sides in turn, *pairs* times each piece of work.

    :param everything: larger messages and many recipients too.
    """
    say("setting both sides up (half a minute)")
    with (
        ours.service_in_parts(home / "ours", _PEOPLE) as (mine, processes),
        postfix_dovecot.service(home / "postfix-dovecot", mine) as (theirs, masters),
    ):
        for target in (mine, theirs):
            load.warm(target)
        comparisons = []
        for name, work, bar in WORK + MORE_WORK if everything else WORK:
            comparison = Comparison(name, "message", bar)
            for number in range(pairs):
                say(f"{name}: pair {number + 1} of {pairs}")
                # Who goes first changes, so that neither always meets the other's leftovers.
                sides = [(mine, processes), (theirs, masters)]
                found = {target.name: _run(target, work, roots) for target, roots in sides[:: 1 if number % 2 else -1]}
                comparison.pairs.append((found[mine.name], found[theirs.name]))
            say(comparison.line())
            comparisons.append(comparison)
        return comparisons


def _run(target: Target, work: Work, roots: Sequence[int]) -> Measured:
    before = processor_seconds(*roots)
    seconds = load.run(target, work)
    return Measured(work.messages / seconds, (processor_seconds(*roots) - before) / work.messages)
