"""Key records survive the store; what is not one is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.access import keyring
from cjsm.access.keyring import AccountKeys, MailboxKeys, UnreadableKeys
from cjsm.community.identifiers import AccountId, MailboxId

from .support import House

ACCOUNT = AccountKeys(account=AccountId(bytes(16)))
MAILBOX = MailboxKeys(mailbox=MailboxId(bytes(16)), generations=(), grants=())


def test_round_trip(house: House) -> None:
    """The records of somebody with password and keys come back as they were."""
    account = house.join()
    keys = house.account_keys(account.id)
    assert keyring.decode(keyring.encode(keys), AccountKeys) == keys
    assert keys.password is not None
    assert keys.password_slots
    assert keyring.decode(keyring.encode(MAILBOX), MailboxKeys) == MAILBOX


def test_shows_nothing(house: House) -> None:
    """A record's verifiers do not show themselves."""
    keys = house.account_keys(house.join().id)
    assert keys.password is not None
    assert str(keys.password.hashed) not in repr(keys)


def test_newer_version() -> None:
    """A record of a newer version is named as such, not guessed at."""
    with pytest.raises(UnreadableKeys, match="version 02, this software reads 01"):
        keyring.decode(b"\2" + keyring.encode(ACCOUNT)[1:], AccountKeys)
    with pytest.raises(UnreadableKeys, match="version none"):
        keyring.decode(b"", AccountKeys)


def test_wrong_kind() -> None:
    """A mailbox's record is not an account's."""
    with pytest.raises(UnreadableKeys):
        keyring.decode(keyring.encode(MAILBOX), AccountKeys)


@given(st.binary())
def test_hostile(octets: bytes) -> None:
    """Whatever the disk holds is a record or :class:`UnreadableKeys`."""
    for stored in (octets, b"\1" + octets):
        try:
            keyring.decode(stored, AccountKeys)
        except UnreadableKeys:
            continue


@pytest.mark.parametrize(
    "damaged",
    [b"\x81\xa7account" + b"\x91" * 100_000, b"\x81\xa1x" + b"\x91" * 100_000, b"\x81\xa1\xff\x01"],
    ids=["deep", "deep where nobody looks", "no text"],
)
def test_hostile_depth_and_text(damaged: bytes) -> None:
    """Nesting without an end, and names that are no text, are damage like any other: sign-in says unavailable."""
    with pytest.raises(UnreadableKeys, match="damaged"):
        keyring.decode(b"\1" + damaged, AccountKeys)


def test_damaged_text(house: House) -> None:
    """Nor is a text within a record taken that is none."""
    stored = keyring.encode(house.account_keys(house.join().id))
    assert b"\xa8password" in stored
    with pytest.raises(UnreadableKeys, match="damaged"):
        keyring.decode(stored.replace(b"\xa8password", b"\xa8p\xffssword"), AccountKeys)
