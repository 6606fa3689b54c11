"""Tells an organisation's administrators that mail waits for their own mail system, once a day while it does."""

from collections.abc import Callable, Iterator, Sequence

from twisted.internet.defer import Deferred

from cjsm.community.records import Job
from cjsm.community.view import View
from cjsm.configuration import RelaySettings
from cjsm.notices.desk import NoticeDesk
from cjsm.notices.notice import Kind
from cjsm.notices.rules import Due, administrators
from cjsm.store.interfaces import ICommunityStore, IOutgoingQueue, QueueSummary

_DAY = 86_400


class FailingConnections:
    """A job; mail that waits longer than ``relay.delay_notice`` and was tried means a connection that fails.

    :ivar settings: may be replaced.
    :param clock: seconds since the epoch.
    """

    name = "failing-connections"
    every = 3_600

    def __init__(
        self,
        settings: RelaySettings,
        *,
        community: ICommunityStore,
        queue: IOutgoingQueue,
        desk: NoticeDesk,
        clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self._community = community
        self._queue = queue
        self._desk = desk
        self._clock = clock

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> str:
        now = int(self._clock())
        late = now - self.settings.delay_notice
        waiting = [each for each in await self._queue.summary() if each.tried and each.oldest <= late]
        dues = self._community.read_now(lambda view: list(_due(view, waiting, now)))
        told = await self._desk.tell(dues)
        return f"{len(waiting)} connections fail, {told} administrators told"


def _due(view: View, waiting: Sequence[QueueSummary], now: int) -> Iterator[Due]:
    for each in waiting:
        connection = view.connection(each.connection)
        for account in administrators(view, connection.organisation) if connection is not None else ():
            once = (b"fail" + each.connection + account, now // _DAY)
            yield Due(kind=Kind.CONNECTION_FAILING, account=account, date=each.oldest, once=once)
