"""Which public key mail is sealed to, and who opens the private one."""

import msgspec
import pytest

from cjsm.access import keyring
from cjsm.access.keyring import MailboxKeys, UnreadableKeys
from cjsm.access.mailboxkeys import OpenedMailbox, OpenedSeeds, read_mailbox_keys
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.records import Account
from cjsm.store.interfaces import Missing
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.mailboxes import new_generation
from cjsm.vault.secrets import generate

from .support import House, now


def mailbox_of(account: Account) -> MailboxId:
    assert account.mailbox is not None
    return account.mailbox


def opened(
    house: House, member: Account, mailbox: MailboxId, mail_keys: dict[int, bytes], seeds: OpenedSeeds | None = None
) -> OpenedMailbox:
    remembered = seeds or OpenedSeeds(b"cache key")
    return OpenedMailbox(
        house.community, house.keys, house.secrets, remembered, mailbox=mailbox, member=member.id, mail_keys=mail_keys
    )


def test_pair(house: House) -> None:
    """The member opens the private key of what mail is sealed to; after forgetting, nothing."""
    jo = house.join()
    generation, public = house.current.current(mailbox_of(jo))
    box = opened(house, jo, mailbox_of(jo), house.sign_in().mail_keys)
    assert box.private_key(generation).open(public.seal(b"data", b"info"), b"info") == b"data"
    assert box.private_key(generation) is box.private_key(generation)
    box.forget()
    with pytest.raises(Missing):
        box.private_key(generation)


def test_not_a_member(house: House) -> None:
    """Somebody else's mail keys open nothing, under either name; neither does a door that opened none."""
    jo, al = house.join(), house.join("al.other")
    als = house.sign_in("al.other@avon").mail_keys
    with pytest.raises(Missing):
        opened(house, al, mailbox_of(jo), als).private_key(1)
    with pytest.raises(NotAuthentic):
        opened(house, jo, mailbox_of(jo), als).private_key(1)
    with pytest.raises(Missing):
        opened(house, jo, mailbox_of(jo), {}).private_key(1)
    with pytest.raises(Missing):
        opened(house, jo, mailbox_of(jo), house.sign_in().mail_keys).private_key(9)


def test_public_key_swapped(house: House) -> None:
    """A public key that the community did not sign is neither sealed to nor opened."""
    jo = house.join()
    mailbox = mailbox_of(jo)
    record = read_mailbox_keys(house.keys, mailbox, 1)
    _, forged = new_generation(mailbox, 1, generate().community)
    now(house.keys.destroy(mailbox))
    now(house.keys.put(mailbox, 1, keyring.encode(msgspec.structs.replace(record, generations=(forged,)))))
    with pytest.raises(NotAuthentic):
        house.current.current(mailbox)
    with pytest.raises(NotAuthentic):
        opened(house, jo, mailbox, house.sign_in().mail_keys).private_key(1)


def test_record_of_another_mailbox(house: House) -> None:
    """Another mailbox's record in this one's place is noticed; so is one without generations."""
    jo, al = house.join(), house.join("al.other")
    now(house.keys.destroy(mailbox_of(jo)))
    now(house.keys.put(mailbox_of(jo), 1, house.keys.get_now(mailbox_of(al), 1)))
    with pytest.raises(UnreadableKeys):
        house.current.current(mailbox_of(jo))
    empty = MailboxKeys(mailbox=mailbox_of(jo), generations=(), grants=())
    now(house.keys.destroy(mailbox_of(jo)))
    now(house.keys.put(mailbox_of(jo), 1, keyring.encode(empty)))
    with pytest.raises(UnreadableKeys):
        house.current.current(mailbox_of(jo))


def test_nobodys_mailbox(house: House) -> None:
    """A mailbox that nobody has has no keys."""
    with pytest.raises(Missing):
        house.current.current(MailboxId(b"nobody's mailbox"))
    assert house.community.read_now(lambda view: view.account(AccountId(bytes(16)))) is None


def test_a_grant_is_opened_once(house: House) -> None:
    """Whoever comes again with the same mail key needs the grant no more, as long as the community names its keys."""
    jo, seeds = house.join(), OpenedSeeds(b"cache key")
    mailbox, mail_keys = mailbox_of(jo), house.sign_in().mail_keys
    _, public = house.current.current(mailbox)
    opened(house, jo, mailbox, mail_keys, seeds).private_key(1)
    now(house.keys.destroy(mailbox))
    again = opened(house, jo, mailbox, mail_keys, seeds).private_key(1)
    assert again.open(public.seal(b"data", b"info"), b"info") == b"data"
    house.name_mailbox_keys(jo, 2)
    with pytest.raises(Missing):
        opened(house, jo, mailbox, mail_keys, seeds).private_key(1)


def test_what_is_remembered_opens_to_its_mail_key_only(house: House) -> None:
    """Somebody else's mail key, or none, meets the grant itself, which refuses it."""
    jo, al, seeds = house.join(), house.join("al.other"), OpenedSeeds(b"cache key")
    mailbox = mailbox_of(jo)
    opened(house, jo, mailbox, house.sign_in().mail_keys, seeds).private_key(1)
    als = house.sign_in("al.other@avon").mail_keys
    with pytest.raises(NotAuthentic):
        opened(house, jo, mailbox, als, seeds).private_key(1)
    with pytest.raises(Missing):
        opened(house, al, mailbox, als, seeds).private_key(1)
    with pytest.raises(Missing):
        opened(house, jo, mailbox, {}, seeds).private_key(1)


def test_few_are_remembered() -> None:
    """The one that was used longest ago goes first."""
    seeds = OpenedSeeds(b"cache key", most=2)
    mailbox, member = MailboxId(b"m" * 16), AccountId(b"a" * 16)
    places = [(mailbox, 1, generation, member, 1) for generation in (1, 2, 3)]
    for place in places[:2]:
        seeds.remember(place, b"k" * 32, b"%d" % place[2] * 32)
    assert seeds.recall(places[0], b"k" * 32) == b"1" * 32
    seeds.remember(places[2], b"k" * 32, b"3" * 32)
    assert [seeds.recall(place, b"k" * 32) is not None for place in places] == [True, False, True]
