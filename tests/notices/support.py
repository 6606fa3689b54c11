"""An office that tells people: a house that takes mail, a ledger, notices on a disk, and a host outside."""

import email
import email.policy
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from cjsm.community.identifiers import AccountId, ActId, MailboxId
from cjsm.community.memory import MemoryView
from cjsm.community.records import Account, LedgerEntry, Profile, Record
from cjsm.configuration import NoticeSettings, Settings
from cjsm.ledger.entries import MalformedEntry, decode_entry, encode_entry
from cjsm.mail.delivery import DeliveryWorker
from cjsm.mail.fullness import Fullness
from cjsm.mail.noticemail import NoticeMail
from cjsm.mail.sharednews import SharedNews
from cjsm.mail.telling import Telling
from cjsm.notices.addresses import OrdinaryAddresses
from cjsm.notices.desk import NoticeDesk
from cjsm.notices.following import LedgerFollower
from cjsm.notices.interfaces import CannotCarry, Host, ICarrier
from cjsm.notices.notice import Notice, decode
from cjsm.notices.ordinary import OrdinarySender
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.notices import LmdbNotices
from tests.community.communities import identifier
from tests.mail.memory import MemorySpool, memory_mail
from tests.mail.support import House, no_reports, opened, result, small

JO, SAM, OLIVE, ADA, LAW = (
    AccountId(identifier(name)) for name in ("jo.ward", "sam.hill", "olive.marsh", "ada.central", "law.yer")
)
#: Settings with a host outside.
OUTSIDE = NoticeSettings(host="mail.example.org", sender="noreply@example.org")


def box(account: AccountId) -> MailboxId:
    """The mailbox of an account."""
    return MailboxId(identifier(f"m-{account.rstrip(b'.').decode()}"))


@implementer(ICarrier)
class Post:
    """Keeps what it is given to carry, unless a test lets it fail."""

    def __init__(self) -> None:
        self.carried: list[tuple[Host, str, str, bytes]] = []
        self.failure: CannotCarry | None = None
        self.rests = 0

    def carry(self, host: Host, sender: str, recipient: str, letter: bytes) -> "Deferred[None]":
        if self.failure is not None:
            return fail(self.failure)
        self.carried.append((host, sender, recipient, letter))
        return succeed(None)

    def rest(self) -> None:
        self.rests += 1


class Office(House):
    """See the module. :meth:`process` begins again with what is on the disk."""

    def __init__(self, directory: Path, notices: NoticeSettings | None = None, **house: Any) -> None:
        mail = house.pop("mail", {})
        self.settings: Settings = msgspec.structs.replace(small(**mail), notices=notices or NoticeSettings())
        super().__init__(self.settings, **house)
        self.directory = directory
        self.ledger: list[bytes] = []
        self.post = Post()
        self.community.entries = self._entries  # type: ignore[attr-defined]
        self.community.last_entry = lambda: len(self.ledger)  # type: ignore[attr-defined]
        self.store = LmdbNotices(directory, InlineDisk(), map_size=1 << 26)
        self.process()

    def process(self) -> None:
        """A new process over the same disk."""
        clock: Any = self.clock.seconds
        settings = self.settings
        self.spool = MemorySpool(self.platter, self.weather, clock)
        self.mail = memory_mail(self.platter, self.weather)
        told: dict[str, Any] = {"community": self.community, "clock": clock}
        self.desk = NoticeDesk(settings.notices, store=self.store, clock=clock)
        self.fullness = Fullness(settings.mail, mail=self.mail, desk=self.desk, **told)
        self.acceptance._rooms.capacity._refused = lambda mailbox: self.fullness.touched((mailbox,))
        self.news = SharedNews(settings.notices, desk=self.desk, **told)
        self.inside = NoticeMail(
            settings.community,
            store=self.store,
            spool=self.spool,
            own_mail=self.acceptance.own_mail,
            entropy=self.acceptance._rooms.entropy,
            reactor=self.clock,
            **told,
        )
        self.ordinary = OrdinarySender(
            settings.notices,
            settings.community,
            store=self.store,
            addresses=OrdinaryAddresses(self.community),
            carrier=self.post,
            clock=clock,
            entropy=self.acceptance._rooms.entropy,
        )
        follower = LedgerFollower(
            self.desk, community=self.community, store=self.store, decode=decode_entry, unreadable=MalformedEntry
        )
        self.telling = Telling(follower, self.fullness, self.inside, self.ordinary)
        self.worker = DeliveryWorker(
            settings.mail,
            spool=self.spool,
            mail=self.mail,
            reports=no_reports,
            tracer=self.tracer,
            reactor=self.clock,
            clock=clock,
            delivered=self._delivered,
        )

    def _delivered(self, mailboxes: Any) -> "Deferred[int]":
        self.fullness.touched(mailboxes)
        return self.news.delivered(mailboxes)

    def _entries(self, after: int, limit: int) -> "Deferred[Sequence[tuple[int, bytes]]]":
        return succeed([*enumerate(self.ledger, 1)][max(after, 0) :][:limit])

    def change(self, *records: Record) -> None:
        """Put records in place of those with the same key."""
        self.community.view = MemoryView(
            [*self.community.view._records.values(), *records],
            suffix=self.community.view.suffix,
            moment=int(self.clock.seconds()),
            number=self.community.view.number + 1,
        )

    def profile(self, account: AccountId, **profile: Any) -> None:
        """Give somebody other fields of the profile, such as an ordinary address."""
        found = self.community.view.account(account)
        assert isinstance(found, Account)
        made: Profile = msgspec.structs.replace(found.profile, **profile)
        self.change(msgspec.structs.replace(found, profile=made))

    def act(self, act: str, subject: bytes = JO, of: str = "account", actor: bytes = OLIVE, **details: str) -> None:
        """Something was done: the ledger has it."""
        entry = LedgerEntry(
            act_id=ActId(identifier(f"act {len(self.ledger)}")),
            act=act,
            moment=int(self.clock.seconds()),
            actor=actor,
            subject_kind=of,
            subject=subject,
            details=tuple(sorted((name.replace("_", "-"), value) for name, value in details.items())),
        )
        self.ledger.append(encode_entry(entry))

    def tell(self, times: int = 1) -> None:
        """Let the owner of delivery do its rounds."""
        for _ in range(times):
            result(self.telling.run())
            result(self.telling.run_ordinary())

    def notices(self, account: AccountId | None = None) -> list[Notice]:
        """Every notice that was kept, or those for somebody, the oldest first."""
        return [decode(each.notice) for each in reversed(self.store.newest(10_000, account))]

    def kinds(self, account: AccountId) -> list[str]:
        return [each.kind.value for each in self.notices(account)]

    def letters(self, account: AccountId) -> list[EmailMessage]:
        """What the spool had for somebody's mailbox, opened."""
        mailbox = box(account)
        return [
            parsed(opened(each.wrap, mailbox, each.delivery_id, entry.body or b"", entry.summary)[0])
            for entry in self.platter.archive.values()
            for each in entry.deliveries
            if each.mailbox == mailbox
        ]


def parsed(octets: bytes) -> EmailMessage:
    """A message."""
    found = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def said(letter: EmailMessage) -> str:
    """Its text."""
    text: str = letter.get_content()
    return text
