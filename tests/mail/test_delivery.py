"""From the spool into mailboxes: once each, fairly, and again until it is done."""

from collections.abc import Callable, Collection

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from cjsm.community.identifiers import DeliveryId, MailboxId
from cjsm.configuration import MailSettings
from cjsm.mail.delivery import DeliveryWorker
from cjsm.store.interfaces import Damaged, SpoolBatch, SpoolDelivery, SpoolEntry, Unavailable
from tests.community.communities import identifier

from .memory import File, MemorySpool, Platter, memory_mail
from .support import BODY, House, logged, no_reports, result
from .weather import Fate, Forecast

SETTINGS = MailSettings(retry_first=5, retry_most=60, delivery_workers=2, delivery_batch=100)
AWAY = Unavailable("the disk is away")
BAD = Damaged("this one cannot be written")
NOW = 1_000_000
ANN, BEN, CAT = (MailboxId(identifier(name)) for name in ("ann", "ben", "cat"))


class Post:
    """A worker, a spool that a test fills, and mailboxes."""

    def __init__(self, settings: MailSettings = SETTINGS) -> None:
        self.settings = settings
        self.clock = Clock()
        self.clock.advance(NOW)
        self.platter = Platter()
        self.forecast = Forecast()
        self._count = 0
        self.process()

    def process(self) -> None:
        """A new process over the same disk."""
        self.spool = MemorySpool(self.platter, self.forecast, self.clock.seconds)
        self.mail = memory_mail(self.platter, self.forecast)
        self.worker = DeliveryWorker(
            self.settings,
            spool=self.spool,
            mail=self.mail,
            reports=no_reports,
            tracer=House().tracer,
            reactor=self.clock,
            clock=self.clock.seconds,
        )

    def put(self, *mailboxes: MailboxId, body: bytes | None = b"sealed", apart: float = 0.125) -> SpoolEntry:
        self._count += 1
        entry = SpoolEntry(
            id=identifier(f"entry {self._count}"),
            accepted=NOW,
            body_id=BODY,
            sealed_octets=len(body or b""),
            summary=b"summary",
            envelope=b"envelope",
            deliveries=tuple(self._delivery(mailbox) for mailbox in mailboxes),
            body=body,
        )
        # Longer after the one before than mail is gathered.
        self.clock.advance(apart)
        result(self.spool.put(SpoolBatch(id=entry.id, hosted=(entry,))))
        return entry

    def _delivery(self, mailbox: MailboxId) -> SpoolDelivery:
        delivery_id = DeliveryId(identifier(f"{self._count} {mailbox[:3].decode()}"))
        return SpoolDelivery(mailbox=mailbox, delivery_id=delivery_id, generation=1, octets=9, wrap=b"wrap")

    def got(self, mailbox: MailboxId) -> list[int]:
        """The sequences of what a mailbox got, in order."""
        return [each.spool_sequence for each in self.platter.mailbox(mailbox).history]

    def after(self, seconds: float) -> None:
        for _ in range(int(seconds * 4)):
            self.clock.advance(0.25)


@pytest.fixture
def post() -> Post:
    """A post that is working."""
    made = Post()
    made.worker.start()
    return made


def test_what_arrives_is_delivered_at_once(post: Post) -> None:
    """To every mailbox it is for, complete, and the spool is empty."""
    entry = post.put(ANN, BEN)
    assert post.got(ANN) == post.got(BEN) == [1]
    (delivery,) = post.platter.mailbox(ANN).history
    wanted = entry.deliveries[0]
    assert (delivery.delivery_id, delivery.generation) == (wanted.delivery_id, wanted.generation)
    assert (delivery.octets, delivery.wrap) == (wanted.octets, wanted.wrap)
    assert (delivery.body, delivery.body_id, delivery.sealed_octets) == (entry.body, entry.body_id, 6)
    assert delivery.summary == entry.summary
    assert post.spool.status().entries == 0


