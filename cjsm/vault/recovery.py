"""Recovery of a mailbox that an organisation owns, by two persons: neither the recovery officer nor the counter-signer
opens it alone (vault, "Acts").

The seed of a generation is sealed to the organisation's recovery key, and that again to the counter-signer's. The
counter-signer takes the outer seal off, which releases the wrap to the organisation's officer and shows nothing.
"""

from msgspec import Struct

from cjsm.community.identifiers import MailboxId, OrganisationId
from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import ForgedKey, NotAuthentic
from cjsm.vault.hybrid import PrivateKey, PublicKey
from cjsm.vault.mailboxes import GenerationKey


class RecoveryWrap(Struct, frozen=True, kw_only=True, array_like=True):
    """A generation's seed, sealed to the organisation's recovery key and over that to the counter-signer's.

    ``key_number`` and ``counter_number`` say which of their recovery keys.
    """

    suite: int
    mailbox: MailboxId
    generation: int
    organisation: OrganisationId
    key_number: int
    counter_signer: OrganisationId
    counter_number: int
    sealed: bytes


class ReleasedWrap(Struct, frozen=True, kw_only=True, array_like=True):
    """What the counter-signer hands over: the outer seal is off, the organisation's own still on."""

    suite: int
    mailbox: MailboxId
    generation: int
    organisation: OrganisationId
    key_number: int
    sealed: bytes


def _inner(key: GenerationKey, organisation: bytes, key_number: int) -> bytes:
    return bound(b"cjsm recovery", SUITE, key.mailbox, key.generation, organisation, key_number)


def _outer(inner: bytes, counter_signer: bytes, counter_number: int) -> bytes:
    return bound(b"cjsm recovery release", SUITE, inner, counter_signer, counter_number)


def wrap_for_recovery(
    seed: bytes,
    key: GenerationKey,
    *,
    organisation: OrganisationId,
    key_number: int,
    to: PublicKey,
    counter_signer: OrganisationId,
    counter_number: int,
    counter_to: PublicKey,
) -> RecoveryWrap:
    """Return the *seed* of generation *key* for its owner's recovery.

    :param to: recovery key *key_number* of *organisation*, which owns the mailbox.
    :param counter_to: recovery key *counter_number* of *counter_signer*: its parent, or the community's authority.
    """
    inner = _inner(key, organisation, key_number)
    sealed = counter_to.seal(to.seal(seed, inner), _outer(inner, counter_signer, counter_number))
    return RecoveryWrap(
        suite=SUITE,
        mailbox=key.mailbox,
        generation=key.generation,
        organisation=organisation,
        key_number=key_number,
        counter_signer=counter_signer,
        counter_number=counter_number,
        sealed=sealed,
    )


def release(wrap: RecoveryWrap, key: GenerationKey, counter: PrivateKey) -> ReleasedWrap:
    """Take the outer seal off with the counter-signer's key.

    :raises NotAuthentic: when the wrap was changed, is another generation's or sealed to another counter-signer.
    """
    _check(wrap, key)
    inner = _inner(key, wrap.organisation, wrap.key_number)
    return ReleasedWrap(
        suite=wrap.suite,
        mailbox=wrap.mailbox,
        generation=wrap.generation,
        organisation=wrap.organisation,
        key_number=wrap.key_number,
        sealed=counter.open(wrap.sealed, _outer(inner, wrap.counter_signer, wrap.counter_number)),
    )


def recover(released: ReleasedWrap, key: GenerationKey, officer: PrivateKey) -> bytes:
    """Return the seed of generation *key*, opened with the organisation's recovery key.

    :raises NotAuthentic: when it was changed, is another generation's or sealed to another organisation.
    :raises ForgedKey: when the seed does not give the generation's public key: an alarm.
    """
    _check(released, key)
    seed = officer.open(released.sealed, _inner(key, released.organisation, released.key_number))
    if PrivateKey(seed).public != key.public:
        raise ForgedKey("the recovered seed does not give the mailbox's signed public key")
    return seed


def _check(wrap: RecoveryWrap | ReleasedWrap, key: GenerationKey) -> None:
    check_suite(wrap.suite)
    if (wrap.mailbox, wrap.generation) != (key.mailbox, key.generation):
        raise NotAuthentic("the recovery wrap belongs to another mailbox or generation")
