"""Regular tasks go on whatever happens to one of them."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from cjsm.regular import RegularTasks


def test_a_task_that_fails_is_done_again() -> None:
    """A disk that was full for a moment costs one turn, and one line in the log."""
    clock, done = Clock(), []
    tasks = RegularTasks(clock)

    def task() -> None:
        done.append(clock.seconds())
        if len(done) == 2:
            raise ZeroDivisionError

    with capturedLogs() as logged:
        tasks.every(5, task, now=True)
        clock.pump([5] * 3)
    assert done == [0, 5, 10, 15]
    assert [event["log_format"] for event in logged] == ["a regular task failed, the next try is in {seconds} seconds"]
    tasks.stop()
    tasks.stop()
    assert not clock.getDelayedCalls()


def test_never_twice_at_once() -> None:
    """A task that takes longer than its turn is waited for; one that fails late is done again too."""
    clock = Clock()
    answers: list[Deferred[None]] = []

    def task() -> "Deferred[None]":
        answers.append(Deferred())
        return answers[-1]

    tasks = RegularTasks(clock)
    tasks.every(1, task)
    assert not answers
    clock.pump([1] * 4)
    assert len(answers) == 1
    with capturedLogs() as logged:
        answers[0].errback(ZeroDivisionError())
        clock.advance(1)
    assert (len(answers), len(logged)) == (2, 1)
    tasks.stop()