def test_mail_that_keeps_coming_is_claimed_together(post: Post) -> None:
    """The first at once, those that come right after it in one claim and one write a moment later."""
    for _ in range(5):
        post.put(ANN, apart=0)
    assert post.got(ANN) == [1]
    before = post.forecast.calls.count("claim"), post.forecast.calls.count("deliver")
    post.clock.advance(0.125)
    assert post.got(ANN) == [1, 2, 3, 4, 5]
    assert (post.forecast.calls.count("claim"), post.forecast.calls.count("deliver")) == (before[0] + 1, before[1] + 1)


def test_a_body_in_a_file_is_kept_and_then_released(post: Post) -> None:
    """The spool's copy goes when the last mailbox has its own."""
    post.platter.files[BODY] = File(0.0, bytearray(b"large"), True)
    post.forecast.foretell("deliver", Fate(), Fate(AWAY))
    post.put(ANN, BEN, body=None)
    assert list(post.platter.mailbox(ANN).bodies.values()) == [b"large"]
    assert BODY in post.platter.files
    post.after(6)
    assert list(post.platter.mailbox(BEN).bodies.values()) == [b"large"]
    assert BODY not in post.platter.files


def test_what_waits_at_the_start_is_delivered() -> None:
    """Oldest first, in as many claims as it takes."""
    post = Post()
    for _ in range(150):
        post.put(ANN)
    assert post.got(ANN) == []
    post.worker.start()
    post.after(1)
    assert post.got(ANN) == list(range(1, 151))
    assert post.forecast.calls.count("claim") >= 3


def test_what_others_put_is_found_by_looking() -> None:
    """Nobody has to announce it."""
    post = Post()
    post.worker.start()
    other = MemorySpool(post.platter, post.forecast, post.clock.seconds)
    mine, post.spool = post.spool, other
    post.put(ANN)
    assert post.got(ANN) == []
    post.after(0.25)
    assert post.got(ANN) == [1]
    assert mine.status().entries == 0


def test_mailboxes_take_turns(post: Post) -> None:
    """At most as many at a time as settings say, and nobody behind a long queue waits for all of it."""
    holds = [post.forecast.hold("deliver") for _ in range(2)]
    post.put(ANN)
    post.put(BEN)
    for _ in range(90):
        post.put(ANN)
    post.put(CAT)
    post.after(0.5)
    assert post.mail.batches == [(ANN, 1), (BEN, 1)]
    order = post.mail.batches
    holds[1].callback(None)
    assert order[2:] == [(CAT, 1)]
    holds[0].callback(None)
    assert [mailbox for mailbox, _ in order[3:]] == [ANN, ANN]
    assert [count for _, count in order[3:]] == [64, 26]
    assert post.got(ANN) == [1, *range(3, 93)]


def test_a_mailbox_is_never_written_twice_at_a_time(post: Post) -> None:
    """What arrives for it meanwhile goes together afterwards."""
    held = post.forecast.hold("deliver")
    post.put(ANN)
    post.put(ANN)
    post.put(ANN)
    post.after(1)
    assert post.mail.batches == [(ANN, 1)]
    held.callback(None)
    assert post.mail.batches == [(ANN, 1), (ANN, 2)]
    assert post.got(ANN) == [1, 2, 3]


def test_a_mailbox_that_hangs_does_not_stop_the_others(post: Post) -> None:
    """While fewer hang than there are workers."""
    post.forecast.hold("deliver")
    post.put(ANN)
    for _ in range(10):
        post.put(BEN)
    assert post.got(BEN) == list(range(2, 12))


def test_no_more_is_claimed_than_there_is_room_for() -> None:
    """Entries and octets in memory are bounded."""
    post = Post(MailSettings(delivery_workers=2, delivery_batch=64))
    for _ in range(200):
        post.put(ANN)
    held = post.forecast.hold("deliver")
    post.worker.start()
    post.after(2)
    assert post.forecast.calls.count("claim") == 1
    held.callback(None)
    post.after(2)
    assert post.got(ANN) == list(range(1, 201))


