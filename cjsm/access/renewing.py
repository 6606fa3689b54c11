"""Secrets kept in an older way are kept in today's after the next sign-in with them, when they are at hand.

It happens after the person is in, in the same pool, and waits for nobody: what does not come off is done the next time.
"""

import os
from collections.abc import Callable

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cjsm.access import keyring
from cjsm.access.errors import TryLater
from cjsm.access.kdf import KdfPool
from cjsm.access.keyring import AccountKeys, SystemSecretKeys
from cjsm.access.opening import open_password_slots
from cjsm.access.secretkeys import is_dated, renewed, with_password
from cjsm.community.acts import credentials
from cjsm.community.acts.acting import By
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.errors import CommunityError
from cjsm.community.identifiers import Entropy
from cjsm.community.records import Account
from cjsm.configuration import AccessSettings
from cjsm.store.interfaces import ICommunityStore, IKeyStore, StoreError, VersionTaken
from cjsm.vault.device import SystemSecret
from cjsm.vault.errors import VaultError
from cjsm.vault.secrets import ServiceSecrets


class Renewal:
    """Renews what is kept of one account's secrets.

    :ivar settings: may be replaced.
    """

    _log = Logger()

    def __init__(
        self,
        settings: AccessSettings,
        *,
        community: ICommunityStore,
        keys: IKeyStore,
        secrets: ServiceSecrets,
        kdf: KdfPool,
        entropy: Entropy = os.urandom,
    ) -> None:
        self.settings = settings
        self._community = community
        self._keys = keys
        self._secrets = secrets
        self._kdf = kdf
        self._entropy = entropy

    def password(self, account: Account, keys: AccountKeys, secret: bytes, address: str) -> None:
        """*secret* is the chosen password of *account*, which just signed in from *address*."""
        if is_dated(keys, self.settings, self._secrets):
            self._begin(account, lambda: self._kdf.run(address, lambda: self._stretched(keys, secret)))

    def _stretched(self, keys: AccountKeys, secret: bytes) -> AccountKeys:
        opened = open_password_slots(keys, secret, self._secrets)
        return with_password(keys, secret, secret, opened, self.settings, self._secrets)

    def device(self, account: Account, keys: AccountKeys, known: SystemSecretKeys, secret: SystemSecret) -> None:
        """*secret* is the device password *known* of *account*."""
        if known.verifier.pepper >= self._secrets.peppers.number:
            return
        fresh = renewed(known, secret, account.id, self._secrets)
        devices = tuple(fresh if each.id == known.id else each for each in keys.devices)
        self._begin(account, lambda: msgspec.structs.replace(keys, devices=devices))

    def _begin(self, account: Account, make: "Callable[[], AccountKeys | Deferred[AccountKeys]]") -> None:
        Deferred.fromCoroutine(self._renew(account, make)).addErrback(
            lambda failure: self._log.failure("secrets could not be renewed", failure=failure)
        )

    async def _renew(self, account: Account, make: "Callable[[], AccountKeys | Deferred[AccountKeys]]") -> None:
        try:
            made = make()
            fresh = await made if isinstance(made, Deferred) else made
            step = KeyStep(account.keys, self._keys.latest(account.id) + 1)
            by = By.fresh(self._entropy, account.id)
            await self._keys.put(account.id, step.written, keyring.encode(fresh))
            await self._community.commit(by.act_id, lambda view: credentials.renew_keys(view, by, account.id, step))
        except (TryLater, VersionTaken, CommunityError):
            # Somebody is busy, or changed these secrets first.
            return
        except (StoreError, VaultError) as error:
            self._log.error("secrets could not be renewed: {error}", error=error)
