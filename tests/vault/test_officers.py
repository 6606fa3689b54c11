"""Recovery keys and officers' grants: opened in their place, by their officer, and nowhere else."""

from typing import Any

import msgspec
import pytest

from cjsm.community.identifiers import OrganisationId
from cjsm.vault.errors import ForgedKey, NotAuthentic, UnknownSuite
from cjsm.vault.hybrid import PrivateKey, PublicKey, new_seed
from cjsm.vault.officers import (
    OfficerGrant,
    RecoveryKey,
    check_recovery_key,
    grant_officer,
    new_recovery_key,
    open_officer,
)
from cjsm.vault.secrets import generate

from .conftest import ACCOUNT, OTHER_ACCOUNT

SECRETS = generate()
AVON, FIRM = OrganisationId(b"organisation 001"), OrganisationId(b"organisation 002")
SEED, KEY = new_recovery_key(AVON, 3, SECRETS.community)
OFFICER = PrivateKey(new_seed())
GRANT = grant_officer(SEED, KEY, ACCOUNT, 2, PublicKey(OFFICER.public))


def test_round_trip() -> None:
    """Also after both were stored."""
    key = msgspec.msgpack.decode(msgspec.msgpack.encode(KEY), type=RecoveryKey)
    granted = msgspec.msgpack.decode(msgspec.msgpack.encode(GRANT), type=OfficerGrant)
    opened = open_officer(granted, key, OFFICER)
    assert opened.open(check_recovery_key(key, AVON, SECRETS.community_public).seal(b"x", b"y"), b"y") == b"x"


KEYS: list[dict[str, Any]] = [
    {"organisation": FIRM},
    {"number": 4},
    {"public": PrivateKey(bytes(32)).public},
    {"signature": new_recovery_key(AVON, 3, generate().community)[1].signature},
]


@pytest.mark.parametrize("change", KEYS, ids=range(len(KEYS)))
def test_changed_key(change: dict[str, Any]) -> None:
    """A recovery key that the community did not sign for that place is not sealed to."""
    changed = msgspec.structs.replace(KEY, **change)
    for place in {AVON, changed.organisation}:
        with pytest.raises(NotAuthentic):
            check_recovery_key(changed, place, SECRETS.community_public)


GRANTS: list[dict[str, Any]] = [
    {"organisation": FIRM},
    {"number": 4},
    {"officer": OTHER_ACCOUNT},
    {"epoch": 3},
    {"sealed": GRANT.sealed[:-1]},
    {"sealed": GRANT.sealed + b"\0"},
]


@pytest.mark.parametrize("change", GRANTS, ids=range(len(GRANTS)))
def test_changed_grant(change: dict[str, Any]) -> None:
    with pytest.raises(NotAuthentic):
        open_officer(msgspec.structs.replace(GRANT, **change), KEY, OFFICER)


def test_others() -> None:
    """Another's key, another suite, another seed."""
    with pytest.raises(NotAuthentic):
        open_officer(GRANT, KEY, PrivateKey(bytes(32)))
    with pytest.raises(UnknownSuite):
        open_officer(msgspec.structs.replace(GRANT, suite=2), KEY, OFFICER)
    with pytest.raises(ForgedKey):
        open_officer(grant_officer(bytes(32), KEY, ACCOUNT, 2, PublicKey(OFFICER.public)), KEY, OFFICER)
    with pytest.raises(NotAuthentic):
        open_officer(grant_officer(b"short", KEY, ACCOUNT, 2, PublicKey(OFFICER.public)), KEY, OFFICER)
