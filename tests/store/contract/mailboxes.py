"""What :class:`IMailStore` promises, for any implementation. Acts are asked for until they are done."""

import hashlib
import io
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import pytest
from twisted.internet.defer import Deferred

from cjsm.community.identifiers import AccountId, DeliveryId, MailboxId
from cjsm.store.interfaces import (
    Damaged,
    Delivery,
    Filling,
    Head,
    ILease,
    LeaseLost,
    LeaseTaken,
    MailboxExists,
    Missing,
    NewerStore,
    Row,
    Usage,
    Verified,
)

from ..support import MAILBOX, OTHER, delivery, identifier
from .place import Place, put_body, sure

ANN, BEN = AccountId(identifier("account", 1)), AccountId(identifier("account", 2))
#: Every promise, by name.
PROMISES: dict[str, Callable[[Place], None]] = {}


def promise(scenario: Callable[[Place], None]) -> Callable[[Place], None]:
    PROMISES[scenario.__name__] = scenario
    return scenario


def id_of(number: int) -> DeliveryId:
    return delivery(number).delivery_id


def deliver(place: Place, *numbers: int, mailbox: MailboxId = MAILBOX, low_water: int = 0) -> None:
    sure(lambda: place.mail.deliver(mailbox, [delivery(number) for number in numbers], low_water))


def rows(place: Place, mailbox: MailboxId = MAILBOX, member: AccountId | None = None) -> Sequence[Row]:
    """The list, which agrees with its head and the usage."""
    listed = sure(lambda: place.mail.list(mailbox, member))
    assert [row.uid for row in listed.rows] == sorted({row.uid for row in listed.rows})
    if member is None:
        assert listed.head.listed == len(listed.rows)
        octets = sum(row.octets for row in listed.rows)
        assert sure(lambda: place.mail.usage(mailbox)) == Usage(messages=len(listed.rows), octets=octets)
    return listed.rows


def numbers(place: Place, mailbox: MailboxId = MAILBOX, member: AccountId | None = None) -> list[int]:
    """The numbers of the deliveries that are listed, in order."""
    return [int(row.delivery_id.strip(b".").split()[1]) for row in rows(place, mailbox, member)]


def read(place: Place, number: int, mailbox: MailboxId = MAILBOX) -> bytes:
    """The sealed body of a message, read in two pieces."""
    body = sure(lambda: place.mail.open(mailbox, id_of(number))).body
    try:
        half = body.octets // 2
        first: bytes = sure(lambda: body.read(0, half))
        return first + sure(lambda: body.read(half, body.octets - half))
    finally:
        body.close()


def large(number: int, body: int = 1) -> Delivery:
    """A delivery whose body of six octets is in the spool."""
    return msgspec.structs.replace(delivery(number, None), body_id=delivery(body).body_id)


@promise
def nothing_is_an_empty_mailbox(place: Place) -> None:
    """One that nothing came to is empty, whatever is asked, and does not exist."""
    assert numbers(place) == []
    assert sure(lambda: place.mail.deleted(MAILBOX)) in ((), [])
    sure(lambda: place.mail.delete(MAILBOX, [id_of(1)]))
    sure(lambda: place.mail.hide(MAILBOX, ANN, [id_of(1)]))
    assert sure(lambda: place.mail.undelete(MAILBOX, [id_of(1)])) == 0
    assert sure(lambda: place.mail.unhide(MAILBOX, ANN)) == 0
    assert sure(lambda: place.mail.full(MAILBOX, 0)) == 0
    assert sure(lambda: place.mail.filling(MAILBOX)) == Filling(octets=0, full_since=0)
    assert sure(lambda: place.mail.status(MAILBOX)).usage == Usage()
    sure(lambda: place.mail.destroy(MAILBOX))
    with pytest.raises(Missing):
        sure(lambda: place.mail.open(MAILBOX, id_of(1)))
    assert list(sure(place.mail.mailboxes)) == []


