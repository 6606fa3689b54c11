"""What :class:`ISpool` and :class:`IBodyStore` promise, for any implementation."""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import pytest

from cjsm.community.identifiers import BodyId, DeliveryId
from cjsm.store.interfaces import Claimed, Damaged, Missing, SpoolBatch, SpoolEntry, StoreError

from ..support import MAILBOX, OTHER, alone, entry, identifier
from .place import Place, created, put_body, sure

PROMISES: dict[str, Callable[[Place], None]] = {}


def promise(scenario: Callable[[Place], None]) -> Callable[[Place], None]:
    PROMISES[scenario.__name__] = scenario
    return scenario


def put(place: Place, *entries: SpoolEntry) -> None:
    for each in entries:
        sure(partial(place.spool.put, alone(each)))


def claim(place: Place, limit: int = 100, until: int = 5_000) -> Sequence[Claimed]:
    return sure(lambda: place.spool.claim("worker", limit, until))


def ids(claimed: Sequence[Claimed]) -> list[bytes]:
    return [each.entry.id for each in claimed]


def done(place: Place, claimed: Claimed, *delivery_ids: DeliveryId) -> None:
    made = delivery_ids or tuple(each.delivery_id for each in claimed.entry.deliveries)
    sure(lambda: place.spool.done([(claimed.sequence, made)]))


@promise
def accepted_entries_come_out_in_order(place: Place) -> None:
    """With everything that was put in, also in another life."""
    entries = [entry(number, MAILBOX, OTHER) for number in range(1, 5)]
    put(place, *entries)
    place.again()
    claimed = claim(place)
    assert [each.entry for each in claimed] == entries
    assert [each.sequence for each in claimed] == sorted({each.sequence for each in claimed})
    assert {each.attempts for each in claimed} == {0}
    assert claimed[0].remaining == tuple(each.delivery_id for each in entries[0].deliveries)


@promise
def a_batch_in_doubt_is_there_once(place: Place) -> None:
    """Who does not know whether it was written puts it again; :func:`sure` does."""
    for number in range(1, 6):
        put(place, entry(number))
    place.again()
    assert ids(claim(place)) == [entry(number).id for number in range(1, 6)]


@promise
def a_claimed_entry_is_the_workers(place: Place) -> None:
    """Until its time comes, or its process dies."""
    put(place, entry(1), entry(2), entry(3))
    first = claim(place, 2)
    rest = claim(place)
    assert len(ids(first)) <= 2
    assert not set(ids(first)) & set(ids(rest))
    place.clock.now = 5_001.0
    assert ids(claim(place, until=9_000)) == [entry(1).id, entry(2).id, entry(3).id]
    place.again()
    assert ids(claim(place, until=9_000)) == [entry(1).id, entry(2).id, entry(3).id]


@promise
def what_is_done_is_not_handed_out_again(place: Place) -> None:
    """Delivery by delivery; the entry leaves with its last one, and the low-water mark rises."""
    put(place, entry(1, MAILBOX, OTHER), entry(2))
    one, two = claim(place)
    assert place.spool.waiting(MAILBOX) == 20
    done(place, one, one.remaining[0])
    place.again()
    assert (place.spool.waiting(MAILBOX), place.spool.waiting(OTHER)) == (10, 10)
    assert [each.remaining for each in claim(place)] == [one.remaining[1:], two.remaining]
    assert place.spool.low_water() <= one.sequence
    done(place, one, one.remaining[1])
    done(place, one, one.remaining[1])
    assert one.sequence < place.spool.low_water() <= two.sequence
    done(place, two)
    place.again()
    assert place.spool.low_water() > two.sequence
    assert (place.spool.status().entries, place.spool.waiting(MAILBOX), len(claim(place))) == (0, 0, 0)


@promise
def a_deferred_entry_waits(place: Place) -> None:
    """Its attempts are counted; others do not wait for it."""
    put(place, entry(1), entry(2))
    one, _ = claim(place)
    sure(lambda: place.spool.defer(one.sequence, 2_000, "a mailbox is away"))
    put(place, entry(3))
    assert ids(claim(place)) == [entry(3).id]
    place.clock.now = 2_000.0
    (again,) = claim(place)
    assert again.entry == one.entry
    place.again()
    assert ids(claim(place)) == [entry(number).id for number in (1, 2, 3)]


