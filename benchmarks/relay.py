"""Mail relayed to other servers: this service beside Postfix, from submission to the last message at the sink."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks import load, ours
from benchmarks.load import Target, Work
from benchmarks.peers import opendkim, postfix_dovecot, sink
from benchmarks.peers.sink import Sink
from benchmarks.processes import processor_seconds
from benchmarks.report import Comparison, Measured

#: Name, work, and destinations; at least as fast is what is asked for.
WORK = (
    ("5 KB, 1 destination", Work(20, 100, 5_000), 1),
    ("5 KB, 100 destinations", Work(20, 100, 5_000), sink.DESTINATIONS),
)
_BAR = 1.0
_PEOPLE = 50


class _Side(NamedTuple):
    """A server, what its addresses end with, and its processes.

    Inside the community an address has the suffix, and the organisation's server sees it without.
    """

    target: Target
    suffix: str
    roots: tuple[int, ...]


def compare(home: Path, pairs: int, say: Callable[[str], None]) -> list[Comparison]:
    """Measure this service and a peer in turn, *pairs* times each piece of work.

    Like is held against like: this service signs what it relays where it has keys for it, Postfix does with OpenDKIM;
    neither signs without. Our signatures beside a Postfix that makes none are measured too.
    """
    comparisons = []
    for signs in (True, False):
        say("setting all sides up (a minute)")
        with ExitStack() as stack:
            our_side, taking, peers = _sides(home, stack, signs=signs)
            for side in (our_side, *peers.values()):
                load.warm(side.target)
            for name, work, destinations in WORK:
                for how, peer in peers.items():
                    comparison = Comparison(f"{name}, {how}", "message", _BAR)
                    for number in range(pairs):
                        say(f"{comparison.name}: pair {number + 1} of {pairs}")
                        sides = (our_side, peer)[:: 1 if number % 2 else -1]
                        found = {side: _run(taking, side, work, destinations) for side in sides}
                        comparison.pairs.append((found[our_side], found[peer]))
                    say(comparison.line())
                    comparisons.append(comparison)
    return comparisons


def _sides(home: Path, stack: ExitStack, *, signs: bool) -> tuple[_Side, Sink, dict[str, _Side]]:
    """Start this service, where mail goes, and the peers by what they are compared in."""
    mine, processes = stack.enter_context(ours.service_in_parts(home / "ours", _PEOPLE, signs=signs))
    alone, masters = stack.enter_context(postfix_dovecot.service(home / "postfix-dovecot", mine))
    peers = {"only we sign" if signs else "neither signs": _Side(alone, "", masters)}
    if signs:
        domain = mine.people[0].address.partition("@")[2]
        milter, signer = stack.enter_context(opendkim.service(home / "opendkim", domain))
        signing, others = stack.enter_context(postfix_dovecot.service(home / "postfix-opendkim", mine, milter))
        peers = {"both sign": _Side(signing, "", (*others, signer)), **peers}
    taking = stack.enter_context(sink.service(home / "sink", Path(mine.authority)))
    return _Side(mine, ".bench.test", processes), taking, peers


def _run(taking: Sink, side: _Side, work: Work, destinations: int) -> Measured:
    def recipients(session: int, number: int) -> list[str]:
        return [f"jo@{sink.domain((session * work.each + number) % destinations)}{side.suffix}"]

    taken, before = taking.taken(), processor_seconds(*side.roots)
    began = load.send(side.target, work, recipients)
    taking.wait_for(taken + work.messages)
    seconds = time.perf_counter() - began
    return Measured(work.messages / seconds, (processor_seconds(*side.roots) - before) / work.messages)
