"""What may be accepted now: capacity of mailboxes. Comes after admission and only ever answers "later", then "full"."""

from collections.abc import Callable

from cjsm.community.identifiers import MailboxId
from cjsm.configuration import MailSettings
from cjsm.mail.interfaces import Refused
from cjsm.store.interfaces import IMailStore, ISpool


class Capacity:
    """Decides whether a mailbox takes another message (community §8).

    What was accepted is delivered even if it overdraws, so what waits in the spool counts too. Since when a mailbox has
    been full is kept with it, so that neither a restart nor another process begins the grace anew.

    :param refused: hears of each mailbox that something is refused for.
    """

    def __init__(
        self, mail: IMailStore, spool: ISpool, refused: Callable[[MailboxId], object] = lambda mailbox: None
    ) -> None:
        self._mail = mail
        self._spool = spool
        self._refused = refused

    async def check(self, settings: MailSettings, mailbox: MailboxId, quota: int, size: int, now: float) -> None:
        """Return when *mailbox* has room for *size* octets more.

        :param quota: octets; 0 for the default.
        :param now: seconds since the epoch.
        :raises Refused: 452 while it is full, 552 after it was for longer than the grace.
        """
        octets, since = await self._mail.filling(mailbox)
        fits = octets + self._spool.waiting(mailbox) + size <= (quota or settings.quota)
        if fits == bool(since):
            since = await self._mail.full(mailbox, 0 if fits else int(now))
        if fits:
            return
        self._refused(mailbox)
        if now - since < settings.over_quota_grace:
            raise Refused(452, "4.2.2", "the mailbox is full at the moment: try again later")
        raise Refused(552, "5.2.2", "the mailbox is full: ask its owner by another route")


def too_large(most: int) -> Refused:
    """Return the refusal of a message over *most* octets."""
    return Refused(552, "5.3.4", f"the message is larger than {most} octets: send less, or in parts")


def too_large_there(most: int) -> Refused:
    """Return the refusal of a message over the *most* octets that a recipient's own server takes."""
    return Refused(552, "5.2.3", f"the recipient's organisation takes messages of at most {most} octets")


def too_many(most: int) -> Refused:
    """Return the refusal of a recipient after the first *most*; the client sends the rest in another message."""
    return Refused(452, "4.5.3", f"too many recipients: at most {most} in one message")
