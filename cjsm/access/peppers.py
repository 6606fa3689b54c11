"""What depends on which version of the pepper: sealed anew where the service can, counted where people must act.

The service opens secrets of second factors to check codes, so it seals them anew by itself. A password or device
password comes under the newest pepper when somebody signs in with it; a recovery code when its owner has new ones made.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import msgspec
from twisted.internet.defer import Deferred

from cjsm.access import keyring
from cjsm.access.keyring import AccountKeys, SystemSecretKeys, UnreadableKeys
from cjsm.community.acts import servicesecrets as acts
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.errors import CommunityError
from cjsm.community.identifiers import AccountId, Entropy, OrganisationId
from cjsm.community.records import Job
from cjsm.community.view import View
from cjsm.jobs.batches import Batches
from cjsm.store.interfaces import ICommunityStore, IKeyStore, StoreError
from cjsm.vault import factor
from cjsm.vault.errors import VaultError
from cjsm.vault.secrets import ServiceSecrets

_ONE_ACCOUNT = (CommunityError, StoreError, VaultError, UnreadableKeys)


def depends(keys: AccountKeys) -> Iterator[tuple[str, int]]:
    """Yield (kind of secret, number of the pepper that it needs), once for each secret of an account."""
    if keys.password is not None:
        made = [keys.password.pepper, *([keys.password_stretch.pepper] if keys.password_stretch is not None else [])]
        yield "passwords", min(made)
    yield from (("former passwords", each.pepper) for each in keys.former)
    if keys.one_time is not None:
        yield "one-time passwords", _pepper(keys.one_time)
    yield from (("device passwords", _pepper(each)) for each in keys.devices)
    yield from (("recovery codes", _pepper(each)) for each in keys.recovery)
    if keys.factor is not None:
        yield "second factors", keys.factor.pepper


def _pepper(secret: SystemSecretKeys) -> int:
    return min([secret.verifier.pepper, *(slot.pepper for slot in secret.slots)])


def counted(community: ICommunityStore, keys: IKeyStore) -> dict[int, Counter[str]]:
    """Return how many secrets of each kind need each pepper. Reads every account."""
    found: dict[int, Counter[str]] = {}

    def look(view: View) -> list[tuple[AccountId, int]]:
        return [(each.id, each.keys) for each in view.accounts() if each.keys]

    for account, version in community.read_now(look):
        for kind, pepper in depends(keyring.decode(keys.get_now(account, version), AccountKeys)):
            found.setdefault(pepper, Counter())[kind] += 1
    return found


class Resealing:
    """Seals the secrets of second factors under the newest pepper, soon after the service knows one.

    :param secrets: those of the service.
    """

    name = "factors"
    every = 3_600

    def __init__(
        self,
        *,
        community: ICommunityStore,
        keys: IKeyStore,
        secrets: ServiceSecrets,
        entropy: Entropy,
    ) -> None:
        self._community = community
        self._keys = keys
        self._secrets = secrets
        self._entropy = entropy
        self._done_for = 0
        self._batches = Batches(
            community, entropy, prepare=self._sealed_anew, decide=acts.reseal_factors, keeps_one=_ONE_ACCOUNT
        )

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run(job))

    async def _run(self, job: Job) -> str:
        newest = self._secrets.peppers.number
        if len(self._secrets.peppers.numbers) == 1 or self._done_for == newest:
            return "every second factor is sealed under the newest pepper"
        accounts: list[AccountId] = []
        for organisation in await self._community.read(lambda view: [each.id for each in view.organisations()]):
            accounts += await self._community.read(partial(_with_keys, organisation=organisation))
        done, failed = await self._batches.go(accounts, job, resumes=False)
        # Nothing is sealed under an older one as long as this process goes on.
        self._done_for = newest if not failed else 0
        return f"{done} second factors sealed anew" + (f", {failed} could not be" if failed else "")

    async def _sealed_anew(self, account: AccountId) -> tuple[AccountId, KeyStep] | None:
        named = self._community.read_now(lambda view: view.account(account))
        if named is None or not named.keys:
            return None
        keys = keyring.decode(self._keys.get_now(account, named.keys), AccountKeys)
        if keys.factor is None or keys.factor.pepper >= self._secrets.peppers.number:
            return None
        secret = factor.open_factor(keys.factor, account, self._secrets.peppers)
        sealed = factor.seal_factor(secret, account, self._secrets.peppers, self._entropy)
        step = KeyStep(named.keys, self._keys.latest(account) + 1)
        await self._keys.put(account, step.written, keyring.encode(msgspec.structs.replace(keys, factor=sealed)))
        return account, step


def _with_keys(view: View, organisation: OrganisationId) -> list[AccountId]:
    return [each.id for each in view.accounts_in(organisation) if each.keys]
