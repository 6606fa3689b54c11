"""Room in mailboxes."""

import pytest
from twisted.internet.defer import Deferred

from cjsm.community.identifiers import MailboxId
from cjsm.configuration import MailSettings
from cjsm.mail.interfaces import Refused
from cjsm.mail.limits import Capacity, too_large, too_many
from tests.mail.world import SAM, MemoryMail, MemorySpool, result

SETTINGS = MailSettings(quota=1_000, over_quota_grace=100)


class Room:
    """One mailbox's capacity."""

    def __init__(self) -> None:
        self.mail, self.spool = MemoryMail(), MemorySpool()
        self.capacity = Capacity(self.mail, self.spool)

    def check(self, size: int = 0, now: float = 0.0, quota: int = 0, mailbox: MailboxId = SAM) -> int:
        """The code it is refused with, or 0."""
        try:
            result(Deferred.fromCoroutine(self.capacity.check(SETTINGS, mailbox, quota, size, now)))
        except Refused as refused:
            return refused.code
        return 0


def test_later_then_full() -> None:
    """A full mailbox is first asked for again, then refused; when there is room all is forgotten."""
    room = Room()
    room.mail.usages[SAM] = 990
    assert [room.check(10), room.check(11, now=50), room.check(11, now=149), room.check(11, now=150)] == [
        0,
        452,
        452,
        552,
    ]
    room.mail.usages[SAM] = 0
    assert room.check(11, now=151) == 0
    room.mail.usages[SAM] = 1_000
    assert room.check(1, now=1_000) == 452


def test_what_waits_counts() -> None:
    """A mailbox cannot be overfilled by sending faster than delivery."""
    room = Room()
    room.spool.octets = 995
    assert room.check(5) == 0
    assert room.check(6) == 452


def test_own_quota() -> None:
    """Somebody may have more than others."""
    room = Room()
    room.mail.usages[SAM] = 1_500
    assert room.check(100) == 452
    assert room.check(100, quota=2_000) == 0


@pytest.mark.parametrize(("refused", "code"), [(too_large(5), 552), (too_many(5), 452)])
def test_words(refused: Refused, code: int) -> None:
    """They name the limit."""
    assert refused.code == code
    assert "5" in refused.text