@promise
def messages_stay_in_order(place: Place) -> None:
    """What was delivered is listed in that order, over many pages and lives of the process, and opens."""
    for first in (1, 51, 101):
        deliver(place, *range(first, first + 50))
        place.again()
    assert numbers(place) == list(range(1, 151))
    stored = sure(lambda: place.mail.open(MAILBOX, id_of(77)))
    assert (stored.wrap, stored.summary, stored.row) == (b"wrap", b"summary", rows(place)[76])
    stored.body.close()
    assert read(place, 77) == b"sealed"
    assert stored.row.unique_id == id_of(77).hex()


@promise
def a_delivery_happens_once(place: Place) -> None:
    """Twice in a batch, asked again, after another life, under another sequence of the spool: one row."""
    deliver(place, 1, 1, 2)
    deliver(place, 1)
    place.again()
    deliver(place, 2, 3)
    sure(lambda: place.mail.deliver(MAILBOX, [delivery(1, sequence=9)], 0))
    assert numbers(place) == [1, 2, 3]


@promise
def a_batch_is_all_or_nothing(place: Place) -> None:
    """Without one body nothing of a batch is there; with it everything."""
    with pytest.raises(Missing):
        sure(lambda: place.mail.deliver(MAILBOX, [delivery(1), large(2), delivery(3)], 0))
    place.again()
    assert numbers(place) == []
    put_body(place, delivery(1).body_id, b"sealed")
    sure(lambda: place.mail.deliver(MAILBOX, [delivery(1), large(2), delivery(3)], 0))
    place.again()
    assert numbers(place) == [1, 2, 3]
    assert read(place, 2) == b"sealed"


@promise
def a_body_outlives_the_spool(place: Place) -> None:
    """Each mailbox keeps the body it was given, whatever becomes of the spool's and of the others'."""
    put_body(place, delivery(1).body_id, b"sealed")
    for mailbox in (MAILBOX, OTHER):
        sure(partial(place.mail.deliver, mailbox, [large(1)], 0))
    sure(lambda: place.bodies.release(delivery(1).body_id))
    assert read(place, 1) == b"sealed"
    sure(lambda: place.mail.destroy(MAILBOX))
    place.again()
    assert numbers(place) == []
    assert read(place, 1, OTHER) == b"sealed"


@promise
def quota_refuses_nothing(place: Place) -> None:
    """What was accepted is delivered to a full mailbox too, which remembers since when it has been full."""
    deliver(place, 1)
    assert sure(lambda: place.mail.full(MAILBOX, 500)) == 500
    assert sure(lambda: place.mail.full(MAILBOX, 600)) == 500
    place.again()
    deliver(place, 2)
    assert sure(lambda: place.mail.full(MAILBOX, 700)) == 500
    assert sure(lambda: place.mail.status(MAILBOX)).full_since == 500
    filling = sure(lambda: place.mail.filling(MAILBOX))
    assert filling == (sure(lambda: place.mail.status(MAILBOX)).usage.octets, 500)
    assert filling.octets > 0
    assert sure(lambda: place.mail.full(MAILBOX, 0)) == 0
    assert sure(lambda: place.mail.filling(MAILBOX)).full_since == 0
    assert sure(lambda: place.mail.full(MAILBOX, 800)) == 800
    assert numbers(place) == [1, 2]


@promise
def deleted_is_gone_from_sight(place: Place) -> None:
    """From list, usage and reading; not delivered again; counted apart; the others keep their ids."""
    deliver(place, 1, 2, 3)
    before = {row.delivery_id: row for row in rows(place)}
    sure(lambda: place.mail.delete(MAILBOX, [id_of(1), id_of(3), id_of(3), id_of(9)]))
    place.again()
    deliver(place, 1, 3)
    assert rows(place) == (before[id_of(2)],)
    with pytest.raises(Missing):
        sure(lambda: place.mail.open(MAILBOX, id_of(1)))
    kept = sure(lambda: place.mail.deleted(MAILBOX))
    assert [(each.row, each.moment) for each in kept] == [(before[id_of(n)], int(place.clock())) for n in (1, 3)]
    status = sure(lambda: place.mail.status(MAILBOX))
    assert (status.usage, status.deleted) == (Usage(messages=1, octets=10), Usage(messages=2, octets=20))


