"""The SMTP doors: dialogues over a string transport, and over TLS in memory."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from cjsm.access.errors import AccessUnavailable, MustChoosePassword, TryLater
from cjsm.access.interfaces import ISubmitter
from cjsm.configuration import SmtpSettings
from cjsm.mail.interfaces import IAcceptance, IIncomingMessage, Refused
from cjsm.smtp.submission import SubmissionFactory
from cjsm.wire.connections import ConnectionLimits
from cjsm.wire.dots import Stuffer
from cjsm.wire.tls import ServerTls
from tests.smtp.support import Access, MemoryAcceptance, MemoryMessage, Submitter
from tests.wire.support import certificate_files, connected_over_tls, settle

PLAIN = b"AUTH PLAIN " + base64.b64encode(b"\0alex\0secret")
ENVELOPE = (b"MAIL FROM:<alex@firm> SIZE=50", b"RCPT TO:<sam@avon>")
TEXT = b"From: alex@firm\r\n\r\nHello.\r\n"


def stuffed(text: bytes) -> bytes:
    """*text* as a client sends it, with its end."""
    stuffer = Stuffer()
    return stuffer.write(text) + stuffer.finish()


class Bench:
    """One connection that is inside TLS already, on a string transport."""

    def __init__(self, *, per_account: int = 10, per_source: int = 20, **settings: object) -> None:
        self.clock = Clock()
        self.access = Access()
        self.acceptance = MemoryAcceptance()
        self.limits = ConnectionLimits(per_source=per_source, per_account=per_account, in_all=100)
        self.factory = SubmissionFactory(
            SmtpSettings(**settings),  # type: ignore[arg-type]  # by name
            portal=self.access.portal,
            acceptance=self.acceptance,
            max_octets=1_000_000,
            limits=self.limits,
            clock=self.clock,
            revalidate=5,
        )
        self.connect()
        assert self.take() == b"220 localhost ESMTP ready\r\n"

    def connect(self) -> None:
        self.door = self.factory.buildProtocol(None)
        self.transport = StringTransport()
        self.door.makeConnection(self.transport)
        self.door.handshakeCompleted()

    def take(self) -> bytes:
        taken: bytes = self.transport.value()
        self.transport.clear()
        return taken

    def send(self, octets: bytes) -> bytes:
        self.door.dataReceived(octets)
        return self.take()

    def ask(self, *lines: bytes) -> list[int]:
        """Say lines in one piece; the codes of all replies."""
        said = self.send(b"".join(line + b"\r\n" for line in lines))
        return [int(line[:3]) for line in said.splitlines() if line[3:4] == b" "]

    def sign_in(self) -> "Bench":
        assert self.ask(b"EHLO client.example", PLAIN) == [250, 235]
        return self

    def ready(self) -> "Bench":
        """As far as DATA."""
        assert self.sign_in().ask(*ENVELOPE, b"DATA") == [250, 250, 354]
        return self

    @property
    def message(self) -> MemoryMessage:
        return self.acceptance.messages[-1]

    def lose(self) -> None:
        self.door.connectionLost(Failure(ConnectionLost()))

    @property
    def closed(self) -> bool:
        return bool(self.transport.disconnecting or self.transport.disconnected)


def test_stand_ins_are_true() -> None:
    """What the tests use instead of rooms is what rooms promise."""
    acceptance = MemoryAcceptance()
    verifyObject(IAcceptance, acceptance)
    bench = Bench().ready()
    verifyObject(IIncomingMessage, bench.message)
    verifyObject(ISubmitter, Submitter())


def test_a_message() -> None:
    """It arrives as it was sent, with envelope, size and the words for its trace."""
    bench = Bench().ready()
    assert bench.send(stuffed(TEXT)) == b"250 2.0.0 accepted as abc123\r\n"
    message = bench.message
    assert (message.reverse_path, message.to, message.size) == ("alex@firm", ["sam@avon"], 50)
    assert (message.octets, message.committed, message.aborted) == (TEXT, 1, 0)
    assert (message.hop.host, message.hop.protocol) == ("localhost", "ESMTPSA")
    assert bench.ask(b"QUIT") == [221]
    assert bench.closed


def test_everything_at_once() -> None:
    """A client that pipelines all of it is answered in order, one command after the other."""
    bench = Bench()
    sent = b"\r\n".join((b"EHLO a", PLAIN, *ENVELOPE, b"RCPT TO:<nobody@avon>", b"DATA", b""))
    said = bench.send(sent + TEXT + b".\r\n" + b"\r\n".join((*ENVELOPE, b"DATA", b"")) + TEXT + b".\r\nQUIT\r\n")
    codes = [int(line[:3]) for line in said.splitlines() if line[3:4] == b" "]
    assert codes == [250, 235, 250, 250, 550, 354, 250, 250, 250, 354, 250, 221]
    assert [message.octets for message in bench.acceptance.messages] == [TEXT, TEXT]


@given(st.lists(st.integers(1, 200), max_size=40))
def test_any_chunking(cuts: list[int]) -> None:
    """However the network cuts it, the same is said and the same arrives."""
    body = b"From: alex@firm\r\n\r\n.dot\r\n..two\r\n.\r\nend\r\n"
    whole = b"\r\n".join((b"EHLO a", PLAIN, *ENVELOPE, b"DATA", b"")) + stuffed(body) + b"QUIT\r\n"
    bench, said = Bench(), b""
    for cut in cuts:
        said += bench.send(whole[:cut])
        whole = whole[cut:]
    said += bench.send(whole)
    assert [line[:3] for line in said.splitlines() if line[3:4] == b" "] == [
        *(b"250", b"235", b"250", b"250", b"354", b"250", b"221")
    ]
    assert bench.message.octets == body


ENDS = [
    *(b"\n.\n", b"\r.\r", b"\r.\n", b"\n.\r", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r"),
    *(b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\n\n.\r\n", b"\r\r\n.\r\r\n", b"\r\n.\r\r\n"),
]


@pytest.mark.parametrize("end", ENDS, ids=repr)
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "octet by octet"])
def test_ends_that_are_none(end: bytes, whole: bool) -> None:
    """Thirteen forms that others may take for the end: the message is refused, nothing after it is a command."""
    bench = Bench().ready()
    inner = b"".join(line + b"\r\n" for line in (*ENVELOPE, b"DATA")) + b"From: alex@firm\r\n\r\nsmuggled\r\n.\r\n"
    octets = TEXT + b"text" + end + inner + b"QUIT\r\n"
    said = b""
    for piece in [octets] if whole else [octets[at : at + 1] for at in range(len(octets))]:
        said += bench.send(piece)
    assert b"250 2.0.0 accepted" not in said
    assert said.startswith(b"550 5.5.2")
    assert sum(message.committed for message in bench.acceptance.messages) == 0
    assert bench.closed


def test_a_long_line_of_text() -> None:
    """It costs the message, not the connection."""
    bench = Bench().ready()
    assert bench.send(b"a" * 5_000 + b"\r\n.\r\n").startswith(b"552 5.5.2")
    assert bench.message.aborted == 1
    assert bench.ask(*ENVELOPE) == [250, 250]


def test_a_long_command() -> None:
    """It is passed over to its end and never read as a command."""
    bench = Bench()
    assert bench.ask(b"A" * 17_000, b"NOOP") == [500, 250]
    bench.sign_in()
    assert bench.ask(b"MAIL FROM:<" + b"a" * 3_000 + b">", b"NOOP") == [500, 250]


def test_refusals() -> None:
    """Sender, recipient and message: the room's own words."""
    bench = Bench().sign_in()
    bench.acceptance.sender_refusal = Refused(550, "5.7.1", "not yours")
    assert bench.send(b"MAIL FROM:<sam@avon>\r\n") == b"550 5.7.1 not yours\r\n"
    bench.acceptance.sender_refusal = None
    assert bench.ask(*ENVELOPE[:1]) == [250]
    assert bench.send(b"RCPT TO:<nobody@avon>\r\n") == b"550 5.1.1 nobody@avon is nobody\r\n"
    assert bench.ask(b"DATA", b"RCPT TO:<sam@avon>", b"DATA") == [554, 250, 354]
    bench.acceptance.refusal = Refused(550, "5.7.1", "From is not yours")
    assert bench.send(TEXT + b".\r\n") == b"550 5.7.1 From is not yours\r\n"
    bench.acceptance.refusal = None
    assert bench.ask(*ENVELOPE) == [250, 250]


