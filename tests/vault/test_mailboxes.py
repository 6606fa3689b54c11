"""Generations and grants: nobody who only writes the disk can put a key of their own there."""

from typing import Any

import msgspec
import pytest

from cjsm.vault.errors import ForgedKey, Malformed, NotAuthentic, UnknownSuite
from cjsm.vault.hybrid import PrivateKey, PublicKey, new_seed
from cjsm.vault.mailboxes import Grant, check_generation, grant, new_generation, open_grant
from cjsm.vault.secrets import ServiceSecrets, generate

from .conftest import ACCOUNT as MEMBER
from .conftest import MAILBOX, OTHER_ACCOUNT, OTHER_MAILBOX, Reader

MEMBER_KEY = PrivateKey(new_seed())
MEMBER_PUBLIC = PublicKey(MEMBER_KEY.public)


@pytest.fixture(scope="module")
def granted(reader: Reader) -> Grant:
    """The mailbox granted to one member."""
    return grant(reader.seed, reader.key, MEMBER, 1, MEMBER_PUBLIC)


def test_member_opens_grant(granted: Grant, reader: Reader, secrets: ServiceSecrets) -> None:
    """A member gets the mailbox's private key: what is sealed to the signed public key opens."""
    public = check_generation(reader.key, MAILBOX, secrets.community_public)
    opened = open_grant(granted, reader.key, MEMBER_KEY)
    assert opened.open(public.seal(b"mail", b""), b"") == b"mail"


def test_swapped_public_key(reader: Reader, secrets: ServiceSecrets) -> None:
    """A public key that the community did not sign is not delivered to."""
    mine = PrivateKey(new_seed()).public
    changes: list[dict[str, Any]] = [
        {"public": mine},
        {"generation": 2},
        {"signature": bytes(64)},
        {"mailbox": OTHER_MAILBOX},
    ]
    for change in changes:
        with pytest.raises(NotAuthentic):
            check_generation(msgspec.structs.replace(reader.key, **change), MAILBOX, secrets.community)
    _, foreign = new_generation(MAILBOX, 1, generate().community)
    with pytest.raises(NotAuthentic):
        check_generation(foreign, MAILBOX, secrets.community)


def test_key_of_another_mailbox(secrets: ServiceSecrets) -> None:
    """A good key of one mailbox does not serve for another."""
    _, other = new_generation(OTHER_MAILBOX, 1, secrets.community)
    with pytest.raises(NotAuthentic):
        check_generation(other, MAILBOX, secrets.community)
    with pytest.raises(NotAuthentic):
        check_generation(msgspec.structs.replace(other, mailbox=MAILBOX), MAILBOX, secrets.community)


def test_changed_grant(granted: Grant, reader: Reader) -> None:
    """Every field of a grant is bound."""
    changes: list[dict[str, Any]] = [
        {"mailbox": OTHER_MAILBOX},
        {"generation": 2},
        {"member": OTHER_ACCOUNT},
        {"epoch": 2},
        {"sealed": granted.sealed[:-1]},
        {"sealed": b""},
    ]
    for change in changes:
        with pytest.raises(NotAuthentic):
            open_grant(msgspec.structs.replace(granted, **change), reader.key, MEMBER_KEY)
    with pytest.raises(NotAuthentic):
        open_grant(granted, reader.key, PrivateKey(new_seed()))


def test_forged_grant_is_an_alarm(granted: Grant, reader: Reader, secrets: ServiceSecrets) -> None:
    """Who knows a member's public key can seal a seed of their own to it; that it is not the mailbox's is noticed."""
    seed, key = new_generation(MAILBOX, 1, generate().community)
    forged = grant(seed, key, MEMBER, 1, MEMBER_PUBLIC)
    with pytest.raises(ForgedKey):
        open_grant(forged, reader.key, MEMBER_KEY)


def test_only_its_own_seed_is_granted(reader: Reader) -> None:
    """A wrong seed is refused when it is granted, not when it is needed."""
    with pytest.raises(ForgedKey):
        grant(new_seed(), reader.key, MEMBER, 1, MEMBER_PUBLIC)


def test_unknown_suite_and_damage(granted: Grant, reader: Reader, secrets: ServiceSecrets) -> None:
    """Another version is told apart; a signed key that is none is refused as malformed."""
    with pytest.raises(UnknownSuite):
        check_generation(msgspec.structs.replace(reader.key, suite=2), MAILBOX, secrets.community)
    with pytest.raises(UnknownSuite):
        open_grant(msgspec.structs.replace(granted, suite=2), reader.key, MEMBER_KEY)
    from cjsm.vault.mailboxes import _statement

    signature = secrets.community.current.sign(_statement(MAILBOX, 1, b"short"))
    with pytest.raises(Malformed):
        check_generation(
            msgspec.structs.replace(reader.key, public=b"short", signature=signature), MAILBOX, secrets.community
        )
