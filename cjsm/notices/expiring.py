"""Tells people in good time what ends by itself: their passwords, where the policy lets these end (community §7), the
certificates of their organisations' connections (community §12), and the terms that their organisations accepted.
"""

from collections.abc import Callable, Iterator
from functools import partial

from twisted.internet.defer import Deferred

from cjsm.community import applying
from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import Account, ConnectionState, Credential, Job, Life
from cjsm.community.view import View
from cjsm.configuration import ApplicationSettings
from cjsm.notices.desk import NoticeDesk
from cjsm.notices.notice import Kind
from cjsm.notices.rules import Due, administrators
from cjsm.policies import DAY, Policy
from cjsm.store.interfaces import ICommunityStore

#: Days before the end of a connection's certificate on which its organisation's administrators are told.
_CERTIFICATE_DAYS = (60, 30, 7)
#: How often they are told of terms that are to be accepted now.
_AGAIN = 7 * DAY


class PasswordWarnings:
    """A job that gives each warning once, on the day it is due or when the service runs again.

    :ivar policy: may be replaced.
    :param clock: seconds since the epoch.
    :param turn: gives everybody else on the reactor thread a turn.
    """

    name = "password-warnings"
    every = DAY // 4

    def __init__(
        self,
        policy: Policy,
        *,
        community: ICommunityStore,
        desk: NoticeDesk,
        clock: Callable[[], float],
        turn: "Callable[[], Deferred[None]]",
    ) -> None:
        self.policy = policy
        self._community = community
        self._desk = desk
        self._clock = clock
        self._turn = turn

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> str:
        if not self.policy.expires:
            return "no password ends"
        now, warned = int(self._clock()), 0
        organisations = await self._community.read(lambda view: [found.id for found in view.organisations()])
        for organisation in organisations:
            await self._turn()
            warned += await self._desk.tell(await self._community.read(partial(self._due_in, organisation, now)))
        return f"{warned} people warned"

    def _due_in(self, organisation: OrganisationId, now: int, view: View) -> list[Due]:
        dues = []
        for account in view.accounts_in(organisation):
            since = account.password_since or account.created
            end, due = self._end(account, since), self.policy.warned_since(since, now)
            if end is not None and due is not None and now < end:
                left, once = str(-((now - end) // DAY)), (b"ends" + account.id, since << 16 | due)
                dues.append(Due(kind=Kind.PASSWORD_ENDING, account=account.id, date=end, code=left, once=once))
        return dues

    def _end(self, account: Account, since: int) -> int | None:
        chosen = account.life is Life.ACTIVE and account.credential is Credential.CHOSEN
        return self.policy.ends(since) if chosen else None


class CertificateWarnings:
    """A job that tells administrators 60, 30 and 7 days before a connection is left without a certificate in force.

    :param clock: seconds since the epoch.
    """

    name = "certificate-warnings"
    every = DAY // 4

    def __init__(self, *, community: ICommunityStore, desk: NoticeDesk, clock: Callable[[], float]) -> None:
        self._community = community
        self._desk = desk
        self._clock = clock

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        now = int(self._clock())
        telling = self._community.read(lambda view: list(_ending(view, now))).addCallback(self._desk.tell)
        return telling.addCallback(lambda told: f"{told} administrators told")


def _ending(view: View, now: int) -> Iterator[Due]:
    for connection in view.connections():
        ends = max((each.not_after for each in connection.issued if each.revoked is None), default=0)
        left = -((now - ends) // DAY)
        due = min((days for days in _CERTIFICATE_DAYS if left <= days), default=None)
        if due is None or ends <= now or connection.state is ConnectionState.SUSPENDED:
            continue
        for account in administrators(view, connection.organisation):
            once = (b"cert" + connection.id + account, ends << 16 | due)
            yield Due(kind=Kind.CERTIFICATE_ENDING, account=account, date=ends, code=str(left), once=once)


class TermsWarnings:
    """A job that tells administrators that their organisation's terms are to be accepted anew: once in good time, and
    every week from the day on which they are due. An organisation that came without an application accepted none.

    :ivar settings: may be replaced.
    """

    name = "terms-warnings"
    every = DAY

    def __init__(self, settings: ApplicationSettings, *, community: ICommunityStore, desk: NoticeDesk) -> None:
        self.settings = settings
        self._community = community
        self._desk = desk

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        telling = self._community.read(lambda view: list(self._due(view))).addCallback(self._desk.tell)
        return telling.addCallback(lambda told: f"{told} administrators told")

    def _due(self, view: View) -> Iterator[Due]:
        chosen, now = self.settings, view.moment
        for found in view.applications():
            if found.organisation is None or not applying.terms_are_due(
                view, found, days=chosen.terms, version=chosen.terms_version, warning=chosen.terms_warning
            ):
                continue
            # None and 0: never accepted, or not these.
            end = applying.terms_end(found, chosen.terms, chosen.terms_version) or now
            number = end if now < end else now // _AGAIN
            for account in administrators(view, found.organisation):
                yield Due(kind=Kind.TERMS_DUE, account=account, date=end, once=(b"terms" + found.id + account, number))
