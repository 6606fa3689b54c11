"""The key store's records: what belongs to one account, and what belongs to one mailbox.

Stored as one version byte and MessagePack. A record is written under its next version before the community commit
that names it; see :mod:`cjsm.store.interfaces`, ``IKeyStore``.
"""

from typing import TypeVar

import msgspec
from msgspec import Struct

from cjsm.community.identifiers import AccountId, MailboxId, OrganisationId, RequestId, SecretId
from cjsm.store.interfaces import UNREADABLE
from cjsm.vault.accountkeys import SignedAccountKey
from cjsm.vault.device import SecretVerifier
from cjsm.vault.factor import SealedFactor
from cjsm.vault.mailboxes import GenerationKey, Grant
from cjsm.vault.officers import OfficerGrant, RecoveryKey
from cjsm.vault.passwords import PasswordVerifier, Stretch
from cjsm.vault.recovery import RecoveryWrap, ReleasedWrap
from cjsm.vault.slots import Slot

_VERSION = b"\x01"

KeyRecord = TypeVar("KeyRecord", "AccountKeys", "MailboxKeys", "AuthorityKeys", "ReleasedKeys")


class UnreadableKeys(Exception):
    """A key record is damaged or was written by a newer version."""


class SystemSecretKeys(Struct, frozen=True, kw_only=True):
    """What checks one device or one-time password, and the slots that it opens: one for each epoch it reaches."""

    id: SecretId
    verifier: SecretVerifier
    slots: tuple[Slot, ...] = ()
    expires: int | None = None


class AccountKeys(Struct, frozen=True, kw_only=True):
    """Everything that signs one account in and opens its mail key.

    ``epochs`` are the public mail keys, oldest first; relayed accounts have none. ``authority`` are the public
    authority keys of a recovery officer, whose slots the chosen password alone opens. ``former`` are verifiers of
    chosen passwords that may not come back, the latest first. ``factor`` is in force from the account's
    ``factor_since`` on.
    """

    account: AccountId
    epochs: tuple[SignedAccountKey, ...] = ()
    password: PasswordVerifier | None = None
    password_stretch: Stretch | None = None
    password_slots: tuple[Slot, ...] = ()
    one_time: SystemSecretKeys | None = None
    devices: tuple[SystemSecretKeys, ...] = ()
    former: tuple[PasswordVerifier, ...] = ()
    factor: SealedFactor | None = None
    recovery: tuple[SystemSecretKeys, ...] = ()
    authority: tuple[SignedAccountKey, ...] = ()
    authority_slots: tuple[Slot, ...] = ()

    @property
    def chosen(self) -> tuple[PasswordVerifier, ...]:
        """Verifiers of the present chosen password and of former ones, the latest first."""
        return ((self.password,) if self.password is not None else ()) + self.former


class MailboxKeys(Struct, frozen=True, kw_only=True):
    """The signed public keys of a mailbox, oldest generation first, and the grants that give its seeds to members."""

    mailbox: MailboxId
    generations: tuple[GenerationKey, ...]
    grants: tuple[Grant, ...]
    recovery: tuple[RecoveryWrap, ...] = ()


class AuthorityKeys(Struct, frozen=True, kw_only=True):
    """The signed recovery keys of an organisation, oldest first, and what gives their seeds to its officers."""

    organisation: OrganisationId
    keys: tuple[RecoveryKey, ...]
    grants: tuple[OfficerGrant, ...]


class ReleasedKeys(Struct, frozen=True, kw_only=True):
    """What a counter-signer handed over for one request: still sealed to the organisation's officers."""

    request: RequestId
    wraps: tuple[ReleasedWrap, ...]


def encode(record: AccountKeys | MailboxKeys | AuthorityKeys | ReleasedKeys) -> bytes:
    """Return the stored form of *record*."""
    return _VERSION + msgspec.msgpack.encode(record)


def decode(stored: bytes, kind: type[KeyRecord]) -> KeyRecord:
    """Return the record of *kind* that :func:`encode` wrote.

    :raises UnreadableKeys: when it is damaged or from a newer version.
    """
    if stored[:1] != _VERSION:
        raise UnreadableKeys(f"key record of version {stored[:1].hex() or 'none'}, this software reads 01")
    try:
        return msgspec.msgpack.decode(memoryview(stored)[1:], type=kind)
    except UNREADABLE as error:
        raise UnreadableKeys("damaged key record") from error
