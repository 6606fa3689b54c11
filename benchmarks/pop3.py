"""Mail read over POP3 and TLS: this service beside Dovecot with mail_crypt."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from benchmarks import load, ours, reading
from benchmarks.load import Person, Target, Work
from benchmarks.peers import postfix_dovecot
from benchmarks.processes import processor_seconds
from benchmarks.report import Comparison, Measured

#: A server, and the processes whose time counts as its.
Side: TypeAlias = tuple[Target, tuple[int, ...]]
_PEOPLE = 50
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class _Mailboxes:
    """People from *first* on who have so many messages of so many octets each."""

    first: int
    people: int
    messages: int
    octets: int

    def of(self, target: Target) -> Sequence[Person]:
        return target.people[self.first : self.first + self.people]


#: The generator of other measurements sends to the first ten.
_SMALL = _Mailboxes(first=10, people=20, messages=10, octets=5_000)
_LARGE = _Mailboxes(first=30, people=10, messages=100, octets=75_000)
#: Sessions at once: as many clients as keep a server busy, few enough for two cores to generate.
AT_ONCE = 8
_SESSIONS = 2_000
_LARGE_SESSIONS = 20


def compare(home: Path, pairs: int, say: Callable[[str], None]) -> list[Comparison]:
    """Measure both sides in turn, *pairs* times each piece of work."""
    with both_sides(home, say) as both:
        work = (
            ("login, STAT, UIDL, RETR, QUIT", "session", 1.2, _sessions),
            ("RETR of 100 × 75 KB", "MB", 1.0, _megabytes),
        )
        return [alternate(Comparison(name, unit, bar), both, run, pairs, say) for name, unit, bar, run in work]


@contextmanager
def both_sides(home: Path, say: Callable[[str], None]) -> Iterator[Sequence[Side]]:
    """Run this service and its peer, mailboxes filled; yield each with the ids of its processes."""
    say("setting both sides up and filling mailboxes (a minute or two, the first time)")
    with (
        ours.service(home / "ours", _PEOPLE) as (mine, process),
        postfix_dovecot.service(home / "postfix-dovecot", mine) as (theirs, masters),
    ):
        for target in (mine, theirs):
            for mailboxes in (_SMALL, _LARGE):
                _fill(target, mailboxes)
        yield (mine, (process,)), (theirs, masters)


def readers(target: Target) -> Sequence[Person]:
    """Return those with few messages."""
    return _SMALL.of(target)


def alternate(
    comparison: Comparison,
    both: Sequence[Side],
    run: Callable[[Target, tuple[int, ...]], Measured],
    pairs: int,
    say: Callable[[str], None],
) -> Comparison:
    """Measure both sides in turn, *pairs* times."""
    for number in range(pairs):
        say(f"{comparison.name}: pair {number + 1} of {pairs}")
        # Who goes first changes, so that neither always meets the other's leftovers.
        order = (0, 1) if number % 2 else (1, 0)
        found = {side: run(*both[side]) for side in order}
        comparison.pairs.append((found[0], found[1]))
    say(comparison.line())
    return comparison


def _sessions(target: Target, roots: tuple[int, ...]) -> Measured:
    people = _SMALL.of(target)
    wanted = [people[number % len(people)] for number in range(_SESSIONS)]
    before = processor_seconds(*roots)
    seconds, _ = reading.read(target, wanted, (1,), AT_ONCE)
    return Measured(len(wanted) / seconds, (processor_seconds(*roots) - before) / len(wanted))


def _megabytes(target: Target, roots: tuple[int, ...]) -> Measured:
    people = _LARGE.of(target)
    wanted = [people[number % len(people)] for number in range(_LARGE_SESSIONS)]
    before = processor_seconds(*roots)
    seconds, octets = reading.read(target, wanted, range(1, _LARGE.messages + 1), AT_ONCE // 2)
    megabytes = octets / _MEGABYTE
    return Measured(megabytes / seconds, (processor_seconds(*roots) - before) / megabytes)


def _fill(target: Target, mailboxes: _Mailboxes) -> None:
    """Send to everybody what is lacking, and wait until it can be read."""
    for person in mailboxes.of(target):
        lacking = mailboxes.messages - load.count(target, person)
        if lacking > 0:
            load.send(target, Work(1, lacking, mailboxes.octets), lambda *_: [person.address])  # noqa: B023 - used now
    for person in mailboxes.of(target):
        load.await_messages(target, person, mailboxes.messages)