@pytest.mark.parametrize(
    ("outcome", "codes"),
    [(None, [535]), (MustChoosePassword(), [535]), (TryLater(9), [454]), (AccessUnavailable(), [454])],
)
def test_sign_in_refused(outcome: Exception | None, codes: list[int]) -> None:
    """With words that say what to do; the connection goes on."""
    bench = Bench()
    bench.access.outcome = outcome
    assert bench.ask(b"EHLO a", b"AUTH PLAIN " + base64.b64encode(b"\0alex\0wrong")) == [250, *codes]
    bench.access.outcome = None
    assert bench.ask(PLAIN) == [235]
    assert [attempt.protocol for attempt in bench.access.attempts] == ["smtp", "smtp"]


def test_login() -> None:
    """AUTH LOGIN as Outlook says it."""
    bench = Bench()
    bench.ask(b"EHLO a")
    assert bench.send(b"AUTH LOGIN\r\n") == b"334 VXNlcm5hbWU6\r\n"
    assert bench.send(base64.b64encode(b"alex") + b"\r\n") == b"334 UGFzc3dvcmQ6\r\n"
    assert bench.ask(base64.b64encode(b"secret")) == [235]


def test_two_hundred_sign_ins() -> None:
    """Pipelined guesses are tried one at a time, and no more than three."""
    bench = Bench()
    bench.access.hold = True
    guess = b"AUTH PLAIN " + base64.b64encode(b"\0alex\0wrong")
    bench.ask(b"EHLO a", *[guess] * 200)
    for tried in range(1, 4):
        assert len(bench.access.attempts) == tried
        bench.access.waiting.pop().callback(None)
    assert len(bench.access.attempts) == 3
    assert b"421 4.7.0" in bench.take()
    assert bench.closed


