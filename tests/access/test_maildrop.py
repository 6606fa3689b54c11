"""A maildrop gives what was delivered, and nothing that somebody did to the disk meanwhile."""

import shutil
from collections.abc import Callable
from contextlib import nullcontext

import lmdb
import msgspec
import pytest
from twisted.internet.defer import Deferred

from cjsm.access import keyring
from cjsm.access.errors import NotOffered
from cjsm.access.interfaces import IMaildrop
from cjsm.access.keyring import MailboxKeys
from cjsm.access.maildrop import Maildrop
from cjsm.community.identifiers import AccountId, ActId, MailboxId, OrganisationId
from cjsm.community.records import AddressRecord, MailboxRight, Organisation, OwnerKind, SharedMailbox, SharedMember
from cjsm.community.view import Change
from cjsm.store.interfaces import Altered, Damaged, Delivery, LeaseLost, MailboxList, Missing
from cjsm.store.lmdb import rows
from cjsm.store.lmdb.content import State, decode_message
from cjsm.vault.body import SEALED_SEGMENT
from cjsm.vault.errors import NotAuthentic, VaultError
from cjsm.vault.hybrid import PublicKey
from cjsm.vault.mailboxes import grant, new_generation
from cjsm.vault.secrets import generate

from ..store.support import delivery
from .support import House, logged, now, read

LETTER = b"Subject: canary letter\r\n\r\nThe hearing is on Monday.\r\n"
LONG = b"Subject: bundle\r\n\r\n" + b"page\r\n" * 40_000


@pytest.fixture
def mailbox(house: House) -> MailboxId:
    """The mailbox of Jo Ward, who has signed up."""
    found = house.join().mailbox
    assert found is not None
    return found


def disk(house: House, mailbox: MailboxId, act: Callable[[lmdb.Transaction, dict[str, object]], None]) -> None:
    """Write to a closed mailbox as somebody who has the disk, then start again."""
    house.close()
    with lmdb.open(str(house.home(mailbox) / "mailbox.mdb"), subdir=False, max_dbs=8, map_size=16 << 20) as environment:
        names = ("meta", "rows", "messages", "bodies", "delivered")
        tables = {name: environment.open_db(name.encode()) for name in names}
        with environment.begin(write=True) as transaction:
            act(transaction, tables)
    house.open()


def refused(house: House, kind: type[Exception], index: int = 0) -> None:
    """The message is listed but not served."""
    drop, logout = house.maildrop()
    with pytest.raises(kind):
        read(drop, index)
    logout()


def test_list_and_read(house: House, mailbox: MailboxId) -> None:
    """Messages come in the order of delivery, octet for octet, with their prefix, short or in a file."""
    first = house.deliver(mailbox, LETTER, prefix=b"Return-Path: <al@avon.cjsm.test>\r\n")
    second = house.deliver(mailbox, LONG, in_file=True)
    third = house.deliver(mailbox, LONG, prefix=b"P: 1\r\n")
    empty = house.deliver(mailbox, b"")
    drop, _ = house.maildrop()
    assert [(each.octets, each.unique_id) for each in drop.messages] == [
        (each.octets, each.delivery_id.hex()) for each in (first, second, third, empty)
    ]
    contents = [b"Return-Path: <al@avon.cjsm.test>\r\n" + LETTER, LONG, b"P: 1\r\n" + LONG, b""]
    assert [read(drop, index) for index in range(4)] == contents
    assert [len(content) for content in contents] == [each.octets for each in drop.messages]


def test_nothing_readable_on_disk(house: House, mailbox: MailboxId) -> None:
    """What was delivered is nowhere on the disk in clear; nor is the password."""
    house.deliver(mailbox, LETTER)
    house.deliver(mailbox, LETTER, in_file=True)
    house.close()
    octets = b"".join(path.read_bytes() for path in house.directory.rglob("*") if path.is_file())
    assert b"canary" not in octets
    assert b"hearing" not in octets
    assert b"violet" not in octets
    house.open()


def test_empty(house: House, mailbox: MailboxId) -> None:
    """A mailbox to which nothing came yet is empty."""
    drop, _ = house.maildrop()
    assert drop.messages == ()
    now(drop.delete([]))


