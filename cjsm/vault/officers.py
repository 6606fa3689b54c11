"""Recovery keys: one pair for each number of an organisation's, its public half signed, its seed granted to officers'
authority keys. See :mod:`cjsm.vault.recovery` for what is sealed to them.
"""

import os

from msgspec import Struct

from cjsm.community.identifiers import AccountId, Entropy, OrganisationId
from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import ForgedKey, NotAuthentic
from cjsm.vault.hybrid import SEED, PrivateKey, PublicKey, new_seed
from cjsm.vault.secrets import Versions
from cjsm.vault.signing import SigningKey, Verifies


class RecoveryKey(Struct, frozen=True, kw_only=True, array_like=True):
    """The public half of recovery key *number* of an organisation, signed by the community."""

    suite: int
    organisation: OrganisationId
    number: int
    public: bytes
    key_number: int
    signature: bytes


class OfficerGrant(Struct, frozen=True, kw_only=True, array_like=True):
    """A recovery key's seed, sealed to one epoch of an officer's authority key."""

    suite: int
    organisation: OrganisationId
    number: int
    officer: AccountId
    epoch: int
    sealed: bytes


def _statement(organisation: bytes, number: int, public: bytes) -> bytes:
    return bound(b"cjsm recovery key", SUITE, organisation, number, public)


def _info(organisation: bytes, number: int, officer: bytes, epoch: int) -> bytes:
    return bound(b"cjsm officer grant", SUITE, organisation, number, officer, epoch)


def new_recovery_key(
    organisation: OrganisationId, number: int, community: Versions[SigningKey], entropy: Entropy = os.urandom
) -> tuple[bytes, RecoveryKey]:
    """Return a fresh seed and its signed public half."""
    seed = new_seed(entropy)
    public = PrivateKey(seed).public
    return seed, RecoveryKey(
        suite=SUITE,
        organisation=organisation,
        number=number,
        public=public,
        key_number=community.number,
        signature=community.current.sign(_statement(organisation, number, public)),
    )


def check_recovery_key(key: RecoveryKey, organisation: OrganisationId, community: Versions[Verifies]) -> PublicKey:
    """Return the public key to seal to.

    :raises NotAuthentic: when the community did not sign it for *organisation*.
    """
    check_suite(key.suite)
    if key.organisation != organisation:
        raise NotAuthentic("the recovery key belongs to another organisation")
    statement = _statement(key.organisation, key.number, key.public)
    community.of(key.key_number).public.verify(key.signature, statement)
    return PublicKey(key.public)


def grant_officer(seed: bytes, key: RecoveryKey, officer: AccountId, epoch: int, to: PublicKey) -> OfficerGrant:
    """Return the *seed* of *key* for *officer*, whose authority key of *epoch* is *to*."""
    return OfficerGrant(
        suite=SUITE,
        organisation=key.organisation,
        number=key.number,
        officer=officer,
        epoch=epoch,
        sealed=to.seal(seed, _info(key.organisation, key.number, officer, epoch)),
    )


def open_officer(granted: OfficerGrant, key: RecoveryKey, officer: PrivateKey) -> PrivateKey:
    """Return the private recovery key.

    :raises NotAuthentic: when the grant was changed or is another's.
    :raises ForgedKey: when its seed does not give the signed public key: an alarm.
    """
    check_suite(granted.suite)
    if (granted.organisation, granted.number) != (key.organisation, key.number):
        raise NotAuthentic("the grant belongs to another recovery key")
    info = _info(granted.organisation, granted.number, granted.officer, granted.epoch)
    seed = officer.open(granted.sealed, info)
    if len(seed) != SEED:
        raise NotAuthentic("a grant holds a seed")
    opened = PrivateKey(seed)
    if opened.public != key.public:
        raise ForgedKey("the granted seed does not give the signed recovery key")
    return opened
