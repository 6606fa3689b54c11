"""The one credential checker behind every door.

A password's way: the name is looked up, the secret's own shape picks the path (system-made: one HMAC; chosen by a
person: cache, else bcrypt in the KDF pool), then states are asked again. Unknown, wrong, locked and suspended take the
same time and get the same words (community §7), and so does a right password that is not looked at: from a network
that is shut out, or of somebody who has a second factor and devices for mail programs. Nothing here keeps a secret
after it answered.
"""

from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from cjsm import policies
from cjsm.access import keyring
from cjsm.access.cache import VerificationCache
from cjsm.access.candidates import Candidate, Matched, found, guarded, still_admitted
from cjsm.access.errors import (
    AccessRefused,
    AccessUnavailable,
    DevicePasswordNeeded,
    MustChoosePassword,
    PasswordExpired,
    TryLater,
)
from cjsm.access.interfaces import ILoginAttempt, LoginAttempt
from cjsm.access.kdf import KdfPool
from cjsm.access.keyring import AccountKeys, SystemSecretKeys
from cjsm.access.lockout import Lockout, Standing
from cjsm.access.opening import open_password_slots, open_system_slots
from cjsm.access.protocols import AT_THE_SERVER, CHOOSES, OPENS_MAIL
from cjsm.access.refusaltime import RefusalTime
from cjsm.access.renewing import Renewal
from cjsm.access.signedin import SignedIn
from cjsm.community.acts.credentials import PROTOCOLS
from cjsm.community.address import BadAddress, LoginName
from cjsm.community.records import Account
from cjsm.community.states import is_administrator
from cjsm.configuration import AccessSettings
from cjsm.sources import SharedNetworks, network_of
from cjsm.store.interfaces import IActivity, ICommunityStore, IKeyStore, StoreError
from cjsm.vault import device, passwords, tags, unlock
from cjsm.vault.device import SystemSecret
from cjsm.vault.errors import VaultError, WrongSecret
from cjsm.vault.policy import is_for_administrators
from cjsm.vault.secrets import ServiceSecrets


