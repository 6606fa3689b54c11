"""What connections cost that are signed in and silent: memory of the service for each, beside Dovecot's."""

import multiprocessing
import resource
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import crowd, ours, pop3
from benchmarks.crowd import Crowd
from benchmarks.load import Person, Target
from benchmarks.peers import postfix_dovecot
from benchmarks.processes import anonymous_memory_of_all, processor_seconds, settle
from benchmarks.reading import Reader

_FORK = multiprocessing.get_context("fork")
_PROCESSES = 4
_MESSAGES = 10
_OCTETS = 1_000
#: Signed in before anything is counted: as many as mailboxes that are kept open, and more. What they bring stays.
_WARM = 600
#: Dovecot has a process for each.
_OF_PEER = 400
_WATCHED = 10.0
BAR = 60.0


@dataclass(frozen=True)
class Idle:
    """So many *connections*, KiB of memory for each, and processor seconds that the service takes in a second."""

    name: str
    connections: int
    kibibytes: float
    processor: float

    def line(self) -> str:
        """Return what people read."""
        return (
            f"{self.name:<34} {self.connections:6,} connections, signed in and silent   {self.kibibytes:6.1f} KiB each"
            f"   all together {self.processor * 100:.1f} % of a processor"
        )


def measure(home: Path, connections: int, people: int, say: Callable[[str], None]) -> list[Idle]:
    """Sign in over that many connections and look at the memory; the peer, where it is there, gets fewer.

    :param people: of the community; each connection is somebody else's.
    """
    wanted = min(connections, people - _WARM, places())
    if wanted < connections:
        say(f"{wanted:,} connections are what the descriptors and people allow")
    everybody = Crowd(people, _MESSAGES, _OCTETS)
    where = crowd.place(home, everybody)
    crowd.prepare(where, everybody, say)
    with ours.serving(where, everybody.everybody()[: wanted + _WARM]) as (target, process):
        settle(process)
        found = [_idle(target, (process,), target.people, say)]
    cure = postfix_dovecot.missing()
    if cure:
        say(f"without a peer: {cure}")
        return found
    with pop3.both_sides(home / "pop3", say) as (_, (theirs, masters)):
        # It lets many sessions have one mailbox.
        readers = pop3.readers(theirs)
        found.append(_idle(theirs, masters, [readers[at % len(readers)] for at in range(_OF_PEER + _WARM)], say))
    return found


def places() -> int:
    """Return how many connections the service takes with the descriptors that it may have here."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # As cjsm.service reckons with its default settings, and the same again in each process of the generator.
    return min((hard - 64 - 3 * 512) * 80 // 100, _PROCESSES * (hard - 100)) - _WARM


def _idle(target: Target, roots: Sequence[int], people: Sequence[Person], say: Callable[[str], None]) -> Idle:
    with _signed_in(target, people[:_WARM]):
        before = anonymous_memory_of_all(*roots)
        with _signed_in(target, people[_WARM:]):
            used = anonymous_memory_of_all(*roots) - before
            processor = _watched(roots)
    count = len(people) - _WARM
    idle = Idle(target.name, count, used / count / 1024, processor)
    say(idle.line())
    return idle


def _watched(roots: Sequence[int]) -> float:
    before = processor_seconds(*roots)
    time.sleep(_WATCHED)
    return (processor_seconds(*roots) - before) / _WATCHED


@contextmanager
def _signed_in(target: Target, people: Sequence[Person]) -> Iterator[None]:
    """Hold a connection for each of *people* until the block ends; then all must answer still.

    :raises RuntimeError: when one cannot be opened, or does not answer.
    """
    pipes, holders = [], []
    for number in range(_PROCESSES):
        mine, theirs = _FORK.Pipe()
        holder = _FORK.Process(target=_hold, args=(target, people[number::_PROCESSES], theirs))
        holder.start()
        pipes.append(mine)
        holders.append(holder)
    try:
        _all_good(pipes)
        yield
        for pipe in pipes:
            pipe.send("is anybody there?")
        _all_good(pipes)
    finally:
        for pipe in pipes:
            pipe.close()
        for holder in holders:
            holder.terminate()
            holder.join()


def _all_good(pipes: Sequence["Connection[str, str]"]) -> None:
    problems = [problem for pipe in pipes if (problem := pipe.recv())]
    if problems:
        raise RuntimeError("; ".join(problems))


def _hold(target: Target, people: Sequence[Person], pipe: "Connection[str, str]") -> None:
    context = ssl.create_default_context(cafile=target.authority)
    held = []
    try:
        for person in people:
            reader = Reader(target, context)
            reader.sign_in(person)
            reader.poll()
            held.append(reader)
        pipe.send("")
        pipe.recv()
        for reader in held:
            reader.poll()
        pipe.send("")
    except (OSError, RuntimeError) as error:
        pipe.send(f"{target.name}, after {len(held)} connections: {error}")
