"""Keys by themselves: rotated when they are old, destroyed when nothing is sealed to them."""

import os
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import fail, succeed

from cjsm.access import keyring
from cjsm.access.generations import Generations
from cjsm.access.keyjobs import EmptyGenerations, Rotation
from cjsm.access.keylife import KeyLife
from cjsm.access.mailboxkeys import read_mailbox_keys
from cjsm.community.acts.keys import MailboxStep
from cjsm.community.acts.lives import LifeStep, change_life
from cjsm.community.identifiers import DeliveryId, JobId, MailboxId
from cjsm.community.records import Account, Job, SharedMailbox
from cjsm.community.view import Change
from cjsm.configuration import KeySettings
from cjsm.store.interfaces import Damaged, Unavailable
from tests.store.support import alone, entry, open_spool

from .support import PASSWORD, House, logged, now, read

JOB = Job(id=JobId(b"j" * 16), kind="x", due=0)
DAY = 86_400


def rotation(house: House, **settings: int) -> Rotation:
    generations = Generations(house.community, house.keys, house.secrets)
    chosen = KeySettings(**{"rotate_after": 365, **settings})
    return Rotation(generations, chosen, community=house.community, clock=house.clock, entropy=os.urandom)


def mailbox_of(account: Account) -> MailboxId:
    assert account.mailbox is not None
    return account.mailbox


class Waiting:
    """A spool that names some generations."""

    def __init__(self, *named: tuple[MailboxId, int]) -> None:
        self.named = frozenset(named)

    def named_generations(self) -> Any:
        return succeed(self.named)


def emptying(house: House, spool: Any = None, kept: int = 2) -> EmptyGenerations:
    return EmptyGenerations(
        Generations(house.community, house.keys, house.secrets),
        KeySettings(generation_kept=kept),
        community=house.community,
        mail=house.mail,
        spool=spool or Waiting(),
        clock=house.clock,
        entropy=os.urandom,
    )


def generations_of(house: House, account: Account) -> list[int]:
    record = read_mailbox_keys(house.keys, mailbox_of(account), house.account(account.id).mailbox_keys)
    assert {each.generation for each in record.grants} <= {each.generation for each in record.generations}
    return [each.generation for each in record.generations]


def test_rotation(house: House) -> None:
    """After its time, not before, and once; so many in one run; the ledger says that it was the service itself."""
    jo, al = house.join(), house.join("al.other")
    house.deliver(mailbox_of(jo), b"before\r\n")
    house.moment += 365 * DAY
    assert now(rotation(house).run(JOB)) == "0 mailboxes rotated"
    house.moment += 1
    assert now(rotation(house, rotate_after=0).run(JOB)) == "0 mailboxes rotated"
    assert now(rotation(house, rotations=1).run(JOB)) == "1 mailboxes rotated"
    assert now(rotation(house).run(JOB)) == "1 mailboxes rotated"
    assert now(rotation(house).run(JOB)) == "0 mailboxes rotated"
    assert (generations_of(house, jo), generations_of(house, al)) == ([1, 2], [1, 2])
    assert (house.entries()[-1].act, house.entries()[-1].actor) == ("keys-rotated", b"")
    house.deliver(mailbox_of(jo), b"after\r\n")
    drop, _ = house.maildrop()
    assert [read(drop, index) for index in range(2)] == [b"before\r\n", b"after\r\n"]


def test_rotation_leaves_out(house: House) -> None:
    """Deleted people, shared mailboxes that nobody reads; one that cannot be is told of and keeps nobody waiting."""
    jo, al, ed = house.join(), house.join("al.other"), house.join("ed.third")
    shared = SharedMailbox(id=MailboxId(b"s" * 16), organisation=jo.organisation, slug="x", name="X", keys=1)
    house.commit(lambda view, by: Change(put=(shared,)))
    house.commit(lambda view, by: change_life(view, by, al.id, LifeStep.DELETE), "left")
    house.moment += 366 * DAY
    now(house.keys.destroy(mailbox_of(jo)))
    with logged() as texts:
        assert now(rotation(house).run(JOB)) == "1 mailboxes rotated, 1 could not be"
    assert any(mailbox_of(jo).hex() in text for text in texts)
    assert generations_of(house, ed) == [1, 2]


