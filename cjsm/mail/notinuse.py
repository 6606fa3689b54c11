"""Tells people that a mailbox which took their message is not in use: its owner is suspended (community §6)."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from cjsm.community.address import Address
from cjsm.community.admission import Service
from cjsm.configuration import Settings
from cjsm.mail import plaintext
from cjsm.mail.echo import answering, is_automatic
from cjsm.mail.header import Header
from cjsm.mail.ownmail import OwnMail
from cjsm.store.interfaces import SpoolBatch

_DAY = 86_400
#: Pairs of sender and recipient that are remembered; of more, some hear it again sooner.
_REMEMBERED = 10_000
#: Recipients that one answer names.
_NAMED = 50


class NotInUse:
    """Answers each sender once a day about each recipient, and no machine (RFC 3834).

    :ivar settings: may be replaced while it runs.
    :param clock: seconds since the epoch.
    """

    def __init__(self, settings: Settings, own_mail: OwnMail, clock: Callable[[], float]) -> None:
        self.settings = settings
        self._own_mail = own_mail
        self._clock = clock
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def answer(
        self, sender: Address | None, header: Header, recipients: Sequence[str], queue_id: str
    ) -> SpoolBatch | None:
        """Return what *sender* hears of *recipients*, whose mailboxes are not in use; None where nothing is due.

        :raises StoreError: when it cannot be kept.
        """
        if sender is None or is_automatic(header):
            return None
        fresh = [each for each in recipients if self._is_due(str(sender), each)]
        if not fresh:
            return None
        batch = await self._own_mail.write(
            Service.NOTICE, str(sender), self._text(sender, header, fresh, queue_id), plaintext.nothing
        )
        for each in fresh:
            self._remember(str(sender), each)
        return batch

    def _is_due(self, sender: str, recipient: str) -> bool:
        return self._told.get((sender, recipient), 0.0) <= self._clock()

    def _remember(self, sender: str, recipient: str) -> None:
        self._told.pop((sender, recipient), None)
        self._told[sender, recipient] = self._clock() + _DAY
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)

    def _text(self, sender: Address, header: Header, recipients: Sequence[str], queue_id: str) -> bytes:
        community = self.settings.community
        named = "".join(f"    {each}\n" for each in recipients[:_NAMED])
        more = f"    and {len(recipients) - _NAMED} more\n" if len(recipients) > _NAMED else ""
        words = (
            f"Your message {queue_id} was delivered, but these mailboxes are not in use at the moment:\n\n"
            f"{named}{more}\nNobody may read it there for now. Ask the person's organisation who can help,\n"
            "or write to somebody else.\n"
        )
        return plaintext.letter(
            words,
            sender=plaintext.postmaster(community),
            to=str(sender),
            subject="A mailbox that you wrote to is not in use",
            moment=self._clock(),
            message_id=f"not-in-use.{queue_id}@{community.suffix}",
            fields=answering(header),
        )
