"""Durable jobs: made when missing, run when due, one at a time, tried again when they fail."""

from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from cjsm.community.records import Job
from cjsm.jobs.schedule import Schedule
from cjsm.store.interfaces import Unavailable
from cjsm.store.lmdb.community import LmdbCommunityStore
from cjsm.store.lmdb.disk import InlineDisk
from tests.store.support import HASHES, MAP, result

NOW = 1_000_000


class Chore:
    """A kind of job whose outcome the test decides."""

    name = "chore"
    every = 3_600

    def __init__(self) -> None:
        self.runs = 0
        self.answer: Callable[[], Deferred[str]] = lambda: succeed("done")

    def run(self, job: Job) -> "Deferred[str]":
        self.runs += 1
        return self.answer()


class Bench:
    """A store, a clock for both, and a schedule."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.chore = Chore()
        self.store = LmdbCommunityStore(
            directory,
            InlineDisk(),
            suffix="cjsm.test",
            map_size=MAP,
            encode_entry=lambda entry, salts: b"entry",
            hashes=HASHES,
            clock=self.now,
        )
        self.schedule = self.new()

    def now(self) -> float:
        return NOW + self.clock.seconds()

    def new(self) -> Schedule:
        return Schedule(self.store, [self.chore], reactor=self.clock, clock=self.now)

    def job(self) -> Job:
        (found,) = self.store.read_now(lambda view: list(view.jobs()))
        return found

    def pass_(self, seconds: int) -> None:
        """Let time pass as a reactor does."""
        for _ in range(seconds // 15):
            self.clock.advance(15)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Nothing has been scheduled yet."""
    return Bench(tmp_path)


def test_made_once_and_run_when_due(bench: Bench) -> None:
    """The first time after its interval, then again and again; the record says how it was."""
    bench.schedule.start()
    assert (bench.job().kind, bench.job().due, bench.chore.runs) == ("chore", NOW + 3_600, 0)
    bench.pass_(3_600)
    assert bench.chore.runs == 1
    assert (bench.job().last_result, bench.job().last_run, bench.job().claimed_until) == ("done", NOW + 3_600, 0)
    bench.pass_(7_200)
    assert bench.chore.runs == 3
    result(bench.schedule.stop())


def test_restart(bench: Bench) -> None:
    """A restart neither doubles the job nor forgets when it is due."""
    bench.schedule.start()
    bench.pass_(1_800)
    result(bench.schedule.stop())
    bench.schedule = bench.new()
    bench.schedule.start()
    bench.pass_(1_800)
    assert bench.chore.runs == 1
    bench.job()


def test_failures_wait_longer_and_longer(bench: Bench) -> None:
    """And say so; a success begins anew."""
    bench.chore.answer = lambda: fail(Unavailable("no disk"))
    bench.schedule.start()
    bench.pass_(3_600)
    assert (bench.job().last_result, bench.job().attempts, bench.job().due) == ("failed: no disk", 1, NOW + 3_900)
    bench.pass_(300)
    assert (bench.chore.runs, bench.job().attempts, bench.job().due) == (2, 2, NOW + 4_500)
    bench.chore.answer = lambda: succeed("done at last")
    bench.pass_(600)
    assert (bench.job().attempts, bench.job().last_result) == (0, "done at last")


def test_one_worker_at_a_time(bench: Bench) -> None:
    """While one process is at it, another leaves it; when it never comes back, the claim ends."""
    waiting: Deferred[str] = Deferred()
    bench.chore.answer = lambda: waiting
    bench.schedule.start()
    bench.pass_(3_600)
    assert bench.job().claimed_until == NOW + 7_200
    other = bench.new()
    other.start()
    bench.pass_(1_800)
    assert bench.chore.runs == 1
    bench.chore.answer = lambda: succeed("taken over")
    bench.pass_(1_830)
    assert bench.chore.runs == 2
    assert bench.job().last_result == "taken over"


def test_a_crash_while_it_runs(bench: Bench) -> None:
    """The one process that runs jobs goes on with it as soon as it is there again."""
    bench.chore.answer = Deferred
    bench.schedule.start(alone=True)
    bench.pass_(3_600)
    assert (bench.chore.runs, bench.job().last_run) == (1, None)
    bench.chore.answer = lambda: succeed("gone on")
    bench.new().start(alone=True)
    assert (bench.chore.runs, bench.job().last_result) == (2, "gone on")


def test_stop_waits(bench: Bench) -> None:
    """For the job under way."""
    waiting: Deferred[str] = Deferred()
    bench.chore.answer = lambda: waiting
    bench.schedule.start()
    bench.pass_(3_600)
    stopped = bench.schedule.stop()
    assert not stopped.called
    waiting.callback("done")
    result(stopped)
    assert bench.job().last_result == "done"


def test_long_results_are_cut(bench: Bench) -> None:
    """A record stays small whatever went wrong."""
    bench.chore.answer = lambda: fail(Unavailable("x" * 5_000))
    bench.schedule.start()
    bench.pass_(3_600)
    assert len(bench.job().last_result) == 200
