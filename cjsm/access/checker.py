"""The one credential checker behind every door.

A password's way: the name is looked up, the secret's own shape picks the path (system-made: one HMAC; chosen by a
person: cache, else bcrypt in the KDF pool), then states are asked again. Unknown, wrong, locked and suspended take the
same time and get the same words (community §7). Nothing here keeps a secret after it answered.
"""

from collections.abc import Callable

from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from cjsm.access import keyring
from cjsm.access.cache import VerificationCache
from cjsm.access.errors import AccessRefused, AccessUnavailable, MustChoosePassword, TryLater
from cjsm.access.interfaces import ILoginAttempt, LoginAttempt
from cjsm.access.kdf import KdfPool
from cjsm.access.keyring import AccountKeys, SystemSecretKeys
from cjsm.access.throttle import Throttle
from cjsm.community.address import BadAddress, LoginName
from cjsm.community.identifiers import AccountId, SecretId
from cjsm.community.records import Account, OwnerKind
from cjsm.community.states import may_sign_in
from cjsm.community.view import View
from cjsm.configuration import AccessSettings
from cjsm.sources import SharedNetworks, network_of
from cjsm.store.interfaces import Failure, IActivity, ICommunityStore, IKeyStore, StoreError
from cjsm.vault import device, passwords, tags, unlock
from cjsm.vault.errors import VaultError, WrongSecret
from cjsm.vault.secrets import ServiceSecrets
from cjsm.vault.slots import open_slot

#: The one door behind which mail is opened; the others need no key.
OPENS_MAIL = "pop3"
#: Somebody's mail is opened at the server too, with the person's own password: no device password is for that.
AT_THE_SERVER = "command"


class SignedIn:
    """A successful sign-in: the avatar id that the realm makes avatars of.

    :ivar account: the account as it was at that moment.
    :ivar secret: the device password used, or None for the person's own.
    :ivar mail_keys: the account's mail seeds by epoch, opened where mail is read only.
    :ivar shared_name: what followed ``/`` in the login name, or None.
    """

    __slots__ = ("account", "mail_keys", "secret", "shared_name")

    def __init__(
        self, account: Account, secret: SecretId | None, mail_keys: dict[int, bytes], shared_name: str | None
    ) -> None:
        self.account = account
        self.secret = secret
        self.mail_keys = mail_keys
        self.shared_name = shared_name

    def __repr__(self) -> str:
        return f"<SignedIn {self.account.id.hex()}>"


class _Candidate:
    """What a login name points to; an unknown name has a subject to count failures under, but no account."""

    __slots__ = ("account", "keys", "shared_name", "subject")

    def __init__(
        self, subject: bytes, shared_name: str | None, account: Account | None = None, keys: AccountKeys | None = None
    ) -> None:
        self.subject = subject
        self.shared_name = shared_name
        self.account = account
        self.keys = keys


class _Matched:
    """A secret that fits: which one, and the mail keys that it opened."""

    __slots__ = ("mail_keys", "one_time", "secret")

    def __init__(
        self, secret: SecretId | None = None, mail_keys: dict[int, bytes] | None = None, *, one_time: bool = False
    ) -> None:
        self.secret = secret
        self.mail_keys = mail_keys or {}
        self.one_time = one_time