def test_rotation_in_batches(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many mailboxes in one commit and one entry; the record says how far it is, over a crash and several runs."""
    monkeypatch.setattr("cjsm.jobs.batches.BATCH", 2)
    people = [house.join(f"jo.{name}") for name in ("one", "two", "three", "four", "five")]
    house.commit(lambda view, by: Change(put=(JOB,)))
    house.moment += 366 * DAY

    def record() -> tuple[int, int]:
        (found,) = house.community.read_now(lambda view: list(view.jobs()))
        return found.done, found.total

    job = rotation(house)
    commit, begun = house.community.commit, len(house.entries())

    def crash(act_id: Any, decide: Any) -> Any:
        return fail(Unavailable("the process ends")) if record() == (2, 5) else commit(act_id, decide)

    monkeypatch.setattr(house.community, "commit", crash)
    with pytest.raises(Unavailable):
        now(job.run(JOB))
    monkeypatch.setattr(house.community, "commit", commit)
    assert [len(generations_of(house, each)) for each in people].count(2) == 2
    assert record() == (2, 5)

    def again(settings: Rotation) -> str:
        (found,) = house.community.read_now(lambda view: list(view.jobs()))
        return now(settings.run(found))

    assert again(rotation(house, rotations=1)) == "1 mailboxes rotated"
    assert record() == (3, 5)
    assert again(rotation(house)) == "2 mailboxes rotated"
    assert record() == (5, 5)
    assert {len(generations_of(house, each)) for each in people} == {2}
    entries = house.entries()[begun:]
    assert [(entry.act, entry.subject_kind) for entry in entries] == [("keys-rotated", "mailboxes")] * 3
    assert [len(entry.details) for entry in entries] == [2, 1, 2]
    assert again(rotation(house)) == "0 mailboxes rotated"
    assert record() == (0, 0)


def test_a_rotation_that_another_came_before(house: House) -> None:
    """It is left out; the others of the same commit are done."""
    jo, al = house.join(), house.join("al.other")
    house.moment += 366 * DAY
    job = rotation(house)
    due = now(job.due())
    step = now(job._batches._prepare(mailbox_of(jo)))
    assert isinstance(step, MailboxStep)
    rotated(house, jo)
    other = now(job._batches._prepare(mailbox_of(al)))
    assert isinstance(other, MailboxStep)
    house.commit(lambda view, by: job._decide(view, by, [step, other]))
    assert {mailbox_of(jo), mailbox_of(al)} == {*due}
    assert (generations_of(house, jo), generations_of(house, al)) == ([1, 2], [1, 2])
    assert len(house.entries()[-1].details) == 1


def rotated(house: House, account: Account) -> None:
    life = KeyLife(house.enrolment, community=house.community, keys=house.keys, secrets=house.secrets)
    now(life.rotate(house.enrolment.by(account.id), mailbox_of(account)))


def test_empty_generations(house: House) -> None:
    """A generation ends when neither mailbox nor spool names it, and some days after it was replaced."""
    jo = house.join()
    rotated(house, jo)
    assert now(emptying(house).run(JOB)) == "empty generations of 0 mailboxes destroyed"
    house.moment += 2 * DAY + 1
    assert now(emptying(house, Waiting((mailbox_of(jo), 1))).run(JOB)) == "empty generations of 0 mailboxes destroyed"
    assert now(emptying(house).run(JOB)) == "empty generations of 1 mailboxes destroyed"
    assert generations_of(house, jo) == [2]
    entry = house.entries()[-1]
    assert (entry.act, dict(entry.details)) == ("generations-destroyed", {mailbox_of(jo).hex(): "1"})
    house.deliver(mailbox_of(jo), b"after\r\n")
    assert read(house.maildrop()[0], 0) == b"after\r\n"
    assert now(emptying(house).run(JOB)) == "empty generations of 0 mailboxes destroyed"
    rotated(house, jo)
    assert generations_of(house, jo) == [2, 3]


def test_what_is_listed_or_deleted_keeps_its_key(house: House) -> None:
    """As long as a message can be read or had back, its key stays; not longer."""
    jo = house.join()
    delivery = house.deliver(mailbox_of(jo), b"before\r\n")
    rotated(house, jo)
    house.moment += 3 * DAY
    assert now(emptying(house).run(JOB)) == "empty generations of 0 mailboxes destroyed"
    now(house.mail.delete(mailbox_of(jo), [DeliveryId(delivery.delivery_id)]))
    assert now(emptying(house).run(JOB)) == "empty generations of 0 mailboxes destroyed"
    now(house.mail.purge(int(house.moment) + 1))
    assert now(emptying(house).run(JOB)) == "empty generations of 1 mailboxes destroyed"


def test_a_mailbox_that_cannot_be_read_keeps_everything(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what it names; the others go on."""
    jo, al = house.join(), house.join("al.other")
    rotated(house, jo)
    life = KeyLife(house.enrolment, community=house.community, keys=house.keys, secrets=house.secrets)
    now(life.rotate(house.enrolment.by(al.id), mailbox_of(al)))
    house.moment += 3 * DAY
    there = house.mail.list

    def damaged(mailbox: MailboxId) -> Any:
        return fail(Damaged("no")) if mailbox == mailbox_of(jo) else there(mailbox)

    monkeypatch.setattr(house.mail, "list", damaged)
    assert now(emptying(house).run(JOB)) == "empty generations of 1 mailboxes destroyed, 1 were left out"
    assert (generations_of(house, jo), generations_of(house, al)) == ([1, 2], [2])


def test_the_spool_names_generations(house: House) -> None:
    """What waits in a real spool is named, and no longer once it is delivered."""
    spool = open_spool(house.directory / "other")
    waiting = entry(1)
    now(spool.put(alone(waiting)))
    named = {(each.mailbox, each.generation) for each in waiting.deliveries}
    assert now(spool.named_generations()) == named
    (claimed,) = now(spool.claim("w", 10, 1 << 40))
    now(spool.done([(claimed.sequence, claimed.remaining)]))
    assert now(spool.named_generations()) == frozenset()
    now(spool.close())


def test_closed_mail_does_not_stop_a_mail_program(house: House) -> None:
    """Messages that a password cannot open are not listed, so that the others are fetched; they are not lost."""
    jo = house.join()
    house.deliver(mailbox_of(jo), b"before\r\n")
    rotated(house, jo)
    record = read_mailbox_keys(house.keys, mailbox_of(jo), house.account(jo.id).mailbox_keys)
    without = msgspec.structs.replace(record, grants=tuple(each for each in record.grants if each.generation == 2))
    named = house.account(jo.id).mailbox_keys
    now(house.keys.destroy(mailbox_of(jo)))
    now(house.keys.put(mailbox_of(jo), named, keyring.encode(without)))
    house.deliver(mailbox_of(jo), b"after\r\n")
    drop, _ = house.maildrop(secret=PASSWORD)
    assert [read(drop, index) for index in range(len(drop.messages))] == [b"after\r\n"]
    assert now(house.mail.usage(mailbox_of(jo))).messages == 2
