"""The end of what recovery gave for a time, and of requests that nobody approved."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cjsm.access.generations import Generations
from cjsm.access.keyring import UnreadableKeys
from cjsm.community.acts import recovery as acts
from cjsm.community.acts.acting import By
from cjsm.community.acts.keys import MailboxStep
from cjsm.community.errors import CommunityError, NotFound
from cjsm.community.identifiers import Entropy
from cjsm.community.records import Job, RecoveryRequest
from cjsm.store.interfaces import ICommunityStore, IKeyStore, StoreError
from cjsm.vault.errors import VaultError

_QUARTER = 900


class RecoveryEnds:
    """Takes keys back whose time is over, and destroys what was handed over for requests that are over."""

    name = "recovery-ends"
    every = _QUARTER
    _log = Logger()

    def __init__(
        self,
        generations: Generations,
        *,
        community: ICommunityStore,
        keys: IKeyStore,
        clock: Callable[[], float],
        entropy: Entropy,
    ) -> None:
        self._generations = generations
        self._community = community
        self._keys = keys
        self._entropy = entropy

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> str:
        over, lapsed = await self._community.read(
            lambda view: (
                [each for each in view.recovery_requests() if acts.over(view, each)],
                [each for each in view.recovery_requests() if acts.lapsed(view, each)],
            )
        )
        ended = 0
        for request in over:
            try:
                await self._end(request)
                ended += 1
            except (CommunityError, StoreError, VaultError, UnreadableKeys) as error:
                self._log.error("keys were not taken back: {error}", error=error)
        for request in lapsed:
            by = self._by()
            with suppress(CommunityError):
                # Another process may have done it at this moment.
                await self._community.commit(by.act_id, partial(acts.lapse, by=by, identifier=request.id))
        await self._destroy_handed_over()
        return f"{ended} ended, {len(lapsed)} lapsed"

    async def _destroy_handed_over(self) -> None:
        """Destroy what was handed over for requests that are over: where a crash came first, nobody else does."""
        for identifier in await self._community.read(
            lambda view: [each.id for each in view.recovery_requests() if each.state not in acts.PENDING]
        ):
            if self._keys.latest(identifier):
                await self._keys.destroy(identifier)

    async def _end(self, request: RecoveryRequest) -> None:
        by = self._by()
        step = await self._without(request)
        await self._community.commit(by.act_id, lambda view: acts.end(view, by, request.id, step))

    async def _without(self, request: RecoveryRequest) -> MailboxStep | None:
        """Write the mailbox's keys without what the reader was granted; None where the mailbox is gone itself."""
        try:
            owner, record, _ = self._generations.read(request.mailbox)
        except NotFound:
            return None
        kept = tuple(each for each in record.grants if each.member != request.beneficiary)
        return await self._generations.write(owner, msgspec.structs.replace(record, grants=kept))

    def _by(self) -> By:
        return By.fresh(self._entropy)
