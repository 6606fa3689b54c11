"""Destroying deleted accounts and shared mailboxes: on the real files, and on a backup."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from twisted.internet.defer import Deferred, fail

from cjsm.access.destruction import Destruction
from cjsm.access.errors import AccessRefused
from cjsm.access.keylife import KeyLife
from cjsm.access.mailboxkeys import read_mailbox_keys
from cjsm.access.sharing import Sharing
from cjsm.community.acts import mailboxes, shared
from cjsm.community.acts.lives import LifeStep, change_life
from cjsm.community.errors import CommunityError
from cjsm.community.identifiers import ActId, JobId, MailboxId
from cjsm.community.records import Account, Job, Life, MailboxRight, SharedMailbox, SharedMember
from cjsm.community.view import Change, View
from cjsm.configuration import KeySettings
from cjsm.store.interfaces import Unavailable
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.keys import LmdbKeyStore

from .support import OTHER_PASSWORD, PASSWORD, House, now, read

JOB = Job(id=JobId(b"j" * 16), kind="x", due=0)
DAY = 86_400


def destruction(house: House) -> Destruction:
    return Destruction(
        KeySettings(undelete=30, address_reserved=270),
        community=house.community,
        keys=house.keys,
        mail=house.mail,
        activity=house.activity,
        clock=house.clock,
        entropy=os.urandom,
    )


def mailbox_of(account: Account) -> MailboxId:
    assert account.mailbox is not None
    return account.mailbox


def step(house: House, account: Account, which: LifeStep) -> None:
    house.commit(lambda view, by: change_life(view, by, account.id, which), "left")


def material(house: House, account: Account) -> list[bytes]:
    """Everything that opens an account's mail, as it is on disk."""
    keys = house.account_keys(account.id)
    grants = read_mailbox_keys(house.keys, mailbox_of(account), account.mailbox_keys).grants
    slots = [*keys.password_slots, *(slot for known in keys.devices for slot in known.slots)]
    return [*(slot.wrapped for slot in slots), *(granted.sealed for granted in grants)]


def on_disk(directory: Path, wanted: list[bytes]) -> list[bool]:
    files = [path.read_bytes() for path in directory.rglob("*") if path.is_file()]
    return [any(each in file for file in files) for each in wanted]


def person(house: House) -> tuple[Account, list[bytes]]:
    """Somebody with a device, mail in the mailbox file and a large body, and what opens it."""
    jo = house.join()
    now(house.enrolment.add_device(house.enrolment.by(jo.id), jo.id, PASSWORD, name="x", protocols=("pop3",)))
    house.deliver(mailbox_of(jo), b"small\r\n")
    house.deliver(mailbox_of(jo), b"large\r\n" * 50_000, in_file=True)
    return house.account(jo.id), material(house, house.account(jo.id))


def test_destroyed(house: House) -> None:
    """After their time grants and slots are in no file, mail and bodies are gone; others lose nothing."""
    jo, secrets = person(house)
    al = house.join("al.other", OTHER_PASSWORD)
    house.deliver(mailbox_of(al), b"stays\r\n")
    backup = house.directory.parent / "backup"
    assert on_disk(house.directory, secrets) == [True] * 3
    step(house, jo, LifeStep.DELETE)
    house.moment += 30 * DAY
    assert now(destruction(house).run(JOB)) == "0 users destroyed"
    shutil.copytree(house.directory, backup)
    house.moment += 1
    assert now(destruction(house).run(JOB)) == "1 users destroyed"
    assert on_disk(house.directory, secrets) == [False] * 3
    assert not house.home(mailbox_of(jo)).exists()
    assert now(destruction(house).run(JOB)) == "0 users destroyed"
    with pytest.raises(AccessRefused):
        house.sign_in()
    assert read(house.maildrop("al.other@avon", OTHER_PASSWORD)[0], 0) == b"stays\r\n"
    (entry,) = [each for each in house.entries() if each.act == "user-destroyed"]
    assert (entry.subject, dict(entry.details)["mailbox"]) == (jo.id, mailbox_of(jo).hex())
    # The bound of destruction: a backup of the key store has what the key store had, as long as it is kept.
    assert on_disk(backup, secrets) == [True] * 3