def test_too_many_connections_of_one_account() -> None:
    """Said at sign-in, with a code that lets the client come back."""
    bench = Bench(per_account=1).sign_in()
    first = bench.door
    bench.connect()
    bench.take()
    assert bench.ask(b"EHLO a", PLAIN) == [250, 454]
    first.connectionLost(Failure(ConnectionLost()))
    assert bench.ask(PLAIN) == [235]


def test_too_many_connections_of_one_source() -> None:
    """Behind implicit TLS they are cut off before a handshake costs anything."""
    bench = Bench(per_source=1)
    bench.connect()
    assert bench.transport.disconnected
    assert bench.take() == b""


def test_browsers() -> None:
    """A form on somebody's page gets no answer at all."""
    bench = Bench()
    assert bench.send(b"POST / HTTP/1.1\r\nHost: mail\r\n\r\nEHLO a\r\nMAIL FROM:<a@b>\r\n") == b""
    assert bench.closed


def test_garbage() -> None:
    """Ten lines of nonsense end the connection."""
    bench = Bench()
    codes = bench.ask(*[b"\xff\xfe nonsense"] * 30)
    assert codes == [500] * 10 + [421]
    assert bench.closed


def test_bare_line_feed_in_a_command() -> None:
    """Never two commands: the connection ends."""
    bench = Bench()
    assert bench.send(b"EHLO a\nNOOP\r\n").startswith(b"550 5.5.2")
    assert bench.closed


def test_client_gone_in_the_text() -> None:
    """The message is given up, once."""
    bench = Bench().ready()
    bench.send(TEXT)
    bench.lose()
    assert (bench.message.aborted, bench.message.committed) == (1, 0)


def test_client_gone_before_the_answer() -> None:
    """What was sent whole is the commit's own: it is not taken apart."""
    bench = Bench().ready()
    bench.acceptance.waiting = Deferred()
    bench.send(TEXT + b".\r\n")
    bench.lose()
    assert (bench.message.aborted, bench.message.committed) == (0, 1)
    bench.acceptance.waiting.callback(None)
    assert bench.message.aborted == 0


def test_client_gone_while_signing_in() -> None:
    """Nothing happens to the answer, and its place is given back."""
    bench = Bench()
    bench.access.hold = True
    bench.ask(b"EHLO a", PLAIN)
    (attempt,) = bench.access.attempts
    assert attempt.wanted()
    bench.lose()
    assert not attempt.wanted()
    bench.access.waiting[0].callback(None)
    assert bench.limits.connected == 0


