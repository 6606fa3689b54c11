"""Acceptance and delivery over stores in memory that fail when a test wants them to."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from cjsm.community.admission import AccountOrigin
from cjsm.community.identifiers import AccountId, BodyId, DeliveryId, MailboxId
from cjsm.community.memory import MemoryView
from cjsm.community.view import View
from cjsm.configuration import MailSettings, Settings
from cjsm.mail.acceptance import Acceptance
from cjsm.mail.delivery import DeliveryWorker
from cjsm.mail.interfaces import Hop, IMailboxKeys
from cjsm.store.interfaces import (
    Claimed,
    Delivery,
    IBodyStore,
    IBodyWriter,
    IMailStore,
    ISpool,
    Missing,
    SpoolEntry,
    StoreError,
    Usage,
)
from cjsm.vault.hybrid import PrivateKey, PublicKey
from cjsm.vault.message import decode_wrap, open_wrap
from cjsm.vault.secrets import generate
from tests.community.communities import community, identifier

T = TypeVar("T")
SECRETS = generate()
KEY = PrivateKey(b"k" * 32)
PUBLIC = PublicKey(KEY.public)
HOP = Hop(host="mail.cjsm.test", protocol="ESMTPSA", tls_version="TLSv1.3", tls_group="X25519MLKEM768")
JO = AccountOrigin(account=AccountId(identifier("jo.ward")))
JO_ADDRESS = "jo.ward@avon.cjsm.test"
SAM, OLIVE = MailboxId(identifier("m-sam.hill")), MailboxId(identifier("m-olive.marsh"))
SAM_ADDRESS, OLIVE_ADDRESS = "sam.hill@avon.cjsm.test", "olive.marsh@avon.cjsm.test"
TEXT = f"From: {JO_ADDRESS}\r\nTo: {SAM_ADDRESS}\r\nSubject: Hello\r\n\r\nGood morning.\r\n".encode()

#: Called with the name of a step before it is taken; raises or returns a Deferred to get in its way.
Trouble = Callable[[str], "Deferred[None] | None"]


def no_trouble(step: str) -> None:
    """Every step works at once."""


def result(deferred: "Deferred[T]") -> T:
    """What *deferred* fired with; it must have fired. A failure is raised."""
    found: list[Any] = []
    deferred.addBoth(found.append)
    assert found, "not fired yet"
    if isinstance(found[0], Failure):
        found[0].raiseException()
    answer: T = found[0]
    return answer


class _Steps:
    def __init__(self) -> None:
        self.trouble: Trouble = no_trouble

    def step(self, name: str, work: Callable[[], T]) -> "Deferred[T]":
        """Do *work* now, later, or not at all."""
        try:
            waiting = self.trouble(name)
        except StoreError as error:
            return fail(error)
        if waiting is None:
            return succeed(work())
        return waiting.addCallback(lambda _: work())


@implementer(ISpool)
class MemorySpool(_Steps):
    """Entries by sequence, with the deliveries that are left; claims end with :meth:`restart`."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[int, tuple[SpoolEntry, set[DeliveryId]]] = {}
        self.sequences: dict[bytes, int] = {}
        self.deferred: dict[int, tuple[int, str]] = {}
        self.attempts: dict[int, int] = {}
        self.claims: set[int] = set()
        self.now: Callable[[], float] = lambda: 0.0
        self.octets = 0
        self._notify: Callable[[], object] = lambda: None

    def restart(self) -> None:
        """As after a crash: what is written stays, claims do not."""
        self.claims.clear()
        self.deferred.clear()
        self._notify = lambda: None

    def put(self, entry: SpoolEntry) -> Deferred[int]:
        return self.step("put", lambda: self.put_now(entry))

    def put_now(self, entry: SpoolEntry) -> int:
        """Write it, once by its id."""
        if entry.id not in self.sequences:
            sequence = self.sequences[entry.id] = len(self.sequences) + 1
            self.entries[sequence] = (entry, {delivery.delivery_id for delivery in entry.deliveries})
            self._notify()
        return self.sequences[entry.id]

    def claim(self, worker: str, limit: int, until: int) -> Deferred[Sequence[Claimed]]:
        return self.step("claim", lambda: self._claim(limit))

    def _claim(self, limit: int) -> list[Claimed]:
        due = [
            sequence
            for sequence in self.entries
            if sequence not in self.claims and self.deferred.get(sequence, (0, ""))[0] <= self.now()
        ][:limit]
        self.claims.update(due)
        return [
            Claimed(
                sequence=sequence,
                attempts=self.attempts.get(sequence, 0),
                entry=self.entries[sequence][0],
                remaining=tuple(self.entries[sequence][1]),
            )
            for sequence in due
        ]

    def done(self, progress: Sequence[tuple[int, Sequence[DeliveryId]]]) -> Deferred[None]:
        def work() -> None:
            for sequence, made in progress:
                if sequence in self.entries:
                    self.entries[sequence][1].difference_update(made)
                    if not self.entries[sequence][1]:
                        del self.entries[sequence]

        return self.step("done", work)

    def defer(self, sequence: int, until: int, reason: str) -> Deferred[None]:
        def work() -> None:
            self.deferred[sequence] = (until, reason)
            self.attempts[sequence] = self.attempts.get(sequence, 0) + 1
            self.claims.discard(sequence)

        return self.step("defer", work)

    def waiting(self, mailbox: MailboxId) -> int:
        return self.octets

    def low_water(self) -> int:
        return min(self.entries, default=len(self.sequences) + 1)

    def on_arrival(self, notify: Callable[[], object]) -> None:
        self._notify = notify


