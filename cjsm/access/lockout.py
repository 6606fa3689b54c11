"""Who may not try any more (community §7): networks closed for an account, guarded accounts, throttled sources.

What is counted lies in the activity store and what follows from it in the community, so that it holds in every process
and after a restart. Nobody is shut out where they are at home: guesses close the network that they come from, and an
account only for networks that it never used.
"""

import os
from collections.abc import Callable, Sequence

from msgspec import Struct
from twisted.logger import Logger

from cjsm.access.throttle import Throttle
from cjsm.community.acts import locks
from cjsm.community.acts.acting import By
from cjsm.community.errors import Conflict
from cjsm.community.identifiers import AccountId, Entropy
from cjsm.community.records import Account
from cjsm.community.states import is_guarded
from cjsm.community.view import Change, View
from cjsm.configuration import AccessSettings
from cjsm.policies import DAY, Policy
from cjsm.sources import network_of, source_of
from cjsm.store.interfaces import Failure, IActivity, ICommunityStore, StoreError
from cjsm.vault import tags

#: What wrong codes of the second factor are counted under, beside the networks of wrong passwords.
SECOND_FACTOR = "second factor"

#: Stands for whom nothing is counted; no account's identifier, and no unknown name's.
_NOBODY = b"nobody is counted"[:16]

#: Networks that are looked at for one account; who fails from more is no stale client.
_MOST_NETWORKS = 256


class Standing(Struct, frozen=True):
    """What is known of one account from one network, and when accounts failed from one address."""

    failures: Failure
    failing: Sequence[int]


class Lockout:
    """Counts failures and says who is shut out.

    :param cache_key: the key of tags and pseudonyms.
    :param clock: seconds since the epoch.
    :ivar settings: may be replaced, and so may ``policy`` and the figures of ``throttle``.
    """

    _log = Logger()

    def __init__(
        self,
        settings: AccessSettings,
        policy: Policy,
        *,
        community: ICommunityStore,
        activity: IActivity,
        cache_key: bytes,
        clock: Callable[[], float],
        entropy: Entropy = os.urandom,
    ) -> None:
        self.settings = settings
        self.policy = policy
        self.throttle = Throttle(activity)
        self._community = community
        self._activity = activity
        self._cache_key = cache_key
        self._clock = clock
        self._entropy = entropy

    def standing(self, subject: bytes, address: str) -> Standing:
        """Return what is counted at this moment, for the other questions."""
        return Standing(*self._activity.standing(subject, network_of(address), source_of(address)))

    def wait(self, standing: Standing, address: str) -> int:
        """Return the seconds until *address* may try again; 0 when it may now."""
        return self.throttle.wait_after(standing.failing, address, self._clock())

    def shuts_out(self, standing: Standing, subject: bytes, account: Account | None, address: str) -> bool:
        """Whether a password of *subject* is not looked at, coming from *address*: right or wrong, it is refused."""
        if is_closed(standing.failures, self.policy, self.settings, self._clock()):
            return True
        guarded = account is not None and is_guarded(account, self._clock())
        return guarded and not self.knows(subject, address)

    def knows(self, subject: bytes, address: str) -> bool:
        """Whether *subject* signed in before from the network of *address*."""
        return self._activity.known_network(subject, network_of(address))

    async def failed(self, subject: bytes, account: Account | None, address: str, secret: bytes) -> bool:
        """Count a wrong password; the same one again counts once. Return whether the person is to be warned.

        Where nothing is looked at nothing is counted, so that trying on keeps nobody shut out for longer.
        """
        now, network = self._clock(), network_of(address)
        await self.throttle.failed(address, subject, now)
        tag = tags.failure_tag(self._cache_key, subject, secret)
        if self.shuts_out(self.standing(subject, address), subject, account, address):
            # One commit more, as for everybody else: the time would tell of an account that is guarded.
            await self._activity.failed(_NOBODY, network, tag, int(now))
            return False
        failures = await self._activity.failed(subject, network, tag, int(now))
        who, count = tags.pseudonym(self._cache_key, subject), len(failures.tags)
        self._log.info("sign-in of {who} from {network} failed", who=who, network=network)
        if count == self.policy.lock:
            self._log.warn("source closed for {who} after {count} failures", who=who, count=count)
        if self._guesses_of_strangers(subject) and account is not None and not is_guarded(account, now):
            await self._guard(account.id, who)
        return count == self.policy.warn_at

    async def succeeded(self, standing: Standing, account: Account, address: str) -> None:
        """The person came in from *address*: failures there were the person's own."""
        if standing.failures.tags:
            await self._activity.forget(account.id, network_of(address))
        if standing.failing:
            await self.throttle.succeeded(address, account.id)
        if account.guard is not None and not is_guarded(account, self._clock()):
            await self._commit(account.id, lambda view, by: locks.end_guard(view, by, account.id))

    def _guesses_of_strangers(self, subject: bytes) -> bool:
        """Whether different wrong passwords from networks that *subject* never used reach the limit together."""
        since, wrong = self._clock() - self.settings.failures_forgotten, set[int]()
        failing = self._activity.failing(subject, _MOST_NETWORKS)
        for network, failures in failing:
            if network == SECOND_FACTOR or failures.last <= since or self._activity.known_network(subject, network):
                continue
            wrong.update(failures.tags)
            if len(wrong) >= self.policy.lock:
                return True
        return len(failing) == _MOST_NETWORKS

    async def _guard(self, account: AccountId, who: str) -> None:
        """Guard the account; where that cannot be written, the next failure tries again."""
        until = int(self._clock()) + self.policy.lock_days * DAY if self.policy.lock_days else None
        if await self._commit(account, lambda view, by: locks.guard(view, by, account, until)):
            self._log.warn("{who} is guarded: too many guesses from networks that it never used", who=who)

    async def _commit(self, account: AccountId, decide: Callable[[View, By], Change]) -> bool:
        """Make an act of the service; return whether it was made, and not by another process before."""
        by = By.fresh(self._entropy)
        try:
            await self._community.commit(by.act_id, lambda view: decide(view, by))
        except Conflict:
            return False
        except StoreError as error:
            who = tags.pseudonym(self._cache_key, account)
            self._log.error("the guard of {who} could not be written: {error}", who=who, error=error)
            return False
        return True


def is_closed(failures: Failure, policy: Policy, settings: AccessSettings, now: float) -> bool:
    """Whether so many different passwords failed that the network they came from is closed for the account."""
    return failures.last > now - settings.failures_forgotten and len(failures.tags) >= policy.lock
