"""Jobs that do something to many mailboxes, or people: a few in each commit, and how far they are in the job's record.

What ends the process loses at most one batch: the job goes on with what is still to be done.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import msgspec
from twisted.logger import Logger

from cjsm.community.acts.acting import By
from cjsm.community.identifiers import Entropy
from cjsm.community.records import Job, Record
from cjsm.community.view import Change, View
from cjsm.store.interfaces import ICommunityStore

#: Mailboxes, or people, in one commit.
BATCH = 100
Step = TypeVar("Step")
Subject = TypeVar("Subject", bound=bytes)


class Batches(Generic[Subject, Step]):
    """See the module.

    :param prepare: what is done for one of them before the commit; returns the step that the act names, or None where
        there is nothing to do.
    :param decide: the act of several steps. It leaves out those that another act came before.
    :param keeps_one: what may be wrong with one and keeps nobody else's from being looked at.
    """

    _log = Logger()

    def __init__(
        self,
        community: ICommunityStore,
        entropy: Entropy,
        *,
        prepare: Callable[[Subject], Awaitable[Step | None]],
        decide: Callable[[View, By, Sequence[Step]], Change],
        keeps_one: tuple[type[Exception], ...],
    ) -> None:
        self._community = community
        self._entropy = entropy
        self._prepare = prepare
        self._decide = decide
        self._keeps_one = keeps_one

    async def go(
        self,
        subjects: Sequence[Subject],
        job: Job | None = None,
        *,
        most: int | None = None,
        resumes: bool = True,
        watch: Callable[[int], object] = lambda looked_at: None,
    ) -> tuple[int, int]:
        """Do it to *subjects*, at most *most* of them; return to how many it was done, and for how many it failed.

        :param job: whose record tells how far it is.
        :param resumes: what was done before a crash is not among *subjects* any more, and counts.
        :param watch: told how many more were looked at.
        """
        done = failed = at = 0
        progress = _Progress(job, len(subjects), resumes=resumes)
        await self._commit([], progress)
        while at < len(subjects) and (most is None or done < most):
            size = BATCH if most is None else min(BATCH, most - done)
            which = subjects[at : at + size]
            steps, without = await self._prepared(which)
            failed += without
            at += len(which)
            progress.advance(len(which))
            done += await self._commit(steps, progress)
            watch(len(which))
        return done, failed

    async def _prepared(self, subjects: Sequence[Subject]) -> tuple[list[Step], int]:
        """Return the steps there are to do, and for how many they could not be made."""
        steps: list[Step] = []
        failed = 0
        for subject in subjects:
            try:
                step = await self._prepare(subject)
            except self._keeps_one as error:
                self._log.warn("{subject} is left out: {error}", subject=subject.hex(), error=error)
                failed += 1
            else:
                steps += [step] if step is not None else []
        return steps, failed

    async def _commit(self, steps: Sequence[Step], progress: "_Progress") -> int:
        """Commit what is to be said of *steps*, and how far the job is; return for how many of them it was done."""
        by = By.fresh(self._entropy)
        taken: list[int] = []

        def decide(view: View) -> Change:
            change = self._decide(view, by, steps) if steps else Change()
            taken.append(len(change.put))
            return msgspec.structs.replace(change, put=(*change.put, *progress.record(view)))

        if not steps and not progress.kept:
            return 0
        await self._community.commit(by.act_id, decide)
        return taken[-1] if taken else 0


class _Progress:
    """How far a job is, over all its runs until nothing is left."""

    def __init__(self, job: Job | None, left: int, *, resumes: bool) -> None:
        goes_on = resumes and job is not None and job.done < job.total and left > 0
        before = job.done if job is not None and goes_on else 0
        self._job = job
        self.kept = job is not None
        self.done, self.total = before, before + left

    def advance(self, looked_at: int) -> None:
        self.done += looked_at

    def record(self, view: View) -> tuple[Record, ...]:
        newest = view.job(self._job.id) if self._job is not None else None
        return (msgspec.structs.replace(newest, done=self.done, total=self.total),) if newest is not None else ()
