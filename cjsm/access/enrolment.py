"""Making people and their secrets: keys are written first, then the act that names them.

Every function asks ``may`` through its act before anything is committed. A key record whose act did not happen is
named by nobody and is swept later.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import Struct
from twisted.logger import Logger

from cjsm import policies
from cjsm.access.codes import Codes, Shown
from cjsm.access.errors import AccessRefused
from cjsm.access.keychanges import KeyChanges, Opened, anew, inline
from cjsm.access.keyring import AccountKeys
from cjsm.access.lockout import SECOND_FACTOR
from cjsm.access.newkeys import NewKeys
from cjsm.access.protocols import OPENS_MAIL
from cjsm.access.secretkeys import new_system_secret, with_password
from cjsm.community import finding
from cjsm.community.acts import accounts, credentials
from cjsm.community.acts.acting import By
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.address import Address
from cjsm.community.errors import NotFound
from cjsm.community.identifiers import (
    LENGTH,
    AccountId,
    Entropy,
    MailboxId,
    OrganisationId,
    SecretId,
)
from cjsm.community.records import Account, AccountKind, DevicePassword, Profile
from cjsm.community.states import is_administrator, may_sign_in
from cjsm.community.view import Change, View
from cjsm.configuration import AccessSettings
from cjsm.store.interfaces import IActivity, ICommunityStore, IKeyStore, StoreError
from cjsm.vault import passwords
from cjsm.vault.device import SecretKind
from cjsm.vault.errors import BadPassword, WrongSecret
from cjsm.vault.passwords import PasswordVerifier
from cjsm.vault.policy import check_password
from cjsm.vault.secrets import ServiceSecrets

T = TypeVar("T")


class Run(Protocol):
    """How slow work is done: at once, or in the pool."""

    def __call__(self, work: Callable[[], T], /) -> Coroutine[Any, Any, T]:
        """Return what *work* returns, or raise what it raises."""


class Enrolled(Struct, frozen=True, kw_only=True):
    """A new account, its address and the one-time password, which is shown once and kept nowhere."""

    account: Account
    address: str
    one_time_password: str

    def __repr__(self) -> str:
        return f"<Enrolled {self.account.user_id}>"


class NewDevice(Struct, frozen=True, kw_only=True):
    """A new device password, which is shown once and kept nowhere."""

    password: DevicePassword
    secret: str

    def __repr__(self) -> str:
        return f"<NewDevice {self.password.name}>"


class Enrolment:
    """Adds accounts and changes their secrets.

    :param clock: seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self,
        settings: AccessSettings,
        *,
        community: ICommunityStore,
        keys: IKeyStore,
        activity: IActivity,
        secrets: ServiceSecrets,
        entropy: Entropy,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._community = community
        self._keys = keys
        self._activity = activity
        self._secrets = secrets
        self._entropy = entropy
        self._clock = clock
        self.new_keys = NewKeys(settings, community, keys, secrets, entropy=entropy, clock=clock)
        self._codes = Codes(settings, activity, secrets, clock)
        changes = KeyChanges(community, keys, secrets, clock)
        self._read, self._write, self._open = changes.read, changes.write, changes.open
        self.renew(settings)

    def renew(self, settings: AccessSettings) -> None:
        """Take the policy of new settings for passwords that are chosen from now on."""
        self._policy = policies.load(settings.policy)

    def by(self, actor: AccountId | None = None, reason: str = "") -> By:
        """Return a fresh act of *actor* (None: the local operator)."""
        return By.fresh(self._entropy, actor, reason)

    async def add_hosted(
        self, by: By, organisation: OrganisationId, user_id: str, profile: Profile, quota: int
    ) -> Enrolled:
        """Add somebody whose mail is kept here: keys, mailbox, address and a one-time password.

        :raises CommunityError: when the act is not allowed or a value not taken.
        """
        account = self.new_hosted(organisation, user_id, profile, quota)
        # Asked before keys are made, and again inside the commit.
        self._community.read_now(lambda view: accounts.add_hosted(view, by, account))
        typed = await self.make_keys(account)
        await self._community.commit(by.act_id, lambda view: accounts.add_hosted(view, by, account))
        return self._enrolled(account.id, typed)

    def new_hosted(self, organisation: OrganisationId, user_id: str, profile: Profile, quota: int) -> Account:
        """Return the record of somebody new whose mail is kept here; nothing is written."""
        identifier, mailbox = AccountId(self._entropy(LENGTH)), MailboxId(self._entropy(LENGTH))
        return accounts.new_hosted(identifier, mailbox, organisation, user_id, profile, quota)

    async def add_relayed(
        self, by: By, organisation: OrganisationId, user_id: str, profile: Profile, address: Address
    ) -> Enrolled:
        """Add a member whose mail is kept at the organisation; the account signs in to the directory."""
        account = self.new_relayed(organisation, user_id, profile)
        self._community.read_now(lambda view: accounts.add_relayed(view, by, account, address))
        typed = await self.keys_of_relayed(account.id)
        await self._community.commit(by.act_id, lambda view: accounts.add_relayed(view, by, account, address))
        return self._enrolled(account.id, typed)

    def new_relayed(self, organisation: OrganisationId, user_id: str, profile: Profile) -> Account:
        """Return the record of a new member whose mail is kept at the organisation; nothing is written."""
        return Account(
            id=AccountId(self._entropy(LENGTH)),
            organisation=organisation,
            kind=AccountKind.RELAYED,
            user_id=user_id,
            profile=profile,
            keys=1,
        )

    async def make_keys(self, account: Account) -> str:
        """Write the keys that the record of a new account names, and return its one-time password.

        Whoever makes the account commits its act afterwards.
        """
        keys = self.new_keys.of(account)
        await self._keys.put_all(keys.records)
        return keys.one_time_password

    async def keys_of_relayed(self, account: AccountId) -> str:
        """Write the keys that the record of :meth:`new_relayed` names, and return the one-time password."""
        keys = self.new_keys.of_relayed(account)
        await self._keys.put_all(keys.records)
        return keys.one_time_password

    def _enrolled(self, identifier: AccountId, typed: str) -> Enrolled:
        def look(view: View) -> Enrolled:
            account = view.account(identifier)
            if account is None:
                raise NotFound("the user was not made")
            address = finding.primary_address(view, identifier)
            return Enrolled(account=account, address=address, one_time_password=typed)

        return self._community.read_now(look)

    async def set_password(
        self,
        by: By,
        account: AccountId,
        current: bytes,
        chosen: bytes,
        *,
        code: bytes | None = None,
        run: Run = inline,
    ) -> None:
        """Replace the person's password. Mail stays readable: the mail key is wrapped again under the new one.

        :param current: the one-time password, the old one, a device password for POP3, or a recovery code, which is
            used up.
        :param code: of the second factor, where *current* is the old password and there is one.
        :param run: where slow work is done.
        :raises AccessRefused: when *current* is not a working secret of the account, or opens no mail.
        :raises CodeNeeded: when the second factor is missing; CodeRefused when it is wrong.
        :raises BadPassword: when *chosen* is not acceptable.
        """
        shown = Shown(self._codes, code)
        await anew(lambda: self._set_password(by, account, current, chosen, shown, run))
        # Failures with the password of before keep nobody out any more; where this cannot be written, time does it.
        # Wrong codes of the second factor stay counted: who has a device password could guess on after each change.
        try:
            await self._activity.forget_all(account, SECOND_FACTOR)
        except StoreError as error:
            self._log.error("failures before a new password were not forgotten: {error}", error=error)

    async def _set_password(
        self, by: By, account: AccountId, current: bytes, chosen: bytes, shown: Shown, run: Run
    ) -> None:
        found, keys = self._read(account)
        opened = await run(lambda: self._open(found, keys, current))
        self._check(found, chosen)
        left = await shown.beside(found, keys, opened)
        following = await run(lambda: self._with_password(left, current, chosen, opened))
        step = await self._write(found, following)
        using = opened.kind.name.lower().replace("_", "-") if opened.kind is not None else "password"

        def decide(view: View) -> Change:
            return credentials.choose_password(
                view, by, account, step, using=using, recovery_codes=len(following.recovery)
            )

        await self._community.commit(by.act_id, decide)

    def _with_password(self, keys: AccountKeys, current: bytes, chosen: bytes, opened: Opened) -> AccountKeys:
        """Return the keys with the password *chosen*, which may not be one of those that the policy remembers.

        :raises BadPassword: when it is.
        """
        had = keys.chosen
        if any(self._is(verifier, chosen) for verifier in had[: 1 + self._policy.former]):
            raise BadPassword("you have, or had, this password already")
        following = with_password(keys, current, chosen, opened.mail_keys, self._settings, self._secrets)
        return msgspec.structs.replace(following, one_time=None, former=had[: self._policy.former])

    def _is(self, verifier: PasswordVerifier, chosen: bytes) -> bool:
        try:
            passwords.verify_password(verifier, chosen, self._secrets.peppers)
        except WrongSecret:
            return False
        return True

    async def add_device(
        self,
        by: By,
        account: AccountId,
        current: bytes,
        *,
        name: str,
        protocols: tuple[str, ...],
        expires: int | None = None,
        code: bytes | None = None,
    ) -> NewDevice:
        """Make a device password; *current* is the person's own password, or the one-time password or a recovery code.

        No device password does: it would get itself protocols and days that it was not given, without a second
        factor, and a revoked one would leave another behind.

        :param code: of the second factor, where *current* is the person's own password and there is one.
        :raises AccessRefused: when it is not.
        :raises CodeNeeded: when the second factor is missing; CodeRefused when it is wrong.
        """
        identifier = SecretId(self._entropy(LENGTH))
        password = DevicePassword(
            id=identifier, name=name, protocols=protocols, created=int(self._clock()), expires=expires
        )
        shown = Shown(self._codes, code)
        return await anew(lambda: self._add_device(by, account, current, password, shown))

    async def _add_device(
        self, by: By, account: AccountId, current: bytes, password: DevicePassword, shown: Shown
    ) -> NewDevice:
        found, keys = self._read(account)
        opened = self._open(found, keys, current)
        if opened.kind is SecretKind.DEVICE:
            raise AccessRefused
        same = KeyStep(found.keys, found.keys)
        self._community.read_now(lambda view: credentials.add_device_password(view, by, account, password, same))
        protocols, identifier, expires = password.protocols, password.id, password.expires
        slots = opened.mail_keys if OPENS_MAIL in protocols else {}
        left = await shown.beside(found, keys, opened)
        known, typed = new_system_secret(account, SecretKind.DEVICE, identifier, slots, expires, self._secrets)
        step = await self._write(found, msgspec.structs.replace(left, devices=(*left.devices, known)))
        codes = len(left.recovery)
        await self._community.commit(
            by.act_id, lambda view: credentials.add_device_password(view, by, account, password, step, codes)
        )
        return NewDevice(password=password, secret=typed)

    async def revoke_device(self, by: By, account: AccountId, secret: SecretId) -> None:
        """Take a device password away; sessions that use it end within seconds."""
        await anew(lambda: self._revoke_device(by, account, secret))

    async def _revoke_device(self, by: By, account: AccountId, secret: SecretId) -> None:
        found, keys = self._read(account)
        same = KeyStep(found.keys, found.keys)
        self._community.read_now(lambda view: credentials.revoke_device_password(view, by, account, secret, same))
        kept = tuple(known for known in keys.devices if known.id != secret)
        step = await self._write(found, msgspec.structs.replace(keys, devices=kept))

        def decide(view: View) -> Change:
            return credentials.revoke_device_password(view, by, account, secret, step)

        await self._community.commit(by.act_id, decide)

    def open_mail_keys(self, account: AccountId, current: bytes) -> dict[int, bytes]:
        """Return the mail seeds by epoch that *current*, a working secret of the account, opens. Slow.

        :raises AccessRefused: when it is not one, or good for one use only, or the account may not sign in.
        """
        found, keys = self._read(account)
        if not self._community.read_now(lambda view: may_sign_in(view, found)):
            raise AccessRefused
        opened = self._open(found, keys, current)
        if opened.kind is SecretKind.RECOVERY:
            raise AccessRefused
        return opened.mail_keys

    def _check(self, account: Account, chosen: bytes) -> None:
        administrator = self._community.read_now(lambda view: is_administrator(view, account.id))
        profile = account.profile
        names = (profile.first_name, profile.last_name, account.user_id)
        check_password(chosen, self._policy, names, administrator=administrator)