@promise
def what_senders_hear_is_put_with_what_is_done(place: Place) -> None:
    """Once."""
    put(place, entry(1))
    (one,) = claim(place)
    sure(lambda: place.spool.done([(one.sequence, one.remaining)], [alone(entry(7))]))
    place.again()
    assert ids(claim(place)) == [entry(7).id]


@promise
def a_body_stays_while_an_entry_names_it(place: Place) -> None:
    """And goes with the last one."""
    body_id = entry(1).body_id
    put_body(place, body_id, b"sealed")
    both = [entry(1, body=None), msgspec.structs.replace(entry(2, body=None), body_id=body_id)]
    sure(lambda: place.spool.put(SpoolBatch(id=both[0].id, hosted=tuple(both))))
    assert sure(place.spool.named_bodies) == {body_id}
    one, two = claim(place)
    done(place, one)
    assert body(place, body_id) == b"sealed"
    assert sure(place.spool.named_bodies) == {body_id}
    done(place, two)
    assert sure(place.spool.named_bodies) == frozenset()
    sure(lambda: place.bodies.sweep(lambda _: False, 1 << 40))
    with pytest.raises(Missing):
        body(place, body_id)


def body(place: Place, body_id: BodyId) -> bytes:
    reader = sure(lambda: place.bodies.open(body_id))
    try:
        octets: bytes = sure(lambda: reader.read(0, reader.octets))
        return octets
    finally:
        reader.close()


@promise
def a_body_is_what_was_written(place: Place) -> None:
    """Any piece of it, and not an octet beyond."""
    body_id = BodyId(identifier("body", 1))
    put_body(place, body_id, bytes(range(256)) * 4_000)
    place.again()
    reader = sure(lambda: place.bodies.open(body_id))
    assert reader.octets == 1_024_000
    assert sure(lambda: reader.read(1_000_001, 5)) == (bytes(range(256)) * 4_000)[1_000_001:1_000_006]
    with pytest.raises(Damaged):
        sure(lambda: reader.read(1_023_999, 2))
    reader.close()
    reader.close()


@promise
def an_aborted_body_is_nowhere(place: Place) -> None:
    """Nor one that was released; both may be asked again."""
    body_id = BodyId(identifier("body", 1))
    put_body(place, body_id, b"sealed")
    sure(lambda: place.bodies.release(body_id))
    sure(lambda: place.bodies.release(body_id))
    with pytest.raises(StoreError):
        body(place, body_id)
    writer = created(place, body_id)
    writer.write(b"sealed")
    sure(writer.abort)
    with pytest.raises(Missing):
        body(place, body_id)


@promise
def only_orphans_are_swept(place: Place) -> None:
    """What is known stays, and what is young."""
    known, orphan = BodyId(identifier("body", 1)), BodyId(identifier("body", 2))
    for body_id in (known, orphan):
        put_body(place, body_id, b"sealed")
    for _ in range(2):
        sure(lambda: place.bodies.sweep(lambda each: each == known, 0))
    assert body(place, orphan) == b"sealed"
    for _ in range(2):
        sure(lambda: place.bodies.sweep(lambda each: each == known, 1 << 40))
    place.again()
    assert body(place, known) == b"sealed"
    with pytest.raises(Missing):
        body(place, orphan)


@promise
def notices_are_there_once(place: Place) -> None:
    """Whoever does not know how far it was puts them again: what has a number that was put is not put anew, not even
    when it was delivered since.
    """

    def batch(number: int) -> SpoolBatch:
        return msgspec.structs.replace(alone(entry(number)), notice=number)

    assert place.spool.last_notice() == 0
    sure(lambda: place.spool.put(batch(3)))
    place.again()
    (claimed,) = claim(place)
    done(place, claimed)
    place.again()
    assert place.spool.last_notice() == 3
    sure(lambda: place.spool.put(batch(3)))
    sure(lambda: place.spool.put(batch(2)))
    put(place, entry(9))
    sure(lambda: place.spool.put(batch(5)))
    assert ids(claim(place)) == [entry(9).id, entry(5).id]
    assert place.spool.last_notice() == 5
