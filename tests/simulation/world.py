"""A whole life of the service from one seed: letters, processes that die and follow each other, one disk.

The model: every letter that was answered with 250 is in every mailbox it was accepted for, exactly once; one that was
refused for good or given up is nowhere; one of unknown fate is everywhere or nowhere. At the end the disk holds
nothing of what was on its way.
"""

import random
from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater

from cjsm.community.identifiers import MailboxId
from cjsm.community.records import MailList, OwnerKind
from cjsm.configuration import MailSettings, Settings, SmtpSettings, StoreSettings
from cjsm.mail.acceptance import IncomingMessage
from cjsm.mail.delivery import DeliveryWorker
from cjsm.mail.destinations import Through
from cjsm.mail.interfaces import Refused
from cjsm.mail.listfields import list_fields
from cjsm.store.interfaces import Delivery, SpoolEntry, StoreError
from tests.community.communities import CRIME_LIST, SUFFIX, address, community, identifier
from tests.mail.memory import Platter
from tests.mail.support import HOP, HOST, JO, JO_ADDRESS, LIST_ADDRESS, House, no_reports, opened

from .storm import Storm

START = 1_000_000.0
#: Seconds of foul weather, and until everything must have come to rest: claims that got lost end first.
_FOUL = 40.0
_REST = 1_500.0
_NAMES = ("jo.ward@avon", "sam.hill@avon", "olive.marsh@avon", "ada.central@office", "law.yer@firm")
_MAILBOXES = {f"{name}.{SUFFIX}": (MailboxId(identifier(f"m-{name.partition('@')[0]}")),) for name in _NAMES}
_MEMBERS = tuple(_MAILBOXES)[:3]
_LIST = MailList(id=CRIME_LIST.id, organisation=CRIME_LIST.organisation, slug="all", name="All", members=_MEMBERS)
_THROUGH = Through(address=LIST_ADDRESS, name=_LIST.name, reports_to="")
#: Where each address leads; the last two nowhere.
ADDRESSES: dict[str, tuple[MailboxId, ...]] = {
    **_MAILBOXES,
    LIST_ADDRESS: tuple(_MAILBOXES[member][0] for member in _MEMBERS),
    f"nobody@avon.{SUFFIX}": (),
    "someone@evil.example": (),
}
_VIEW = community(_LIST, address(LIST_ADDRESS, _LIST.id, OwnerKind.LIST))
_SETTINGS = Settings(
    mail=MailSettings(recipients=6, retry_first=1, retry_most=8, delivery_workers=2, delivery_batch=3),
    smtp=SmtpSettings(host_name=HOST),
    store=StoreSettings(inline_body=4_000),
)
#: Changes a house for the worse, to see that the model notices.
Flaw = Callable[[House], None]


class Letter(Struct):
    """One message of a client, and what the client knows of it."""

    number: int
    octets: bytes
    asked: tuple[str, ...]
    begins: float
    gives_up: bool
    begun: bool = False
    ended: bool = False
    fate: str = "unknown"
    queue_id: str = ""
    mailboxes: set[MailboxId] = field(default_factory=set)


def letter(luck: random.Random, number: int) -> Letter:
    """A letter to anybody, of any size, sometimes under a name that is not the sender's."""
    sender = JO_ADDRESS if luck.random() < 0.95 else f"sam.hill@avon.{SUFFIX}"
    octets = f"From: {sender}\r\nDate: Thu, 1 Jan 2026 10:00:00 +0000\r\nMessage-ID: <{number}@simulation>\r\n\r\n"
    size = luck.choice((0, 10, 900, 900, 5_000, 70_000, 140_000))
    return Letter(
        number=number,
        octets=octets.encode() + luck.randbytes(size).translate(bytes(range(32, 127)) * 2 + bytes([32] * 66)),
        asked=tuple(luck.choices(tuple(ADDRESSES), k=luck.randint(1, 5))),
        begins=START + luck.uniform(0, _FOUL / 2),
        gives_up=luck.random() < 0.1,
    )