def test_the_disk_is_waited_for() -> None:
    """While a write is under way nothing more is taken from the network."""
    bench = Bench().ready()
    bench.acceptance.writing = writing = Deferred()
    bench.send(b"From: alex@firm\r\n\r\n")
    bench.send(b"x" * 900 + b"\r\n")
    for _ in range(100):
        bench.send(b"y" * 900 + b"\r\n")
    assert bench.transport.producerState == "paused"
    taken = len(bench.message.octets)
    bench.acceptance.writing = None
    writing.callback(None)
    bench.clock.advance(0)
    assert len(bench.message.octets) > taken
    assert bench.transport.producerState == "producing"
    assert bench.send(b".\r\n").startswith(b"250")


def test_commands_wait_for_their_turn() -> None:
    """A recipient that takes its time is answered before what follows it."""
    bench = Bench().sign_in()
    bench.ask(*ENVELOPE[:1])
    bench.acceptance.waiting = Deferred()
    assert bench.ask(b"RCPT TO:<sam@avon>", b"NOOP", b"RSET") == []
    waiting, bench.acceptance.waiting = bench.acceptance.waiting, None
    waiting.callback(None)
    assert [line[:9] for line in bench.take().splitlines()] == [b"250 2.1.5", b"250 2.0.0", b"250 2.0.0"]


def test_account_closed_meanwhile() -> None:
    """At the next command, and at the latest after some seconds."""
    for act in (lambda bench: bench.ask(b"NOOP"), lambda bench: bench.clock.advance(5)):
        bench = Bench().sign_in()
        bench.access.submitter.valid = False
        act(bench)
        assert bench.closed


@pytest.mark.parametrize("why", ["421 4.7.0", "421 4.4.2"])
@pytest.mark.parametrize("outcome", ["250 2.0.0", "452 4.3.1", "451 4.3.0"])
def test_goodbye_waits_for_a_commit(why: str, outcome: str) -> None:
    """Who is told 421 sends the message again: first it is said what became of the one on its way to the disk."""
    bench = Bench(session=100, command=1_000).ready()
    bench.acceptance.waiting = waiting = Deferred()
    bench.send(stuffed(TEXT))
    if why == "421 4.7.0":
        bench.access.submitter.valid = False
        bench.clock.advance(6)
    else:
        bench.clock.advance(101)
    assert bench.take() == b""
    assert not bench.closed
    with capturedLogs():
        match outcome:
            case "250 2.0.0":
                waiting.callback(None)
            case "452 4.3.1":
                waiting.errback(Refused(452, "4.3.1", "no room"))
            case _:
                waiting.errback(ZeroDivisionError())
    assert [line[:9].decode() for line in bench.take().splitlines()] == [outcome, why]
    assert bench.closed
    assert bench.message.aborted == 0


def test_silence_after_waiting_for_the_disk() -> None:
    """The client has as long for the next block as it has without a disk that is busy."""
    bench = Bench(data_rate=0).ready()
    bench.acceptance.writing = writing = Deferred()
    bench.send(b"From: alex@firm\r\n\r\n")
    bench.acceptance.writing = None
    writing.callback(None)
    bench.clock.advance(179)
    assert not bench.closed
    bench.clock.advance(1)
    assert bench.closed


def test_still_valid_sessions_go_on() -> None:
    """Looking again does not end them."""
    bench = Bench().sign_in()
    for _ in range(10):
        bench.clock.advance(5)
    assert bench.ask(b"NOOP") == [250]


