"""New mail in a shared mailbox, told to its members where it says so: that there is some, and nothing of it."""

from collections.abc import Callable, Collection

from twisted.internet.defer import Deferred, succeed

from cjsm.community.identifiers import MailboxId
from cjsm.community.records import MailboxRight, SharedMailbox
from cjsm.community.view import View
from cjsm.configuration import NoticeSettings
from cjsm.notices.desk import NoticeDesk
from cjsm.notices.notice import Kind
from cjsm.notices.rules import Due
from cjsm.store.interfaces import ICommunityStore


class SharedNews:
    """Tells members, each at most once in a time for each mailbox.

    Nobody is told of what is in a personal mailbox, where notices go: a notice leads to none.

    :ivar settings: may be replaced.
    :param clock: seconds since the epoch.
    """

    def __init__(
        self, settings: NoticeSettings, *, community: ICommunityStore, desk: NoticeDesk, clock: Callable[[], float]
    ) -> None:
        self.settings = settings
        self._community = community
        self._desk = desk
        self._clock = clock

    def delivered(self, mailboxes: Collection[MailboxId]) -> "Deferred[int]":
        """Something was delivered to *mailboxes*; fires when whoever is to hear of it will, with how many notices.

        Asked before the spool forgets the delivery: what a crash loses is asked again with it.

        :raises StoreError: when it could not be kept.
        """
        telling = self._community.read_now(lambda view: _telling(view, mailboxes))
        if not telling:
            return succeed(0)
        moment = int(self._clock())
        dues: list[Due] = []
        remember: list[tuple[bytes, int]] = []
        for shared in telling:
            for member in shared.members:
                name = b"news" + shared.id + member.account
                if MailboxRight.READ in member.rights and self._is_due(name, moment):
                    dues.append(Due(kind=Kind.SHARED_NEW_MAIL, account=member.account, date=moment))
                    remember.append((name, moment))
        return self._desk.tell(dues, remember=remember) if dues else succeed(0)

    def _is_due(self, name: bytes, moment: int) -> bool:
        last = self._desk.remembered(name)
        # A clock that was put back keeps nobody from being told.
        return not last <= moment < last + self.settings.shared_every


def _telling(view: View, mailboxes: Collection[MailboxId]) -> list[SharedMailbox]:
    found = [view.shared_mailbox(each) for each in mailboxes]
    return [each for each in found if each is not None and each.notice]
