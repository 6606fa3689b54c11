"""What one large message costs: memory of the service, and how long others wait meanwhile."""

import multiprocessing
import poplib
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import load, ours
from benchmarks.load import Target, Work
from benchmarks.processes import anonymous_memory, memory_peak

_FORK = multiprocessing.get_context("fork")
_OCTETS = 25_000_000
_PAUSE = 0.002


@dataclass(frozen=True)
class Cost:
    """Most memory beyond what the service had before, in octets, and the longest waits of a neighbour, in seconds."""

    what: str
    memory: int
    waits: tuple[float, ...]

    def line(self) -> str:
        """Return what people read."""
        longest, often = self.waits[-1] * 1000, self.waits[len(self.waits) * 99 // 100] * 1000
        return (
            f"{self.what:<28} memory +{self.memory / 2**20:5.1f} MiB (bar 16)   "
            f"a neighbour's answer takes at most {longest:5.1f} ms (bar 50), 99 in 100 at most {often:.1f} ms"
        )


def measure(home: Path, say: Callable[[str], None]) -> list[Cost]:
    """Send one message of 25 MB and read it, three times, after small ones have warmed the service up.

    Memory is counted from before the first large message: what it left behind is not forgotten.
    """
    with ours.service(home / "ours", 50) as (target, process):
        for person in target.people:
            load.count(target, person)
        load.run(target, Work(5, 20, 5_000))
        before = anonymous_memory(process)
        costs = []
        for _ in range(3):
            for what, act in (("25 MB in, over SMTP", _send), ("25 MB out, over POP3", _read)):
                cost = _cost(what, target, process, before, act)
                say(cost.line())
                costs.append(cost)
        return costs


def _cost(what: str, target: Target, process: int, before: int, act: Callable[[Target], None]) -> Cost:
    ours_end, theirs_end = _FORK.Pipe()
    neighbour = _FORK.Process(target=_ask_often, args=(target, theirs_end))
    neighbour.start()
    ours_end.recv()
    with memory_peak(process) as peak:
        act(target)
    memory = peak[0] - before
    ours_end.send("stop")
    waits = tuple(sorted(ours_end.recv()))
    neighbour.join()
    return Cost(what, memory, waits)


def _send(target: Target) -> None:
    load.run(target, Work(1, 1, _OCTETS))


def _read(target: Target) -> None:
    reader = target.people[0]
    connection = poplib.POP3_SSL("localhost", target.pop3s, context=ssl.create_default_context(cafile=target.authority))
    connection.user(reader.user_id)
    connection.pass_(reader.password)
    number = connection.stat()[0]
    _, lines, _ = connection.retr(number)
    if sum(len(line) + 2 for line in lines) < _OCTETS * 0.99:
        raise RuntimeError("the message came back short")
    connection.dele(number)
    connection.quit()


def _ask_often(target: Target, pipe: Connection) -> None:
    """Be a neighbour: ask for nothing, again and again, and note how long each answer takes."""
    neighbour = target.people[-1]
    connection = poplib.POP3_SSL("localhost", target.pop3s, context=ssl.create_default_context(cafile=target.authority))
    connection.user(neighbour.user_id)
    connection.pass_(neighbour.password)
    pipe.send("ready")
    waits = []
    while not pipe.poll():
        began = time.perf_counter()
        connection.noop()
        waits.append(time.perf_counter() - began)
        time.sleep(_PAUSE)
    connection.quit()
    pipe.send(waits)
