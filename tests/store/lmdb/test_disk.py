"""Work that waits for the disk: in threads, in order where order counts."""

import queue
import threading
from collections.abc import Callable

import pytest

from cjsm.store.lmdb.disk import Disk, InlineDisk, Serial

from ..support import HeldDisk, result


class Reactor:
    """Keeps what threads say until the test listens."""

    def __init__(self) -> None:
        self._said: queue.Queue[Callable[[], None]] = queue.Queue()

    def callFromThread(self, function: Callable[..., None], *arguments: object) -> None:
        self._said.put(lambda: function(*arguments))

    def listen(self) -> None:
        """Wait for one answer and hear it."""
        self._said.get(timeout=10)()


def test_threads() -> None:
    """Work runs on another thread, its answer or failure comes back on the reactor's."""
    reactor = Reactor()
    disk = Disk(reactor, 2)  # type: ignore[arg-type]  # enough of a reactor
    disk.start()
    try:
        ran = disk.run(threading.get_ident)
        reactor.listen()
        assert result(ran) != threading.get_ident()
        failing = disk.run(lambda: 1 // 0)
        reactor.listen()
        with pytest.raises(ZeroDivisionError):
            result(failing)
    finally:
        disk.stop()


def test_stop_waits_for_work() -> None:
    """What is under way is finished before the threads end."""
    reactor = Reactor()
    disk = Disk(reactor, 1)  # type: ignore[arg-type]  # enough of a reactor
    disk.start()
    going, done = threading.Event(), []

    def work() -> None:
        going.wait(10)
        done.append(1)

    disk.run(work)
    threading.Timer(0.05, going.set).start()
    disk.stop()
    assert done == [1]


def test_inline() -> None:
    """Commands and tests need no threads."""
    disk = InlineDisk()
    disk.start()
    assert result(disk.run(lambda: 5)) == 5
    with pytest.raises(ZeroDivisionError):
        result(disk.run(lambda: 1 // 0))
    disk.stop()


def test_one_after_the_other() -> None:
    """The next piece begins when the one before has ended, whatever became of it."""
    disk = HeldDisk()
    serial, order = Serial(disk), []

    def fail() -> None:
        order.append(1)
        raise ValueError("no")

    first, second = serial.run(fail), serial.run(lambda: order.append(2))
    idle = serial.drained()
    assert len(disk.held) == 1
    assert not idle.called
    disk.release()
    with pytest.raises(ValueError, match="no"):
        result(first)
    result(second)
    result(idle)
    assert order == [1, 2]
    result(serial.drained())
