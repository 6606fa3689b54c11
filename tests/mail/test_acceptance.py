"""The one way a message comes in."""

import gc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from cjsm.community.records import Life
from cjsm.mail.envelope import decode_envelope
from cjsm.mail.interfaces import IAcceptance, IIncomingMessage, Refused
from cjsm.store.interfaces import DiskFull, Unavailable
from cjsm.vault.queue import open_envelope
from tests.community.communities import community, hosted
from tests.mail.world import (
    HOP,
    JO,
    JO_ADDRESS,
    OLIVE,
    OLIVE_ADDRESS,
    SAM,
    SAM_ADDRESS,
    SECRETS,
    TEXT,
    World,
    result,
)


def refusal(act: Any) -> Refused:
    """How it is refused."""
    with pytest.raises(Refused) as refused:
        result(act)
    return refused.value


def test_a_message() -> None:
    """One entry, sealed for each mailbox, with its envelope for delivery alone."""
    world = World()
    verifyObject(IAcceptance, world.acceptance)
    message = world.begin(SAM_ADDRESS, OLIVE_ADDRESS, SAM_ADDRESS.upper())
    verifyObject(IIncomingMessage, message)
    assert message.recipients == 3
    message.write(TEXT)
    queue_id = result(message.commit())
    ((entry, left),) = world.spool.entries.values()
    assert queue_id == entry.id[:8].hex()
    assert {delivery.mailbox for delivery in entry.deliveries} == {SAM, OLIVE}
    assert len(left) == 2
    envelope = decode_envelope(open_envelope(SECRETS.queue, entry.id, entry.envelope))
    assert (envelope.reverse_path, [name for name, _ in envelope.recipients]) == (
        JO_ADDRESS,
        [SAM_ADDRESS, OLIVE_ADDRESS],
    )
    for readable in (b"Good morning", b"Hello", JO_ADDRESS.encode(), SAM_ADDRESS.encode()):
        assert readable not in msgspec.msgpack.encode(entry)


