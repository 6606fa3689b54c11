"""Mail read over POP3 and TLS: this service beside Dovecot with mail_crypt."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, ours, reading
from benchmarks.load import Person, Target, Work
from benchmarks.peers import postfix_dovecot
from benchmarks.processes import processor_seconds
from benchmarks.report import Comparison, Measured

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
_AT_ONCE = 8
_SESSIONS = 2_000
_LARGE_SESSIONS = 20


def compare(home: Path, pairs: int, say: Callable[[str], None]) -> list[Comparison]:
    """Measure both sides in turn, *pairs* times each piece of work."""
    say("setting both sides up and filling mailboxes (a minute or two, the first time)")
    with (
        ours.service(home / "ours", _PEOPLE) as (mine, process),
        postfix_dovecot.service(home / "postfix-dovecot", mine) as (theirs, masters),
    ):
        for target in (mine, theirs):
            for mailboxes in (_SMALL, _LARGE):
                _fill(target, mailboxes)
        both = ((mine, (process,)), (theirs, masters))
        work = (
            ("login, STAT, UIDL, RETR, QUIT", "session", 1.2, _sessions),
            ("RETR of 100 × 75 KB", "MB", 1.0, _megabytes),
        )
        return [_alternate(Comparison(name, unit, bar), both, run, pairs, say) for name, unit, bar, run in work]


def _alternate(
    comparison: Comparison,
    both: Sequence[tuple[Target, Sequence[int]]],
    run: Callable[[Target, Sequence[int]], Measured],
    pairs: int,
    say: Callable[[str], None],
) -> Comparison:
    for number in range(pairs):
        say(f"{comparison.name}: pair {number + 1} of {pairs}")
        # Who goes first changes, so that neither always meets the other's leftovers.
        found = {target.name: run(target, roots) for target, roots in both[:: 1 if number % 2 else -1]}
        first, second = (found[target.name] for target, _ in both)
        comparison.pairs.append((first, second))
    say(comparison.line())
    return comparison


def _sessions(target: Target, roots: Sequence[int]) -> Measured:
    people = _SMALL.of(target)
    wanted = [people[number % len(people)] for number in range(_SESSIONS)]
    before = processor_seconds(*roots)
    seconds, _ = reading.read(target, wanted, (1,), _AT_ONCE)
    return Measured(len(wanted) / seconds, (processor_seconds(*roots) - before) / len(wanted))


def _megabytes(target: Target, roots: Sequence[int]) -> Measured:
    people = _LARGE.of(target)
    wanted = [people[number % len(people)] for number in range(_LARGE_SESSIONS)]
    before = processor_seconds(*roots)
    seconds, octets = reading.read(target, wanted, range(1, _LARGE.messages + 1), _AT_ONCE // 2)
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