@promise
def undeleted_is_as_before(place: Place) -> None:
    """Its place in the list, its unique-id, its body."""
    put_body(place, delivery(1).body_id, b"sealed")
    sure(lambda: place.mail.deliver(MAILBOX, [large(1), *(delivery(number) for number in range(2, 100))], 0))
    before = rows(place)
    sure(lambda: place.mail.delete(MAILBOX, [id_of(number) for number in range(1, 98)]))
    place.again()
    assert numbers(place) == [98, 99]
    sure(lambda: place.mail.undelete(MAILBOX, [id_of(1), id_of(70), id_of(98), id_of(1000)]))
    place.again()
    assert numbers(place) == [1, 70, 98, 99]
    assert read(place, 1) == b"sealed"
    sure(lambda: place.mail.undelete(MAILBOX, [id_of(number) for number in range(1, 98)]))
    assert rows(place) == before
    deliver(place, 100)
    assert numbers(place) == list(range(1, 101))


@promise
def accepted_goes_on(place: Place) -> None:
    """With what there is, deleted messages included, in an edition of its own; asked again it is the same."""
    deliver(place, 1, 2, 3)
    sure(lambda: place.mail.delete(MAILBOX, [id_of(2)]))
    before = sure(lambda: place.mail.list(MAILBOX))
    assert sure(lambda: place.mail.list(MAILBOX, as_it_is=True)) == before
    assert sure(lambda: place.mail.accept(MAILBOX)) == 2
    assert sure(lambda: place.mail.list(MAILBOX)).head.edition > before.head.edition
    place.again()
    assert numbers(place) == [1, 3]
    sure(lambda: place.mail.undelete(MAILBOX, [id_of(2)]))
    deliver(place, 4)
    assert numbers(place) == [1, 2, 3, 4]


@promise
def purged_is_destroyed(place: Place) -> None:
    """What was deleted before the moment is gone for good, and stays gone while the spool may hand it out again."""
    put_body(place, delivery(1).body_id, b"sealed")
    for mailbox in (MAILBOX, OTHER):
        sure(partial(place.mail.deliver, mailbox, [large(1), delivery(2)], 0))
    sure(lambda: place.bodies.release(delivery(1).body_id))
    place.clock.now = 2000.0
    sure(lambda: place.mail.delete(MAILBOX, [id_of(1)]))
    place.clock.now = 3000.0
    sure(lambda: place.mail.delete(MAILBOX, [id_of(2)]))
    purged(place, 2000)
    assert len(sure(lambda: place.mail.deleted(MAILBOX))) == 2
    purged(place, 3000)
    place.again()
    assert [each.row.delivery_id for each in sure(lambda: place.mail.deleted(MAILBOX))] == [id_of(2)]
    assert sure(lambda: place.mail.undelete(MAILBOX, [id_of(1)])) == 0
    sure(lambda: place.mail.deliver(MAILBOX, [large(1)], 0))
    assert sure(lambda: place.mail.status(MAILBOX)).deleted == Usage(messages=1, octets=10)
    assert numbers(place) == []
    assert numbers(place, OTHER) == [1, 2]
    assert read(place, 1, OTHER) == b"sealed"


def purged(place: Place, before: int) -> None:
    """Purge as the job does, which comes again."""
    for _ in range(3):
        sure(lambda: place.mail.purge(before))


@promise
def delivered_ids_are_pruned(place: Place) -> None:
    """Those that the spool may hand out again keep a destroyed message away; others are forgotten."""
    deliver(place, *range(1, 6))
    sure(lambda: place.mail.delete(MAILBOX, [id_of(number) for number in range(1, 6)]))
    purged(place, int(place.clock()) + 1)
    for _ in range(3):
        sure(lambda: place.mail.prune(4))
    place.again()
    deliver(place, 4, 5, low_water=4)
    assert numbers(place) == []
    deliver(place, 3, low_water=4)
    assert numbers(place) == [3]