class Process:
    """One life of the service over a disk: acceptance, delivery and the clients that are connected to it."""

    def __init__(self, world: "World", now: float) -> None:
        luck = world.luck
        self.clock = Clock()
        self.clock.advance(now)
        dies_at = int(luck.expovariate(1 / 150)) + 1 if world.lives else 0
        self.weather = Storm(luck, self.clock, trouble=world.trouble, until=START + _FOUL, dies_at=dies_at)
        self.house = House(
            _SETTINGS,
            view=_VIEW,
            weather=self.weather,
            platter=world.platter,
            clock=self.clock,
            seed=luck.getrandbits(64),
        )
        self.house.mail.emptied = True
        world.flaw(self.house)
        self.worker = DeliveryWorker(
            _SETTINGS.mail,
            spool=self.house.spool,
            mail=self.house.mail,
            reports=no_reports,
            tracer=self.house.tracer,
            reactor=self.clock,
            clock=self.clock.seconds,
        )
        self.stopped = False
        self.failures: list[object] = []
        self.worker.start()
        for each in world.letters:
            if not each.begun:
                self.clock.callLater(max(0.0, each.begins - now), self._client, luck, each)
        if world.lives and luck.random() < 0.3:
            self.clock.callLater(luck.uniform(0, 10), self._stop)

    @property
    def ended(self) -> bool:
        """Whether this life is over: the process was killed, or stopped as it should."""
        return self.weather.dead or self.stopped

    def _stop(self) -> None:
        def stopped(_: object) -> None:
            self.stopped = True

        self.worker.stop().addCallback(stopped)

    def step(self) -> None:
        """Let happen what comes next."""
        coming = min(call.getTime() for call in self.clock.getDelayedCalls())
        self.clock.advance(max(0.0, coming - self.clock.seconds()) + 1e-6)
        assert not self.failures, self.failures

    def _client(self, luck: random.Random, each: Letter) -> None:
        if not self.ended:
            each.begun = True
            Deferred.fromCoroutine(self._send(luck, each)).addErrback(self.failures.append)

    async def _send(self, luck: random.Random, each: Letter) -> None:
        message = await self.house.acceptance.begin(JO, JO_ADDRESS, HOP, len(each.octets))
        for path in each.asked:
            try:
                await message.recipient(path)
                each.mailboxes.update(ADDRESSES[path])
            except (Refused, StoreError, ValueError):
                await deferLater(self.clock, luck.uniform(0, 1))
        at = 0
        while at < len(each.octets):
            piece = luck.choice((1, 100, 16_000, 66_000))
            written = message.write(each.octets[at : at + piece])
            at += piece
            if written is not None:
                await written
            if luck.random() < 0.1:
                await deferLater(self.clock, luck.uniform(0, 5))
        if each.gives_up:
            each.fate = "given up"
            with suppress(ValueError):
                await message.abort()
        else:
            await self._commit(message, each)
        each.ended = True

    async def _commit(self, message: IncomingMessage, each: Letter) -> None:
        try:
            each.queue_id = await message.commit()
            each.fate = "accepted"
        except Refused as refused:
            each.fate = "refused" if refused.code >= 500 else "unknown"
        except ValueError:
            each.fate = "unknown"