@pytest.mark.parametrize(("seconds", "setting"), [(300, "command"), (3600, "session")])
def test_time_limits(seconds: int, setting: str) -> None:
    """Idle clients and endless sessions are told and left."""
    bench = Bench().sign_in()
    if setting == "command":
        bench.clock.advance(seconds - 1)
        assert not bench.closed
        bench.clock.advance(1)
    else:
        for _ in range(seconds // 100):
            bench.send(b"NOOP\r\n")
            bench.clock.advance(100)
    assert b"421 4.4.2" in bench.take()
    assert bench.closed


def test_no_handshake() -> None:
    """Half a handshake is cut off after some seconds."""
    bench = Bench()
    door = bench.factory.buildProtocol(None)
    transport = StringTransport()
    door.makeConnection(transport)
    bench.clock.advance(10)
    assert transport.disconnected


def test_slow_text() -> None:
    """An octet now and then is no message: it is told so and left."""
    bench = Bench().ready()
    for _ in range(30):
        bench.send(b"a")
        bench.clock.advance(9)
        if bench.closed:
            break
    assert bench.closed
    assert bench.message.aborted == 1


def test_unexpected_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are logged, answered with 451, and cost no more than the command."""
    bench = Bench().sign_in()
    bench.acceptance.sender_refusal = ZeroDivisionError("a bug")
    with capturedLogs() as logged:
        assert bench.ask(*ENVELOPE[:1]) == [451]
    assert any("log_failure" in event for event in logged)
    bench.acceptance.sender_refusal = None
    assert bench.ask(*ENVELOPE) == [250, 250]


def test_log_of_a_session() -> None:
    """One line, with a pseudonym and counts, no address and no content."""
    bench = Bench().ready()
    bench.send(TEXT + b".\r\n")
    bench.acceptance.refusal = Refused(550, "5.7.1", "no")
    bench.ask(*ENVELOPE, b"DATA")
    bench.send(TEXT + b".\r\n")
    with capturedLogs() as logged:
        bench.lose()
    (event,) = [event for event in logged if "messages" in event]
    assert (event["account"], event["messages"], event["octets"]) == ("a-1", 1, len(TEXT))
    assert "alex@firm" not in str(event)


class Clear:
    """The door with STARTTLS, and a client beside it."""

    def __init__(self, directory: Path) -> None:
        self.bench = Bench()
        self.tls = ServerTls(*certificate_files(directory))
        self.bench.factory.starttls = self.tls
        self.door = self.bench.factory.buildProtocol(None)
        self.transport = StringTransport()
        self.door.makeConnection(self.transport)

    def send(self, octets: bytes) -> bytes:
        self.door.dataReceived(octets)
        said: bytes = self.transport.value()
        self.transport.clear()
        return said


def test_nothing_in_the_clear(tmp_path: Path) -> None:
    """Before STARTTLS no password and no message is taken."""
    clear = Clear(tmp_path)
    said = clear.send(b"EHLO a\r\n" + PLAIN + b"\r\nMAIL FROM:<alex@firm>\r\n")
    assert b"STARTTLS" in said
    assert b"AUTH" not in said.partition(b"538")[0]
    assert b"\r\n538 5.7.11" in said
    assert b"\r\n530 5.7.0" in said
    assert clear.bench.access.attempts == []


def test_commands_behind_starttls_are_an_attack(tmp_path: Path) -> None:
    """What stands behind STARTTLS in the clear is not carried out inside TLS: the connection ends."""
    clear = Clear(tmp_path)
    clear.send(b"EHLO a\r\n")
    clear.send(b"STARTTLS\r\nMAIL FROM:<injected@firm>\r\n")
    assert clear.transport.disconnecting or clear.transport.disconnected


def test_refused_in_the_clear(tmp_path: Path) -> None:
    """Where the client can read it, it is told why it is turned away."""
    clear = Clear(tmp_path)
    clear.bench.limits.in_all = 0
    door, transport = clear.bench.factory.buildProtocol(None), StringTransport()
    door.makeConnection(transport)
    assert transport.value().startswith(b"421 4.7.0")


def test_over_tls(tmp_path: Path) -> None:
    """The whole dialogue through real TLS in memory; the trace words name version and group."""
    bench = Bench()
    tls = ServerTls(*certificate_files(tmp_path))
    client, pump = connected_over_tls(bench.factory.buildProtocol(None), tls, bench.clock)
    assert client.take() == b"220 localhost ESMTP ready\r\n"
    client.transport.write(b"\r\n".join((b"EHLO a", PLAIN, *ENVELOPE, b"DATA", b"")) + TEXT + b".\r\nQUIT\r\n")
    settle(pump, bench.clock)
    assert client.take().endswith(b"250 2.0.0 accepted as abc123\r\n221 2.0.0 goodbye\r\n")
    assert (bench.message.hop.tls_version, bench.message.hop.tls_group) == ("TLSv1.3", "X25519MLKEM768")
