"""People who do not sign in for months: warned, and suspended when they still do not."""

from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct
from twisted.internet.defer import Deferred

from cjsm.community.acts import inactivity
from cjsm.community.acts.acting import By
from cjsm.community.acts.inactivity import Patience
from cjsm.community.acts.profiles import together
from cjsm.community.identifiers import LENGTH, AccountId, ActId, Entropy, OrganisationId
from cjsm.community.records import Job
from cjsm.community.view import Change, View
from cjsm.configuration import AccessSettings
from cjsm.store.interfaces import IActivity, ICommunityStore

_DAY = 86_400
#: People whose last sign-in is looked up at once, and who are in one commit.
_LOOKED_UP, _TOGETHER = 500, 100


class _Due(Struct, frozen=True):
    """Somebody, and when they signed in last."""

    account: AccountId
    used: int


class Inactivity:
    """:ivar settings: may be replaced.

    :param clock: seconds since the epoch.
    :param turn: gives everybody else on the reactor thread a turn.
    """

    name = "inactivity"
    every = _DAY

    def __init__(
        self,
        settings: AccessSettings,
        *,
        community: ICommunityStore,
        activity: IActivity,
        clock: Callable[[], float],
        entropy: Entropy,
        turn: "Callable[[], Deferred[None]]",
    ) -> None:
        self.settings = settings
        self._community = community
        self._activity = activity
        self._clock = clock
        self._entropy = entropy
        self._turn = turn

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> str:
        patience = Patience(self.settings.inactive_warned * _DAY, self.settings.inactive_suspended * _DAY)
        if not patience.warned:
            return "nobody is warned: access.inactive_warned is 0"
        warned = suspended = 0
        organisations = await self._community.read(lambda view: [found.id for found in view.organisations()])
        for place in organisations:
            await self._turn()
            quiet = await self._community.read(partial(self._quiet, place=place, patience=patience))
            for at in range(0, len(quiet), _LOOKED_UP):
                # On the disk's thread, so that others have their turn.
                some = quiet[at : at + _LOOKED_UP]
                uses = await self._activity.last_uses(some)
                due = [_Due(account, uses.get(account, 0)) for account in some]
                warned += await self._do(inactivity.warn, due, patience)
                suspended += await self._do(inactivity.suspend, due, patience)
        return f"{warned} people warned, {suspended} suspended"

    def _quiet(self, view: View, place: OrganisationId, patience: Patience) -> list[AccountId]:
        """Return those of an organisation of whom nothing but signing in could say that they are there."""
        now = view.moment
        return [
            account.id
            for account in view.accounts_in(place)
            if inactivity.warning_due(account, 0, patience, now)
            or inactivity.suspension_due(view, account, 0, patience, now)
        ]

    async def _do(self, act: Callable[..., Change], people: Sequence[_Due], patience: Patience) -> int:
        """Do it to those it is due to, a hundred in a commit; return how many. Who has a role has one alone: of two
        who administer a place together, one stays.
        """
        done = 0
        alone, others = await self._community.read(lambda view: _sorted(view, act, people, patience))
        groups = [[each] for each in alone]
        groups += [others[at : at + _TOGETHER] for at in range(0, len(others), _TOGETHER)]
        for group in groups:
            decide = partial(self._decide, act=act, due=group, patience=patience)
            done += len((await self._community.commit(ActId(self._entropy(LENGTH)), decide)).put)
        return done

    def _decide(self, view: View, act: Callable[..., Change], due: Sequence[_Due], patience: Patience) -> Change:
        """Each is an act with an entry of its own."""
        return together([act(view, self._by(), each.account, each.used, patience) for each in due])

    def _by(self) -> By:
        return By.fresh(self._entropy)


def _sorted(
    view: View, act: Callable[..., Change], people: Sequence[_Due], patience: Patience
) -> tuple[list[_Due], list[_Due]]:
    """Return those it is due to: who has a role, and the others."""
    due = [each for each in people if _would(view, act, each, patience)]
    return [each for each in due if _has_role(view, each)], [each for each in due if not _has_role(view, each)]


def _has_role(view: View, due: _Due) -> bool:
    return any(True for _ in view.roles_of(due.account))


def _would(view: View, act: Callable[..., Change], due: _Due, patience: Patience) -> bool:
    return act(view, By(act_id=ActId(bytes(LENGTH))), due.account, due.used, patience) != Change()
