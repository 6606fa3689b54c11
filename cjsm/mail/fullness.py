"""How full mailboxes are: their owners are told at 70, 90 and 100 %, once each time one is passed (community §8)."""

from collections.abc import Callable, Iterable

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.records import Job, Life
from cjsm.community.view import View
from cjsm.configuration import MailSettings
from cjsm.notices.desk import NoticeDesk
from cjsm.notices.notice import Kind
from cjsm.notices.rules import Due, administrators
from cjsm.store.interfaces import Filling, ICommunityStore, IMailStore, StoreError

#: Percent of the capacity at which people are told.
LEVELS = (70, 90, 100)
#: Percent that a mailbox has to fall below a level before it can pass it again: mail comes and goes.
_BELOW = 5
#: Mailboxes in one look: others have their turn; and those that wait for one.
_LOOK, _MOST = 64, 50_000
_DAY = 86_400


def percent(octets: int, quota: int) -> int:
    """Return how much of *quota* is taken, rounded down; 100 where nothing fits at all."""
    return octets * 100 // quota if quota > 0 else 100


def level(filling: Filling, quota: int, before: int) -> int:
    """Return the level that a mailbox has reached: one of :data:`LEVELS`, or 0.

    :param before: the level it had; it is left only some percent below it.
    """
    taken = 100 if filling.full_since else percent(filling.octets, quota)
    reached = max((each for each in LEVELS if taken >= each), default=0)
    return before if reached < before <= taken + _BELOW else reached


class _Owned(Struct, frozen=True):
    """A mailbox's capacity in octets, who hears of it, and as what."""

    quota: int
    owners: tuple[AccountId, ...]
    kind: Kind


class Fullness:
    """Looks at mailboxes that something came to, or was refused for.

    What a crash loses of that is found at the next delivery, and each day when :class:`FullnessJob` looks at all.

    :ivar settings: may be replaced.
    """

    _log = Logger()

    def __init__(
        self,
        settings: MailSettings,
        *,
        community: ICommunityStore,
        mail: IMailStore,
        desk: NoticeDesk,
        clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self._community = community
        self._mail = mail
        self._desk = desk
        self._clock = clock
        self._touched: dict[MailboxId, None] = {}

    def touched(self, mailboxes: Iterable[MailboxId]) -> None:
        """Something came to *mailboxes*, or was refused for them: they are looked at soon."""
        # Where another process delivers nobody looks here, and the daily look finds them.
        if len(self._touched) < _MOST:
            self._touched.update(dict.fromkeys(mailboxes))

    def run(self) -> "Deferred[None]":
        """Look at some of what was touched."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> None:
        for mailbox in list(self._touched)[:_LOOK]:
            del self._touched[mailbox]
            try:
                await self.look(mailbox)
            except StoreError:
                # Nobody could be told: it is looked at again.
                self.touched((mailbox,))
                raise

    async def look(self, mailbox: MailboxId) -> bool:
        """Look at one mailbox; return whether somebody is told."""
        owned = self._community.read_now(lambda view: self._owned(view, mailbox))
        if owned is None or not owned.owners:
            return False
        try:
            filling = await self._mail.filling(mailbox)
        except StoreError as error:
            self._log.warn("mailbox {mailbox} was not looked at: {error}", mailbox=mailbox.hex(), error=error)
            return False
        name = b"level" + mailbox
        before = self._desk.remembered(name)
        now = level(filling, owned.quota, before)
        if now == before:
            return False
        moment = int(self._clock())
        dues = [Due(kind=owned.kind, account=each, date=moment, code=str(now)) for each in owned.owners]
        await self._desk.tell(dues if now > before else (), remember=((name, now),))
        return now > before

    def _owned(self, view: View, mailbox: MailboxId) -> _Owned | None:
        account = view.account_of_mailbox(mailbox)
        if account is not None:
            owners = (account.id,) if account.life is not Life.DELETED else ()
            return _Owned(account.quota or self.settings.quota, owners, Kind.NEAR_QUOTA)
        shared = view.shared_mailbox(mailbox)
        if shared is None:
            return None
        managers = shared.managers or tuple(administrators(view, shared.organisation))
        return _Owned(shared.quota or self.settings.quota, managers, Kind.SHARED_NEAR_QUOTA)


class FullnessJob:
    """Looks at every mailbox once a day: quotas change, mail is imported, and what a crash lost is found."""

    name = "capacity"
    every = _DAY

    def __init__(self, fullness: Fullness, mail: IMailStore) -> None:
        self._fullness = fullness
        self._mail = mail

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> str:
        told = 0
        for mailbox in await self._mail.mailboxes():
            told += await self._fullness.look(mailbox)
        return f"owners of {told} mailboxes told"
