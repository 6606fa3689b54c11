"""The first jobs."""

import os
from pathlib import Path

import pytest
from twisted.internet.defer import succeed

from cjsm.community.identifiers import AccountId, ActId, JobId, MailboxId
from cjsm.community.records import Job, SharedMailbox
from cjsm.community.view import Change
from cjsm.jobs import kinds
from cjsm.store.interfaces import Failure, Missing, NewNotice, NoticeLimits, Traced
from cjsm.store.lmdb.activity import LmdbActivity
from cjsm.store.lmdb.bodies import FileBodyStore
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.notices import LmdbNotices
from cjsm.store.lmdb.space import Space
from cjsm.store.lmdb.trace import LmdbTrace
from tests.access.support import House, now
from tests.store.support import (
    MAILBOX,
    MAP,
    Clock,
    alone,
    delivery,
    entry,
    open_mailboxes,
    open_spool,
    put_body,
    result,
)

JOB = Job(id=JobId(b"j" * 16), kind="x", due=0)


def test_orphans(tmp_path: Path) -> None:
    """Bodies that no entry names go when they are old; those that are named or still written stay."""
    bodies = FileBodyStore(tmp_path / "spool" / "bodies", InlineDisk(), Space(tmp_path, 0))
    spool = open_spool(tmp_path)
    named, orphan, fresh = (put_body(bodies, number) for number in (1, 2, 3))
    result(spool.put(alone(entry(1, body=None))))
    for body in (named, orphan):
        os.utime(bodies.path(body), (1_000, 1_000))
    os.utime(bodies.path(fresh), (9_000, 9_000))
    assert result(kinds.Orphans(spool, bodies, lambda: 10_000).run(JOB)) == "1 bodies removed"
    assert [bodies.path(body).exists() for body in (named, orphan, fresh)] == [True, False, True]


def test_activity(tmp_path: Path) -> None:
    """Failures older than the settings say are forgotten."""
    activity = LmdbActivity(tmp_path, InlineDisk(), map_size=MAP)
    for moment in (100, 5_000):
        result(activity.failed(b"a" * 16, f"net {moment}", 1, moment))
    assert result(kinds.Activity(activity, lambda: 6_000, 2_000).run(JOB)) == "1 failures forgotten"
    assert activity.failures(b"a" * 16, "net 100") == Failure()
    assert activity.failures(b"a" * 16, "net 5000").tags == (1,)


def test_delivered(tmp_path: Path) -> None:
    """Mailboxes are asked to forget what the spool cannot hand out again."""
    mail, spool = open_mailboxes(tmp_path), open_spool(tmp_path)
    assert result(kinds.Delivered(mail, spool).run(JOB)) == "0 mailboxes pruned"


def test_unnamed_keys(tmp_path: Path) -> None:
    """Versions that no account names any more go; the one in use, and one that may be being committed, stay."""
    house = House(tmp_path / "data")
    account = house.join()
    assert account.keys >= 2
    later = account.keys + 1
    now(house.keys.put(account.id, later, b"being committed"))
    said = now(kinds.UnnamedKeys(house.community, house.keys, lambda: succeed(None)).run(JOB))
    assert said == f"{account.keys - 1} versions removed"
    assert house.keys.get_now(account.id, account.keys)
    assert house.keys.latest(account.id) == later
    with pytest.raises(Missing):
        house.keys.get_now(account.id, 1)
    house.close()


def test_unnamed_keys_of_a_shared_mailbox(tmp_path: Path) -> None:
    """A shared mailbox's record names its keys as an account does."""
    house = House(tmp_path / "data")
    organisation = house.join().organisation
    shared = SharedMailbox(
        id=MailboxId(b"s" * 16), organisation=organisation, slug="desk", name="Front desk", keys=2, version=1
    )
    for version in (1, 2):
        now(house.keys.put(shared.id, version, b"seed"))
    now(house.community.commit(ActId(b"shared mailbox.."), lambda view: Change(put=(shared,))))
    now(kinds.UnnamedKeys(house.community, house.keys, lambda: succeed(None)).run(JOB))
    assert house.keys.get_now(shared.id, 2) == b"seed"
    with pytest.raises(Missing):
        house.keys.get_now(shared.id, 1)
    house.close()


def test_trace(tmp_path: Path) -> None:
    """What is older than the settings say goes."""
    trace = LmdbTrace(tmp_path, InlineDisk(), map_size=MAP)
    days = 86_400
    trace.add([Traced(moment=day * days, queue_id=b"12345678", sealed=b"x") for day in (1, 5, 9)])
    result(trace.flush())
    pruning = kinds.Trace(trace, lambda: 10.0 * days, 5)
    assert result(pruning.run(JOB)) == "1 records of the message trace removed"
    pruning.kept = 2
    assert result(pruning.run(JOB)) == "1 records of the message trace removed"
    assert [each.moment for each in result(trace.find(b"12345678", 10))] == [9 * days]
    result(trace.close())


def test_deleted_mail(tmp_path: Path) -> None:
    """Deleted messages can be had back for as long as the settings say, and not longer."""
    clock = Clock(1_000_000.0)
    mail = open_mailboxes(tmp_path, clock=clock)
    result(mail.deliver(MAILBOX, [delivery(1), delivery(2)], 0))
    result(mail.delete(MAILBOX, [delivery(1).delivery_id]))
    purging = kinds.DeletedMail(mail, clock, 14)
    clock.now += 14 * 86_400
    assert result(purging.run(JOB)) == "0 deleted messages destroyed"
    clock.now += 1
    purging.kept = 15
    assert result(purging.run(JOB)) == "0 deleted messages destroyed"
    purging.kept = 14
    assert result(purging.run(JOB)) == "1 deleted messages destroyed"
    assert result(mail.undelete(MAILBOX, [delivery(1).delivery_id])) == 0
    mail.close()


def test_notices(tmp_path: Path) -> None:
    """Those that were sent long ago are forgotten, as the setting says."""
    notices = LmdbNotices(tmp_path, InlineDisk(), map_size=MAP)
    new = NewNotice(account=AccountId(b"a" * 16), notice=b"a notice")
    result(notices.keep([new], 1_000, NoticeLimits(inside=0, ordinary=0)))
    job = kinds.Notices(notices, lambda: 1_000 + 90 * 86_400.0, 90)
    assert result(job.run(JOB)) == "0 notices forgotten"
    job.kept = 89
    assert result(job.run(JOB)) == "1 notices forgotten"
