"""A house whose mail goes out: a real queue in a directory, a clock, and servers that say what a test tells them."""

from collections import Counter
from collections.abc import Callable, Sequence
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from cjsm.community.admission import Origin
from cjsm.community.identifiers import ConnectionId, MailboxId
from cjsm.community.memory import MemoryView
from cjsm.community.records import Connection, Domain, NextHop, Record, RelayLimits
from cjsm.configuration import RelaySettings, Settings
from cjsm.mail.attempts import Attempts
from cjsm.mail.edge import Edge
from cjsm.mail.envelope import NO_WISH, Wish
from cjsm.mail.relay import RelayWorker
from cjsm.mail.reporting import Reports
from cjsm.mail.sending import CannotReach, IRelayConnector, IRelaySession, NextHopPolicy, Outcome, Parcel, Sent
from cjsm.store.interfaces import Attempted, Queued, QueueState, SpoolBatch
from cjsm.store.lmdb.disk import Disk, InlineDisk
from cjsm.store.lmdb.space import Space
from cjsm.store.lmdb.spool import LmdbSpool
from cjsm.wire.peers import ShownCertificate
from tests.community.communities import FIRM_CONNECTION, FIRM_DOMAIN, SUFFIX, community, identifier

from .support import HOP, JO, JO_ADDRESS, JO_MAILBOX, LETTER, SECRETS, House, opened, result, small

#: A second destination beside the firm.
COURT = msgspec.structs.replace(
    FIRM_CONNECTION,
    id=ConnectionId(identifier("court-server")),
    slug="court",
    name="Court",
    next_hops=(NextHop(host="mail.court.example", port=25),),
)
COURT_DOMAIN = Domain(name=f"court.example.{SUFFIX}", connection=COURT.id, organisation=COURT.organisation)
FIRM_HOST, COURT_HOST = "mail.firm.co.uk", "mail.court.example"
AT_FIRM, AT_COURT = f"re.layed@{FIRM_DOMAIN.name}", f"usher@{COURT_DOMAIN.name}"
TAKEN = Outcome(code=250, status="2.0.0", text="250 2.0.0 queued")
BUSY = Outcome(code=450, status="4.2.1", text="450 4.2.1 busy")
NOBODY = Outcome(code=550, status="5.1.1", text="550 5.1.1 nobody here")
MINUTE, HOUR = 60, 3_600


def firm(*, court: bool = False, limits: RelayLimits | None = None, **values: Any) -> MemoryView:
    """The community with the firm's connection changed, and with the court where it is wanted."""
    changed = msgspec.structs.replace(FIRM_CONNECTION, limits=limits or RelayLimits(), **values)
    more: tuple[Record, ...] = (COURT, COURT_DOMAIN) if court else ()
    return community(changed, *more)


@implementer(IRelaySession)
class MemorySession:
    """A connection to a server in memory."""

    def __init__(self, servers: "Servers", policy: NextHopPolicy) -> None:
        self.policy = policy
        self.peer = f"{policy.host} (192.0.2.1)"
        self.address = "192.0.2.1"
        self.offers = frozenset({"PIPELINING"})
        self.certificate: ShownCertificate | None = None
        self.tls_version, self.tls_group = "TLSv1.3", "X25519"
        self.usable = True
        self.closed = False
        self._servers = servers
        self._host = policy.host

    def probe(self, recipient: str) -> "Deferred[str]":
        return succeed(self._servers.answers.get(recipient, TAKEN).text)

    def send(self, parcel: Parcel) -> "Deferred[Sent]":
        return Deferred.fromCoroutine(self._send(parcel))

    async def _send(self, parcel: Parcel) -> Sent:
        servers = self._servers
        if servers.hold is not None:
            await servers.hold
        if servers.interrupts:
            self.usable = False
            raise servers.interrupts.pop()
        octets = b""
        while piece := await parcel.pieces.read(1_000):
            octets += piece
        assert len(octets) == parcel.octets
        servers.messages.append((self._host, parcel, octets))
        outcomes = {each.index: servers.answers.get(each.address, TAKEN) for each in parcel.addressees}
        return Sent(outcomes=outcomes, passes_reports_on=servers.passes_reports_on)

    def close(self) -> None:
        self.closed = True


@implementer(IRelayConnector)
class Servers:
    """All other servers. Recipients are taken unless :attr:`answers` says otherwise.

    :ivar calls: whom a connection was made to, or tried.
    :ivar away: hosts that cannot be reached.
    :ivar messages: what was sent: host, parcel and octets.
    :ivar hold: sending waits for it.
    :ivar interrupts: what the next parcels end with.
    """

    def __init__(self) -> None:
        self.calls: list[NextHopPolicy] = []
        self.away: set[str] = set()
        self.answers: dict[str, Outcome] = {}
        self.messages: list[tuple[str, Parcel, bytes]] = []
        self.sessions: list[MemorySession] = []
        self.hold: Deferred[None] | None = None
        self.interrupts: list[Exception] = []
        self.passes_reports_on = False

    def connect(self, policy: NextHopPolicy) -> "Deferred[Any]":
        self.calls.append(policy)
        if policy.host in self.away:
            return fail(CannotReach(f"{policy.host} does not answer"))
        self.sessions.append(MemorySession(self, policy))
        return succeed(self.sessions[-1])

    def got(self, host: str = FIRM_HOST) -> list[list[str]]:
        """The recipients of each message that *host* was given."""
        return [[each.address for each in parcel.addressees] for where, parcel, _ in self.messages if where == host]

    def counted(self) -> Counter[str]:
        """How often each host was called."""
        return Counter(policy.host for policy in self.calls)


