"""Codes of the second factor, as they are shown: one of the authenticator, or a recovery code in its place."""

from collections.abc import Callable

from cjsm.access.errors import CodeNeeded, CodeRefused
from cjsm.access.keychanges import Opened
from cjsm.access.keyring import AccountKeys, SystemSecretKeys
from cjsm.access.lockout import SECOND_FACTOR
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Account
from cjsm.configuration import AccessSettings
from cjsm.store.interfaces import IActivity
from cjsm.vault import device, factor, tags
from cjsm.vault.device import SecretKind, SystemSecret
from cjsm.vault.errors import WrongSecret
from cjsm.vault.secrets import ServiceSecrets


class Codes:
    """Checks codes. Each is good once, and after some wrong ones none is taken for a while.

    Ask for it after the password only: so nobody else can use the tries up.

    :param clock: seconds since the epoch.
    """

    def __init__(
        self, settings: AccessSettings, activity: IActivity, secrets: ServiceSecrets, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._activity = activity
        self._secrets = secrets
        self._clock = clock

    async def check(self, account: AccountId, keys: AccountKeys, typed: bytes) -> None:
        """Check a code of the authenticator, and take it.

        :raises CodeRefused: when it is wrong, was used before, or too many wrong ones were tried.
        """
        if keys.factor is None or self._is_closed(account):
            raise CodeRefused
        secret = factor.open_factor(keys.factor, account, self._secrets.peppers)
        try:
            step = factor.step_of(secret, typed, self._clock(), self._settings.second_factor_drift)
        except WrongSecret:
            await self._failed(account, typed)
            raise CodeRefused from None
        if not await self._activity.use_step(account, step):
            raise CodeRefused
        if self._activity.failures(account, SECOND_FACTOR).tags:
            await self._activity.forget(account, SECOND_FACTOR)

    def recovery_code(self, keys: AccountKeys, secret: SystemSecret) -> SystemSecretKeys:
        """Return which recovery code *secret* is.

        :raises CodeRefused: when it is none, or was used before.
        """
        for known in keys.recovery:
            try:
                device.verify(known.verifier, secret, self._secrets.peppers)
            except WrongSecret:
                continue
            return known
        raise CodeRefused

    def _is_closed(self, account: AccountId) -> bool:
        failures = self._activity.failures(account, SECOND_FACTOR)
        recent = failures.last > self._clock() - self._settings.failures_forgotten
        return recent and len(failures.tags) >= self._settings.second_factor_failures

    async def _failed(self, account: AccountId, typed: bytes) -> None:
        tag = tags.failure_tag(self._secrets.cache.current, account, typed)
        await self._activity.failed(account, SECOND_FACTOR, tag, int(self._clock()))


class Shown:
    """What somebody showed beside a secret; taken once, however often the act that it allows is made anew.

    :param typed: a code, or None where none was given.
    """

    def __init__(self, codes: Codes, typed: bytes | None) -> None:
        self._codes = codes
        self._typed = typed
        self._taken = False

    async def beside(self, account: Account, keys: AccountKeys, opened: Opened) -> AccountKeys:
        """Return *keys* without what is used up now. A system-made secret needs nothing beside it.

        :raises CodeNeeded: when the account has a second factor and none was shown.
        :raises CodeRefused: when it is not the right one.
        """
        keys = opened.used_up(keys)
        if not account.factor_since or opened.kind is not None:
            return keys
        return await self.taken(account, keys)

    async def taken(self, account: Account, keys: AccountKeys) -> AccountKeys:
        """The same, whatever opened the account."""
        if self._typed is None:
            raise CodeNeeded
        secret = device.parse(self._typed)
        if secret is not None and secret.kind is SecretKind.RECOVERY:
            code = self._codes.recovery_code(keys, secret)
            return Opened({}, SecretKind.RECOVERY, code.id).used_up(keys)
        if not self._taken:
            await self._codes.check(account.id, keys, self._typed)
            self._taken = True
        return keys
