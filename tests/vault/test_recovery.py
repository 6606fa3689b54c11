"""Recovery takes two persons; each alone, or with the other's papers changed, gets nothing."""

from typing import Any

import msgspec
import pytest

from cjsm.community.identifiers import OrganisationId
from cjsm.vault.errors import ForgedKey, NotAuthentic, UnknownSuite
from cjsm.vault.hybrid import PrivateKey, PublicKey, new_seed
from cjsm.vault.recovery import RecoveryWrap, recover, release, wrap_for_recovery

from .conftest import OTHER_MAILBOX, Reader

ORGANISATION = OrganisationId(b"organisation 001")
PARENT = OrganisationId(b"organisation 000")
OFFICER, COUNTER = PrivateKey(new_seed()), PrivateKey(new_seed())


def wrapped(reader: Reader, seed: bytes) -> RecoveryWrap:
    """A wrap of *seed*."""
    return wrap_for_recovery(
        seed,
        reader.key,
        organisation=ORGANISATION,
        key_number=1,
        to=PublicKey(OFFICER.public),
        counter_signer=PARENT,
        counter_number=3,
        counter_to=PublicKey(COUNTER.public),
    )


def test_two_persons_recover(reader: Reader) -> None:
    """Counter-signer, then officer: the seed comes back."""
    released = release(wrapped(reader, reader.seed), reader.key, COUNTER)
    assert reader.seed not in released.sealed
    assert recover(released, reader.key, OFFICER) == reader.seed


def test_neither_alone(reader: Reader) -> None:
    """The officer cannot take the outer seal off, the counter-signer not the inner one."""
    wrap = wrapped(reader, reader.seed)
    with pytest.raises(NotAuthentic):
        release(wrap, reader.key, OFFICER)
    with pytest.raises(NotAuthentic):
        recover(release(wrap, reader.key, COUNTER), reader.key, COUNTER)


def test_changed_wrap(reader: Reader) -> None:
    """Every field of both forms is bound."""
    wrap = wrapped(reader, reader.seed)
    common: list[dict[str, Any]] = [
        {"mailbox": OTHER_MAILBOX},
        {"generation": 2},
        {"organisation": PARENT},
        {"key_number": 2},
        {"sealed": b""},
    ]
    outer: list[dict[str, Any]] = [*common, {"counter_signer": ORGANISATION}, {"counter_number": 4}]
    for change in outer:
        with pytest.raises(NotAuthentic):
            release(msgspec.structs.replace(wrap, **change), reader.key, COUNTER)
    released = release(wrap, reader.key, COUNTER)
    for change in common:
        with pytest.raises(NotAuthentic):
            recover(msgspec.structs.replace(released, **change), reader.key, OFFICER)
    with pytest.raises(UnknownSuite):
        release(msgspec.structs.replace(wrap, suite=2), reader.key, COUNTER)
    with pytest.raises(UnknownSuite):
        recover(msgspec.structs.replace(released, suite=2), reader.key, OFFICER)


def test_forged_seed_is_an_alarm(reader: Reader) -> None:
    """A seed that is not the mailbox's does not pass for it."""
    with pytest.raises(ForgedKey):
        recover(release(wrapped(reader, new_seed()), reader.key, COUNTER), reader.key, OFFICER)
