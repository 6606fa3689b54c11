"""Accounts' public keys: signed, and for that account, epoch and use only."""

from typing import Any

import msgspec
import pytest

from cjsm.community.identifiers import AccountId
from cjsm.vault.accountkeys import SignedAccountKey, check_account_key, sign_account_key, vouched
from cjsm.vault.errors import ForgedKey, NotAuthentic, UnknownSuite
from cjsm.vault.secrets import generate
from cjsm.vault.slots import KeyUse, new_account_key

from .conftest import ACCOUNT, OTHER_ACCOUNT

SECRETS = generate()
SEED, UNSIGNED = new_account_key(ACCOUNT, 3)
KEY = sign_account_key(UNSIGNED, SECRETS.community)
#: As it was stored before keys were signed.
OLDER = msgspec.structs.replace(KEY, key_number=0, signature=b"")


def test_signed() -> None:
    """What was signed is sealed to, also after it was stored; a key of before signing reads as unsigned."""
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(KEY), type=SignedAccountKey)
    assert check_account_key(stored, ACCOUNT, SECRETS.community_public).octets == KEY.public
    older = msgspec.msgpack.encode([1, ACCOUNT, 3, UNSIGNED.public, "mail"])
    assert msgspec.msgpack.decode(older, type=SignedAccountKey) == OLDER


CHANGES: list[dict[str, Any]] = [
    {"account": OTHER_ACCOUNT},
    {"epoch": 4},
    {"use": KeyUse.AUTHORITY},
    {"public": new_account_key(ACCOUNT, 3)[1].public},
    {"signature": b""},
    {"signature": KEY.signature[:-1]},
    {"signature": sign_account_key(UNSIGNED, generate().community).signature},
]


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
def test_changed(change: dict[str, Any]) -> None:
    """A key swapped, moved or put there by who has not the community's key is not sealed to."""
    changed = msgspec.structs.replace(KEY, **change)
    for account in {ACCOUNT, changed.account}:
        with pytest.raises(NotAuthentic):
            check_account_key(changed, AccountId(account), SECRETS.community_public)
    with pytest.raises(UnknownSuite):
        check_account_key(msgspec.structs.replace(changed, suite=2), changed.account, SECRETS.community_public)


def test_vouched() -> None:
    """An unsigned key is signed where its seed is at hand, a forged one raises, a signed one stays as it is."""
    (signed,) = vouched([OLDER], {3: SEED}, SECRETS.community)
    check_account_key(signed, ACCOUNT, SECRETS.community_public)
    assert vouched([OLDER], {2: SEED}, SECRETS.community) == (OLDER,)
    assert vouched([KEY], {3: bytes(32)}, SECRETS.community) == (KEY,)
    with pytest.raises(ForgedKey):
        vouched([OLDER], {3: bytes(32)}, SECRETS.community)