@promise
def hidden_from_one_member_only(place: Place) -> None:
    """The others see what one hid, it counts, and it can be shown again; what comes later is seen."""
    deliver(place, *range(1, 70))
    sure(lambda: place.mail.hide(MAILBOX, ANN, [id_of(number) for number in range(2, 69)]))
    sure(lambda: place.mail.hide(MAILBOX, ANN, [id_of(2), id_of(1000)]))
    sure(lambda: place.mail.hide(MAILBOX, BEN, [id_of(69)]))
    place.again()
    deliver(place, 70)
    assert numbers(place, member=ANN) == [1, 69, 70]
    assert numbers(place, member=BEN) == [*range(1, 69), 70]
    assert numbers(place) == list(range(1, 71))
    assert read(place, 2) == b"sealed"
    sure(lambda: place.mail.unhide(MAILBOX, ANN))
    assert numbers(place, member=ANN) == list(range(1, 71))
    assert len(numbers(place, member=BEN)) == 69


@promise
def hidden_stays_hidden(place: Place) -> None:
    """Through deletion and its way back, for as long as the message lives; new messages never are."""
    deliver(place, *range(1, 65))
    sure(lambda: place.mail.hide(MAILBOX, ANN, [id_of(1), id_of(2)]))
    sure(lambda: place.mail.delete(MAILBOX, [id_of(number) for number in range(1, 65)]))
    purged(place, int(place.clock()))
    sure(lambda: place.mail.undelete(MAILBOX, [id_of(2), id_of(3)]))
    assert numbers(place, member=ANN) == [3]
    sure(lambda: place.mail.delete(MAILBOX, [id_of(2), id_of(3)]))
    purged(place, int(place.clock()) + 1)
    deliver(place, 100)
    place.again()
    assert numbers(place, member=ANN) == [100]


def imported(number: int, unique_id: str) -> Delivery:
    return msgspec.structs.replace(delivery(number), imported_id=unique_id)


@promise
def imported_messages_keep_their_unique_id(place: Place) -> None:
    """Through other lives, deletion and its way back; asked again they are there once."""
    deliver(place, 1)
    batch = [imported(2, "!0042~"), imported(3, "x" * 70), imported(4, "!0042~"), delivery(5)]
    sure(lambda: place.mail.import_messages(MAILBOX, batch))
    sure(lambda: place.mail.import_messages(MAILBOX, batch))
    place.again()
    sure(lambda: place.mail.delete(MAILBOX, [id_of(2)]))
    sure(lambda: place.mail.import_messages(MAILBOX, [imported(9, "!0042~"), imported(8, id_of(1).hex())]))
    assert numbers(place) == [1, 3, 5]
    sure(lambda: place.mail.undelete(MAILBOX, [id_of(2)]))
    place.again()
    assert [row.unique_id for row in rows(place)] == [id_of(1).hex(), "!0042~", "x" * 70, id_of(5).hex()]


@promise
def a_destroyed_unique_id_may_come_again(place: Place) -> None:
    """Who destroyed a message may import it once more."""
    sure(lambda: place.mail.import_messages(MAILBOX, [imported(2, "a")]))
    sure(lambda: place.mail.delete(MAILBOX, [id_of(2)]))
    purged(place, int(place.clock()) + 1)
    sure(lambda: place.mail.import_messages(MAILBOX, [imported(2, "a")]))
    assert [row.unique_id for row in rows(place)] == ["a"]


@promise
def only_a_unique_id_is_taken(place: Place) -> None:
    """1 to 70 characters from ! to ~; otherwise nothing of the batch."""
    for bad in ("x" * 71, "a b", "é", "\x7f", "a\n"):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
            sure(partial(place.mail.import_messages, MAILBOX, [imported(1, "ok"), imported(2, bad)]))
    assert numbers(place) == []


@promise
def a_maildrop_is_one_sessions(place: Place) -> None:
    """Until it is given back or the process dies; numbers rise; another member's maildrop is another."""
    first = taken(place, ANN)
    with pytest.raises(LeaseTaken):
        sure(lambda: place.mail.lease(MAILBOX, ANN))
    taken(place, BEN)
    first.release()
    first.release()
    second = taken(place, ANN)
    assert second.fence > first.fence
    assert (first.held, second.held) == (False, True)
    first.release()
    assert second.held
    place.again()
    third = taken(place, ANN)
    assert third.held


