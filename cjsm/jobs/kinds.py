"""The first jobs: what a crash leaves behind, and what nobody needs any more."""

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred

from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import COMMUNITY, Job
from cjsm.community.view import View
from cjsm.store.interfaces import (
    IActivity,
    IBodyStore,
    ICommunityStore,
    IKeyStore,
    IMailStore,
    INoticeStore,
    ISpool,
    ITrace,
)

#: Seconds that a spooled body may be without its entry: it is being written.
_BEING_WRITTEN = 3_600
_HOUR = 3_600
_DAY = 86_400


class Orphans:
    """Removes spooled bodies that no entry names: a crash came before the commit."""

    name = "orphans"
    every = _HOUR

    def __init__(self, spool: ISpool, bodies: IBodyStore, clock: Callable[[], float]) -> None:
        self._spool = spool
        self._bodies = bodies
        self._clock = clock

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> str:
        named = await self._spool.named_bodies()
        gone = await self._bodies.sweep(named.__contains__, int(self._clock()) - _BEING_WRITTEN)
        return f"{gone} bodies removed"


class Activity:
    """Forgets failures older than the settings say."""

    name = "activity"
    every = _HOUR

    def __init__(self, activity: IActivity, clock: Callable[[], float], forgotten: int) -> None:
        self._activity = activity
        self._clock = clock
        self.forgotten = forgotten

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        before = int(self._clock()) - self.forgotten
        return self._activity.prune(before).addCallback(lambda gone: f"{gone} failures forgotten")


class UnnamedKeys:
    """Sweeps versions of key records below the one that is named: a newer one took their place.

    Then the key store is copied, so that its file has nothing left of them: what an old password opened, or a
    generation that ended, is gone within a day.
    """

    name = "unnamed-keys"
    every = _DAY

    def __init__(self, community: ICommunityStore, keys: IKeyStore, turn: "Callable[[], Deferred[None]]") -> None:
        self._community = community
        self._keys = keys
        self._turn = turn

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> str:
        gone = 0
        organisations = await self._community.read(lambda view: [found.id for found in view.organisations()])
        # The community has keys of its own, as its organisations do.
        for organisation in (*organisations, COMMUNITY):
            # One organisation is read in one slice, the next after others had their turn.
            await self._turn()
            for owner, version in await self._community.read(partial(_named_in, organisation=organisation)):
                # Versions only rise: what is below one that was named is never named again, whatever happens meanwhile.
                gone += await self._keys.sweep(owner, version)
        if gone:
            await self._keys.compact()
        return f"{gone} versions removed"


def _named_in(view: View, organisation: OrganisationId) -> list[tuple[bytes, int]]:
    """Return the owners of keys in *organisation*, each with the version that its record names."""
    accounts = list(view.accounts_in(organisation))
    named: list[tuple[bytes | None, int]] = [(account.id, account.keys) for account in accounts]
    named += [(account.mailbox, account.mailbox_keys) for account in accounts]
    named += [(shared.id, shared.keys) for shared in view.kept_shared_mailboxes_in(organisation)]
    authority = view.recovery_authority(organisation)
    named += [(authority.id, authority.keys)] if authority is not None else []
    return [(owner, version) for owner, version in named if owner is not None and version]


class Delivered:
    """Prunes delivered ids that the spool cannot hand out again, in mailboxes that get no mail to do it."""

    name = "delivered"
    every = _DAY

    def __init__(self, mail: IMailStore, spool: ISpool) -> None:
        self._mail = mail
        self._spool = spool

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return self._mail.prune(self._spool.low_water()).addCallback(lambda gone: f"{gone} mailboxes pruned")


class DeletedMail:
    """Destroys messages that their owners deleted longer ago than the settings say.

    :ivar kept: days; may be replaced.
    """

    name = "deleted-mail"
    every = _HOUR * 6

    def __init__(self, mail: IMailStore, clock: Callable[[], float], kept: int) -> None:
        self._mail = mail
        self._clock = clock
        self.kept = kept

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        before = int(self._clock()) - self.kept * _DAY
        return self._mail.purge(before).addCallback(lambda gone: f"{gone} deleted messages destroyed")


class Trace:
    """Removes what the message trace holds for longer than the settings say.

    :ivar kept: days; may be replaced.
    """

    name = "trace"
    every = _DAY

    def __init__(self, trace: ITrace, clock: Callable[[], float], kept: int) -> None:
        self._trace = trace
        self._clock = clock
        self.kept = kept

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        before = int(self._clock()) - self.kept * _DAY
        return self._trace.prune(before).addCallback(lambda gone: f"{gone} records of the message trace removed")


class Notices:
    """Forgets notices that the list shows no longer.

    :ivar kept: days; may be replaced.
    """

    name = "notices"
    every = _DAY

    def __init__(self, notices: INoticeStore, clock: Callable[[], float], kept: int) -> None:
        self._notices = notices
        self._clock = clock
        self.kept = kept

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        before = int(self._clock()) - self.kept * _DAY
        return self._notices.prune(before).addCallback(lambda gone: f"{gone} notices forgotten")
