"""Time limits."""

from twisted.internet.task import Clock

from cjsm.wire.timing import MinimumRate, Timer


def test_timer_counts_from_its_last_start() -> None:
    """Starting anew gives the whole time again; stopping ends it; it runs out once."""
    clock, over = Clock(), []
    timer = Timer(clock, lambda: over.append(clock.seconds()))
    timer.start(10)
    clock.advance(9)
    timer.start(10)
    clock.advance(9)
    assert not over
    clock.advance(1)
    assert over == [19]
    assert not timer.running
    timer.start(5)
    timer.stop()
    timer.stop()
    clock.advance(5)
    assert over == [19]


def test_minimum_rate_after_grace() -> None:
    """A byte every nine seconds is too slow, but not during the time of grace."""
    rate = MinimumRate(100, grace=30, since=1_000)
    rate.received(3)
    assert not rate.too_slow(1_030)
    assert rate.too_slow(1_031)
    rate.received(10_000)
    assert not rate.too_slow(1_031)
    assert not MinimumRate(0, grace=0, since=0).too_slow(10_000)


def test_retired() -> None:
    """It counts no more and lets go of whom it would have called."""
    import weakref

    class Owner:
        def over(self) -> None:
            raise AssertionError("a retired timer calls nobody")

    clock, owner = Clock(), Owner()
    timer = Timer(clock, owner.over)
    timer.start(5)
    gone = weakref.ref(owner)
    timer.retire()
    del owner
    assert gone() is None
    clock.advance(10)
    assert not timer.running