def taken(place: Place, member: AccountId) -> ILease:
    lease: ILease = sure(lambda: place.mail.lease(MAILBOX, member))
    return lease


@promise
def a_lost_lease_changes_nothing(place: Place) -> None:
    """Who is not the maildrop's session any more neither deletes nor hides."""
    deliver(place, 1, 2)
    lease = taken(place, ANN)
    sure(lambda: place.mail.hide(MAILBOX, ANN, [id_of(1)], lease))
    lease.release()
    taken(place, ANN)
    with pytest.raises(LeaseLost):
        sure(lambda: place.mail.delete(MAILBOX, [id_of(1)], lease))
    with pytest.raises(LeaseLost):
        sure(lambda: place.mail.hide(MAILBOX, ANN, [id_of(2)], lease))
    assert (numbers(place), numbers(place, member=ANN)) == ([1, 2], [2])


@promise
def destroyed_is_empty(place: Place) -> None:
    """Nothing is left of it, it is not among the mailboxes, and it may begin anew."""
    deliver(place, 1, 2)
    deliver(place, 3, mailbox=OTHER)
    sure(lambda: place.mail.delete(MAILBOX, [id_of(1)]))
    sure(lambda: place.mail.destroy(MAILBOX))
    assert list(sure(place.mail.mailboxes)) == [OTHER]
    assert (numbers(place), list(sure(lambda: place.mail.deleted(MAILBOX)))) == ([], [])
    place.again()
    deliver(place, 7)
    place.again()
    deliver(place, 8)
    assert (numbers(place), numbers(place, OTHER)) == ([7, 8], [3])
    assert list(sure(place.mail.mailboxes)) == sorted([MAILBOX, OTHER])


@promise
def mailboxes_do_not_mix(place: Place) -> None:
    """Each has its own."""
    deliver(place, 1, 2)
    deliver(place, 2, 3, mailbox=OTHER)
    sure(lambda: place.mail.delete(MAILBOX, [id_of(2)]))
    assert (numbers(place), numbers(place, OTHER)) == ([1], [2, 3])
    assert sure(lambda: place.mail.list(MAILBOX)).head != Head()


def exported(place: Place, mailbox: MailboxId = MAILBOX) -> io.BytesIO:
    """An export, begun again where that fails."""
    files: list[io.BytesIO] = []

    def act() -> "Deferred[None]":
        files.append(io.BytesIO())
        return place.mail.export(mailbox, files[-1])

    sure(act)
    files[-1].seek(0)
    return files[-1]


def restore(place: Place, source: io.BytesIO, mailbox: MailboxId = MAILBOX, *, replace: bool = False) -> None:
    """Restore, asked again as an operator does who was told that it failed."""
    failed = False

    def act() -> "Deferred[None]":
        nonlocal failed
        source.seek(0)
        again, failed = failed, True
        return place.mail.restore(mailbox, source, replace=replace or again)

    sure(act)


def everything(place: Place) -> object:
    """What anybody can see of a mailbox, but for the edition of its list."""
    seen = rows(place)
    return (
        seen,
        [read(place, number) for number in numbers(place)],
        [(each.row, each.moment) for each in sure(lambda: place.mail.deleted(MAILBOX))],
        [rows(place, member=member) for member in (ANN, BEN)],
        sure(lambda: place.mail.full(MAILBOX, 5)),
        msgspec.structs.replace(sure(lambda: place.mail.list(MAILBOX)).head, edition=0),
    )


