"""Making people and their secrets: keys are written first, then the act that names them.

Every function asks ``may`` through its act before anything is committed. A key record whose act did not happen is
named by nobody and is swept later.
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from twisted.logger import Logger

from cjsm.access import keyring, officerkeys
from cjsm.access.checker import OPENS_MAIL, open_password_slots, open_system_slots
from cjsm.access.errors import AccessRefused
from cjsm.access.keyring import AccountKeys, MailboxKeys, SystemSecretKeys
from cjsm.access.recoveryseals import RecoverySeals
from cjsm.community import finding
from cjsm.community.acts import accounts, credentials
from cjsm.community.acts.acting import By
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.address import Address
from cjsm.community.errors import NotFound, Overtaken
from cjsm.community.identifiers import (
    LENGTH,
    AccountId,
    ActId,
    Entropy,
    MailboxId,
    OrganisationId,
    SecretId,
)
from cjsm.community.records import Account, AccountKind, DevicePassword, Profile, Role
from cjsm.community.states import may_sign_in
from cjsm.community.view import Change, View
from cjsm.configuration import AccessSettings
from cjsm.store.interfaces import IActivity, ICommunityStore, IKeyStore, StoreError, VersionTaken
from cjsm.vault import device, passwords
from cjsm.vault.accountkeys import sign_account_key, vouched
from cjsm.vault.device import SecretKind
from cjsm.vault.errors import WrongSecret
from cjsm.vault.hybrid import PublicKey
from cjsm.vault.mailboxes import grant, new_generation
from cjsm.vault.policy import POLICIES, check_password
from cjsm.vault.secrets import ServiceSecrets
from cjsm.vault.slots import Slot, SlotKind, new_account_key, wrap_slot

_ADMINISTRATORS = frozenset({Role.ORGANISATION_ADMINISTRATOR, Role.COMMUNITY_ADMINISTRATOR})


T = TypeVar("T")

#: Times that an act is made anew, when others change the same account's secrets at that moment.
_ATTEMPTS = 5


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
        self._seals = RecoverySeals(community, keys, secrets)

    def by(self, actor: AccountId | None = None, reason: str = "") -> By:
        """Return a fresh act of *actor* (None: the local operator)."""
        return By(act_id=ActId(self._entropy(LENGTH)), actor=actor, reason=reason)

    async def add_hosted(
        self, by: By, organisation: OrganisationId, user_id: str, profile: Profile, quota: int
    ) -> Enrolled:
        """Add somebody whose mail is kept here: keys, mailbox, address and a one-time password.

        :raises CommunityError: when the act is not allowed or a value not taken.
        """
        identifier = AccountId(self._entropy(LENGTH))
        mailbox = MailboxId(self._entropy(LENGTH))
        account = accounts.new_hosted(identifier, mailbox, organisation, user_id, profile, quota)
        # Asked before keys are made, and again inside the commit.
        self._community.read_now(lambda view: accounts.add_hosted(view, by, account))
        seed, unsigned = new_account_key(identifier, 1)
        public = sign_account_key(unsigned, self._secrets.community)
        one_time, typed = self.new_one_time(identifier, {1: seed})
        mail_seed, generation = new_generation(mailbox, 1, self._secrets.community)
        granted = grant(mail_seed, generation, identifier, 1, PublicKey(public.public))
        account_keys = AccountKeys(account=identifier, epochs=(public,), one_time=one_time)
        recovery = self._seals.wraps_for(organisation, mail_seed, generation)
        mailbox_keys = MailboxKeys(mailbox=mailbox, generations=(generation,), grants=(granted,), recovery=recovery)
        await self._keys.put(identifier, 1, keyring.encode(account_keys))
        await self._keys.put(mailbox, 1, keyring.encode(mailbox_keys))
        await self._community.commit(by.act_id, lambda view: accounts.add_hosted(view, by, account))
        return self._enrolled(identifier, typed)

    async def add_relayed(
        self, by: By, organisation: OrganisationId, user_id: str, profile: Profile, address: Address
    ) -> Enrolled:
        """Add a member whose mail is kept at the organisation; the account signs in to the directory."""
        identifier = AccountId(self._entropy(LENGTH))
        account = Account(
            id=identifier,
            organisation=organisation,
            kind=AccountKind.RELAYED,
            user_id=user_id,
            profile=profile,
            keys=1,
        )
        self._community.read_now(lambda view: accounts.add_relayed(view, by, account, address))
        one_time, typed = self.new_one_time(identifier, {})
        await self._keys.put(identifier, 1, keyring.encode(AccountKeys(account=identifier, one_time=one_time)))
        await self._community.commit(by.act_id, lambda view: accounts.add_relayed(view, by, account, address))
        return self._enrolled(identifier, typed)

    def _enrolled(self, identifier: AccountId, typed: str) -> Enrolled:
        def look(view: View) -> Enrolled:
            account = view.account(identifier)
            if account is None:
                raise NotFound("the user was not made")
            address = finding.primary_address(view, identifier)
            return Enrolled(account=account, address=address, one_time_password=typed)

        return self._community.read_now(look)

    def new_one_time(self, account: AccountId, mail_keys: dict[int, bytes]) -> tuple[SystemSecretKeys, str]:
        """Return what a fresh one-time password is kept as, and the password; it opens *mail_keys*, seeds by epoch."""
        expires = int(self._clock()) + self._settings.one_time_password_life
        identifier = SecretId(self._entropy(LENGTH))
        return self._new_secret(account, SecretKind.ONE_TIME, SlotKind.ONE_TIME, identifier, mail_keys, expires)

    def _new_secret(
        self,
        account: AccountId,
        kind: SecretKind,
        slot_kind: SlotKind,
        identifier: SecretId,
        mail_keys: dict[int, bytes],
        expires: int | None,
    ) -> tuple[SystemSecretKeys, str]:
        typed = device.make(kind)
        secret = device.parse(typed.encode())
        if secret is None:
            raise AssertionError("a fresh secret has its own shape")
        peppers = self._secrets.peppers
        key = device.key(secret, peppers.number, peppers)
        slots = self._slots(account, mail_keys, key, slot_kind, identifier)
        verifier = device.verifier(secret, peppers)
        return SystemSecretKeys(id=identifier, verifier=verifier, slots=slots, expires=expires), typed

    def _slots(
        self, account: AccountId, mail_keys: dict[int, bytes], key: bytes, kind: SlotKind, secret: bytes = b""
    ) -> tuple[Slot, ...]:
        pepper = self._secrets.peppers.number
        return tuple(
            wrap_slot(seed, key, account=account, epoch=epoch, kind=kind, pepper=pepper, secret=secret)
            for epoch, seed in sorted(mail_keys.items())
        )

    async def set_password(self, by: By, account: AccountId, current: bytes, chosen: bytes) -> None:
        """Replace the person's password; *current* is the one-time password, the old one or a device password.

        Mail stays readable: the mail key is wrapped again under the new password.

        :raises AccessRefused: when *current* is not a working secret of the account, or opens no mail.
        :raises BadPassword: when *chosen* is not acceptable.
        """
        await self._anew(lambda: self._set_password(by, account, current, chosen))
        # Failures with the password of before keep nobody out any more; where this cannot be written, time does it.
        try:
            await self._activity.forget_all(account)
        except StoreError as error:
            self._log.error("failures before a new password were not forgotten: {error}", error=error)

    async def _set_password(self, by: By, account: AccountId, current: bytes, chosen: bytes) -> None:
        found, keys = self._read(account)
        self._check(found, chosen)
        mail_keys = self._open(found, keys, current)
        peppers = self._secrets.peppers
        hashed = passwords.hash_password(chosen, peppers, cost=self._settings.bcrypt_cost)
        stretch = passwords.new_stretch(
            peppers, memory=self._settings.argon2_memory, iterations=self._settings.argon2_iterations
        )
        key = passwords.stretch(stretch, chosen, peppers)
        following = msgspec.structs.replace(
            keys,
            epochs=vouched(keys.epochs, mail_keys, self._secrets.community),
            password=hashed,
            password_stretch=stretch,
            password_slots=self._slots(account, mail_keys, key, SlotKind.PASSWORD),
            authority_slots=officerkeys.rewrapped(keys, current, key, self._secrets),
            one_time=None,
        )
        step = await self._write(found, following)
        await self._community.commit(by.act_id, lambda view: credentials.choose_password(view, by, account, step))

    async def add_device(
        self,
        by: By,
        account: AccountId,
        current: bytes,
        *,
        name: str,
        protocols: tuple[str, ...],
        expires: int | None = None,
    ) -> NewDevice:
        """Make a device password; *current* is a working secret of the account.

        :raises AccessRefused: when it is not.
        """
        identifier = SecretId(self._entropy(LENGTH))
        password = DevicePassword(
            id=identifier, name=name, protocols=protocols, created=int(self._clock()), expires=expires
        )
        return await self._anew(lambda: self._add_device(by, account, current, password))

    async def _add_device(self, by: By, account: AccountId, current: bytes, password: DevicePassword) -> NewDevice:
        found, keys = self._read(account)
        mail_keys = self._open(found, keys, current)
        same = KeyStep(found.keys, found.keys)
        self._community.read_now(lambda view: credentials.add_device_password(view, by, account, password, same))
        protocols, identifier, expires = password.protocols, password.id, password.expires
        slots = mail_keys if OPENS_MAIL in protocols else {}
        known, typed = self._new_secret(account, SecretKind.DEVICE, SlotKind.DEVICE, identifier, slots, expires)
        step = await self._write(found, msgspec.structs.replace(keys, devices=(*keys.devices, known)))
        await self._community.commit(
            by.act_id, lambda view: credentials.add_device_password(view, by, account, password, step)
        )
        return NewDevice(password=password, secret=typed)

    async def revoke_device(self, by: By, account: AccountId, secret: SecretId) -> None:
        """Take a device password away; sessions that use it end within seconds."""
        await self._anew(lambda: self._revoke_device(by, account, secret))

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

        :raises AccessRefused: when it is not one, or the account may not sign in.
        """
        found, keys = self._read(account)
        if not self._community.read_now(lambda view: may_sign_in(view, found)):
            raise AccessRefused
        return self._open(found, keys, current)

    async def _anew(self, act: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Make *act*, from the beginning when another act on the same secrets came first: none may be lost."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return await act()
            except (Overtaken, VersionTaken):
                continue
        return await act()

    def _read(self, account: AccountId) -> tuple[Account, AccountKeys]:
        found = self._community.read_now(lambda view: view.account(account))
        if found is None:
            raise NotFound("there is no such user")
        return found, keyring.decode(self._keys.get_now(account, found.keys), AccountKeys)

    async def _write(self, account: Account, keys: AccountKeys) -> KeyStep:
        version = self._keys.latest(account.id) + 1
        await self._keys.put(account.id, version, keyring.encode(keys))
        return KeyStep(account.keys, version)

    def _check(self, account: Account, chosen: bytes) -> None:
        administrator = self._community.read_now(
            lambda view: any(held.role in _ADMINISTRATORS for held in view.roles_of(account.id))
        )
        profile = account.profile
        names = (profile.first_name, profile.last_name, account.user_id)
        check_password(chosen, POLICIES[self._settings.policy], names, administrator=administrator)

    def _open(self, account: Account, keys: AccountKeys, current: bytes) -> dict[int, bytes]:
        """Return the mail seeds that *current* opens, after verifying it."""
        peppers = self._secrets.peppers
        secret = device.parse(current)
        try:
            if secret is None:
                if keys.password is None:
                    raise AccessRefused
                passwords.verify_password(keys.password, current, peppers)
                return open_password_slots(keys, current, self._secrets)
            for known in self._usable(account, keys):
                try:
                    device.verify(known.verifier, secret, peppers)
                except WrongSecret:
                    continue
                return open_system_slots(known, secret, self._secrets)
        except WrongSecret:
            pass
        raise AccessRefused

    def _usable(self, account: Account, keys: AccountKeys) -> list[SystemSecretKeys]:
        now = self._clock()
        named = {known.id for known in account.device_passwords}
        # A device password without slots cannot hand the mail key on to another secret.
        usable = [known for known in keys.devices if known.id in named and (known.slots or not keys.epochs)]
        if keys.one_time is not None:
            usable.append(keys.one_time)
        return [known for known in usable if known.expires is None or known.expires > now]