def test_large_bodies_are_not_gathered_in_memory() -> None:
    """Beyond what may be held, entries stay in the spool."""
    post = Post()
    for _ in range(128):
        post.put(ANN, body=b"x" * 256 * 1024)
    held = post.forecast.hold("deliver")
    post.worker.start()
    post.after(2)
    assert len(post.spool.claims) == 64
    held.callback(None)
    post.after(2)
    assert len(post.got(ANN)) == 128


@pytest.mark.parametrize("happens", [False, True])
def test_a_mailbox_that_fails_is_tried_again_with_growing_pauses(post: Post, happens: bool) -> None:
    """5, 10, 20, 40 s, then every 60 s; whatever happened meanwhile, the message comes once."""
    post.forecast.foretell("deliver", *[Fate(Unavailable("x", maybe_committed=happens), happens=happens)] * 6)
    post.put(ANN)
    waits: list[int] = []
    while post.platter.entries:
        progress = post.platter.progress[1]
        if progress.attempts > len(waits):
            assert progress.reason.startswith("a mailbox could not be written")
            waits.append(progress.due - int(post.clock.seconds()))
        post.after(0.25)
    assert waits == [5, 10, 20, 40, 60, 60]
    assert len(post.mail.batches) == 7
    assert post.got(ANN) == [1]


def test_only_what_failed_is_tried_again(post: Post) -> None:
    """The others of the same message are not troubled."""
    post.forecast.foretell("deliver", Fate(), Fate(AWAY), Fate())
    post.put(ANN, BEN, CAT)
    assert (post.got(ANN), post.got(BEN), post.got(CAT)) == ([1], [], [1])
    assert post.spool.waiting(BEN) == 9
    assert post.spool.waiting(ANN) == 0
    post.after(6)
    assert post.mail.batches == [(ANN, 1), (BEN, 1), (CAT, 1), (BEN, 1)]
    assert post.got(BEN) == [1]


def test_a_bad_message_does_not_hold_up_its_neighbours(post: Post) -> None:
    """They are written one by one; only the bad one waits."""
    held = [post.forecast.hold("deliver"), post.forecast.hold("deliver")]
    post.put(BEN)
    post.put(CAT)
    for _ in range(3):
        post.put(ANN)
    post.forecast.foretell("deliver", Fate(BAD), Fate(), Fate(BAD), Fate())
    held[0].callback(None)
    held[1].callback(None)
    assert post.mail.batches[2:] == [(ANN, 3), (ANN, 1), (ANN, 1), (ANN, 1)]
    assert post.got(ANN) == [3, 5]
    assert list(post.platter.entries) == [4]
    post.after(6)
    assert post.got(ANN) == [3, 5, 4]


def test_a_disk_that_is_away_is_not_asked_for_each_message(post: Post) -> None:
    """The whole batch waits."""
    held = [post.forecast.hold("deliver"), post.forecast.hold("deliver")]
    post.put(BEN)
    post.put(CAT)
    for _ in range(3):
        post.put(ANN)
    post.forecast.foretell("deliver", Fate(AWAY))
    held[0].callback(None)
    held[1].callback(None)
    assert post.mail.batches[2:] == [(ANN, 3)]
    post.after(6)
    assert post.got(ANN) == [3, 4, 5]


def test_the_mailbox_hears_how_far_the_spool_is(post: Post) -> None:
    """So that it prunes what it remembers, but never what may come again."""
    post.forecast.foretell("deliver", Fate(AWAY))
    post.put(ANN)
    post.put(BEN)
    post.put(BEN)
    assert post.mail.low_waters == [1, 1, 1]
    post.after(6)
    post.put(BEN)
    assert post.mail.low_waters[-1] == 4
    assert set(post.platter.mailbox(BEN).delivered.values()) == {4}


