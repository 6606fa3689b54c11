"""Where notices are handed in: by the follower of the ledger, and by whatever finds something out by itself."""

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from cjsm.configuration import NoticeSettings
from cjsm.notices.notice import ORDINARY, BadNotice, Language, Notice, encode
from cjsm.notices.rules import Due
from cjsm.store.interfaces import INoticeStore, NewNotice, NoticeLimits


class NoticeDesk:
    """Keeps notices until they are sent; see :class:`INoticeStore`. For the owner of delivery only.

    :ivar settings: may be replaced.
    :param clock: seconds since the epoch.
    """

    _log = Logger()

    def __init__(self, settings: NoticeSettings, *, store: INoticeStore, clock: Callable[[], float]) -> None:
        self.settings = settings
        self._store = store
        self._clock = clock

    def tell(
        self, dues: Sequence[Due], *, followed: bytes | None = None, remember: Sequence[tuple[bytes, int]] = ()
    ) -> "Deferred[int]":
        """Keep *dues*, and what goes with them, all or nothing; fires with how many are on their way.

        A job that may be run again gives each a ``once``. See :meth:`INoticeStore.keep`.

        :raises StoreError: when they could not be kept.
        """
        notices = [new for due in dues if (new := self._new(due)) is not None]
        if not notices and not remember and followed is None:
            return succeed(0)
        limits = NoticeLimits(inside=self.settings.per_day, ordinary=self.settings.ordinary_per_day)
        return self._store.keep(notices, int(self._clock()), limits, followed=followed, remember=remember)

    def remembered(self, name: bytes) -> int:
        """See :meth:`INoticeStore.remembered`."""
        return self._store.remembered(name)

    def _new(self, due: Due) -> NewNotice | None:
        try:
            notice = Notice(
                kind=due.kind,
                account=due.account,
                date=due.date,
                language=Language(self.settings.language),
                code=due.code,
            )
        except BadNotice as error:
            self._log.error("a notice of the kind {kind} is not sent: {error}", kind=due.kind, error=error)
            return None
        ordinary = bool(self.settings.host) and due.kind in ORDINARY
        return NewNotice(account=due.account, notice=encode(notice), once=due.once, ordinary=ordinary)
