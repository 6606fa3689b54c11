"""Accepted × recipients = delivered, each exactly once: whatever fails, and wherever the process dies.

A failing seed is in the test's name and its message.
"""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from twisted.internet.defer import Deferred, succeed

from cjsm.community.identifiers import MailboxId
from cjsm.store.interfaces import Delivery, SpoolBatch
from tests.mail.support import House

from .seeds import seeds
from .world import Flaw, World

_BLOCK = 25


def _blocks() -> list[range]:
    asked = seeds()
    edges = [*range(asked.start, asked.stop, _BLOCK), asked.stop]
    return [range(first, last) for first, last in pairwise(edges)]


def broken(seeds: range, flaw: Flaw = lambda house: None) -> dict[int, str]:
    """The seeds with which a promise is broken, and how."""
    found: dict[int, str] = {}
    for seed in seeds:
        try:
            World(seed, flaw).run()
        except AssertionError as error:
            found[seed] = str(error).partition("\n")[0]
    return found


@pytest.mark.parametrize("seeds", _blocks(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_every_accepted_message_is_delivered_exactly_once(seeds: range) -> None:
    """Errors, timeouts, commits nobody knows of, and death at any step: what was promised is kept."""
    assert broken(seeds) == {}


@pytest.mark.parametrize(
    ("asked", "found"), [(None, range(300)), ("40", range(40)), ("5-9", range(5, 10)), ("7-7", range(7, 8))]
)
def test_seeds(monkeypatch: pytest.MonkeyPatch, asked: str | None, found: range) -> None:
    """So many, or from one to another, which are all there is of them."""
    monkeypatch.delenv("CJSM_SIMULATION_SEEDS", raising=False)
    if asked is not None:
        monkeypatch.setenv("CJSM_SIMULATION_SEEDS", asked)
    assert seeds() == found


def test_one_seed_is_one_story() -> None:
    """A failing seed can be looked at again."""
    stories = []
    for _ in range(2):
        world = World(7)
        world.run()
        stories.append([(each.fate, each.queue_id, sorted(each.mailboxes)) for each in world.letters])
    assert stories[0] == stories[1]


def test_the_stories_are_of_every_kind() -> None:
    """Messages end in every way, and what came to pass is not all fair weather."""
    fates: set[str] = set()
    sequences = delivered = 0
    for seed in range(60):
        world = World(seed)
        world.run()
        fates |= {each.fate for each in world.letters}
        sequences += world.platter.sequence
        delivered += sum(len(mailbox.history) for mailbox in world.platter.mailboxes.values())
    assert fates == {"accepted", "refused", "unknown", "given up"}
    assert delivered > sequences > 100


# Flaws that the model must notice.


def forgets_what_it_delivered(house: House) -> None:
    deliver = house.mail._deliver

    def forgetful(mailbox: MailboxId, batch: Sequence[Delivery], low_water: int) -> None:
        house.platter.mailbox(mailbox).delivered.clear()
        deliver(mailbox, batch, low_water)

    house.mail._deliver = forgetful  # type: ignore[method-assign]


def prunes_too_much(house: House) -> None:
    deliver = house.mail._deliver
    house.mail._deliver = lambda mailbox, batch, _: deliver(mailbox, batch, 1 << 60)  # type: ignore[method-assign]


def says_it_delivered(house: House) -> None:
    deliver = house.mail.deliver

    def lazy(mailbox: MailboxId, batch: Sequence[Delivery], low_water: int) -> Deferred[None]:
        return deliver(mailbox, batch, low_water) if house.clock.seconds() % 1 < 0.9 else succeed(None)

    house.mail.deliver = lazy  # type: ignore[method-assign]


def takes_an_entry_twice(house: House) -> None:
    put = house.spool.put

    def forgetful(batch: SpoolBatch) -> Deferred[int]:
        house.platter.known.pop(batch.id, None)
        return put(batch)

    house.spool.put = forgetful  # type: ignore[method-assign]


def answers_before_it_is_written(house: House) -> None:
    put = house.spool.put

    def hasty(batch: SpoolBatch) -> Deferred[int]:
        put(batch).addErrback(lambda _: None)
        return succeed(1)

    house.spool.put = hasty  # type: ignore[method-assign]


def never_syncs(house: House) -> None:
    house.weather.run, run = (  # type: ignore[method-assign]
        lambda name, act: succeed(None) if name == "finish" else run(name, act),
        house.weather.run,
    )


@pytest.mark.parametrize(
    ("flaw", "first"),
    [
        (forgets_what_it_delivered, 0),
        (prunes_too_much, 0),
        (says_it_delivered, 0),
        # It shows in one story of some hundreds.
        (takes_an_entry_twice, 500),
        (answers_before_it_is_written, 0),
        (never_syncs, 0),
    ],
)
def test_the_model_notices(flaw: Flaw, first: int) -> None:
    """A simulation that finds nothing in a broken service proves nothing of a whole one."""
    found: dict[int, str] = {}
    for seed in range(first, first + 2_000):
        found = broken(range(seed, seed + 1), flaw)
        if found:
            break
    assert found
