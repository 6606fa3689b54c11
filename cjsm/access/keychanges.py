"""Changing what is kept of one account's secrets: read, opened with a secret at hand, written, then named by an act.

A key record whose act did not happen is named by nobody and is swept later.
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from cjsm.access import keyring
from cjsm.access.errors import AccessRefused
from cjsm.access.keyring import AccountKeys, SystemSecretKeys
from cjsm.access.opening import open_password_slots, open_system_slots
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.errors import NotFound, Overtaken
from cjsm.community.identifiers import AccountId, SecretId
from cjsm.community.records import Account
from cjsm.store.interfaces import ICommunityStore, IKeyStore, VersionTaken
from cjsm.vault import device, passwords
from cjsm.vault.device import SecretKind
from cjsm.vault.errors import WrongSecret
from cjsm.vault.secrets import ServiceSecrets

T = TypeVar("T")

#: Times that an act is made anew, when others change the same account's secrets at that moment.
_ATTEMPTS = 5


class Opened(Struct, frozen=True):
    """A working secret of an account, and what it opens.

    :ivar mail_keys: seeds by epoch.
    :ivar kind: of a system-made secret; None for the person's own password.
    :ivar secret: which of that kind.
    """

    mail_keys: dict[int, bytes]
    kind: SecretKind | None = None
    secret: SecretId | None = None

    def __repr__(self) -> str:
        return f"<Opened by {self.kind.name if self.kind else 'password'}>"

    def used_up(self, keys: AccountKeys) -> AccountKeys:
        """Return *keys* without this secret, if it is good for one use only."""
        if self.kind is not SecretKind.RECOVERY:
            return keys
        kept = tuple(code for code in keys.recovery if code.id != self.secret)
        return msgspec.structs.replace(keys, recovery=kept)


async def anew(act: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Make *act*, from the beginning when another act on the same keys came first: none may be lost."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await act()
        except (Overtaken, VersionTaken):
            continue
    return await act()


class KeyChanges:
    """:param clock: seconds since the epoch."""

    def __init__(
        self, community: ICommunityStore, keys: IKeyStore, secrets: ServiceSecrets, clock: Callable[[], float]
    ) -> None:
        self._community = community
        self._keys = keys
        self._secrets = secrets
        self._clock = clock

    def read(self, account: AccountId) -> tuple[Account, AccountKeys]:
        """Return the account and its keys.

        :raises NotFound: when there is no such account.
        """
        found = self._community.read_now(lambda view: view.account(account))
        if found is None:
            raise NotFound("there is no such user")
        return found, keyring.decode(self._keys.get_now(account, found.keys), AccountKeys)

    async def write(self, account: Account, keys: AccountKeys) -> KeyStep:
        """Write *keys* as a version that nobody names yet; return the step that an act makes with it."""
        version = self._keys.latest(account.id) + 1
        await self._keys.put(account.id, version, keyring.encode(keys))
        return KeyStep(account.keys, version)

    def open(self, account: Account, keys: AccountKeys, current: bytes) -> Opened:
        """Return what *current* opens, after verifying it. Slow for a chosen password.

        :raises AccessRefused: when it is no working secret of the account, or could not hand the mail key on.
        """
        peppers = self._secrets.peppers
        secret = device.parse(current)
        try:
            if secret is None:
                if keys.password is None:
                    raise AccessRefused
                passwords.verify_password(keys.password, current, peppers)
                return Opened(open_password_slots(keys, current, self._secrets))
            for known in self._usable(account, keys):
                try:
                    device.verify(known.verifier, secret, peppers)
                except WrongSecret:
                    continue
                return Opened(open_system_slots(known, secret, self._secrets), secret.kind, known.id)
        except WrongSecret:
            pass
        raise AccessRefused

    def _usable(self, account: Account, keys: AccountKeys) -> list[SystemSecretKeys]:
        now = self._clock()
        named = {known.id for known in account.device_passwords}
        usable = [known for known in (*keys.devices, *keys.recovery) if _reaches_newest(known, keys)]
        usable = [known for known in usable if known.id in named or known in keys.recovery]
        if keys.one_time is not None:
            usable.append(keys.one_time)
        return [known for known in usable if known.expires is None or known.expires > now]


def _reaches_newest(known: SystemSecretKeys, keys: AccountKeys) -> bool:
    """Whether a secret opens the newest mail key, where there is one: only such a secret can hand it on to another."""
    return not keys.epochs or any(slot.epoch == keys.epochs[-1].epoch for slot in known.slots)


async def inline(work: Callable[[], T]) -> T:
    """Do slow *work* where it is asked for: in a command."""
    return work()
