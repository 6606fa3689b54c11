"""New generations, made of public keys alone."""

import msgspec
import pytest

from cjsm.access.generations import Generations, readers
from cjsm.access.mailboxkeys import read_mailbox_keys
from cjsm.community.acts import lives
from cjsm.community.acts.lives import LifeStep
from cjsm.community.errors import Conflict
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.records import Account, MailboxRight, SharedMailbox, SharedMember
from cjsm.vault.hybrid import PrivateKey
from cjsm.vault.mailboxes import new_generation, open_seed

from .support import ORGANISATION, House, now


def generations(house: House) -> Generations:
    return Generations(house.community, house.keys, house.secrets)


def mailbox_of(account: Account) -> MailboxId:
    assert account.mailbox is not None
    return account.mailbox


def test_readers(house: House) -> None:
    """A personal mailbox has its owner; of a shared one those who may read, not who only sends."""
    jo, al = house.join(), AccountId(b"a" * 16)
    assert readers(jo) == (jo.id,)
    members = (
        SharedMember(account=jo.id, rights=(MailboxRight.READ, MailboxRight.SEND)),
        SharedMember(account=al, rights=(MailboxRight.SEND,)),
    )
    shared = SharedMailbox(id=MailboxId(b"m" * 16), organisation=ORGANISATION, slug="d", name="D", members=members)
    assert readers(shared) == (jo.id,)


def test_begun_while_everybody_is_away(house: House) -> None:
    """The next number, its key signed, granted to the reader; written, and named by nobody before the act."""
    jo = house.join()
    step = now(generations(house).begin(mailbox_of(jo)))
    assert (step.read, step.generation) == (jo.mailbox_keys, 2)
    assert house.account(jo.id).mailbox_keys == jo.mailbox_keys
    record = read_mailbox_keys(house.keys, mailbox_of(jo), step.written)
    assert [key.generation for key in record.generations] == [1, 2]
    mail_key = PrivateKey(house.sign_in().mail_keys[1])
    for granted, key in zip(record.grants, record.generations, strict=True):
        assert PrivateKey(open_seed(granted, key, mail_key)).public == key.public
    # Another one that nobody named is not in its way.
    assert now(generations(house).begin(mailbox_of(jo))).written == step.written + 1


def test_whom_nothing_can_be_granted(house: House) -> None:
    """Nobody, somebody deleted, somebody whose mail is kept elsewhere: told; of several readers the others go on."""
    jo, al = house.join(), house.join("al.other")
    house.commit(lambda view, by: lives.change_life(view, by, al.id, LifeStep.DELETE), "left")
    for account in (al.id, AccountId(bytes(16))):
        with pytest.raises(Conflict, match="no keys"):
            generations(house).newest_key(account)
    seed, key = new_generation(mailbox_of(jo), 7, house.secrets.community)
    with pytest.raises(Conflict):
        generations(house).granted((al.id,), seed, key, {})
    (granted,) = generations(house).granted((al.id, jo.id), seed, key, {})
    assert (granted.member, granted.generation) == (jo.id, 7)
    record = read_mailbox_keys(house.keys, mailbox_of(jo), jo.mailbox_keys)
    with pytest.raises(Conflict, match="nobody who reads"):
        generations(house).with_next(record, (al.id, AccountId(bytes(16))), {})


def test_keys_of_the_same_act(house: House) -> None:
    """A reader who begins a new epoch with the act is granted to that epoch, not to the one the store still has."""
    jo, other = house.join(), house.join("al.other")
    own = house.account_keys(jo.id).epochs[-1]
    with pytest.raises(Exception, match="another account"):
        now(generations(house).begin(mailbox_of(jo), {jo.id: house.account_keys(other.id).epochs[-1]}))
    unsigned = msgspec.structs.replace(own, signature=b"")
    with pytest.raises(Exception, match="not signed"):
        now(generations(house).begin(mailbox_of(jo), {jo.id: unsigned}))