@implementer(ICredentialsChecker)
class Checker:
    """Says who somebody is, or :class:`~cjsm.access.errors.AccessRefused`.

    :param clock: seconds since the epoch.
    :param shared: networks from which many people come through one address.
    :param reactor: what lets refusals wait; None at the server, where nothing does.
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
        reactor: IReactorTime | None = None,
    ) -> None:
        self._community = community
        self._keys = keys
        self._activity = activity
        self._secrets = secrets
        self._kdf = kdf
        self._clock = clock
        self._refusals = RefusalTime(reactor, settings.refusal_time)
        self._cache = VerificationCache(settings.verification_cache, settings.verification_cache_entries)
        common: dict[str, Any] = {"community": community}
        self._lockout = Lockout(
            settings,
            policies.load(settings.policy),
            activity=activity,
            cache_key=secrets.cache.current,
            clock=clock,
            **common,
        )
        self._renewal = Renewal(settings, keys=keys, secrets=secrets, kdf=kdf, **common)
        self.renew(settings, shared or SharedNetworks())
        self._dummy = passwords.dummy_verifier(secrets.peppers, cost=settings.bcrypt_cost)

    def renew(self, settings: AccessSettings, shared: SharedNetworks) -> None:
        """Take new settings for attempts from now on; threads, caches and the cost of new passwords stay."""
        self._settings = self._lockout.settings = settings
        self._policy = self._lockout.policy = policies.load(settings.policy)
        self._refusals.seconds = settings.refusal_time
        throttle = self._lockout.throttle
        throttle.accounts = settings.source_failing_accounts
        throttle.shared_accounts = settings.shared_source_failing_accounts
        throttle.window = settings.source_window
        throttle.shared = shared

    def requestAvatarId(  # type: ignore[override]  # the realm takes more than bytes as avatar id
        self, credentials: LoginAttempt
    ) -> "Deferred[SignedIn]":
        """Fire with a :class:`SignedIn`.

        :raises AccessRefused: unknown, wrong, locked, suspended: not told apart.
        :raises MustChoosePassword: for the right one-time password, or the right one that is too old.
        :raises DevicePasswordNeeded: for a chosen password where the policy never takes it.
        :raises TryLater: when the pool is full or the source is throttled.
        :raises AccessUnavailable: when a store does not answer.
        """
        return Deferred.fromCoroutine(self._sign_in(credentials))

    async def _sign_in(self, attempt: LoginAttempt) -> SignedIn:
        begun = self._refusals.now()
        try:
            candidate = self._look_up(attempt)
            candidate.shown = device.parse(attempt.secret)
            standing = self._lockout.standing(candidate.subject, attempt.source)
            wait = self._wait(candidate, standing, attempt)
            matched = await self._match(candidate, standing, attempt)
            if matched is not None and matched.stretched:
                # Meanwhile others went on.
                standing = self._lockout.standing(candidate.subject, attempt.source)
            if matched is None or candidate.account is None or self._overtaken(candidate, matched, standing, attempt):
                warned = await self._failed(candidate, attempt, begun)
                raise TryLater(wait) if wait else AccessRefused(warned=warned)
            await self._succeeded(candidate.account, matched, standing, attempt)
            self._renew(candidate, matched, attempt)
        except (StoreError, VaultError, keyring.UnreadableKeys) as error:
            self._log.error("sign-in unavailable: {error}", error=error)
            raise AccessUnavailable from error
        return SignedIn(candidate.account, matched.secret, matched.mail_keys, candidate.shared_name)

    def _wait(self, candidate: Candidate, standing: Standing, attempt: LoginAttempt) -> int:
        """Return the seconds that this source has to wait, though not this attempt.

        Guessing passwords over many accounts closes a source for accounts that never were there. Those that were,
        and system-made secrets, which nobody guesses, go on: no neighbour can shut them out.

        :raises TryLater: where this attempt has to wait too.
        """
        wait = self._lockout.wait(standing, attempt.source)
        if candidate.shown is not None:
            return 0
        if wait and not self._lockout.knows(candidate.subject, attempt.source):
            raise TryLater(wait)
        return wait

    def _look_up(self, attempt: LoginAttempt) -> Candidate:
        unknown = tags.unknown_subject(self._secrets.cache.current, attempt.name)
        try:
            login = LoginName.parse(attempt.name)
        except BadAddress:
            return Candidate(unknown, None)
        account, admitted = self._community.read_now(lambda view: found(view, login, attempt))
        if account is None:
            return Candidate(unknown, login.shared)
        if not admitted:
            # Takes the way of an unknown name, which no right password makes shorter or longer.
            return Candidate(account.id, login.shared)
        keys = None
        if account.keys:
            keys = keyring.decode(self._keys.get_now(account.id, account.keys), AccountKeys)
        return Candidate(account.id, login.shared, account, keys)

    async def _match(self, candidate: Candidate, standing: Standing, attempt: LoginAttempt) -> Matched | None:
        """Return what the secret fits; None where it fits nothing, or is not looked at.

        :raises DevicePasswordNeeded: see :meth:`requestAvatarId`.
        """
        if candidate.shown is not None:
            return self._match_system_secret(candidate, candidate.shown, attempt)
        if self._policy.devices_only and attempt.protocol in PROTOCOLS:
            raise DevicePasswordNeeded
        if self._is_not_looked_at(candidate, standing, attempt):
            # Nothing is verified, so that trying again shows nothing of what was tried.
            candidate = Candidate(candidate.subject, candidate.shared_name)
        return await self._match_password(candidate, attempt)

    def _is_not_looked_at(self, candidate: Candidate, standing: Standing, attempt: LoginAttempt) -> bool:
        """Whether a chosen password is refused, right or wrong: as guesses led to, or for want of the second factor."""
        account = candidate.account
        if account is not None and account.factor_since and attempt.protocol in (*PROTOCOLS, CHOOSES):
            return True
        return self._lockout.shuts_out(standing, candidate.subject, guarded(candidate, attempt), attempt.source)

    def _overtaken(self, candidate: Candidate, matched: Matched, standing: Standing, attempt: LoginAttempt) -> bool:
        """Whether others' guesses shut this network out while the password was stretched: many at once gain nothing."""
        if not matched.stretched:
            return False
        return self._lockout.shuts_out(standing, candidate.subject, guarded(candidate, attempt), attempt.source)

    def _match_system_secret(self, candidate: Candidate, secret: SystemSecret, attempt: LoginAttempt) -> Matched | None:
        keys, account = candidate.keys, candidate.account
        if keys is None or account is None:
            return None
        now = self._clock()
        if keys.one_time is not None and self._fits(keys.one_time, secret, now):
            return Matched(one_time=True)
        if attempt.protocol == CHOOSES and any(self._fits(code, secret, now) for code in keys.recovery):
            return Matched()
        allowed = {
            known.id
            for known in account.device_passwords
            if (attempt.protocol in known.protocols or (attempt.protocol == CHOOSES and OPENS_MAIL in known.protocols))
            and (known.expires is None or known.expires > now)
        }
        for known in keys.devices:
            if known.id in allowed and self._fits(known, secret, now):
                opened = open_system_slots(known, secret, self._secrets) if attempt.protocol == OPENS_MAIL else None
                return Matched(device=known, mail_keys=opened)
        return None

    def _fits(self, known: SystemSecretKeys, secret: SystemSecret, now: float) -> bool:
        if known.expires is not None and known.expires <= now:
            return False
        try:
            device.verify(known.verifier, secret, self._secrets.peppers)
        except WrongSecret:
            return False
        return True

    async def _match_password(self, candidate: Candidate, attempt: LoginAttempt) -> Matched | None:
        keys = candidate.keys if candidate.keys is not None and candidate.keys.password is not None else None
        cache_key = self._secrets.cache.current
        version = candidate.account.keys if candidate.account is not None else 0
        tag = tags.verification_tag(cache_key, candidate.subject, version, attempt.secret)
        opens_mail = attempt.protocol in (OPENS_MAIL, AT_THE_SERVER)
        remembered = self._cache.recall(tag, self._clock())
        if remembered is not None and not opens_mail:
            return Matched(chosen=True)
        if remembered is not None and remembered.sealed_keys is not None:
            opened = unlock.open_keys(cache_key, candidate.subject, attempt.secret, remembered.sealed_keys)
            return Matched(mail_keys=opened, chosen=True)
        mail_keys = await self._kdf.run(
            attempt.source, self._stretching(keys, attempt.secret, opens_mail), attempt.wanted
        )
        if mail_keys is None:
            return None
        sealed = None
        if opens_mail and self._settings.unlock_cache:
            sealed = unlock.seal_keys(cache_key, candidate.subject, attempt.secret, mail_keys)
        self._cache.remember(tag, sealed, self._clock())
        return Matched(mail_keys=mail_keys, chosen=True, stretched=True)

    def _stretching(
        self, keys: AccountKeys | None, secret: bytes, opens_mail: bool
    ) -> Callable[[], dict[int, bytes] | None]:
        """What runs in the KDF pool: bcrypt always, Argon2id only after bcrypt said yes."""
        verifier = keys.password if keys is not None and keys.password is not None else self._dummy
        peppers, cost = self._secrets.peppers, passwords.cost_of(self._dummy)

        def stretch() -> dict[int, bytes] | None:
            try:
                passwords.verify_password(verifier, secret, peppers, cost=cost)
            except WrongSecret:
                return None
            return open_password_slots(keys, secret, self._secrets) if keys is not None and opens_mail else {}

        return stretch

    async def _failed(self, candidate: Candidate, attempt: LoginAttempt, begun: float) -> bool:
        """Count it; return whether the answer is a warning."""
        if candidate.shown is not None:
            # System-made secrets cannot be guessed, so guessing them closes nothing; it tells nothing either.
            await self._refusals.after(begun)
            return False
        account = guarded(candidate, attempt)
        return await self._lockout.failed(candidate.subject, account, attempt.source, attempt.secret)

    async def _succeeded(self, account: Account, matched: Matched, standing: Standing, attempt: LoginAttempt) -> None:
        """Ask the states again where they may have changed: while the password was stretched."""
        if matched.stretched and not self._community.read_now(lambda view: still_admitted(view, account.id, attempt)):
            raise AccessRefused
        if attempt.protocol != CHOOSES:
            self._require_lasting(account, matched, attempt.secret)
        now = self._clock()
        await self._lockout.succeeded(standing, account, attempt.source)
        self._activity.used(account.id, network_of(attempt.source), attempt.protocol, matched.secret, int(now))

    def _require_lasting(self, account: Account, matched: Matched, secret: bytes) -> None:
        """Refuse what serves to choose a password only."""
        if matched.one_time:
            raise MustChoosePassword
        if not matched.chosen:
            return
        end = self._policy.ends(_since(account))
        if end is not None and end <= self._clock():
            raise PasswordExpired
        # Only now is it at hand: nothing that is kept tells how long it is.
        if not is_for_administrators(secret, self._policy) and self._community.read_now(
            lambda view: is_administrator(view, account.id)
        ):
            raise PasswordExpired(self._policy.administrator_length)

    def _renew(self, candidate: Candidate, matched: Matched, attempt: LoginAttempt) -> None:
        """Let what is kept of the secret follow the settings, now that it is at hand."""
        account, keys = candidate.account, candidate.keys
        if account is None or keys is None or attempt.protocol == CHOOSES:
            return
        if matched.stretched:
            self._renewal.password(account, keys, attempt.secret, attempt.source)
        elif matched.device is not None and candidate.shown is not None:
            self._renewal.device(account, keys, matched.device, candidate.shown)


def _since(account: Account) -> int:
    """When the chosen password was chosen, or at the earliest."""
    return account.password_since or account.created
