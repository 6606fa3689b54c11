"""A house that takes mail and delivers it: the community made by hand, stores in memory, a clock and a seed."""

import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from cjsm.community.admission import AccountOrigin
from cjsm.community.identifiers import AccountId, BodyId, DeliveryId, MailboxId
from cjsm.community.memory import MemoryView
from cjsm.community.providers import Provider
from cjsm.community.view import View
from cjsm.configuration import MailSettings, RatesSettings, Settings, SmtpSettings, StoreSettings, TraceSettings
from cjsm.mail.acceptance import Acceptance
from cjsm.mail.authentication.bodies import BodyHashes, BodyInspector
from cjsm.mail.authentication.interfaces import IAuthenticator
from cjsm.mail.authentication.results import UNAVAILABLE, AuthenticationResult
from cjsm.mail.envelope import Envelope, decode_envelope
from cjsm.mail.header import Header
from cjsm.mail.incoming import IncomingMessage
from cjsm.mail.interfaces import Hop, IMailboxKeys, Refused
from cjsm.mail.rates import Rates
from cjsm.mail.tracing import Tracer
from cjsm.store.interfaces import Missing, SpoolBatch, SpoolEntry
from cjsm.vault.hybrid import PrivateKey, PublicKey
from cjsm.vault.message import Summary, decode_wrap, open_wrap
from cjsm.vault.queue import open_envelope
from cjsm.vault.secrets import generate
from tests.community.communities import NOW, SUFFIX, community, identifier

from .memory import MemoryBodies, MemorySpool, Platter, memory_mail
from .memorytrace import MemoryTrace
from .weather import Forecast, Weather

T = TypeVar("T")

SECRETS = generate(random.Random("secrets").randbytes)
HOST = "mail.cjsm.test"
HOP = Hop(host=HOST, protocol="ESMTPSA", tls_version="TLS1.3", tls_group="X25519MLKEM768")
CLOUDS = Provider(name="clouds", title="Clouds", names=("out.clouds.example",), tenant_header="X-Clouds-Tenant")
JO = AccountOrigin(account=AccountId(identifier("jo.ward")))
JO_ADDRESS = f"jo.ward@avon.{SUFFIX}"
SAM_ADDRESS = f"sam.hill@avon.{SUFFIX}"
OLIVE_ADDRESS = f"olive.marsh@avon.{SUFFIX}"
DESK_ADDRESS = f"desk@avon.{SUFFIX}"
LIST_ADDRESS = f"all@avon.{SUFFIX}"
SAM = MailboxId(identifier("m-sam.hill"))
OLIVE = MailboxId(identifier("m-olive.marsh"))
JO_MAILBOX = MailboxId(identifier("m-jo.ward"))
DESK = MailboxId(identifier("desk"))
BODY = BodyId(b"body one 0000001")
LETTER = f"From: Jo Ward <{JO_ADDRESS}>\r\nTo: {SAM_ADDRESS}\r\nSubject: Bail\r\n\r\nAt ten.\r\n".encode()
#: The same with what submission adds otherwise, so that nothing but the trace line comes to it.
DATED = b"Date: Thu, 1 Jan 2026 10:00:00 +0000\r\nMessage-ID: <one@avon>\r\n"


def result(answer: "Deferred[T] | Coroutine[Any, Any, T]") -> T:
    """Return what *answer* fired with, or raise what it failed with; it must have fired already."""
    deferred = answer if isinstance(answer, Deferred) else Deferred.fromCoroutine(answer)
    results: list[T] = []
    failures: list[BaseException] = []
    deferred.addCallbacks(results.append, lambda failure: failures.append(failure.value))
    if failures:
        raise failures[0]
    (found,) = results
    return found


def refusal(answer: "Deferred[T] | Coroutine[Any, Any, T]") -> tuple[int, str]:
    """Return code and status of the refusal that *answer* failed with."""
    with pytest.raises(Refused) as caught:
        result(answer)
    return caught.value.code, caught.value.status


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collect the texts that are logged meanwhile."""
    texts: list[str] = []

    def keep(event: LogEvent) -> None:
        texts.append(formatEvent(event))

    globalLogPublisher.addObserver(keep)
    try:
        yield texts
    finally:
        globalLogPublisher.removeObserver(keep)


async def no_reports(_: SpoolEntry, __: Sequence[DeliveryId]) -> Sequence[SpoolBatch]:
    """Nobody asked for any."""
    return ()


@implementer(IMailboxKeys)
class MemoryKeys:
    """A key pair for each mailbox, made from its name; :attr:`lost` mailboxes have none."""

    generation = 3

    def __init__(self) -> None:
        self.lost: dict[MailboxId, Exception] = {}
        self._pairs: dict[MailboxId, tuple[PrivateKey, PublicKey]] = {}

    def _pair(self, mailbox: MailboxId) -> tuple[PrivateKey, PublicKey]:
        if mailbox not in self._pairs:
            private = PrivateKey(mailbox * 2)
            self._pairs[mailbox] = (private, PublicKey(private.public))
        return self._pairs[mailbox]

    def current(self, mailbox: MailboxId) -> tuple[int, PublicKey]:
        if mailbox in self.lost:
            raise self.lost[mailbox]
        return self.generation, self._pair(mailbox)[1]

    def private(self, mailbox: MailboxId) -> PrivateKey:
        """What the mailbox's owner opens with."""
        return self._pair(mailbox)[0]


KEYS = MemoryKeys()


