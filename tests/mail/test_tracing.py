"""What is traced of messages, and how it is found again."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from twisted.logger import LogLevel, capturedLogs
from zope.interface.verify import verifyObject

from cjsm.community.identifiers import AccountId, ConnectionId, DeliveryId, ListId, MailboxId
from cjsm.community.verdicts import (
    AccountOrigin,
    ConnectionOrigin,
    EchoRoute,
    HostedRoute,
    ListRoute,
    RelayRoute,
    Service,
    ServiceOrigin,
)
from cjsm.configuration import TraceSettings
from cjsm.mail.interfaces import Hop
from cjsm.mail.traced import Answer, Event, Result, Side, Target, TraceReader, is_queue_id, open_event, seal_event
from cjsm.mail.tracing import Tracer
from cjsm.store.interfaces import ITrace, Traced
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.trace import LmdbTrace
from cjsm.vault import secrets
from cjsm.vault.errors import NotAuthentic, VaultError
from cjsm.vault.secrets import ServiceSecrets
from cjsm.vault.traces import TraceSealer

from .memorytrace import MemoryTrace
from .support import result

QUEUE, OTHER_QUEUE = "0123456789abcdef", "fedcba9876543210"
JANE, TOM, FIRM = "jane.canary@avon.cjsm.test", "tom.canary@avon.cjsm.test", "jo.canary@firm.co.uk.cjsm.test"
MESSAGE_ID = "<canary.1@client.example>"
ACCOUNT = AccountOrigin(AccountId(b"a" * 16))
CONNECTION = ConnectionId(b"c" * 16)
FIRST, SECOND = DeliveryId(b"d" * 16), DeliveryId(b"e" * 16)
HOP = Hop(host="mail.test", protocol="ESMTPSA", tls_version="TLSv1.3", tls_group="X25519MLKEM768")
NEXT = Side(host="mx.firm.canary", tls_version="TLSv1.2", tls_group="prime256v1")
TAKEN = Answer(code=250, status="2.0.0", words="queued as 5 for <jo.canary@firm.co.uk>")


class Desk:
    """A tracer, a reader and a clock that goes on by a quarter of a second."""

    def __init__(self, identities: str = "pseudonym", trace: ITrace | None = None) -> None:
        self.trace = trace or MemoryTrace()
        self.secrets: ServiceSecrets = secrets.generate()
        self.now = 1_700_000_000.0
        settings = msgspec.convert({"identities": identities}, TraceSettings)
        self.tracer = Tracer(self.trace, self.secrets, settings, clock=self.clock)
        self.reader = TraceReader(self.trace, self.secrets)

    def clock(self) -> float:
        self.now += 0.25
        return self.now

    def events(self, queue_id: str = QUEUE) -> tuple[Event, ...]:
        return result(self.reader.events(queue_id, 1_000))

    def accept(self, queue_id: str = QUEUE) -> None:
        """Jane writes to Tom, and to somebody at the firm."""
        self.tracer.accepted(
            queue_id,
            message_id=MESSAGE_ID,
            origin=ACCOUNT,
            sender=JANE,
            octets=5_000,
            hop=HOP,
            targets=(
                Target(address=TOM, route=HostedRoute(MailboxId(b"m" * 16)), delivery=FIRST),
                Target(address=FIRM, route=RelayRoute(CONNECTION, "firm.co.uk"), delivery=SECOND, of_list=True),
            ),
        )

    def everything(self) -> None:
        """All that may happen to a message."""
        tracer = self.tracer
        self.accept()
        tracer.delivered(QUEUE, FIRST)
        tracer.deferred(QUEUE, delivery=FIRST, answer=Answer(words="the mailbox cannot be written"))
        later = Answer(code=451, status="4.3.0", words="come again")
        tracer.deferred(QUEUE, recipient=FIRM, delivery=SECOND, side=NEXT, answer=later)
        tracer.relayed(QUEUE, recipient=FIRM, delivery=SECOND, side=NEXT, answer=TAKEN)
        tracer.failed(QUEUE, recipient=FIRM, side=NEXT, answer=Answer(code=550, status="5.1.1", words="no such user"))
        tracer.expired(QUEUE, recipient=FIRM, answer=Answer(words="two days"))
        tracer.returned(QUEUE, recipient=FIRM, report=OTHER_QUEUE)
        tracer.refused(
            QUEUE,
            answer=Answer(code=550, status="5.1.1", words=f"nobody has {FIRM}"),
            origin=ACCOUNT,
            sender=JANE,
            hop=HOP,
            recipient=FIRM,
        )


def test_memory_keeps_the_promise() -> None:
    """The double is one."""
    assert verifyObject(ITrace, MemoryTrace())


@pytest.mark.parametrize("identities", ["pseudonym", "clear"])
def test_everything_in_order(identities: str) -> None:
    """Each event once, with what it is about; the moment rises."""
    desk = Desk(identities)
    desk.everything()
    events = desk.events()
    assert [event.result for event in events] == [
        Result.ACCEPTED, Result.ACCEPTED, Result.DELIVERED, Result.DEFERRED, Result.DEFERRED,
        Result.RELAYED, Result.FAILED, Result.EXPIRED, Result.RETURNED, Result.REFUSED,
    ]  # fmt: skip
    assert [event.moment for event in events] == sorted(event.moment for event in events)
    assert {event.clear for event in events} == {identities == "clear"}
    hosted, relayed, delivered, *_ = events
    assert (hosted.octets, hosted.origin, hosted.route, hosted.delivery) == (5_000, "account", "hosted", FIRST)
    assert (hosted.tls_version, hosted.tls_group, hosted.host) == ("TLSv1.3", "X25519MLKEM768", "")
    assert (relayed.route, relayed.of_list) == (f"relay {CONNECTION.hex()}", True)
    assert (delivered.delivery, delivered.recipient) == (FIRST, "")
    taken = events[5]
    assert (taken.host, taken.tls_version, taken.code, taken.status) == ("mx.firm.canary", "TLSv1.2", 250, "2.0.0")
    assert events[8].words == f"report {OTHER_QUEUE}"


def test_clear() -> None:
    """Where the settings say so, names are there, also in what others answered."""
    desk = Desk("clear")
    desk.everything()
    first, second, *_ = desk.events()
    assert (first.sender, first.recipient, second.recipient) == (JANE, TOM, FIRM)
    assert desk.events()[5].words == TAKEN.words
    assert desk.reader.is_of(first, TOM.upper())
    assert not desk.reader.is_of(second, TOM)


def test_pseudonyms() -> None:
    """The usual: the same one each time, no address anywhere; who knows the address finds its events."""
    desk = Desk()
    desk.everything()
    first, second, *rest = desk.events()
    assert len({first.sender, first.recipient, second.recipient}) == 3
    assert rest[-1].recipient == second.recipient
    assert "canary@" not in repr(desk.events())
    assert desk.events()[5].words == "queued as 5 for (address)"
    assert rest[-1].words == "nobody has (address)"
    assert desk.reader.is_of(first, TOM.upper())
    assert not desk.reader.is_of(second, TOM)


def test_a_setting_that_changes_holds_for_what_comes() -> None:
    """Each event says which it is."""
    desk = Desk()
    desk.accept()
    desk.tracer.settings = TraceSettings(identities="clear")
    desk.accept()
    assert [event.recipient == TOM for event in desk.events()] == [False, False, True, False]
    assert [desk.reader.is_of(event, TOM) for event in desk.events()] == [True, False, True, False]


def test_found_by_message_id() -> None:
    """With and without brackets and space; each message that had it; the queue id names itself."""
    desk = Desk()
    desk.accept()
    desk.accept(OTHER_QUEUE)
    for name in (MESSAGE_ID, MESSAGE_ID[1:-1], f" {MESSAGE_ID} "):
        assert result(desk.reader.queue_ids(name, 10)) == (QUEUE, OTHER_QUEUE)
    assert result(desk.reader.queue_ids(MESSAGE_ID, 1)) == (QUEUE,)
    assert result(desk.reader.queue_ids(QUEUE.upper(), 10)) == (QUEUE,)
    assert result(desk.reader.queue_ids("<other@client.example>", 10)) == ()
    assert [is_queue_id(name) for name in (QUEUE, QUEUE[1:], f"{QUEUE}0", "g" * 16)] == [True, False, False, False]


@pytest.mark.parametrize("identities", ["pseudonym", "clear"])
def test_nothing_readable_on_disk(tmp_path: Path, identities: str) -> None:
    """Neither names, nor hosts, nor Message-ID, nor what others answered, whatever the setting."""
    desk = Desk(identities, LmdbTrace(tmp_path, InlineDisk(), map_size=1 << 26))
    desk.everything()
    assert isinstance(desk.trace, LmdbTrace)
    assert len(desk.events()) == 10
    result(desk.trace.close())
    octets = (tmp_path / "trace.mdb").read_bytes()
    assert bytes.fromhex(QUEUE) in octets
    for canary in (b"canary", b"client.example", b"X25519", b"queued", b"accepted", b"5.1.1", CONNECTION):
        assert canary not in octets


def test_origins_and_routes() -> None:
    """In words; connections by their id."""
    desk = Desk()
    for origin, route in (
        (ConnectionOrigin(CONNECTION), EchoRoute()),
        (ServiceOrigin(Service.DSN), ListRoute(ListId(b"l" * 16))),
    ):
        desk.tracer.accepted(
            QUEUE,
            message_id="",
            origin=origin,
            sender="",
            octets=1,
            hop=HOP,
            host="mx.firm",
            targets=[Target(address=TOM, route=route)],
        )
    first, second = desk.events()
    assert (first.origin, first.route, first.host, first.sender) == (
        f"connection {CONNECTION.hex()}", "echo", "mx.firm", "",
    )  # fmt: skip
    assert (second.origin, second.route) == ("service dsn", "list")
    assert {each.message for each in desk.trace.records} == {b""}  # type: ignore[attr-defined]  # the double's


def test_words_are_short_and_printable() -> None:
    """Whatever a peer answers."""
    desk = Desk()
    desk.tracer.failed(QUEUE, answer=Answer(words="\x1b[2J\r\n" + "x" * 10_000))
    (event,) = desk.events()
    assert event.words.isprintable()
    assert len(event.words) == 160


def test_an_event_belongs_to_its_message_and_moment() -> None:
    """Put elsewhere, it is found out."""
    sealer = TraceSealer(secrets.generate().cache)
    record = seal_event(sealer, b"12345678", Event(result=Result.DELIVERED, moment=5.5), b"tag")
    assert open_event(sealer, record).result is Result.DELIVERED
    for change in ({"moment": 6}, {"queue_id": b"87654321"}, {"message": b""}):
        with pytest.raises(NotAuthentic):
            open_event(sealer, msgspec.structs.replace(record, **change))
    nonsense = Traced(moment=5, queue_id=b"12345678", sealed=sealer.seal(b"\xc1", 5, b"12345678", b""))
    with pytest.raises(VaultError):
        open_event(sealer, nonsense)


def test_written_twice_is_told_once() -> None:
    """A store that did not know whether it had written writes again."""
    desk = Desk()
    desk.accept()
    desk.trace.add(list(desk.trace.records))  # type: ignore[attr-defined]  # the double's
    assert len(desk.events()) == 2


def test_tracing_never_fails_a_message() -> None:
    """Whatever is wrong with it is logged."""

    class Broken(MemoryTrace):
        def add(self, records: Sequence[Traced]) -> None:
            raise RuntimeError("no trace today")

    with capturedLogs() as events:
        Desk(trace=Broken()).accept()
        Desk().tracer.delivered("no queue id", FIRST)
    assert [event["log_level"] for event in events] == [LogLevel.critical] * 2