@given(st.lists(st.integers(1, 5_000), max_size=12), st.sampled_from([10, 3_000, 70_000, 200_000]))
def test_any_chunking(cuts: list[int], octets: int) -> None:
    """What is delivered is what was sent, behind the trace, however it came."""
    world = World()
    body = bytes(range(32, 127)) * (octets // 95 + 1)
    text = TEXT + body[:octets] + b"\r\n"
    message = world.begin()
    left = text
    for cut in cuts:
        waiting = message.write(left[:cut])
        left = left[cut:]
        if waiting is not None:
            result(waiting)
    waiting = message.write(left)
    if waiting is not None:
        result(waiting)
    result(message.commit())
    world.worker.start()
    world.clock.advance(1)
    (read,) = world.delivered(SAM)
    assert read.startswith(f"Return-Path: <{JO_ADDRESS}>\r\nReceived: by ".encode())
    head, _, rest = text.partition(b"\r\n\r\n")
    assert read.endswith(b"\r\n\r\n" + rest)
    assert head in read


def test_senders() -> None:
    """One's own address only; the null sender is the service's."""
    world = World()
    for sender, status in ((SAM_ADDRESS, "5.7.1"), ("", "5.7.1"), ("jo@example.org", "5.7.1"), ("no address", "5.1.3")):
        assert refusal(world.acceptance.begin(JO, sender, HOP, None)).status == status
    world.view.view = community(*hosted("jo.ward", "crime", "avon", life=Life.SUSPENDED))
    assert refusal(world.acceptance.begin(JO, JO_ADDRESS, HOP, None)).status == "5.7.1"


def test_sizes() -> None:
    """Too large is refused when it is announced, and at the end when it was not; nothing is left of it."""
    world = World(message_octets=10_000)
    assert refusal(world.acceptance.begin(JO, JO_ADDRESS, HOP, 10_001)).code == 552
    message = world.begin(size=5)
    message.write(TEXT)
    for _ in range(20):
        assert message.write(b"x" * 1_000) is None
    assert refusal(message.commit()).code == 552
    assert (world.spool.entries, world.bodies.kept, world.bodies.open) == ({}, {}, 0)


def test_recipients() -> None:
    """So many and no more; refused ones do not cost the others anything."""
    world = World(recipients=2)
    message = world.begin(SAM_ADDRESS)
    assert refusal(message.recipient("nobody@avon.cjsm.test")).status == "5.1.1"
    result(message.recipient(OLIVE_ADDRESS))
    assert refusal(message.recipient(JO_ADDRESS)).code == 452
    message.write(TEXT)
    result(message.commit())
    empty = result(world.acceptance.begin(JO, JO_ADDRESS, HOP, None))
    empty.write(TEXT)
    assert refusal(empty.commit()).code == 554


def test_full_mailboxes_and_lost_keys() -> None:
    """A mailbox that cannot take mail now is refused for now, at RCPT."""
    world = World(quota=1_000)
    world.mail.usages[SAM] = 1_000
    world.keys.lost.add(OLIVE)
    message = result(world.acceptance.begin(JO, JO_ADDRESS, HOP, 10))
    assert refusal(message.recipient(SAM_ADDRESS)).code == 452
    assert refusal(message.recipient(OLIVE_ADDRESS)).code == 450
    result(message.recipient(JO_ADDRESS))


@pytest.mark.parametrize(
    "text",
    [b"no header at all", b"Subject: x\r\n\r\n", TEXT.replace(JO_ADDRESS.encode(), SAM_ADDRESS.encode(), 1), b""],
)
def test_bad_headers(text: bytes) -> None:
    """Refused at the end; what comes after the header costs no memory."""
    world = World()
    message = world.begin()
    message.write(text)
    for _ in range(100):
        message.write(b"x" * 10_000)
    assert refusal(message.commit()).code in (550, 552)
    assert world.spool.entries == {}


def test_refused_once_refused_for_good() -> None:
    """Nothing that follows makes it good again."""
    world = World()
    message = world.begin()
    message.write(b"bad line\r\n\r\n")
    message.write(TEXT)
    assert refusal(message.commit()).status == "5.6.0"
    assert refusal(message.commit()).code == 451


@pytest.mark.parametrize("octets", [0, 100, 200_000])
def test_given_up(octets: int) -> None:
    """In any phase nothing is left, and it can be said twice."""
    world = World()
    message = world.begin()
    if octets:
        message.write(TEXT + b"x" * octets)
    result(message.abort())
    result(message.abort())
    assert refusal(message.commit()).code == 451
    assert (world.spool.entries, world.bodies.kept, world.bodies.open) == ({}, {}, 0)


def test_given_up_while_the_disk_writes() -> None:
    """The file goes when the write is over."""
    world = World()
    held: Deferred[None] = Deferred()
    message = world.begin()
    world.bodies.trouble = lambda step: held if step == "create" else None
    message.write(TEXT + b"x" * 70_000)
    gone = message.abort()
    assert not gone.called
    held.callback(None)
    result(gone)
    assert (world.bodies.kept, world.bodies.open) == ({}, 0)


def test_client_gone_while_it_is_committed() -> None:
    """Giving up comes too late: the message is accepted, as the client may have been told."""
    world = World()
    held: Deferred[None] = Deferred()
    world.spool.trouble = lambda step: held
    message = world.begin()
    message.write(TEXT)
    done = message.commit()
    result(message.abort())
    held.callback(None)
    result(done)
    assert len(world.spool.entries) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [(DiskFull("full"), 452), (Unavailable("gone"), 451), (Unavailable("?", maybe_committed=True), 451)],
)
def test_store_troubles(error: Exception, code: int) -> None:
    """The client is asked to come back; a body in a file is taken away unless it may be needed."""
    world = World()

    def trouble(step: str) -> None:
        raise error

    message = world.begin()
    waiting = message.write(TEXT + b"x" * 200_000)
    if waiting is not None:
        result(waiting)
    world.spool.trouble = trouble
    done = message.commit()
    world.clock.pump([0.1, 1.0, 1.0])
    assert refusal(done).code == code
    assert bool(world.bodies.kept) is getattr(error, "maybe_committed", False)


def test_a_spool_that_did_not_know() -> None:
    """Is asked again until it does: the message is there once, and the client is told so."""
    world = World()
    answers = iter([Unavailable("?", maybe_committed=True), None])

    def trouble(step: str) -> None:
        error = next(answers)
        if error is not None:
            raise error

    message = world.begin()
    message.write(TEXT)
    world.spool.trouble = trouble
    done = message.commit()
    world.clock.advance(0.1)
    assert result(done)
    assert len(world.spool.entries) == 1


def test_nothing_proportional_to_a_message_is_held() -> None:
    """Ten megabytes pass, a segment at a time."""
    import tracemalloc

    world = World()
    message = world.begin()
    message.write(TEXT)
    world.bodies.trouble = lambda step: None
    chunk = b"x" * 60_000
    kept = world.bodies

    class Thrown:
        """A writer that keeps nothing."""

        def write(self, sealed: bytes) -> None:
            return None

        def finish(self) -> "Deferred[None]":
            done: Deferred[None] = Deferred()
            done.callback(None)
            return done

    def create(body_id: object) -> "Deferred[Any]":
        made: Deferred[Any] = Deferred()
        made.callback(Thrown())
        return made

    kept.create = create  # type: ignore[method-assign,assignment]  # a disk that takes everything
    gc.collect()
    tracemalloc.start()
    for _ in range(170):
        message.write(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_500_000