@implementer(ICredentialsChecker)
class Checker:
    """Says who somebody is, or :class:`~cjsm.access.errors.AccessRefused`.

    :param clock: seconds since the epoch.
    :param shared: networks from which many people come through one address.
    """

    credentialInterfaces = (ILoginAttempt,)
    _log = Logger()

    def __init__(
        self,
        settings: AccessSettings,
        *,
        community: ICommunityStore,
        keys: IKeyStore,
        activity: IActivity,
        secrets: ServiceSecrets,
        kdf: KdfPool,
        clock: Callable[[], float],
        shared: SharedNetworks | None = None,
    ) -> None:
        self._community = community
        self._keys = keys
        self._activity = activity
        self._secrets = secrets
        self._kdf = kdf
        self._clock = clock
        self._cache = VerificationCache(settings.verification_cache, settings.verification_cache_entries)
        self._throttle = Throttle()
        self.renew(settings, shared or SharedNetworks())
        self._dummy = passwords.dummy_verifier(secrets.peppers, cost=settings.bcrypt_cost)

    def renew(self, settings: AccessSettings, shared: SharedNetworks) -> None:
        """Take new settings for attempts from now on; threads, caches and the cost of new passwords stay."""
        self._settings = settings
        self._throttle.accounts = settings.source_failing_accounts
        self._throttle.shared_accounts = settings.shared_source_failing_accounts
        self._throttle.window = settings.source_window
        self._throttle.shared = shared

    def requestAvatarId(  # type: ignore[override]  # the realm takes more than bytes as avatar id
        self, credentials: LoginAttempt
    ) -> "Deferred[SignedIn]":
        """Fire with a :class:`SignedIn`.

        :raises AccessRefused: unknown, wrong, locked, suspended: not told apart.
        :raises MustChoosePassword: for the right one-time password.
        :raises TryLater: when the pool is full or the source is throttled.
        :raises AccessUnavailable: when a store does not answer.
        """
        return Deferred.fromCoroutine(self._sign_in(credentials))

    async def _sign_in(self, attempt: LoginAttempt) -> SignedIn:
        source = network_of(attempt.source)
        try:
            candidate = self._look_up(attempt.name)
            wait = self._wait(candidate, attempt, source)
            matched = await self._match(candidate, attempt, source)
            if matched is None or candidate.account is None:
                await self._failed(candidate, attempt, source)
                raise TryLater(wait) if wait else AccessRefused
            await self._succeeded(candidate.account, matched, attempt, source)
        except (StoreError, VaultError, keyring.UnreadableKeys) as error:
            self._log.error("sign-in unavailable: {error}", error=error)
            raise AccessUnavailable from error
        return SignedIn(candidate.account, matched.secret, matched.mail_keys, candidate.shared_name)

    def _wait(self, candidate: _Candidate, attempt: LoginAttempt, source: str) -> int:
        """Return the seconds that this source has to wait, though not this attempt.

        Guessing passwords over many accounts closes a source for accounts that never were there. Those that were,
        and system-made secrets, which nobody guesses, go on: no neighbour can shut them out.

        :raises TryLater: where this attempt has to wait too.
        """
        wait = self._throttle.wait(attempt.source, self._clock())
        if device.parse(attempt.secret) is not None:
            return 0
        if wait and not self._activity.known_network(candidate.subject, source):
            raise TryLater(wait)
        return wait

    def _look_up(self, name: str) -> _Candidate:
        unknown = tags.unknown_subject(self._secrets.cache.current, name)
        try:
            login = LoginName.parse(name)
        except BadAddress:
            return _Candidate(unknown, None)
        account, admitted = self._community.read_now(lambda view: _find(view, login))
        if account is None:
            return _Candidate(unknown, login.shared)
        if not admitted:
            # Takes the way of an unknown name, which no right password makes shorter or longer.
            return _Candidate(account.id, login.shared)
        keys = None
        if account.keys:
            keys = keyring.decode(self._keys.get_now(account.id, account.keys), AccountKeys)
        return _Candidate(account.id, login.shared, account, keys)

    async def _match(self, candidate: _Candidate, attempt: LoginAttempt, source: str) -> _Matched | None:
        """Return what the secret fits; None where it fits nothing, or this source is closed for the account."""
        secret = device.parse(attempt.secret)
        if secret is not None:
            return self._match_system_secret(candidate, secret, attempt)
        if self._is_closed(candidate.subject, source):
            # Nothing is verified, so that trying again from here shows nothing of what was tried.
            candidate = _Candidate(candidate.subject, candidate.shared_name)
        return await self._match_password(candidate, attempt)

    def _match_system_secret(
        self, candidate: _Candidate, secret: device.SystemSecret, attempt: LoginAttempt
    ) -> _Matched | None:
        keys, account = candidate.keys, candidate.account
        if keys is None or account is None:
            return None
        now = self._clock()
        if keys.one_time is not None and self._fits(keys.one_time, secret, now):
            return _Matched(one_time=True)
        allowed = {
            known.id
            for known in account.device_passwords
            if attempt.protocol in known.protocols and (known.expires is None or known.expires > now)
        }
        for known in keys.devices:
            if known.id in allowed and self._fits(known, secret, now):
                opened = open_system_slots(known, secret, self._secrets) if attempt.protocol == OPENS_MAIL else None
                return _Matched(known.id, opened)
        return None

    def _fits(self, known: SystemSecretKeys, secret: device.SystemSecret, now: float) -> bool:
        if known.expires is not None and known.expires <= now:
            return False
        try:
            device.verify(known.verifier, secret, self._secrets.peppers)
        except WrongSecret:
            return False
        return True

    def _is_closed(self, subject: bytes, source: str) -> bool:
        return is_closed(self._activity.failures(subject, source), self._settings, self._clock())

    async def _match_password(self, candidate: _Candidate, attempt: LoginAttempt) -> _Matched | None:
        keys = candidate.keys if candidate.keys is not None and candidate.keys.password is not None else None
        cache_key = self._secrets.cache.current
        version = candidate.account.keys if candidate.account is not None else 0
        tag = tags.verification_tag(cache_key, candidate.subject, version, attempt.secret)
        opens_mail = attempt.protocol in (OPENS_MAIL, AT_THE_SERVER)
        remembered = self._cache.recall(tag, self._clock())
        if remembered is not None and not opens_mail:
            return _Matched()
        if remembered is not None and remembered.sealed_keys is not None:
            opened = unlock.open_keys(cache_key, candidate.subject, attempt.secret, remembered.sealed_keys)
            return _Matched(mail_keys=opened)
        mail_keys = await self._kdf.run(
            attempt.source, self._stretching(keys, attempt.secret, opens_mail), attempt.wanted
        )
        if mail_keys is None:
            return None
        sealed = None
        if opens_mail and self._settings.unlock_cache:
            sealed = unlock.seal_keys(cache_key, candidate.subject, attempt.secret, mail_keys)
        self._cache.remember(tag, sealed, self._clock())
        return _Matched(mail_keys=mail_keys)

    def _stretching(
        self, keys: AccountKeys | None, secret: bytes, opens_mail: bool
    ) -> Callable[[], dict[int, bytes] | None]:
        """What runs in the KDF pool: bcrypt always, Argon2id only after bcrypt said yes."""
        verifier = keys.password if keys is not None and keys.password is not None else self._dummy
        peppers = self._secrets.peppers

        def stretch() -> dict[int, bytes] | None:
            try:
                passwords.verify_password(verifier, secret, peppers)
            except WrongSecret:
                return None
            return open_password_slots(keys, secret, self._secrets) if keys is not None and opens_mail else {}

        return stretch

    async def _failed(self, candidate: _Candidate, attempt: LoginAttempt, source: str) -> None:
        if device.parse(attempt.secret) is not None:
            # System-made secrets cannot be guessed, so guessing them closes nothing.
            return
        now = self._clock()
        self._throttle.failed(attempt.source, candidate.subject, now)
        tag = tags.failure_tag(self._secrets.cache.current, candidate.subject, attempt.secret)
        failures = await self._activity.failed(candidate.subject, source, tag, int(now))
        who = tags.pseudonym(self._secrets.cache.current, candidate.subject)
        self._log.info("sign-in of {who} from {network} failed", who=who, network=source)
        if len(failures.tags) == self._settings.failures_to_close:
            self._log.warn("source closed for {who} after {count} failures", who=who, count=len(failures.tags))

    async def _succeeded(self, account: Account, matched: _Matched, attempt: LoginAttempt, source: str) -> None:
        """Ask the states again: they may have changed while the password was stretched."""
        if not self._community.read_now(lambda view: _still_admitted(view, account.id)):
            raise AccessRefused
        if matched.one_time:
            raise MustChoosePassword
        now = self._clock()
        self._throttle.succeeded(attempt.source, account.id)
        if self._activity.failures(account.id, source).tags:
            await self._activity.forget(account.id, source)
        self._activity.used(account.id, source, attempt.protocol, matched.secret, int(now))


