"""The pool is bounded, and one source's many attempts do not hold up another's."""

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cjsm.access import kdf
from cjsm.access.errors import TryLater
from cjsm.access.kdf import InlineKdf, KdfPool

from .support import now


class Threads:
    """Threads that a test lets go on one by one."""

    def __init__(self, minthreads: int, maxthreads: int, name: str) -> None:
        self.most = maxthreads
        self.running: list[tuple[Callable[[bool, Any], None], Callable[[], Any]]] = []

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def callInThreadWithCallback(self, report: Callable[[bool, Any], None], work: Callable[[], Any]) -> None:
        self.running.append((report, work))
        assert len(self.running) <= self.most

    def finish(self) -> None:
        """End the derivation that began first."""
        report, work = self.running.pop(0)
        try:
            result = work()
        except ValueError:
            report(False, Failure())
        else:
            report(True, result)


class Reactor:
    """Takes calls from threads at once."""

    def callFromThread(self, call: Callable[..., Any], *arguments: object) -> None:
        call(*arguments)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> KdfPool:
    """Two threads, a queue of six."""
    monkeypatch.setattr(kdf, "ThreadPool", Threads)
    made = KdfPool(Reactor(), threads=2, queue=6)  # type: ignore[arg-type]  # as much of a reactor as it asks
    made.start()
    return made


def threads(pool: KdfPool) -> Threads:
    found = pool._pool
    assert isinstance(found, Threads)
    return found


def test_results(pool: KdfPool) -> None:
    """Results and failures reach who asked; a failure frees the thread too."""

    def fail() -> int:
        raise ValueError("no")

    good, bad, later = (pool.run("a", work) for work in (lambda: 1, fail, lambda: 3))
    for _ in range(3):
        threads(pool).finish()
    assert now(good) == 1
    assert now(later) == 3
    with pytest.raises(ValueError, match="no"):
        now(bad)


def test_fair_by_source(pool: KdfPool) -> None:
    """Sources take turns, however many attempts one of them queues."""
    order: list[str] = []
    for name in ("a1", "a2", "a3", "a4", "a5", "b1", "c1", "c2"):
        pool.run(name[0], lambda name=name: order.append(name))
    while threads(pool).running:
        threads(pool).finish()
    assert order == ["a1", "a2", "a3", "b1", "c1", "a4", "c2", "a5"]


def test_full(pool: KdfPool) -> None:
    """One more than the queue holds is told to try later; with room again it is taken."""
    taken = [pool.run("a", lambda: 1) for _ in range(8)]
    with pytest.raises(TryLater):
        now(pool.run("a", lambda: 1))
    threads(pool).finish()
    taken.append(pool.run("a", lambda: 1))
    while threads(pool).running:
        threads(pool).finish()
    assert [now(one) for one in taken] == [1] * 9


def test_one_source_shuts_out_nobody(pool: KdfPool) -> None:
    """Whoever fills the queue gives way to others, until everybody has the same share."""
    greedy = [pool.run("192.0.2.1", lambda: 1) for _ in range(8)]
    others = [pool.run(f"192.0.2.{number}", lambda: 2) for number in range(2, 7)]
    for late in greedy[3:]:
        with pytest.raises(TryLater):
            now(late)
    with pytest.raises(TryLater):
        now(pool.run("192.0.2.7", lambda: 3))
    while threads(pool).running:
        threads(pool).finish()
    assert [now(one) for one in greedy[:3] + others] == [1] * 3 + [2] * 5


def test_a_source_with_a_whole_network_is_one(pool: KdfPool) -> None:
    """Addresses are cheap where IPv6 is."""
    for number in range(8):
        pool.run(f"2001:db8::{number}", lambda: 1).addErrback(lambda _: None)
    other = pool.run("2001:db8:1::1", lambda: 2)
    while threads(pool).running:
        threads(pool).finish()
    assert now(other) == 2


def test_who_has_gone_is_not_worked_for(pool: KdfPool) -> None:
    """What waits for a closed connection is dropped: at its turn, and when its place is needed."""
    begun: list[int] = []
    present = dict.fromkeys(range(10), True)

    def come(number: int) -> "Deferred[None]":
        return pool.run("a", lambda: begun.append(number), lambda: present[number])

    gone = [come(number) for number in range(8)]
    for number in (2, 3, 4):
        present[number] = False
    gone.append(come(8))
    for late in gone[2:5]:
        with pytest.raises(TryLater):
            now(late)
    present[5] = False
    while threads(pool).running:
        threads(pool).finish()
    with pytest.raises(TryLater):
        now(gone[5])
    assert begun == [0, 1, 6, 7, 8]


def test_cancelled(pool: KdfPool) -> None:
    """An attempt that nobody waits for any more does not disturb the others."""
    gone: Deferred[int] = pool.run("a", lambda: 1)
    gone.addErrback(lambda _: None)
    stays = pool.run("a", lambda: 2)
    gone.cancel()
    threads(pool).finish()
    threads(pool).finish()
    assert now(stays) == 2


def test_stop(pool: KdfPool) -> None:
    """What waits at the end is forgotten; what runs may end."""
    running = pool.run("a", lambda: 1)
    pool.run("a", lambda: 2)
    waiting = pool.run("a", lambda: 3)
    pool.stop()
    threads(pool).finish()
    threads(pool).finish()
    assert now(running) == 1
    assert not waiting.called


def test_inline() -> None:
    """In a command there is nobody to wait for."""
    pool = InlineKdf()
    pool.start()
    assert now(pool.run("192.0.2.1", lambda: 5)) == 5
    with pytest.raises(ZeroDivisionError):
        now(pool.run("192.0.2.1", lambda: 1 // 0))
    pool.stop()