class World:
    """Everything that happens from one seed.

    :ivar lives: how often a process may still die.
    """

    def __init__(self, seed: int, flaw: Flaw = lambda house: None) -> None:
        self.luck = luck = random.Random(seed)
        self.flaw = flaw
        self.platter = Platter()
        self.trouble = luck.choice((0.0, 0.02, 0.1, 0.3))
        self.lives = luck.choice((0, 1, 3, 6))
        self.letters = [letter(luck, number) for number in range(luck.randint(2, 8))]

    def run(self) -> None:
        """Live until everything has come to rest, then compare with the model.

        :raises AssertionError: when a promise was broken.
        """
        now = START
        while True:
            process = Process(self, now)
            while not process.ended and not self._at_rest():
                process.step()
                assert process.clock.seconds() < START + _REST, "mail is still on its way"
            self._check_accepted()
            if not process.ended:
                break
            now = process.clock.seconds() + self.luck.uniform(0, 3)
            self._after_death()
        self._check_end()

    def _at_rest(self) -> bool:
        return not self.platter.entries and all(each.ended for each in self.letters)

    def _after_death(self) -> None:
        """Clients lose their connections; of files that were not synced anything may be left."""
        self.lives -= 1
        for each in self.letters:
            each.ended = each.ended or each.begun
        for body, file in list(self.platter.files.items()):
            if not file.synced:
                del file.octets[self.luck.randint(0, len(file.octets)) :]
                if self.luck.random() < 0.5:
                    del self.platter.files[body]

    def _check_accepted(self) -> None:
        """At every death: what was answered with 250 is delivered, or safely in the spool with its body."""
        by_queue_id = {entry.id[:8].hex(): entry for entry in self.platter.archive.values()}
        for each in self.letters:
            if each.fate == "accepted":
                assert each.queue_id in by_queue_id, f"letter {each.number} was accepted and is nowhere"
                self._check_safe(by_queue_id[each.queue_id])

    def _check_safe(self, entry: SpoolEntry) -> None:
        waits = self.platter.known[entry.id] in self.platter.entries
        for wanted in entry.deliveries:
            history = self.platter.mailbox(wanted.mailbox).history
            times = [delivery.delivery_id for delivery in history].count(wanted.delivery_id)
            assert times == 1 or (times == 0 and waits), f"delivered {times} times, waiting: {waits}"
            if times == 0 and entry.body is None:
                file = self.platter.files.get(entry.body_id)
                assert file is not None, "an accepted body is gone"
                assert file.synced, "an accepted body is not on the disk"

    def _check_end(self) -> None:
        got = self._got()
        for each in self.letters:
            counts = {mailbox: got.pop((each.number, mailbox), 0) for mailbox in each.mailboxes}
            if each.fate == "accepted":
                assert counts
                assert set(counts.values()) == {1}, f"letter {each.number} was accepted: {counts}"
            elif each.fate == "unknown":
                assert set(counts.values()) in (set(), {0}, {1}), f"letter {each.number} is in some places: {counts}"
            else:
                assert not any(counts.values()), f"letter {each.number} was {each.fate}: {counts}"
        assert not got, f"delivered to nobody's wish: {got}"
        assert not self.platter.progress
        named = {entry.body_id for entry in self.platter.archive.values()}
        assert not named & set(self.platter.files), "a body outlived its entry: only one never named waits for a sweep"

    def _got(self) -> dict[tuple[int, MailboxId], int]:
        """How often each mailbox got each letter; every one is opened and read."""
        got: dict[tuple[int, MailboxId], int] = {}
        for mailbox, kept in self.platter.mailboxes.items():
            for delivery in kept.history:
                number = self._read(mailbox, delivery, kept.bodies[delivery.delivery_id])
                got[number, mailbox] = got.get((number, mailbox), 0) + 1
        return got

    def _read(self, mailbox: MailboxId, delivery: Delivery, body: bytes) -> int:
        text, _ = opened(delivery.wrap, mailbox, delivery.delivery_id, body, delivery.summary)
        number = int(text.partition(b"Message-ID: <")[2].partition(b"@")[0])
        (sent,) = [each for each in self.letters if each.number == number]
        own = f"Return-Path: <{JO_ADDRESS}>\r\n".encode()
        of_list = b"Return-Path: <>\r\n" + list_fields(_THROUGH)
        named = any(_MAILBOXES.get(path) == (mailbox,) for path in sent.asked)
        # Who was named beside the list may have been turned away by a storm, and reached by the list all the same.
        prefixes = (own, of_list) if named else (of_list,)
        assert text.startswith(tuple(prefix + f"Received: by {HOST}".encode() for prefix in prefixes))
        assert text.endswith(sent.octets)
        return number
