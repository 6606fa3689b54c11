"""From the spool into mailboxes: once each, in turns, with patience."""

from itertools import pairwise

import pytest
from twisted.internet.defer import Deferred

from cjsm.store.interfaces import Damaged, Unavailable
from tests.mail.world import OLIVE, OLIVE_ADDRESS, SAM, SAM_ADDRESS, TEXT, World, result


def started(**settings: int) -> World:
    """A world whose worker runs."""
    world = World(**settings)
    world.worker.start()
    return world


def test_delivered_at_once() -> None:
    """The worker hears of arrivals and does not wait for its next look."""
    world = started()
    world.send(TEXT, SAM_ADDRESS, OLIVE_ADDRESS)
    assert len(world.delivered(SAM)) == len(world.delivered(OLIVE)) == 1
    assert world.spool.entries == {}


def test_what_another_process_put() -> None:
    """Is found at the next look."""
    world = World()
    world.send()
    world.worker.start()
    assert len(world.delivered(SAM)) == 1


def test_many_for_one_mailbox_share_a_transaction() -> None:
    """While one is written the others gather."""
    world = started()
    held: Deferred[None] = Deferred()
    world.mail.trouble = lambda step: held if step == "deliver" else None
    world.send()
    world.mail.trouble = lambda step: None
    for _ in range(10):
        world.send()
    held.callback(None)
    assert world.mail.batches == [1, 10]


def test_a_slow_mailbox_holds_nobody_up() -> None:
    """Others are written meanwhile."""
    world = started()
    held: Deferred[None] = Deferred()
    world.mail.trouble = lambda step: held if step == "deliver" else None
    world.send(TEXT, SAM_ADDRESS)
    world.mail.trouble = lambda step: None
    world.send(TEXT, OLIVE_ADDRESS)
    assert len(world.delivered(OLIVE)) == 1
    assert world.delivered(SAM) == []
    held.callback(None)
    assert len(world.delivered(SAM)) == 1


def test_trouble_is_tried_again_later_and_later() -> None:
    """5 seconds, 10, 20 … and not more than the most; then it is delivered once."""
    world = started(retry_first=5, retry_most=15)
    tries: list[float] = []

    def trouble(step: str) -> None:
        if step == "deliver":
            tries.append(world.clock.seconds())
            raise Unavailable("no disk")

    world.mail.trouble = trouble
    world.send()
    for _ in range(200):
        world.clock.advance(0.25)
    pauses = [after - before for before, after in pairwise(tries)]
    assert [round(pause) for pause in pauses] == [5, 10, 15, 15]
    world.mail.trouble = lambda step: None
    for _ in range(80):
        world.clock.advance(0.25)
    assert len(world.delivered(SAM)) == 1
    assert world.spool.entries == {}


def test_one_bad_message_does_not_stop_its_neighbours() -> None:
    """They are written without it."""
    world = started()
    held: Deferred[None] = Deferred()
    world.mail.trouble = lambda step: held if step == "deliver" else None
    world.send()
    world.mail.trouble = lambda step: None
    world.send()
    bad = max(world.spool.entries)
    world.send()
    original = world.mail.deliver

    def deliver(mailbox: object, batch: object, low_water: int) -> "Deferred[None]":
        if any(delivery.spool_sequence == bad for delivery in batch):  # type: ignore[attr-defined]
            failed: Deferred[None] = Deferred()
            failed.errback(Damaged("this one"))
            return failed
        return original(mailbox, batch, low_water)  # type: ignore[arg-type]

    world.mail.deliver = deliver  # type: ignore[method-assign,assignment]  # one message cannot be written
    held.callback(None)
    assert len(world.delivered(SAM)) == 2
    assert list(world.spool.entries) == [bad]
    assert "this one" in world.spool.deferred[bad][1]


def test_one_recipient_of_two() -> None:
    """What was delivered is not delivered again when the rest is tried again."""
    world = started(retry_first=5)
    broken = {"mailbox": SAM}
    original = world.mail.deliver

    def deliver(mailbox: object, batch: object, low_water: int) -> "Deferred[None]":
        if mailbox == broken["mailbox"]:
            failed: Deferred[None] = Deferred()
            failed.errback(Unavailable("later"))
            return failed
        return original(mailbox, batch, low_water)  # type: ignore[arg-type]

    world.mail.deliver = deliver  # type: ignore[method-assign,assignment]  # one mailbox cannot be written
    world.send(TEXT, SAM_ADDRESS, OLIVE_ADDRESS)
    ((_, left),) = world.spool.entries.values()
    assert len(left) == 1
    broken.clear()
    broken["mailbox"] = b"nobody's"
    for _ in range(30):
        world.clock.advance(0.25)
    assert (len(world.delivered(SAM)), len(world.delivered(OLIVE))) == (1, 1)
    assert world.mail.batches == [1, 1]


@pytest.mark.parametrize("step", ["claim", "done", "defer"])
def test_a_spool_that_does_not_answer(step: str) -> None:
    """Delivery waits and goes on."""
    world = World(retry_first=1)
    failures = iter([True, True])

    def trouble(name: str) -> None:
        if name == step and next(failures, False):
            raise Unavailable("later")

    world.spool.trouble = trouble
    if step == "defer":
        once = iter([True])

        def mail_trouble(name: str) -> None:
            if name == "deliver" and next(once, False):
                raise Unavailable("later")

        world.mail.trouble = mail_trouble
    world.send()
    world.worker.start()
    for _ in range(100):
        world.clock.advance(0.25)
    assert len(world.delivered(SAM)) == 1
    assert world.spool.entries == {}


def test_stopping() -> None:
    """Waits for what is under way and tells the spool of it."""
    world = started()
    held: Deferred[None] = Deferred()
    world.mail.trouble = lambda step: held if step == "deliver" else None
    world.send()
    stopped = world.worker.stop()
    assert not stopped.called
    held.callback(None)
    result(stopped)
    assert world.spool.entries == {}
    assert world.clock.getDelayedCalls() == []
    result(world.worker.stop())


def test_memory_is_bounded() -> None:
    """Not more is claimed than the batch while mailboxes are slow."""
    world = World(delivery_batch=5)
    for _ in range(200):
        world.send()
    world.mail.trouble = lambda step: Deferred() if step == "deliver" else None
    world.worker.start()
    for _ in range(20):
        world.clock.advance(0.25)
    assert len(world.spool.claims) <= 64