def is_closed(failures: Failure, settings: AccessSettings, now: float) -> bool:
    """Whether so many different passwords failed that the network they came from is closed for the account."""
    recent = failures.last > now - settings.failures_forgotten
    return recent and len(failures.tags) >= settings.failures_to_close


def find_account(view: View, login: LoginName) -> Account | None:
    """Return the account that a login name means, by user ID or address."""
    if not login.is_address:
        return view.account_of_user_id(login.user)
    record = view.address(login.user)
    if record is None or record.owner_kind is not OwnerKind.ACCOUNT:
        return None
    return view.account(AccountId(record.owner))


def _find(view: View, login: LoginName) -> tuple[Account | None, bool]:
    """Return the account and whether its states let somebody in."""
    account = find_account(view, login)
    return account, account is not None and may_sign_in(view, account)


def _still_admitted(view: View, identifier: AccountId) -> bool:
    account = view.account(identifier)
    return account is not None and may_sign_in(view, account)


def open_password_slots(keys: AccountKeys, secret: bytes, secrets: ServiceSecrets) -> dict[int, bytes]:
    """Return the mail seeds by epoch that a chosen password opens. Slow: one Argon2id.

    :raises NotAuthentic: when the password is another.
    """
    if keys.password_stretch is None or not keys.password_slots:
        return {}
    key = passwords.stretch(keys.password_stretch, secret, secrets.peppers)
    return {slot.epoch: open_slot(slot, key) for slot in keys.password_slots}


def open_system_slots(
    known: SystemSecretKeys, secret: device.SystemSecret, secrets: ServiceSecrets
) -> dict[int, bytes]:
    """Return the mail seeds by epoch that a system-made secret opens.

    :raises NotAuthentic: when the secret is another.
    """
    return {slot.epoch: open_slot(slot, device.key(secret, slot.pepper, secrets.peppers)) for slot in known.slots}
