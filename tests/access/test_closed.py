"""What a reset closed to its owner."""

from cjsm.access import keyring
from cjsm.access.closed import Closed, closed_to_owner
from cjsm.access.keylife import KeyLife
from cjsm.access.keyring import AccountKeys
from cjsm.access.mailboxkeys import read_mailbox_keys
from cjsm.community.identifiers import AccountId

from .support import PASSWORD, House, now


def closed(house: House, account: AccountId) -> Closed:
    found = house.account(account)
    assert found.mailbox is not None
    keys = keyring.decode(house.keys.get_now(account, found.keys), AccountKeys)
    return closed_to_owner(keys, read_mailbox_keys(house.keys, found.mailbox, found.mailbox_keys))


def test_closed_by_a_reset(house: House) -> None:
    """Nothing before it; the generations of before after it, whether a password was chosen since or not."""
    jo = house.join()
    assert closed(house, jo.id) == Closed(frozenset(), frozenset())
    life = KeyLife(house.enrolment, community=house.community, keys=house.keys, secrets=house.secrets)
    made = now(life.reset(house.enrolment.by(reason="forgotten"), jo.id))
    assert closed(house, jo.id) == Closed(frozenset({1}), frozenset())
    house.choose(jo.id, made.one_time_password.encode(), b"another " + PASSWORD)
    assert closed(house, jo.id) == Closed(frozenset({1}), frozenset())
    assert jo.mailbox is not None
    now(life.rotate(house.enrolment.by(jo.id), jo.mailbox))
    assert closed(house, jo.id) == Closed(frozenset({1}), frozenset())