class MemoryCommunity:
    """A community store that holds one view."""

    def __init__(self, view: MemoryView) -> None:
        self.view = view
        self.failure: Exception | None = None

    def read_now(self, function: Callable[[View], T]) -> T:
        if self.failure is not None:
            raise self.failure
        return function(self.view)


NO_RATES = RatesSettings(**{field.name: 0 for field in msgspec.structs.fields(RatesSettings) if "_per_" in field.name})


@implementer(IAuthenticator)
class MemoryAuthenticator:
    """Says of every message what a test sets."""

    def __init__(self) -> None:
        self.result = UNAVAILABLE
        self.asked: list[tuple[str, str, str]] = []

    def inspector(self, header: Header) -> BodyInspector:
        return BodyInspector(())

    def verify(
        self, header: Header, bodies: BodyHashes, peer: str, helo: str, mail_from: str
    ) -> Deferred[AuthenticationResult]:
        self.asked.append((peer, helo, mail_from))
        return succeed(self.result)


def small(**mail: Any) -> Settings:
    """Settings with limits that a test can reach; *mail* changes those of the mail."""
    limits = {"message_octets": 400_000, "recipients": 5, "header_octets": 4_000, "header_fields": 40} | mail
    return Settings(
        mail=MailSettings(**limits),
        smtp=SmtpSettings(host_name=HOST, announced_recipients=3),
        store=StoreSettings(inline_body=80_000),
    )


class House:
    """An acceptance and what it stands on."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        view: MemoryView | None = None,
        weather: Weather | None = None,
        platter: Platter | None = None,
        clock: Clock | None = None,
        seed: int = 0,
    ) -> None:
        self.clock = clock or Clock()
        if clock is None:
            self.clock.advance(NOW)
        self.forecast = Forecast()
        self.weather = weather or self.forecast
        self.platter = platter or Platter()
        self.community = MemoryCommunity(view or community())
        self.keys = MemoryKeys()
        self.keys._pairs = KEYS._pairs
        self.spool = MemorySpool(self.platter, self.weather, self.clock.seconds)
        self.bodies = MemoryBodies(self.platter, self.weather, self.clock.seconds)
        self.mail = memory_mail(self.platter, self.weather)
        self.traced = MemoryTrace()
        self.tracer = Tracer(self.traced, SECRETS, TraceSettings(identities="clear"), clock=self.clock.seconds)
        self.authenticator = MemoryAuthenticator()
        self.acceptance = Acceptance(
            settings or small(),
            community=self.community,
            spool=self.spool,
            bodies=self.bodies,
            mail=self.mail,
            keys=self.keys,
            secrets=SECRETS,
            rates=Rates(NO_RATES, name=bytes.hex),
            tracer=self.tracer,
            authenticator=self.authenticator,
            providers={CLOUDS.name: CLOUDS},
            clock=self.clock.seconds,
            reactor=self.clock,
            entropy=random.Random(seed).randbytes,
        )

    def begun(self, *recipients: str, reverse_path: str = JO_ADDRESS) -> IncomingMessage:
        """A message from Jo to *recipients*, before its first octet."""
        message = result(self.acceptance.begin(JO, reverse_path, HOP, None))
        for recipient in recipients:
            result(message.recipient(recipient))
        return message

    def send(self, octets: bytes, *recipients: str) -> str:
        """A whole message from Jo, by default to Sam; returns the queue id."""
        message = self.begun(*(recipients or (SAM_ADDRESS,)))
        message.write(octets)
        return result(message.commit())

    def entry(self) -> SpoolEntry:
        """The only entry of the spool."""
        (entry,) = self.platter.entries.values()
        return entry

    @property
    def empty(self) -> bool:
        """Whether nothing at all is on the disk."""
        delivered = any(mailbox.history for mailbox in self.platter.mailboxes.values())
        return not (self.platter.entries or self.platter.files or delivered)


def opened(
    wrap: bytes, mailbox: MailboxId, delivery_id: DeliveryId, body: bytes, summary: bytes
) -> tuple[bytes, Summary]:
    """What the owner of *mailbox* reads: the whole message, and its line in a listing."""
    message = open_wrap(
        decode_wrap(wrap),
        mailbox,
        MemoryKeys.generation,
        delivery_id,
        acceptance=SECRETS.acceptance_public,
        key=KEYS.private(mailbox),
    )
    opener = message.body()
    opener.check_length(len(body))
    text, at = message.prefix, 0
    while opener.next_length:
        length = opener.next_length
        text += opener.open(body[at : at + length])
        at += length
    assert len(text) == message.wrap.octets
    return text, message.summary(summary)


def spooled(house: House, mailbox: MailboxId = SAM) -> tuple[bytes, Summary]:
    """What the owner of *mailbox* will read of the only spooled message."""
    entry = house.entry()
    (delivery,) = [each for each in entry.deliveries if each.mailbox == mailbox]
    body = entry.body if entry.body is not None else bytes(house.platter.files[entry.body_id].octets)
    return opened(delivery.wrap, mailbox, delivery.delivery_id, body, entry.summary)


def envelope(entry: SpoolEntry) -> Envelope:
    """The envelope of a spooled message."""
    return decode_envelope(open_envelope(SECRETS.queue, entry.id, entry.envelope))


def without_mailbox(view: MemoryView, account: str) -> MemoryView:
    """The community in which *account* has no mailbox yet."""
    found = view.account(AccountId(identifier(account)))
    assert found is not None
    return community(msgspec.structs.replace(found, mailbox=None))


def missing() -> Missing:
    """What a key store says of a mailbox without keys."""
    return Missing("there is no such record")