def test_fixed_at_login(house: House, mailbox: MailboxId) -> None:
    """What arrives during a session is seen by the next."""
    house.deliver(mailbox, LETTER)
    drop, logout = house.maildrop()
    house.deliver(mailbox, LETTER)
    assert len(drop.messages) == 1
    logout()
    assert len(house.maildrop()[0].messages) == 2


def test_delete(house: House, mailbox: MailboxId) -> None:
    """Deleted messages are gone for the next session, their files in the end; the others stay and keep their ids."""
    for in_file in (True, False, True):
        house.deliver(mailbox, LONG if in_file else LETTER, in_file=in_file)
    drop, logout = house.maildrop()
    now(drop.delete([0, 1]))
    with pytest.raises(Missing):
        now(drop.open(0))
    logout()
    again, _ = house.maildrop()
    assert again.messages == (drop.messages[2],)
    assert read(again, 0) == LONG
    now(house.mail.purge(int(house.clock()) + 1))
    assert [path.name for path in (house.home(mailbox) / "bodies").iterdir()] == [drop.messages[2].unique_id]


def test_keys_end_with_the_session(house: House, mailbox: MailboxId) -> None:
    """After logout the maildrop opens nothing more, also what it had opened."""
    house.deliver(mailbox, LETTER)
    drop, logout = house.maildrop()
    assert read(drop, 0) == LETTER
    logout()
    logout()
    with pytest.raises(Missing):
        read(drop, 0)


@pytest.mark.parametrize("in_file", [False, True])
def test_closing_a_reader_twice(house: House, mailbox: MailboxId, in_file: bool) -> None:
    """A reader may be closed before its end, and again."""
    house.deliver(mailbox, LONG, in_file=in_file)
    reader = now(house.maildrop()[0].open(0))
    assert LONG.startswith(now(reader.read()))
    reader.close()
    reader.close()


def test_second_generation(house: House, mailbox: MailboxId) -> None:
    """New mail goes to the newest generation; a member who has both reads both, with one password."""
    house.deliver(mailbox, LETTER)
    add_generation(house, mailbox)
    assert house.deliver(mailbox, LONG).generation == 2
    drop, _ = house.maildrop()
    assert [read(drop, 0), read(drop, 1)] == [LETTER, LONG]


def test_generation_not_granted(house: House, mailbox: MailboxId) -> None:
    """A generation that the member was not granted stays closed; the other opens."""
    house.deliver(mailbox, LETTER)
    add_generation(house, mailbox, granted=False)
    house.deliver(mailbox, LONG)
    drop, _ = house.maildrop()
    assert read(drop, 0) == LETTER
    with pytest.raises(Missing):
        read(drop, 1)


def add_generation(house: House, mailbox: MailboxId, *, granted: bool = True) -> None:
    """Give the mailbox generation 2 under its next key version."""
    account = house.community.read_now(lambda view: view.account_of_mailbox(mailbox))
    assert account is not None
    version = account.mailbox_keys + 1
    record = keyring.decode(house.keys.get_now(mailbox, account.mailbox_keys), MailboxKeys)
    seed, key = new_generation(mailbox, 2, house.secrets.community)
    grants = record.grants
    if granted:
        public = PublicKey(house.account_keys(account.id).epochs[0].public)
        grants = (*grants, grant(seed, key, account.id, 1, public))
    following = MailboxKeys(mailbox=mailbox, generations=(*record.generations, key), grants=grants)
    now(house.keys.put(mailbox, version, keyring.encode(following)))
    house.name_mailbox_keys(account, version)


# Somebody writes to the disk


def test_swapped_messages(house: House, mailbox: MailboxId) -> None:
    """Two messages that changed places are both refused."""
    first, second = house.deliver(mailbox, LETTER), house.deliver(mailbox, LETTER)

    def swap(transaction: lmdb.Transaction, tables: dict[str, object]) -> None:
        for table in (tables["messages"], tables["bodies"]):
            one, two = (transaction.get(each.delivery_id, db=table) for each in (first, second))
            transaction.put(first.delivery_id, two, db=table)
            transaction.put(second.delivery_id, one, db=table)

    disk(house, mailbox, swap)
    refused(house, NotAuthentic, 0)
    refused(house, NotAuthentic, 1)