def lively(place: Place) -> object:
    """A mailbox that has everything; what is seen of it."""
    put_body(place, delivery(1).body_id, b"sealed")
    sure(lambda: place.mail.deliver(MAILBOX, [large(1), large(2), *(delivery(n) for n in range(3, 70))], 0))
    sure(lambda: place.mail.import_messages(MAILBOX, [imported(100, "old-1"), imported(101, "old-2")]))
    sure(lambda: place.mail.delete(MAILBOX, [id_of(number) for number in (2, 4, 5, 101)]))
    sure(lambda: place.mail.undelete(MAILBOX, [id_of(4)]))
    sure(lambda: place.mail.hide(MAILBOX, ANN, [id_of(1), id_of(6)]))
    sure(lambda: place.mail.full(MAILBOX, 77))
    sure(lambda: place.bodies.release(delivery(1).body_id))
    return everything(place)


@promise
def an_export_brings_everything_back(place: Place) -> None:
    """List, unique-ids, bodies, deleted and hidden messages; what was delivered is not delivered again."""
    before = lively(place)
    source = exported(place)
    sure(lambda: place.mail.destroy(MAILBOX))
    assert numbers(place) == []
    restore(place, source)
    place.again()
    assert everything(place) == before
    deliver(place, 3, 4, 5)
    assert everything(place) == before
    sure(lambda: place.mail.undelete(MAILBOX, [id_of(2), id_of(101)]))
    deliver(place, 200)
    assert [row.unique_id for row in rows(place)][-3:] == ["old-1", "old-2", id_of(200).hex()]
    assert read(place, 2) == b"sealed"


@promise
def an_export_is_a_moment(place: Place) -> None:
    """What happens afterwards is not in it; restoring it is possible, and not by mistake."""
    before = lively(place)
    source = exported(place)
    deliver(place, 300)
    sure(lambda: place.mail.delete(MAILBOX, [id_of(7)]))
    purged(place, int(place.clock()) + 1)
    with pytest.raises(MailboxExists):
        sure(lambda: place.mail.restore(MAILBOX, source))
    assert 300 in numbers(place)
    restore(place, source, replace=True)
    place.again()
    assert everything(place) == before
    deliver(place, 301)
    place.again()
    assert numbers(place)[-1] == 301


@promise
def an_empty_mailbox_may_be_exported(place: Place) -> None:
    """And restored."""
    source = exported(place)
    restore(place, source)
    assert numbers(place) == []
    deliver(place, 1)
    assert numbers(place) == [1]


@promise
def only_a_whole_export_is_restored(place: Place) -> None:
    """Of this mailbox; otherwise nothing changes."""
    deliver(place, 1, 2)
    octets = exported(place).getvalue()
    sure(lambda: place.mail.destroy(MAILBOX))
    changed = [octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :] for at in range(0, len(octets), 211)]
    for bad in [b"", octets[:-1], octets + b"x", octets[: len(octets) // 2], *changed]:
        with pytest.raises((Damaged, NewerStore)):
            restore(place, io.BytesIO(bad))
    with pytest.raises(Damaged):
        restore(place, io.BytesIO(octets), OTHER)
    place.again()
    assert list(sure(place.mail.mailboxes)) == []
    assert (numbers(place), numbers(place, OTHER)) == ([], [])
    restore(place, io.BytesIO(octets))
    assert numbers(place) == [1, 2]


@promise
def verifying_sees_every_message(place: Place) -> None:
    """With its wrap and the digest of its body, deleted ones too; what is wrong is told, and nothing changes."""
    assert sure(lambda: place.mail.verify(MAILBOX, lambda *_: "wrong")) == Verified(
        messages=0, deleted=0, octets=0, problems=()
    )
    before = lively(place)
    seen: set[tuple[bytes, bytes, int, bytes]] = set()

    def examine(row: Row, wrap: bytes, octets: int, digest: bytes) -> str:
        seen.add((row.delivery_id, wrap, octets, digest))
        return "it is sad" if row.delivery_id == id_of(5) else ""

    verified = sure(lambda: place.mail.verify(MAILBOX, examine))
    digest = hashlib.sha256(b"sealed").digest()
    assert seen == {(id_of(number), b"wrap", 6, digest) for number in (*range(1, 70), 100, 101)}
    assert verified == Verified(messages=68, deleted=3, octets=680, problems=(f"message {id_of(5).hex()}: it is sad",))
    assert everything(place) == before
