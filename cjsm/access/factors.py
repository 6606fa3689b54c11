"""A person's second factor and recovery codes: made, confirmed, taken away; and unlocking oneself with them."""

from collections.abc import Callable

import msgspec
from msgspec import Struct
from twisted.logger import Logger

from cjsm.access.codes import Codes, Shown
from cjsm.access.errors import AccessRefused
from cjsm.access.keychanges import KeyChanges, anew
from cjsm.access.keyring import AccountKeys
from cjsm.access.secretkeys import new_system_secret
from cjsm.community.acts import accounts, factors, locks
from cjsm.community.acts.acting import By
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.errors import Conflict
from cjsm.community.identifiers import LENGTH, AccountId, Entropy, SecretId
from cjsm.community.records import Account
from cjsm.configuration import AccessSettings
from cjsm.store.interfaces import IActivity, ICommunityStore, IKeyStore, StoreError
from cjsm.vault import factor
from cjsm.vault.device import SecretKind
from cjsm.vault.secrets import ServiceSecrets


class NewFactor(Struct, frozen=True):
    """The secret of a new authenticator, shown once: to type in, and as the address that a picture holds."""

    typed: str
    address: str

    def __repr__(self) -> str:
        return "<NewFactor>"


class Factors:
    """Changes second factors; each of a person's own acts asks for the person's own password.

    :param service: how authenticators call this service.
    :param clock: seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self,
        settings: AccessSettings,
        *,
        service: str,
        community: ICommunityStore,
        keys: IKeyStore,
        activity: IActivity,
        secrets: ServiceSecrets,
        entropy: Entropy,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._service = service
        self._community = community
        self._activity = activity
        self._secrets = secrets
        self._entropy = entropy
        self._codes = Codes(settings, activity, secrets, clock)
        self._changes = KeyChanges(community, keys, secrets, clock)

    async def prepare(self, by: By, account: AccountId, current: bytes) -> NewFactor:
        """Make an authenticator's secret; it is in force when :meth:`confirm` saw a code of it.

        :raises AccessRefused: when *current* is not the person's own password.
        """
        secret, sealed = factor.new_factor(account, self._secrets.peppers, self._entropy)

        async def act() -> NewFactor:
            found, keys, _ = self._own(account, current)
            same = KeyStep(found.keys, found.keys)
            self._community.read_now(lambda view: factors.prepare(view, by, account, same))
            step = await self._changes.write(found, msgspec.structs.replace(keys, factor=sealed))
            await self._community.commit(by.act_id, lambda view: factors.prepare(view, by, account, step))
            return NewFactor(factor.typed_form(secret), factor.address(secret, found.user_id, self._service))

        return await anew(act)

    async def confirm(self, by: By, account: AccountId, current: bytes, code: bytes) -> list[str]:
        """Turn the prepared authenticator on, which *code* is of; return recovery codes, shown once.

        :raises CodeRefused: when it is another's code.
        """
        found, keys, _ = self._own(account, current)
        if keys.factor is None or found.factor_since:
            raise Conflict("no second factor waits to be confirmed", "begin with `cjsm factor add`")
        sealed = keys.factor
        await self._codes.check(account, keys, code)

        async def act() -> list[str]:
            found, keys, mail_keys = self._own(account, current)
            if keys.factor != sealed:
                raise Conflict("another second factor was begun meanwhile", "begin again with `cjsm factor add`")
            following, typed = self._with_codes(keys, mail_keys)
            step, count = await self._changes.write(found, following), len(typed)
            await self._community.commit(by.act_id, lambda view: factors.turn_on(view, by, account, step, count))
            return typed

        return await anew(act)

    async def remove(self, by: By, account: AccountId, current: bytes, code: bytes) -> None:
        """Take the own second factor away, having shown it, or a recovery code, once more."""
        shown = Shown(self._codes, code)

        async def act() -> None:
            found, keys, _ = self._own(account, current)
            if not found.factor_since:
                raise Conflict("there is no second factor")
            keys = await shown.taken(found, keys)
            step, left = await self._without(found, keys), len(keys.recovery)
            await self._community.commit(by.act_id, lambda view: factors.turn_off(view, by, account, step, left))

        await anew(act)

    async def take_away(self, by: By, account: AccountId) -> None:
        """An administrator takes the lost second factor of somebody away, with a reason."""

        async def act() -> None:
            found, keys = self._changes.read(account)
            same = KeyStep(found.keys, found.keys)
            self._community.read_now(lambda view: factors.take_away(view, by, account, same))
            step = await self._without(found, keys)
            await self._community.commit(by.act_id, lambda view: factors.take_away(view, by, account, step))

        await anew(act)

    async def new_codes(self, by: By, account: AccountId, current: bytes, code: bytes | None) -> list[str]:
        """Return new recovery codes, shown once; earlier ones are void.

        :param code: of the second factor, where there is one.
        """
        shown = Shown(self._codes, code)

        async def act() -> list[str]:
            found, keys, mail_keys = self._own(account, current)
            if found.factor_since:
                keys = await shown.taken(found, keys)
            following, typed = self._with_codes(keys, mail_keys)
            step, count = await self._changes.write(found, following), len(typed)
            await self._community.commit(
                by.act_id, lambda view: factors.new_recovery_codes(view, by, account, step, count)
            )
            return typed

        return await anew(act)

    async def prove(self, account: AccountId, code: bytes) -> None:
        """Check a code of the authenticator of somebody whose password was seen just now.

        :raises CodeRefused: when it is not the right one, or was used before.
        """
        _, keys = self._changes.read(account)
        await self._codes.check(account, keys, code)

    async def unlock_self(self, by: By, account: AccountId, current: bytes, code: bytes) -> None:
        """The person unlocks the own account, with password and second factor."""
        shown = Shown(self._codes, code)

        async def act() -> None:
            found, keys, _ = self._own(account, current)
            left = await shown.taken(found, keys)
            same = KeyStep(found.keys, found.keys)
            step = same if left == keys else await self._changes.write(found, left)
            count = len(left.recovery)
            await self._community.commit(by.act_id, lambda view: locks.unlock_self(view, by, account, step, count))

        await anew(act)
        await self._forget_failures(account)

    async def unlock(self, by: By, account: AccountId) -> None:
        """Helpdesk or an administrator unlocks somebody, whether guesses or somebody's act locked the account."""
        await self._community.commit(by.act_id, lambda view: accounts.set_locked(view, by, account, locked=False))
        await self._forget_failures(account)

    async def _forget_failures(self, account: AccountId) -> None:
        try:
            await self._activity.forget_all(account)
        except StoreError as error:
            self._log.error("failures before unlocking were not forgotten: {error}", error=error)

    def _own(self, account: AccountId, current: bytes) -> tuple[Account, AccountKeys, dict[int, bytes]]:
        """Return what is kept, and the seeds that the person's own password opens: no other secret will do."""
        found, keys = self._changes.read(account)
        opened = self._changes.open(found, keys, current)
        if opened.kind is not None:
            raise AccessRefused
        return found, keys, opened.mail_keys

    async def _without(self, account: Account, keys: AccountKeys) -> KeyStep:
        return await self._changes.write(account, msgspec.structs.replace(keys, factor=None))

    def _with_codes(self, keys: AccountKeys, mail_keys: dict[int, bytes]) -> tuple[AccountKeys, list[str]]:
        made = [
            new_system_secret(
                keys.account,
                SecretKind.RECOVERY,
                SecretId(self._entropy(LENGTH)),
                mail_keys,
                None,
                self._secrets,
            )
            for _ in range(self._settings.recovery_codes)
        ]
        return msgspec.structs.replace(keys, recovery=tuple(kept for kept, _ in made)), [typed for _, typed in made]