def test_swapped_bodies(house: House, mailbox: MailboxId) -> None:
    """A body under another message's wrap is refused before anything of it is given out."""
    first, second = house.deliver(mailbox, LETTER), house.deliver(mailbox, LETTER.upper())

    def swap(transaction: lmdb.Transaction, tables: dict[str, object]) -> None:
        other = transaction.get(second.delivery_id, db=tables["bodies"])
        transaction.put(first.delivery_id, other, db=tables["bodies"])

    disk(house, mailbox, swap)
    refused(house, NotAuthentic)


def inject(house: House, mailbox: MailboxId, delivery: Delivery) -> None:
    """Deliver without having been accepted: the list's head and running hash are made to fit."""
    now(house.mail.deliver(mailbox, [delivery], 0))


def test_injected_message(house: House, mailbox: MailboxId) -> None:
    """A message that the service did not accept is refused: its copy under a new id is not signed for it."""
    genuine = house.deliver(mailbox, LETTER)
    inject(house, mailbox, msgspec.structs.replace(genuine, delivery_id=b"planted 00000001"))
    refused(house, NotAuthentic, 1)


def test_message_of_another_mailbox(house: House, mailbox: MailboxId) -> None:
    """A message accepted for one mailbox is refused in another."""
    other = house.join("al.other").mailbox
    assert other is not None
    inject(house, mailbox, house.deliver(other, LETTER))
    refused(house, NotAuthentic)


def test_message_signed_by_somebody_else(house: House, mailbox: MailboxId) -> None:
    """Who writes the disk knows the public key, but cannot sign that a message was accepted."""
    genuine = house.secrets
    house.secrets = forged = generate()
    house.deliver(mailbox, LETTER)
    house.secrets = genuine
    assert forged is not genuine
    refused(house, NotAuthentic)


def test_row_without_message(house: House, mailbox: MailboxId) -> None:
    """A row that was added to the list's page is noticed when the mailbox is opened, and logged."""
    house.deliver(mailbox, LETTER)

    def add(transaction: lmdb.Transaction, tables: dict[str, object]) -> None:
        (row,) = rows.read(transaction, tables["rows"])
        rows.append(transaction, tables["rows"], [msgspec.structs.replace(row, uid=2)])

    disk(house, mailbox, add)
    noticed(house, mailbox, waits=False)


def noticed(house: House, mailbox: MailboxId, *, waits: bool = True) -> None:
    """What is there can be read, and one line of the log and one entry of the ledger say so.

    :param waits: nothing is written, because that would cover up what was lost.
    """
    with logged() as texts:
        for _ in range(2):
            _, logout = house.maildrop()
            logout()
            with pytest.raises(Altered) if waits else nullcontext():
                house.deliver(mailbox, LETTER)
    assert len([text for text in texts if "is not what was written to it" in text]) == 1
    assert [entry.subject for entry in house.entries() if entry.act == "mailbox-noticed"] == [mailbox]
    assert [found.mailbox for found in now(house.community.noticed())] == [mailbox]


def test_row_removed(house: House, mailbox: MailboxId) -> None:
    """A thinned list is noticed."""
    house.deliver(mailbox, LETTER)
    house.deliver(mailbox, LETTER)
    disk(house, mailbox, lambda transaction, tables: rows.remove(transaction, tables["rows"], [1]))
    noticed(house, mailbox, waits=False)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"octets": 1}, NotAuthentic),
        ({"generation": 2}, Missing),
        ({"delivery_id": b"another id 00001"}, Missing),
    ],
)
def test_row_changed(house: House, mailbox: MailboxId, change: dict[str, object], kind: type[Exception]) -> None:
    """A row that says something else than was delivered does not open its message, even with no row before it."""
    house.deliver(mailbox, LETTER)
    house.deliver(mailbox, LONG)
    drop, logout = house.maildrop()
    now(drop.delete([0]))
    logout()

    def act(transaction: lmdb.Transaction, tables: dict[str, object]) -> None:
        (row,) = rows.read(transaction, tables["rows"])
        rows.remove(transaction, tables["rows"], [2])
        rows.append(transaction, tables["rows"], [msgspec.structs.replace(row, **change)])

    disk(house, mailbox, act)
    refused(house, kind)


