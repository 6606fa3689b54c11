"""What is sealed for recovery of a new generation, and to whom."""

import msgspec
import pytest

from cjsm.access import keyring
from cjsm.access.keyring import AuthorityKeys, UnreadableKeys
from cjsm.access.recoveryseals import RecoverySeals, read_authority
from cjsm.community.records import COMMUNITY, Recovery, RecoveryAuthority
from cjsm.community.view import Change
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.mailboxes import new_generation
from cjsm.vault.recovery import RecoveryWrap
from cjsm.vault.secrets import generate

from .support import ORGANISATION, House, now, organisation
from .test_recovering import Place


def sealed(house: House) -> tuple[RecoveryWrap, ...]:
    """What is sealed of a generation that was just made of Jo's mailbox."""
    jo = house.community.read_now(lambda view: view.account_of_user_id("jo.ward@avon"))
    assert jo is not None
    assert jo.mailbox is not None
    seed, key = new_generation(jo.mailbox, 9, house.secrets.community)
    return RecoverySeals(house.community, house.keys, house.secrets).wraps(jo.mailbox, seed, key)


def authority(house: House) -> RecoveryAuthority:
    found = house.community.read_now(lambda view: view.recovery_authority(ORGANISATION))
    assert found is not None
    return found


def test_to_two(house: House) -> None:
    """One wrap, which names the organisation's newest key and the counter-signer's."""
    Place(house)
    (wrap,) = sealed(house)
    assert (wrap.generation, wrap.organisation, wrap.counter_signer) == (9, ORGANISATION, COMMUNITY)
    assert (wrap.key_number, wrap.counter_number) == (1, 1)


def test_to_nobody(house: House) -> None:
    """Where there are no officers."""
    house.join()
    assert sealed(house) == ()


def test_chosen_that_nothing_is(house: House) -> None:
    """The organisation's choice counts, officers or not."""
    Place(house)
    without = msgspec.structs.replace(organisation(), recovery=Recovery.NONE)
    house.commit(lambda view, by: Change(put=(without,)))
    assert sealed(house) == ()


def test_a_key_that_the_community_did_not_sign(house: House) -> None:
    """Who only writes the disk has nothing sealed to a key of their own."""
    Place(house)
    known = authority(house)
    record = read_authority(house.keys, known)
    forged = msgspec.structs.replace(record.keys[-1], public=generate().queue_public.current.octets)
    replace(house, known, msgspec.structs.replace(record, keys=(forged,)))
    with pytest.raises(NotAuthentic):
        sealed(house)


def test_another_authoritys_record(house: House) -> None:
    """In the place of the organisation's it is damage, and so is one without a key."""
    Place(house)
    known = authority(house)
    record = read_authority(house.keys, known)
    for other in (msgspec.structs.replace(record, organisation=COMMUNITY), msgspec.structs.replace(record, keys=())):
        replace(house, known, other)
        with pytest.raises(UnreadableKeys):
            sealed(house)


def replace(house: House, known: RecoveryAuthority, record: AuthorityKeys) -> None:
    """Let the disk hold *record* in the place of what the community names."""
    now(house.keys.destroy(known.id))
    now(house.keys.put(known.id, known.keys, keyring.encode(record)))