@implementer(IMailStore)
class MemoryMail(_Steps):
    """Deliveries by mailbox, once by their id."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes: dict[MailboxId, dict[DeliveryId, Delivery]] = {}
        self.batches: list[int] = []
        self.usages: dict[MailboxId, int] = {}

    def deliver(self, mailbox: MailboxId, batch: Sequence[Delivery], low_water: int) -> Deferred[None]:
        def work() -> None:
            self.batches.append(len(batch))
            for delivery in batch:
                self.boxes.setdefault(mailbox, {}).setdefault(delivery.delivery_id, delivery)

        return self.step("deliver", work)

    def usage(self, mailbox: MailboxId) -> Deferred[Usage]:
        return self.step("usage", lambda: Usage(octets=self.usages.get(mailbox, 0)))


@implementer(IBodyWriter)
class MemoryWriter(_Steps):
    """A body on its way."""

    def __init__(self, bodies: "MemoryBodies", body_id: BodyId) -> None:
        super().__init__()
        self.trouble = bodies.trouble
        self._bodies = bodies
        self._id = body_id
        self._octets = b""
        bodies.open += 1

    def write(self, sealed: bytes) -> "Deferred[None] | None":
        self._octets += sealed
        return self.step("body", lambda: None)

    def finish(self) -> Deferred[None]:
        def work() -> None:
            self._bodies.kept[self._id] = self._octets
            self._bodies.open -= 1

        return self.step("finish", work)

    def abort(self) -> Deferred[None]:
        self._bodies.kept.pop(self._id, None)
        self._bodies.open -= 1
        return succeed(None)


@implementer(IBodyStore)
class MemoryBodies(_Steps):
    """Finished bodies, and how many are being written."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[BodyId, bytes] = {}
        self.open = 0

    def create(self, body_id: BodyId) -> Deferred[MemoryWriter]:
        return self.step("create", lambda: MemoryWriter(self, body_id))


@implementer(IMailboxKeys)
class MemoryKeys:
    """One key for every mailbox but the lost ones."""

    def __init__(self) -> None:
        self.lost: set[MailboxId] = set()

    def current(self, mailbox: MailboxId) -> tuple[int, PublicKey]:
        if mailbox in self.lost:
            raise Missing("there is no key")
        return 1, PUBLIC


class MemoryCommunity:
    """One view for all who read."""

    def __init__(self, view: MemoryView) -> None:
        self.view = view

    def read_now(self, function: Callable[[View], T]) -> T:
        return function(self.view)


class World:
    """Acceptance and delivery of one service."""

    def __init__(self, *, inline: int = 1_000, **mail: Any) -> None:
        self.clock = Clock()
        self.view = MemoryCommunity(community())
        self.spool, self.mail, self.bodies, self.keys = MemorySpool(), MemoryMail(), MemoryBodies(), MemoryKeys()
        self.spool.now = self.clock.seconds
        settings = Settings()
        self.settings = Settings(
            mail=MailSettings(**mail), store=type(settings.store)(inline_body=inline), smtp=settings.smtp
        )
        self.acceptance = Acceptance(
            self.settings,
            community=self.view,  # type: ignore[arg-type]  # reading is all that is asked of it
            spool=self.spool,
            bodies=self.bodies,
            mail=self.mail,
            keys=self.keys,
            secrets=SECRETS,
            clock=lambda: 1_767_225_600 + self.clock.seconds(),
            reactor=self.clock,
        )
        self.worker = self.new_worker()

    def new_worker(self) -> DeliveryWorker:
        """A worker that is not started."""
        return DeliveryWorker(
            self.settings.mail,
            spool=self.spool,
            mail=self.mail,
            reactor=self.clock,
            clock=self.clock.seconds,
        )

    def begin(self, *recipients: str, sender: str = JO_ADDRESS, size: int | None = None) -> Any:
        """A message with recipients."""
        message = result(self.acceptance.begin(JO, sender, HOP, size))
        for recipient in recipients or (SAM_ADDRESS,):
            result(message.recipient(recipient))
        return message

    def send(self, text: bytes = TEXT, *recipients: str) -> str:
        """Accept a whole message."""
        message = self.begin(*recipients)
        message.write(text)
        return str(result(message.commit()))

    def delivered(self, mailbox: MailboxId) -> list[bytes]:
        """What is readable in a mailbox, with everything that the vault verifies."""
        return [self.read(mailbox, delivery) for delivery in self.mail.boxes.get(mailbox, {}).values()]

    def read(self, mailbox: MailboxId, delivery: Delivery) -> bytes:
        """Open one delivery as POP3 does."""
        opened = open_wrap(
            decode_wrap(delivery.wrap), mailbox, 1, delivery.delivery_id, acceptance=SECRETS.acceptance_public, key=KEY
        )
        sealed = delivery.body if delivery.body is not None else self.bodies.kept[delivery.body_id]
        opener, plain, at = opened.body(), opened.prefix, 0
        while opener.next_length:
            length = opener.next_length
            plain += opener.open(sealed[at : at + length])
            at += length
        return plain
