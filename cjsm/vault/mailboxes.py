"""A mailbox's generations: one seed each, its public half signed by the community, granted to members' mail keys."""

import os

from msgspec import Struct

from cjsm.community.identifiers import AccountId, Entropy, MailboxId
from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import ForgedKey, NotAuthentic
from cjsm.vault.hybrid import SEED, PrivateKey, PublicKey, new_seed
from cjsm.vault.secrets import Versions
from cjsm.vault.signing import SigningKey, Verifies


class GenerationKey(Struct, frozen=True, kw_only=True, array_like=True):
    """The public half of one generation, signed: nobody who only writes the disk can put a key of their own there."""

    suite: int
    mailbox: MailboxId
    generation: int
    public: bytes
    key_number: int
    signature: bytes


class Grant(Struct, frozen=True, kw_only=True, array_like=True):
    """A generation's seed, sealed to one epoch of a member's mail key."""

    suite: int
    mailbox: MailboxId
    generation: int
    member: AccountId
    epoch: int
    sealed: bytes


def _statement(mailbox: bytes, generation: int, public: bytes) -> bytes:
    return bound(b"cjsm mailbox key", SUITE, mailbox, generation, public)


def new_generation(
    mailbox: MailboxId, generation: int, community: Versions[SigningKey], entropy: Entropy = os.urandom
) -> tuple[bytes, GenerationKey]:
    """Return a fresh seed and its signed public half."""
    seed = new_seed(entropy)
    public = PrivateKey(seed).public
    return seed, GenerationKey(
        suite=SUITE,
        mailbox=mailbox,
        generation=generation,
        public=public,
        key_number=community.number,
        signature=community.current.sign(_statement(mailbox, generation, public)),
    )


def check_generation(key: GenerationKey, mailbox: MailboxId, community: Versions[Verifies]) -> PublicKey:
    """Return the public key to seal to. Either half of the *community* key will do.

    :raises NotAuthentic: when the community did not sign it for *mailbox*.
    """
    verify_generation(key, mailbox, community)
    return PublicKey(key.public)


def verify_generation(key: GenerationKey, mailbox: MailboxId, community: Versions[Verifies]) -> None:
    """Check the public key of a generation, for whoever does not seal to it.

    :raises NotAuthentic: when the community did not sign it for *mailbox*.
    """
    check_suite(key.suite)
    if key.mailbox != mailbox:
        raise NotAuthentic("the public key belongs to another mailbox")
    statement = _statement(key.mailbox, key.generation, key.public)
    community.of(key.key_number).public.verify(key.signature, statement)


def _grant_info(mailbox: bytes, generation: int, member: bytes, epoch: int) -> bytes:
    return bound(b"cjsm grant", SUITE, mailbox, generation, member, epoch)


def grant(seed: bytes, key: GenerationKey, member: AccountId, epoch: int, to: PublicKey) -> Grant:
    """Return the *seed* of generation *key* for *member*, whose mail key of *epoch* is *to*.

    :raises ForgedKey: when *seed* is not that generation's.
    """
    if PrivateKey(seed).public != key.public:
        raise ForgedKey("the seed does not give the mailbox's signed public key")
    return Grant(
        suite=SUITE,
        mailbox=key.mailbox,
        generation=key.generation,
        member=member,
        epoch=epoch,
        sealed=to.seal(seed, _grant_info(key.mailbox, key.generation, member, epoch)),
    )


def open_grant(granted: Grant, key: GenerationKey, member: PrivateKey) -> PrivateKey:
    """Return the private key of the mailbox's generation.

    :param key: the public half, which :func:`check_generation` found to be the community's.
    :raises NotAuthentic: when the grant was changed or is another's.
    :raises ForgedKey: when its seed does not give the signed public key: an alarm.
    """
    return _opened(granted, key, member)[1]


def open_seed(granted: Grant, key: GenerationKey, member: PrivateKey) -> bytes:
    """Return the seed of the mailbox's generation, to be granted to somebody else; as :func:`open_grant`."""
    return _opened(granted, key, member)[0]


def _opened(granted: Grant, key: GenerationKey, member: PrivateKey) -> tuple[bytes, PrivateKey]:
    check_suite(granted.suite)
    if (granted.mailbox, granted.generation) != (key.mailbox, key.generation):
        raise NotAuthentic("the grant belongs to another mailbox or generation")
    info = _grant_info(granted.mailbox, granted.generation, granted.member, granted.epoch)
    seed = member.open(granted.sealed, info)
    if len(seed) != SEED:
        raise NotAuthentic("a grant holds a seed")
    opened = PrivateKey(seed)
    if opened.public != key.public:
        raise ForgedKey("the granted seed does not give the mailbox's signed public key")
    return seed, opened