def test_rolled_back(house: House, mailbox: MailboxId) -> None:
    """A mailbox put back to an earlier state is noticed: the deleted message does not return."""
    house.deliver(mailbox, LETTER)
    house.close()
    earlier = house.directory / "earlier"
    shutil.copytree(house.home(mailbox), earlier)
    house.open()
    drop, logout = house.maildrop()
    now(drop.delete([0]))
    logout()
    house.deliver(mailbox, LONG)
    house.close()
    shutil.rmtree(house.home(mailbox))
    shutil.copytree(earlier, house.home(mailbox))
    house.open()
    noticed(house, mailbox)


def test_mail_that_comes_while_somebody_signs_in(
    house: House, mailbox: MailboxId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is as it was a moment ago, which is not what a mailbox that was put back looks like."""
    house.deliver(mailbox, LETTER)
    genuine = house.mail.list

    def overtaken(
        asked: MailboxId, member: AccountId | None = None, *, as_it_is: bool = False
    ) -> "Deferred[MailboxList]":
        listed = genuine(asked, member)
        house.deliver(mailbox, LONG)
        return listed

    monkeypatch.setattr(house.mail, "list", overtaken)
    drop, logout = house.maildrop()
    assert len(drop.messages) == 1
    logout()
    monkeypatch.undo()
    assert len(house.maildrop()[0].messages) == 2


def test_removed(house: House, mailbox: MailboxId) -> None:
    """A mailbox that was taken away is not an empty one."""
    house.deliver(mailbox, LETTER)
    house.close()
    shutil.rmtree(house.home(mailbox))
    house.open()
    noticed(house, mailbox)


def test_replayed(house: House, mailbox: MailboxId) -> None:
    """A deleted message that is put back, head and all as far as the mailbox goes, is noticed."""
    house.deliver(mailbox, LETTER)
    other = house.deliver(mailbox, LONG)
    kept: dict[str, bytes] = {}
    names = ("messages", "bodies")

    def keep(transaction: lmdb.Transaction, tables: dict[str, object]) -> None:
        kept.update({name: bytes(transaction.get(other.delivery_id, db=tables[name])) for name in names})

    disk(house, mailbox, keep)
    drop, logout = house.maildrop()
    now(drop.delete([1]))
    logout()

    def put_back(transaction: lmdb.Transaction, tables: dict[str, object]) -> None:
        for name in names:
            transaction.put(other.delivery_id, kept[name], db=tables[name])
        row = decode_message(kept["messages"]).row
        rows.append(transaction, tables["rows"], [row])
        state = msgspec.msgpack.decode(transaction.get(b"head", db=tables["meta"]), type=State)
        head = msgspec.structs.replace(state.head, deleted=0)
        state = msgspec.structs.replace(state, head=head)
        transaction.put(b"head", msgspec.msgpack.encode(state), db=tables["meta"])

    disk(house, mailbox, put_back)
    noticed(house, mailbox)


@pytest.mark.parametrize("offset", [0, 70_000, -1])
def test_body_file_changed(house: House, mailbox: MailboxId, offset: int) -> None:
    """One octet of a body file changed: reading stops before the piece that it is in."""
    delivery = house.deliver(mailbox, LONG, in_file=True)
    path = house.home(mailbox) / "bodies" / delivery.delivery_id.hex()
    octets = bytearray(path.read_bytes())
    octets[offset] ^= 1
    path.write_bytes(octets)
    drop, _ = house.maildrop()
    reader = now(drop.open(0))
    given = b""
    for _ in range((offset % len(LONG)) // SEALED_SEGMENT):
        given += now(reader.read())
    with pytest.raises(NotAuthentic):
        now(reader.read())
    reader.close()
    assert LONG.startswith(given)


@pytest.mark.parametrize("change", [lambda octets: octets[:-1], lambda octets: octets + b"\0", lambda octets: b""])
def test_body_file_length(house: House, mailbox: MailboxId, change: Callable[[bytes], bytes]) -> None:
    """A body file that is longer or shorter is refused before anything is given out."""
    delivery = house.deliver(mailbox, LONG, in_file=True)
    path = house.home(mailbox) / "bodies" / delivery.delivery_id.hex()
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises((NotAuthentic, Damaged)):
        now(house.maildrop()[0].open(0))


def test_body_file_removed(house: House, mailbox: MailboxId) -> None:
    """A body file that is gone is an error, not an empty message."""
    delivery = house.deliver(mailbox, LONG, in_file=True)
    (house.home(mailbox) / "bodies" / delivery.delivery_id.hex()).unlink()
    refused(house, Missing)


def change_wrap(house: House, mailbox: MailboxId, delivery: Delivery, wrap: bytes) -> None:
    """Put *wrap* in the place of the delivery's own."""
    identifier = delivery.delivery_id

    def act(transaction: lmdb.Transaction, tables: dict[str, object]) -> None:
        stored = decode_message(bytes(transaction.get(identifier, db=tables["messages"])))
        following = msgspec.msgpack.encode(msgspec.structs.replace(stored, wrap=wrap))
        transaction.put(identifier, following, db=tables["messages"])

    disk(house, mailbox, act)


def test_wrap_damaged(house: House, mailbox: MailboxId) -> None:
    """A wrap of which any part was changed opens nothing."""
    delivery = house.deliver(mailbox, LETTER)
    for offset in range(0, len(delivery.wrap), len(delivery.wrap) // 12):
        wrap = bytearray(delivery.wrap)
        wrap[offset] ^= 1
        change_wrap(house, mailbox, delivery, bytes(wrap))
        refused(house, VaultError)


def test_is_a_maildrop() -> None:
    """The class keeps its interface."""
    assert IMaildrop.implementedBy(Maildrop)


def test_deleting_in_a_shared_mailbox(house: House, mailbox: MailboxId) -> None:
    """Hides from that member only, in its next session too; the other member sees everything."""
    jo = house.sign_in().account
    ann = house.join("ann.lee")
    members = tuple(
        SharedMember(account=each.id, rights=(MailboxRight.READ, MailboxRight.DELETE)) for each in (jo, ann)
    )
    desk = SharedMailbox(
        id=MailboxId(b"d" * 16), organisation=jo.organisation, slug="desk", name="Desk", members=members
    )
    now(house.community.commit(ActId(b"shared mailbox.."), lambda view: Change(put=(desk,))))
    for number in (1, 2, 3):
        now(house.mail.deliver(desk.id, [delivery(number)], 0))
    drop, logout = house.maildrop("jo.ward@avon/desk")
    now(drop.delete([0, 2]))
    logout()
    seen = [house.maildrop(f"{name}@avon/desk")[0].messages for name in ("jo.ward", "ann.lee")]
    assert [[row.uid for row in rows] for rows in seen] == [[2], [1, 2, 3]]


def test_a_shared_mailbox_of_the_organisation_above(house: House, mailbox: MailboxId) -> None:
    """Is found by its short name, and every one by its address; being a member no more ends the session."""
    jo, below = house.sign_in().account, OrganisationId(b"b" * 16)
    crime = Organisation(id=below, parent=jo.organisation, slug="crime", name="Crime")
    moved = msgspec.structs.replace(jo, organisation=below, version=jo.version + 1)
    member = SharedMember(account=jo.id, rights=(MailboxRight.READ,))
    desk = SharedMailbox(
        id=MailboxId(b"d" * 16), organisation=jo.organisation, slug="desk", name="Desk", members=(member,)
    )
    address = AddressRecord(address="front.desk@avon.cjsm.test", owner_kind=OwnerKind.SHARED_MAILBOX, owner=desk.id)
    now(house.community.commit(ActId(b"shared above...."), lambda view: Change(put=(crime, moved, desk, address))))
    for name in ("desk", "front.desk@avon.cjsm.test"):
        drop, logout = house.maildrop(f"jo.ward@avon/{name}")
        assert drop.still_valid()
        logout()
    with pytest.raises(NotOffered):
        house.maildrop("jo.ward@avon/jo.ward@avon.cjsm.test")
    left = msgspec.structs.replace(desk, members=())
    now(house.community.commit(ActId(b"left the desk..."), lambda view: Change(put=(left,))))
    assert not drop.still_valid()
    for name in ("desk", "front.desk@avon.cjsm.test"):
        with pytest.raises(NotOffered):
            house.maildrop(f"jo.ward@avon/{name}")


def test_a_session_that_lost_its_lease_deletes_nothing(house: House, mailbox: MailboxId) -> None:
    """What it asks for after it ended might be another session's by now."""
    house.deliver(mailbox, LETTER)
    drop, logout = house.maildrop()
    logout()
    with pytest.raises(LeaseLost):
        now(drop.delete([0]))
    assert len(house.maildrop()[0].messages) == 1
