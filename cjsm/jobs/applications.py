"""What time does to applications: they become overdue, and nothing personal is left of those that were rejected."""

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred

from cjsm.community.acts import applications
from cjsm.community.acts.acting import By
from cjsm.community.applicationrecords import ApplicationState
from cjsm.community.applying import OPEN
from cjsm.community.identifiers import ApplicationId, Entropy
from cjsm.community.records import Job
from cjsm.community.view import Change, View
from cjsm.configuration import ApplicationSettings
from cjsm.store.interfaces import ICommunityStore

_DAY = 86_400


class ApplicationTimes:
    """:param clock: seconds since the epoch.

    :ivar settings: may be replaced.
    """

    name = "applications"
    every = _DAY // 4

    def __init__(
        self,
        settings: ApplicationSettings,
        *,
        community: ICommunityStore,
        clock: Callable[[], float],
        entropy: Entropy,
    ) -> None:
        self.settings = settings
        self._community = community
        self._clock = clock
        self._entropy = entropy

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> str:
        before = int(self._clock()) - self.settings.erase_rejected * _DAY
        late, old = await self._community.read(partial(_due, before=before))
        for identifier in late:
            by = self._by()
            await self._community.commit(by.act_id, partial(applications.overdue, by=by, identifier=identifier))
        for identifier in old:
            by = self._by()
            decide: Callable[[View], Change] = partial(applications.erase, by=by, identifier=identifier, before=before)
            await self._community.commit(by.act_id, decide)
        return f"{len(late)} overdue, {len(old)} erased"

    def _by(self) -> By:
        return By.fresh(self._entropy)


def _due(view: View, before: int) -> tuple[list[ApplicationId], list[ApplicationId]]:
    """Return the applications that became overdue, and those of which nothing personal is to be left."""
    waiting = OPEN - {ApplicationState.OVERDUE}
    late = [each.id for each in view.applications() if each.state in waiting and view.moment >= each.due]
    rejected = (each for each in view.applications() if each.state is ApplicationState.REJECTED and not each.erased)
    return late, [each.id for each in rejected if each.state_since < before]
