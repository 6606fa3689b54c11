"""The durable schedule: jobs are records of the community; whoever owns delivery runs those that are due.

A job that was under way when the process ended is due again when its claim runs out. A job that fails is tried again
with growing pauses and says so in its record.
"""

import os
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from cjsm.community.identifiers import LENGTH, ActId, Entropy, JobId
from cjsm.community.records import Job
from cjsm.community.view import Change, View
from cjsm.store.interfaces import ICommunityStore

_LOOK = 15.0
_CLAIM = 3_600
_RETRY = 300
_RETRY_MOST = 86_400
_LONGEST_RESULT = 200


class Kind(Protocol):
    """One kind of job that repeats by itself."""

    name: str
    every: int

    def run(self, job: Job) -> "Deferred[str]":
        """Do it; fire with what was done, in a few words."""


class Schedule:
    """Runs due jobs, one at a time.

    :param kinds: the kinds there are; each repeats every so many seconds and is made when it is missing.
    :param clock: seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self,
        community: ICommunityStore,
        kinds: Iterable[Kind],
        *,
        reactor: IReactorTime,
        clock: Callable[[], float],
        entropy: Entropy = os.urandom,
    ) -> None:
        self._community = community
        self._kinds = {kind.name: kind for kind in kinds}
        self._clock = clock
        self._entropy = entropy
        # In a container every process may have the same number.
        self._worker = f"{os.getpid()}-{entropy(4).hex()}"
        self._alone = False
        self._loop = LoopingCall(self._look)
        self._loop.clock = reactor
        self._busy: Deferred[None] = succeed(None)

    def start(self, *, alone: bool = False) -> None:
        """Make the jobs that are missing and begin to look.

        :param alone: no other process runs jobs: what is claimed was under way when one ended, and goes on now.
        """
        self._alone = alone
        self._loop.start(_LOOK).addErrback(lambda failure: self._log.failure("jobs stopped", failure=failure))

    def stop(self) -> "Deferred[None]":
        """Fire when the job under way is done."""
        if self._loop.running:
            self._loop.stop()
        return self._busy

    def _look(self) -> "Deferred[None]":
        self._busy = Deferred.fromCoroutine(self._run_due()).addErrback(
            lambda failure: self._log.failure("jobs could not be looked at", failure=failure)
        )
        return self._busy

    async def _run_due(self) -> None:
        await self._commit(self._make_missing)
        if self._alone:
            await self._commit(self._give_back)
            self._alone = False
        for job in self._community.read_now(self._due):
            claimed = await self._claim(job)
            if claimed is not None:
                await self._run(claimed)

    def _make_missing(self, view: View) -> Change:
        present = {job.kind for job in view.jobs()}
        made = tuple(
            Job(id=JobId(self._entropy(LENGTH)), kind=kind.name, due=view.moment + kind.every, every=kind.every)
            for kind in self._kinds.values()
            if kind.name not in present
        )
        return Change(put=made)

    def _give_back(self, view: View) -> Change:
        """Free what was claimed by processes that ended."""
        left = (job for job in view.jobs() if job.claimed_by and job.kind in self._kinds)
        return Change(put=tuple(msgspec.structs.replace(job, claimed_by="", claimed_until=0) for job in left))

    def _due(self, view: View) -> list[Job]:
        now = view.moment
        return [job for job in view.jobs() if job.kind in self._kinds and job.due <= now and job.claimed_until <= now]

    async def _claim(self, job: Job) -> Job | None:
        claimed: list[Job] = []

        def decide(view: View) -> Change:
            newest = view.job(job.id)
            if newest is None or newest.claimed_until > view.moment or newest.due > view.moment:
                return Change()
            until = view.moment + _CLAIM
            claimed.append(msgspec.structs.replace(newest, claimed_by=self._worker, claimed_until=until))
            return Change(put=tuple(claimed))

        await self._commit(decide)
        return claimed[0] if claimed else None

    async def _run(self, job: Job) -> None:
        try:
            result = await self._kinds[job.kind].run(job)
        except Exception as error:  # noqa: BLE001 - whatever it was, it belongs in the job's record
            self._log.failure("job {kind} failed", kind=job.kind)
            wait = min(_RETRY * 2**job.attempts, _RETRY_MOST)
            await self._finish(job, f"failed: {error}", wait, attempts=job.attempts + 1)
            return
        self._log.info("job {kind}: {result}", kind=job.kind, result=result)
        await self._finish(job, result, job.every, attempts=0)

    async def _finish(self, job: Job, result: str, wait: int | None, *, attempts: int) -> None:
        def decide(view: View) -> Change:
            newest = view.job(job.id)
            if newest is None:
                return Change()
            if wait is None:
                return Change(removed=(newest,))
            following = msgspec.structs.replace(
                newest,
                due=view.moment + wait,
                attempts=attempts,
                last_run=view.moment,
                last_result=result[:_LONGEST_RESULT],
                claimed_by="",
                claimed_until=0,
            )
            return Change(put=(following,))

        await self._commit(decide)

    async def _commit(self, decide: Callable[[View], Change]) -> None:
        """Commit what *decide* returns, unless that is nothing."""
        if self._community.read_now(decide) != Change():
            await self._community.commit(ActId(self._entropy(LENGTH)), decide)