def test_undeleted_in_time(house: House) -> None:
    """Everything is as it was, devices included; nothing is destroyed afterwards."""
    jo, _ = person(house)
    step(house, jo, LifeStep.DELETE)
    house.moment += 29 * DAY
    with pytest.raises(AccessRefused):
        house.sign_in()
    step(house, jo, LifeStep.UNDELETE)
    house.moment += 60 * DAY
    assert now(destruction(house).run(JOB)) == "0 users destroyed"
    assert len(house.maildrop()[0].messages) == 2


@pytest.mark.parametrize("where", ["keys.destroy", "mail.destroy", "keys.compact"])
def test_crash_in_the_middle(house: House, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever failed, the user is not to be had back, and the next run takes it up; one entry tells of it."""
    jo, secrets = person(house)
    step(house, jo, LifeStep.DELETE)
    house.moment += 31 * DAY
    room, _, call = where.partition(".")
    with monkeypatch.context() as patched:
        patched.setattr(getattr(house, room), call, lambda *_: fail(Unavailable("no disk")))
        if call == "compact":
            with pytest.raises(Unavailable):
                now(destruction(house).run(JOB))
        else:
            assert now(destruction(house).run(JOB)) == "0 users destroyed, 1 could not be"
    with pytest.raises(CommunityError):
        step(house, jo, LifeStep.UNDELETE)
    assert now(destruction(house).run(JOB)) == "1 users destroyed"
    assert on_disk(house.directory, secrets) == [False] * 3
    assert [each.act for each in house.entries()].count("user-destroyed") == 1


def test_one_that_fails_stops_nobody_elses(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose mailbox cannot be taken away waits; the others are gone, and the next run tries again."""
    first, _ = person(house)
    second = house.join("ann.lock")
    for account in (first, second):
        step(house, account, LifeStep.DELETE)
    house.moment += 31 * DAY
    destroy = house.mail.destroy
    with monkeypatch.context() as patched:
        patched.setattr(
            house.mail,
            "destroy",
            lambda mailbox: fail(Unavailable("no disk")) if mailbox == first.mailbox else destroy(mailbox),
        )
        assert now(destruction(house).run(JOB)) == "1 users destroyed, 1 could not be"
    assert house.community.read_now(lambda view: view.account(second.id)) is None
    assert house.community.read_now(lambda view: view.account(first.id)) is not None
    assert now(destruction(house).run(JOB)) == "1 users destroyed"


def test_undeleted_at_the_last_moment(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the act: they stay, nothing failed, and the others who are due are gone."""
    first, _ = person(house)
    second = house.join("ann.lock")
    for account in (first, second):
        step(house, account, LifeStep.DELETE)
    house.moment += 31 * DAY
    commit, due = house.community.commit, house.community.read_now(lambda view: view.account(first.id))
    assert due is not None
    undeleted = msgspec.structs.replace(due, life=Life.ACTIVE)

    def overtaken(act_id: ActId, decide: Callable[[View], Change]) -> "Deferred[Change]":
        monkeypatch.undo()
        now(commit(ActId(bytes(16)), lambda view: Change(put=(undeleted,))))
        return commit(act_id, decide)

    monkeypatch.setattr(house.community, "commit", overtaken)
    assert now(destruction(house).run(JOB)) == "1 users destroyed"
    assert house.community.read_now(lambda view: view.account(second.id)) is None
    assert house.sign_in().mail_keys


@contextmanager
def other_keys(house: House) -> Iterator[None]:
    """What is done to the key store meanwhile is undone: it is put back as it was, from a backup."""
    now(house.keys.close())
    saved = {path: path.read_bytes() for path in house.directory.glob("keys*.mdb")}
    house.keys = LmdbKeyStore(house.directory, InlineDisk(), map_size=16 << 20)
    yield
    now(house.keys.close())
    for path in house.directory.glob("keys*"):
        path.unlink()
    for path, octets in saved.items():
        path.write_bytes(octets)
    house.keys = LmdbKeyStore(house.directory, InlineDisk(), map_size=16 << 20)


def test_restored_key_store(house: House) -> None:
    """A key store put back from before is gone through again for what was destroyed since, once."""
    jo, secrets = person(house)
    al = house.join("al.other", OTHER_PASSWORD)
    house.deliver(mailbox_of(al), b"stays\r\n")
    step(house, jo, LifeStep.DELETE)
    house.moment += 31 * DAY
    with other_keys(house):
        now(destruction(house).run(JOB))
    assert on_disk(house.directory, secrets) == [True] * 3
    job = destruction(house)
    assert now(job.run(JOB)) == "0 users destroyed, 1 again after a restore"
    assert on_disk(house.directory, secrets) == [False] * 3
    assert now(job.run(JOB)) == now(destruction(house).run(JOB)) == "0 users destroyed"
    house.close()
    house.open()
    assert read(house.maildrop("al.other@avon", OTHER_PASSWORD)[0], 0) == b"stays\r\n"


def test_the_address_is_nobodys_for_a_while(house: House) -> None:
    jo, _ = person(house)
    step(house, jo, LifeStep.DELETE)
    house.moment += 31 * DAY
    now(destruction(house).run(JOB))
    with pytest.raises(CommunityError):
        house.add()
    house.moment += 271 * DAY
    assert house.add().account.id != jo.id


def test_last_uses(house: House) -> None:
    """When, from where and with what somebody signed in goes with them, written or not yet; others' stays."""
    jo, al = house.join(), house.join("al.other", OTHER_PASSWORD)
    for name, secret in (("jo.ward@avon", PASSWORD), ("al.other@avon", OTHER_PASSWORD)):
        house.maildrop(name, secret)[1]()
    now(house.activity.flush())
    house.maildrop()[1]()
    now(house.activity.failed(jo.id, "192.0.2.0/24", 7, 5))
    now(house.activity.use_step(jo.id, 9))
    assert house.activity.last_used(jo.id)
    step(house, jo, LifeStep.DELETE)
    house.moment += 30 * DAY + 1
    assert now(destruction(house).run(JOB)) == "1 users destroyed"
    now(house.activity.flush())
    assert (house.activity.last_used(jo.id), house.activity.failing(jo.id)) == ([], [])
    assert house.activity.last_used(al.id)
    with house.activity._environment.reading() as transaction:
        tables = [house.activity._environment.table(name) for name in ("uses", "networks", "failures", "steps")]
        left = [key for table in tables for key, _ in transaction.cursor(db=table)]
    assert not any(bytes(key).startswith(jo.id) for key in left)


def desk_with(house: House, reader: Account, slug: str = "desk") -> SharedMailbox:
    """A shared mailbox with mail in its file and a large body; others read their own."""
    generations = KeyLife(
        house.enrolment, community=house.community, keys=house.keys, secrets=house.secrets
    ).generations
    rooms = Sharing(
        house.enrolment,
        generations,
        KeySettings(),
        community=house.community,
        keys=house.keys,
        secrets=house.secrets,
        entropy=os.urandom,
    )
    member = SharedMember(account=reader.id, rights=(MailboxRight.READ,))
    made = now(rooms.add(house.enrolment.by(), reader.organisation, slug, "Desk", member, 1 << 20))
    house.deliver(made.id, b"small\r\n")
    house.deliver(made.id, b"large\r\n" * 50_000, in_file=True)
    found = kept(house, made)
    assert found is not None
    return found


def sealed(house: House, desk: SharedMailbox) -> list[bytes]:
    return [granted.sealed for granted in read_mailbox_keys(house.keys, desk.id, desk.keys).grants]


def delete_desk(house: House, desk: SharedMailbox) -> None:
    house.commit(lambda view, by: shared.delete(view, by, desk.id, note="a note"), "other")


def kept(house: House, desk: SharedMailbox) -> SharedMailbox | None:
    return house.community.read_now(lambda view: view.kept_shared_mailbox(desk.id))


def test_a_shared_mailbox(house: House) -> None:
    """After its time its grants are in no file, its mail is gone; its readers lose nothing else."""
    jo = house.join()
    house.deliver(mailbox_of(jo), b"own\r\n")
    desk, stays = desk_with(house, jo), desk_with(house, jo, "stays")
    secrets = sealed(house, desk)
    delete_desk(house, desk)
    house.moment += 30 * DAY
    assert now(destruction(house).run(JOB)) == "0 users destroyed"
    assert on_disk(house.directory, secrets) == [True]
    house.moment += 1
    assert now(destruction(house).run(JOB)) == "0 users destroyed, 1 shared mailboxes"
    assert on_disk(house.directory, secrets) == [False]
    assert not house.home(desk.id).exists()
    assert kept(house, desk) is None
    assert now(destruction(house).run(JOB)) == "0 users destroyed"
    (entry,) = [each for each in house.entries() if each.act == "shared-destroyed"]
    assert (entry.subject, dict(entry.details)) == (desk.id, {"job": "destruction", "mailbox": desk.id.hex()})
    address = house.community.read_now(lambda view: view.reserved_address("desk@avon.cjsm.test"))
    assert address is not None
    assert read(house.maildrop()[0], 0) == b"own\r\n"
    assert len(house.maildrop("jo.ward@avon/stays")[0].messages) == 2
    assert kept(house, stays) == stays


@pytest.mark.parametrize("where", ["keys.destroy", "mail.destroy", "keys.compact"])
def test_a_shared_mailbox_in_a_crash(house: House, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever failed, it is not to be had back, and the next run takes it up; one entry tells of it."""
    desk = desk_with(house, house.join())
    secrets = sealed(house, desk)
    delete_desk(house, desk)
    house.moment += 31 * DAY
    room, _, call = where.partition(".")
    with monkeypatch.context() as patched:
        patched.setattr(getattr(house, room), call, lambda *_: fail(Unavailable("no disk")))
        if call == "compact":
            with pytest.raises(Unavailable):
                now(destruction(house).run(JOB))
        else:
            assert now(destruction(house).run(JOB)) == "0 users destroyed, 1 could not be"
    begun = kept(house, desk)
    assert begun is not None
    assert (begun.keys, begun.members, begun.state_note) == (0, (), "")
    assert now(destruction(house).run(JOB)) == "0 users destroyed, 1 shared mailboxes"
    assert on_disk(house.directory, secrets) == [False]
    assert not house.home(desk.id).exists()
    assert [each.act for each in house.entries()].count("shared-destroyed") == 1


def test_a_shared_mailbox_begun_by_a_command(house: House) -> None:
    """What somebody destroyed at once is finished by the job, without a second entry."""
    desk = desk_with(house, house.join())
    secrets = sealed(house, desk)
    delete_desk(house, desk)
    house.moment += 31 * DAY
    house.commit(lambda view, by: mailboxes.destroy(view, by, desk.id, 30 * DAY), "retention")
    assert now(destruction(house).run(JOB)) == "0 users destroyed, 1 shared mailboxes"
    assert on_disk(house.directory, secrets) == [False]
    assert kept(house, desk) is None
    assert [each.act for each in house.entries()].count("shared-destroyed") == 1


def test_a_shared_mailbox_and_its_only_reader(house: House) -> None:
    """Deleted one after the other they go together."""
    jo, _ = person(house)
    desk = desk_with(house, house.account(jo.id))
    with pytest.raises(CommunityError):
        step(house, jo, LifeStep.DELETE)
    delete_desk(house, desk)
    step(house, jo, LifeStep.DELETE)
    house.moment += 31 * DAY
    assert now(destruction(house).run(JOB)) == "1 users destroyed, 1 shared mailboxes"
    assert kept(house, desk) is None


def test_a_shared_mailbox_in_a_restored_key_store(house: House) -> None:
    """Keys that a backup brings back are destroyed again, once, and nobody else's."""
    jo = house.join()
    desk, stays = desk_with(house, jo), desk_with(house, jo, "stays")
    secrets = sealed(house, desk)
    delete_desk(house, desk)
    house.moment += 31 * DAY
    with other_keys(house):
        assert now(destruction(house).run(JOB)) == "0 users destroyed, 1 shared mailboxes"
    assert on_disk(house.directory, secrets) == [True]
    job = destruction(house)
    assert now(job.run(JOB)) == "0 users destroyed, 1 again after a restore"
    assert on_disk(house.directory, secrets) == [False]
    assert now(job.run(JOB)) == now(destruction(house).run(JOB)) == "0 users destroyed"
    house.close()
    house.open()
    assert len(house.maildrop("jo.ward@avon/stays")[0].messages) == 2
    assert kept(house, stays) == stays