class Way:
    """A house and its way out. Mail is put with :meth:`send`; time passes with :meth:`wait`."""

    def __init__(
        self,
        directory: Path,
        *,
        view: MemoryView | None = None,
        relay: RelaySettings | None = None,
        disk: Disk | None = None,
        **mail: Any,
    ) -> None:
        self.settings: Settings = msgspec.structs.replace(small(**mail), relay=relay or RelaySettings())
        self.house = House(self.settings, view=view or firm())
        self.clock = self.house.clock
        self.servers = Servers()
        self.spool = LmdbSpool(
            directory,
            disk or InlineDisk(),
            self.house.bodies,
            map_size=1 << 26,
            batch_entries=512,
            batch_octets=1 << 24,
            space=Space(directory, 0),
            clock=self.clock.seconds,
        )
        self.queue = self.spool.outgoing
        self.reports = Reports(
            self.settings,
            own_mail=self.house.acceptance.own_mail,
            bodies=self.house.bodies,
            secrets=SECRETS,
            clock=self.clock.seconds,
            entropy=self.house.acceptance.own_mail._entropy,
        )
        self.attempts = Attempts(
            self.settings,
            community=self.house.community,
            bodies=self.house.bodies,
            secrets=SECRETS,
            edge=Edge(self.house.community),
            signer=None,
            tracer=self.house.tracer,
            reports=self.reports,
            clock=self.clock.seconds,
        )
        self.worker = RelayWorker(
            self.settings.relay,
            queue=self.queue,
            attempts=self.attempts,
            connector=self.servers,
            reactor=self.clock,
        )
        self._read: list[Message] = []

    def close(self) -> None:
        """End: nothing is left behind."""
        stopped: list[object] = []
        self.worker.stop().addCallback(stopped.append)
        result(self.spool.close())

    def send(
        self,
        *recipients: str,
        octets: bytes = LETTER,
        wish: Wish = NO_WISH,
        sender: str = JO_ADDRESS,
        origin: Origin = JO,
    ) -> None:
        """Accept a message, by default from Jo for the firm, and put it in the queue; nothing is tried yet."""
        message = result(self.house.acceptance.begin(origin, sender, HOP, None))
        for each in recipients or (AT_FIRM,):
            result(message.recipient(each, wish))
        message.write(octets)
        result(message.commit())
        waiting = tuple(self.house.platter.outgoing.values())
        self.house.platter.outgoing.clear()
        result(self.spool.put(SpoolBatch(id=waiting[0].id, outgoing=waiting)))

    def wait(self, seconds: float = 0.3, *, step: float = 0.3) -> None:
        """Let *seconds* pass in steps; what is due happens."""
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            seconds -= step

    def waiting(self) -> list[Queued]:
        """What is in the queue."""
        return list(result(self.queue.listed(0, 10_000)))

    def state(self) -> QueueState:
        """How the only message that waits is."""
        (queued,) = self.waiting()
        return queued.state

    def change(self, **values: Any) -> None:
        """Give every message these values, as engineers do."""
        for queued in self.waiting():
            result(self.queue.change(queued.sequence, lambda state: msgspec.structs.replace(state, **values)))

    def connection(self, connection: Connection) -> None:
        """The community's administrator changes a connection."""
        self.house.community.view = community(connection)

    def told(self, mailbox: MailboxId = JO_MAILBOX) -> list[Message]:
        """The reports that came for *mailbox* since this was asked last."""
        found = []
        for claimed in result(self.spool.claim("test", 1_000, 1 << 40)):
            entry = claimed.entry
            for delivery in entry.deliveries:
                assert delivery.mailbox == mailbox
                body = entry.body if entry.body is not None else bytes(self.house.platter.files[entry.body_id].octets)
                text, _ = opened(delivery.wrap, mailbox, delivery.delivery_id, body, entry.summary)
                found.append(message_from_bytes(text))
        return found


def fields_of(report: Message) -> list[Message]:
    """What a report says of each recipient."""
    parts = report.get_payload()
    assert isinstance(parts, list)
    blocks = parts[1].get_payload()
    assert isinstance(blocks, list)
    return blocks[1:]


def words_of(report: Message) -> str:
    """The part for people, on one line."""
    parts = report.get_payload()
    assert isinstance(parts, list)
    words = parts[0].get_payload(decode=True)
    assert isinstance(words, bytes)
    return " ".join(words.decode().split())


class Recording:
    """Every record that a worker writes, or tries to."""

    def __init__(self, way: Way, failing: Sequence[Exception] = ()) -> None:
        self.made: list[Attempted] = []
        self._failing = list(failing)
        self._record: Callable[..., Deferred[None]] = way.queue.record
        way.queue.record = self.record  # type: ignore[method-assign]  # what it is told

    def record(self, attempts: Sequence[Attempted], put: Sequence[SpoolBatch] = ()) -> "Deferred[None]":
        """Fail as often as was foretold, then record."""
        if self._failing:
            return fail(self._failing.pop(0))
        self.made += attempts
        return self._record(attempts, put)