@pytest.mark.parametrize("call", ["claim", "done", "defer"])
@pytest.mark.parametrize("error", [AWAY, ValueError("nobody thought of it")])
@pytest.mark.parametrize("happens", [False, True])
def test_a_spool_that_fails_is_asked_again(post: Post, call: str, error: Exception, happens: bool) -> None:
    """Soon, or where its answer is lost when the claim ends; in the end everybody has the message once."""
    if call == "defer":
        post.forecast.foretell("deliver", Fate(AWAY))
    post.forecast.foretell(call, Fate(error, happens=happens))
    with logged() as texts:
        post.put(ANN, BEN)
        post.after(620)
    assert post.got(ANN) == post.got(BEN) == [1]
    assert post.spool.status().entries == 0
    assert any("delivery has to wait" in text or "spool could not" in text or "taken again" in text for text in texts)


def test_a_spool_that_cannot_be_told_hears_all_of_it_later(post: Post) -> None:
    """Meanwhile delivery goes on."""
    post.forecast.foretell("done", Fate(AWAY), Fate(AWAY))
    for _ in range(5):
        post.put(ANN)
    assert post.got(ANN) == [1, 2, 3, 4, 5]
    assert len(post.platter.entries) == 5
    post.after(11)
    assert not post.platter.entries
    assert post.got(ANN) == [1, 2, 3, 4, 5]


def test_an_entry_that_was_delivered_and_not_told_leaves_the_spool() -> None:
    """A process that died in between; nothing is delivered again."""
    post = Post()
    entry = post.put(ANN)
    post.platter.progress[1].done.add(entry.deliveries[0].delivery_id)
    post.worker.start()
    assert post.got(ANN) == []
    assert not post.platter.entries


# Telling of deliveries


def test_whoever_watches_hears_before_the_spool_forgets() -> None:
    """To which mailboxes; and again where that could not be kept. Delivery is not held up by it."""
    post = Post()
    heard: list[tuple[set[MailboxId], int]] = []
    failures = [AWAY]

    def delivered(mailboxes: Collection[MailboxId]) -> "Deferred[None]":
        heard.append((set(mailboxes), len(post.platter.entries)))
        return fail(failures.pop()) if failures else succeed(None)

    post.worker._delivered = delivered
    post.worker.start()
    with logged():
        post.put(ANN, BEN)
        assert post.got(ANN) == post.got(BEN) == [1]
        post.after(11)
    assert heard == [({ANN, BEN}, 1)] * 2
    assert not post.platter.entries


# Ending


def test_stopping_an_idle_worker(post: Post) -> None:
    """It stops at once and looks no more."""
    result(post.worker.stop())
    assert not post.clock.getDelayedCalls()
    post.put(ANN)
    assert post.got(ANN) == []


@pytest.mark.parametrize("call", ["claim", "deliver", "done"])
def test_stopping_waits_for_what_is_under_way(post: Post, call: str) -> None:
    """And tells the spool of it; nothing more is begun."""
    held = post.forecast.hold(call)
    post.put(ANN)
    stopping = post.worker.stop()
    assert not stopping.called
    held.callback(None)
    result(stopping)
    assert post.got(ANN) == ([] if call == "claim" else [1])
    assert bool(post.platter.entries) == (call == "claim")
    assert not post.clock.getDelayedCalls()


def test_stopping_in_a_pause_ends_the_pause(post: Post) -> None:
    """What could not be told is found again by the next process."""
    post.forecast.foretell("done", *[Fate(AWAY)] * 5)
    post.put(ANN)
    result(post.worker.stop())
    assert post.platter.entries
    post.forecast = Forecast()
    post.process()
    post.worker.start()
    assert not post.platter.entries
    assert post.got(ANN) == [1]


@pytest.mark.parametrize("change", [lambda post: post.put(ANN, BEN), lambda post: post.put(BEN)])
def test_what_was_queued_stays_in_the_spool(post: Post, change: Callable[[Post], object]) -> None:
    """The next process delivers it, once."""
    holds = [post.forecast.hold("deliver"), post.forecast.hold("deliver")]
    post.put(ANN)
    post.put(CAT)
    change(post)
    stopping = post.worker.stop()
    for held in holds:
        held.callback(None)
    result(stopping)
    assert post.got(BEN) == []
    post.process()
    post.worker.start()
    assert post.got(BEN) == [3]
    assert not post.platter.entries
    assert len(post.got(ANN)) == len(set(post.got(ANN)))
