"""The POP3 door: a client's dialogue over a string transport, and over TLS in memory."""

from base64 import b64encode
from pathlib import Path

import pytest
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from zope.interface import classImplements
from zope.interface.verify import verifyObject

from cjsm.access.errors import (
    AccessError,
    AccessRefused,
    AccessUnavailable,
    DevicePasswordNeeded,
    LoginTooSoon,
    MailboxClosed,
    MaildropInUse,
    MustChoosePassword,
    NotOffered,
    PasswordExpired,
    TryLater,
)
from cjsm.access.interfaces import IMaildrop, IMessageReader
from cjsm.configuration import Pop3Settings
from cjsm.pop3.server import Pop3Factory
from cjsm.store.interfaces import Damaged, Unavailable
from cjsm.vault.errors import NotAuthentic
from cjsm.wire.connections import ConnectionLimits
from cjsm.wire.tls import ServerTls
from tests.pop3.support import Access, MemoryMaildrop, MemoryReader
from tests.wire.support import certificate_files, connected_over_tls, settle

classImplements(Access, ICredentialsChecker, IRealm)

HELLO = b"Subject: hello\r\n\r\none\r\n.two\r\n.\r\nthree\r\n"
HELLO_STUFFED = b"Subject: hello\r\n\r\none\r\n..two\r\n..\r\nthree\r\n"


class Bench:
    """One connection that is inside TLS already, on a string transport."""

    def __init__(self, *contents: bytes, per_account: int = 10, size: int = 16_384) -> None:
        self.clock = Clock()
        self.maildrop = MemoryMaildrop(*contents, size=size)
        self.access = Access(self.maildrop)
        self.limits = ConnectionLimits(per_source=20, per_account=per_account, in_all=100)
        self.factory = Pop3Factory(
            Pop3Settings(), portal=self.access.portal, limits=self.limits, clock=self.clock, revalidate=5
        )
        self.connect()
        self.take()

    def connect(self) -> None:
        self.door = self.factory.buildProtocol(None)
        self.transport = StringTransport()
        self.door.makeConnection(self.transport)
        self.door.handshakeCompleted()

    def take(self) -> bytes:
        taken: bytes = self.transport.value()
        self.transport.clear()
        return taken

    def ask(self, *lines: bytes) -> bytes:
        self.door.dataReceived(b"".join(line + b"\r\n" for line in lines))
        return self.take()

    def sign_in(self) -> "Bench":
        assert b"+OK maildrop" in self.ask(b"USER alex", b"PASS secret")
        return self

    def lose(self) -> list[dict[str, object]]:
        with capturedLogs() as events:
            self.door.connectionLost()
        return [dict(event) for event in events]


def test_stand_ins_are_what_the_contract_asks_for() -> None:
    """The maildrop in memory keeps to the interfaces, so what is shown here holds for the real one."""
    verifyObject(IMaildrop, MemoryMaildrop())
    verifyObject(IMessageReader, MemoryReader(b"", 1, {}))
    bench = Bench()
    verifyObject(ICredentialsChecker, bench.access)
    verifyObject(IHandshakeListener, bench.door)


def test_pipelined_session_and_its_line_in_the_log() -> None:
    """A client may send all at once; the answers come in order, and one line tells what happened."""
    bench = Bench(HELLO, b"A: b\r\n\r\n")
    answer = bench.ask(b"USER alex", b"PASS secret", b"STAT", b"RETR 1", b"TOP 1 1", b"DELE 2", b"QUIT", b"NOOP")
    octets = f"+OK {len(HELLO)} octets\r\n".encode()
    assert answer == (
        b"+OK send PASS\r\n"
        + f"+OK maildrop has 2 messages ({len(HELLO) + 8} octets)\r\n+OK 2 {len(HELLO) + 8}\r\n".encode()
        + octets
        + HELLO_STUFFED
        + b".\r\n+OK top of message follows\r\nSubject: hello\r\n\r\none\r\n.\r\n"
        + b"+OK message 2 is marked as deleted\r\n+OK 1 message removed, goodbye\r\n"
    )
    assert bench.maildrop.deleted == [1]
    assert bench.access.logouts == 1
    assert bench.transport.disconnecting
    bench.clock.advance(2)
    (event,) = bench.lose()
    assert (event["account"], event["messages"], event["deleted"]) == ("a-1", 2, 1)
    assert (event["seconds"], event["why"]) == (2.0, "quit")
    assert bench.access.logouts == 1
    assert bench.limits.connected == 0
    assert not bench.clock.getDelayedCalls()


def test_a_cut_connection_deletes_nothing_and_gives_the_maildrop_back() -> None:
    """Without QUIT, marks are forgotten; the maildrop is free at once."""
    bench = Bench(HELLO).sign_in()
    bench.ask(b"DELE 1")
    bench.lose()
    assert (bench.maildrop.deleted, bench.access.logouts) == ([], 1)


def test_auth_plain_hands_over_what_was_sent() -> None:
    """Name, password octets, protocol and source reach the checker."""
    bench = Bench()
    assert bench.ask(b"AUTH PLAIN") == b"+ \r\n"
    assert bench.ask(b64encode(b"\0alex\0secret")).startswith(b"+OK maildrop has 0 messages")
    (attempt,) = bench.access.attempts
    assert (attempt.name, attempt.secret) == ("alex", b"secret")
    assert (attempt.protocol, attempt.source) == ("pop3", "192.168.1.1")


@pytest.mark.parametrize(
    ("outcome", "beginning"),
    [
        (AccessRefused(), b"-ERR [AUTH] user name or password not accepted\r\n"),
        (MustChoosePassword(), b"-ERR [AUTH] this is a one-time password"),
        (PasswordExpired(), b"-ERR [AUTH] your password has expired"),
        (DevicePasswordNeeded(), b"-ERR [AUTH] mail programs sign in with a device password"),
        (AccessRefused(warned=True), b"-ERR [AUTH] user name or password not accepted; after another wrong"),
        (TryLater(30), b"-ERR [SYS/TEMP] too many attempts"),
        (MaildropInUse(), b"-ERR [IN-USE] "),
        (LoginTooSoon(7), b"-ERR [LOGIN-DELAY] you signed in a moment ago, try again in 7 seconds"),
        (MailboxClosed(), b"-ERR [SYS/PERM] "),
        (AccessUnavailable(), b"-ERR [SYS/TEMP] "),
        (NotOffered("your mail is delivered to your own system"), b"-ERR [SYS/PERM] your mail is delivered"),
        (ZeroDivisionError(), b"-ERR [SYS/TEMP] "),
    ],
)
def test_each_refusal_has_its_code(outcome: AccessError, beginning: bytes) -> None:
    """The client can tell a wrong password from a busy maildrop; it can try again on the same connection."""
    bench = Bench()
    bench.access.outcome = outcome
    with capturedLogs() as events:
        assert bench.ask(b"USER alex", b"PASS secret").removeprefix(b"+OK send PASS\r\n").startswith(beginning)
    assert [event["log_format"] for event in events if "log_failure" in event] == (
        ["unexpected failure in a command"] if isinstance(outcome, ZeroDivisionError) else []
    )
    bench.access.outcome = None
    bench.sign_in()


def test_fifty_passwords_pipelined() -> None:
    """They are tried one at a time, and only three of them."""
    bench = Bench()
    bench.access.waiting = Deferred()
    bench.ask(*[b"USER alex", b"PASS wrong"] * 50)
    assert len(bench.access.attempts) == 1
    waiting, bench.access.waiting = bench.access.waiting, None
    waiting.callback(None)
    assert len(bench.access.attempts) == 3
    assert bench.take().count(b"-ERR [AUTH] user name or password not accepted\r\n") == 3
    assert bench.transport.disconnecting
    assert bench.limits.connected == 1
    assert bench.lose() == []


def test_a_connection_lost_while_signing_in() -> None:
    """The maildrop that arrives too late is given back at once."""
    bench = Bench(HELLO)
    bench.access.waiting = Deferred()
    bench.ask(b"USER alex", b"PASS secret")
    bench.lose()
    bench.access.waiting.callback(None)
    assert bench.access.logouts == 1
    assert bench.limits.connected == 0


def test_too_many_connections_of_one_account() -> None:
    """The next one is told, and may try again later on the same connection."""
    bench = Bench(per_account=1).sign_in()
    first = bench.door
    bench.connect()
    assert b"-ERR [SYS/TEMP] too many connections of this account\r\n" in bench.ask(b"USER alex", b"PASS secret")
    assert bench.access.logouts == 1
    first.connectionLost()
    bench.sign_in()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 16_384])
def test_messages_are_exact_whatever_the_pieces(size: int) -> None:
    """Dots are doubled, nothing else changes, however the store cuts the message."""
    bench = Bench(HELLO, size=size).sign_in()
    assert bench.ask(b"RETR 1").partition(b"\r\n")[2] == HELLO_STUFFED + b".\r\n"
    assert bench.ask(b"TOP 1 2").partition(b"\r\n")[2] == b"Subject: hello\r\n\r\none\r\n..two\r\n.\r\n"
    assert bench.ask(b"TOP 1 0").partition(b"\r\n")[2] == b"Subject: hello\r\n\r\n.\r\n"
    assert bench.ask(b"TOP 1 99").partition(b"\r\n")[2] == HELLO_STUFFED + b".\r\n"
    assert all(reader.closed for reader in bench.maildrop.readers)


UTF8_MESSAGE = "From: Siân <sian@x.test>\r\nSubject: café\r\n\r\ncafé\r\n".encode()


@pytest.mark.parametrize("size", [1, 7, 16_384])
def test_a_message_with_utf8_in_its_header(size: int) -> None:
    """A client that says UTF8 gets it as it is, any other in ASCII, and is told so (RFC 6856 §2.1)."""
    bench = Bench(UTF8_MESSAGE, HELLO, size=size).sign_in()
    reply, _, message = bench.ask(b"RETR 1").partition(b"\r\n")
    assert reply == b"+OK the message follows, rewritten for a program that does not say UTF8"
    head, _, body = message.partition(b"\r\n\r\n")
    assert head.isascii()
    assert b"<sian@x.test>" in head
    assert body == "café\r\n.\r\n".encode()
    assert bench.ask(b"TOP 1 0").split(b"\r\n", 1)[1].removesuffix(b"\r\n.\r\n") == head + b"\r\n"
    assert bench.ask(b"RETR 2").startswith(f"+OK {len(HELLO)} octets\r\n".encode())
    bench.connect()
    bench.take()
    bench.ask(b"UTF8")
    assert bench.sign_in().ask(b"RETR 1") == f"+OK {len(UTF8_MESSAGE)} octets\r\n".encode() + UTF8_MESSAGE + b".\r\n"


def test_every_refusal_is_told_in_welsh_too() -> None:
    """LANG holds for what other rooms refuse."""
    bench = Bench()
    bench.ask(b"LANG cy")
    bench.access.outcome = TryLater(30)
    assert b"-ERR [SYS/TEMP] gormod o ymdrechion ar hyn o bryd, ceisiwch eto ymhen 30 eiliad\r\n" in bench.ask(
        b"USER alex", b"PASS secret"
    )
    bench.access.outcome = None
    assert b"+OK 0 neges yn y blwch post (0 octed)\r\n" in bench.ask(b"USER alex", b"PASS secret")
    bench.maildrop.valid = False
    assert bench.ask(b"NOOP").startswith(b"-ERR [AUTH] mae eich cyfrif")


def test_top_does_not_read_what_it_does_not_send() -> None:
    """The header of a large message costs one piece."""
    bench = Bench(b"A: b\r\n\r\n" + b"x" * 78 + b"\r\n" * 100_000).sign_in()
    bench.ask(b"TOP 1 0")
    assert [reader.reads for reader in bench.maildrop.readers] == [1]


def test_a_slow_client_holds_back_reading_from_the_store() -> None:
    """No more of a message is read than the client has room for; other commands wait for it."""
    content = b"A: b\r\n\r\n" + (b"x" * 76 + b"\r\n") * 20_000
    bench = Bench(content).sign_in()
    bench.door.dataReceived(b"NOOP\r\nRETR 1\r\nNOOP\r\n")
    producer = bench.transport.producer
    assert producer is None
    received = bench.take()
    assert received.endswith(b".\r\n+OK done\r\n")

    class Full(StringTransport):
        """A transport that is full after each write."""

        def write(self, data: bytes) -> None:
            super().write(data)
            if self.producer is not None:
                self.producer.pauseProducing()

    bench.transport = Full()
    bench.door.transport = bench.door._transport = bench.transport
    bench.door.dataReceived(b"RETR 1\r\nNOOP\r\n")
    reader = bench.maildrop.readers[-1]
    for written in range(1, 5):
        assert reader.reads == written
        assert b"+OK done" not in bench.transport.value()
        bench.transport.producer.resumeProducing()
    bench.transport.producer.stopProducing()
    assert reader.closed
    assert b"+OK done" not in bench.transport.value()


def test_commands_after_a_message_that_was_cut_off_are_not_carried_out() -> None:
    """DELE and QUIT that were pipelined behind RETR do nothing when the message did not reach the client."""
    bench = Bench(HELLO).sign_in()
    write = bench.transport.write

    def lost(data: bytes) -> None:
        write(data)
        if bench.transport.producer is not None:
            bench.transport.producer.pauseProducing()
            bench.clock.callLater(0, lambda: bench.transport.producer.stopProducing())

    bench.transport.write = lost  # type: ignore[method-assign]  # the network breaks here
    bench.ask(b"RETR 1", b"DELE 1", b"QUIT")
    bench.clock.advance(0)
    assert bench.maildrop.deleted == []
    (event,) = bench.lose()
    assert event["why"] == "closed by the client"
    assert bench.access.logouts == 1


@pytest.mark.parametrize(
    ("failure", "beginning"),
    [
        (Unavailable("busy"), b"-ERR [SYS/TEMP] this message cannot be read at the moment"),
        (Damaged("x"), b"-ERR [SYS/PERM] this message is damaged"),
        (NotAuthentic("x"), b"-ERR [SYS/PERM] this message is damaged"),
        (ZeroDivisionError(), b"-ERR [SYS/TEMP] "),
    ],
)
@pytest.mark.parametrize("where", ["open", "first piece"])
def test_a_message_that_cannot_be_read(failure: Exception, beginning: bytes, where: str) -> None:
    """The client is told before anything of it is sent, and the session goes on."""
    bench = Bench(HELLO).sign_in()
    if where == "open":
        bench.maildrop.open_failure = failure
    else:
        bench.maildrop.read_failures = {0: failure}
    with capturedLogs():
        answer = bench.ask(b"RETR 1", b"NOOP")
    assert answer.startswith(beginning)
    assert answer.endswith(b"+OK done\r\n")
    assert all(reader.closed for reader in bench.maildrop.readers)


def test_a_message_that_fails_on_its_way_cuts_the_connection() -> None:
    """A client never takes half a message for a whole one."""
    bench = Bench(HELLO, size=10).sign_in()
    bench.maildrop.read_failures = {2: NotAuthentic("x")}
    with capturedLogs() as events:
        answer = bench.ask(b"RETR 1", b"NOOP")
    assert len(answer.partition(b"\r\n")[2]) == 20
    assert bench.transport.disconnected
    assert [event["log_format"] for event in events if "log_failure" in event and event["log_level"].name != "debug"]
    assert bench.lose()[0]["why"] == "a message could not be sent to its end"
    assert bench.maildrop.readers[0].closed


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (Unavailable("x"), b"-ERR [SYS/TEMP] no message was removed"),
        (Unavailable("x", maybe_committed=True), b"-ERR [SYS/TEMP] either all marked messages were removed or none"),
        (ZeroDivisionError(), b"-ERR [SYS/TEMP] either all"),
    ],
)
def test_quit_that_fails_says_exactly_what_is(failure: Exception, text: bytes) -> None:
    """Nothing was removed, or it is not known."""
    bench = Bench(HELLO).sign_in()
    bench.maildrop.delete_result = Deferred()
    bench.ask(b"DELE 1")
    bench.ask(b"QUIT")
    assert bench.access.logouts == 0
    with capturedLogs():
        bench.maildrop.delete_result.errback(failure)
    assert bench.take().startswith(text)
    assert bench.transport.disconnecting
    (event,) = bench.lose()
    assert (event["deleted"], event["why"]) == (0, "quit, removing failed")


def test_a_connection_lost_while_removing_keeps_the_maildrop_until_it_is_done() -> None:
    """Nobody else opens the maildrop in the middle of QUIT."""
    bench = Bench(HELLO).sign_in()
    bench.maildrop.delete_result = Deferred()
    bench.ask(b"DELE 1", b"QUIT")
    bench.lose()
    assert bench.access.logouts == 0
    bench.maildrop.delete_result.callback(None)
    assert bench.access.logouts == 1


def test_a_changed_account_ends_its_sessions() -> None:
    """Within five seconds when idle, at the next command otherwise; deletions do not happen."""
    idle = Bench(HELLO).sign_in()
    idle.clock.advance(5)
    assert not idle.transport.disconnected
    idle.maildrop.valid = False
    idle.clock.advance(5)
    assert idle.transport.disconnected
    assert idle.lose()[0]["why"] == "account changed"
    assert idle.access.logouts == 1
    busy = Bench(HELLO).sign_in()
    busy.ask(b"DELE 1")
    busy.maildrop.valid = False
    assert busy.ask(b"QUIT").startswith(b"-ERR [AUTH] your account or password has changed")
    assert busy.transport.disconnecting
    assert (busy.maildrop.deleted, busy.access.logouts) == ([], 1)


def test_a_large_maildrop_is_listed_whole() -> None:
    """Thousands of rows go out in pieces, in order, and the next command follows."""
    bench = Bench(*[b"A: b\r\n\r\n"] * 2_345).sign_in()
    rows = bench.ask(b"UIDL", b"NOOP").split(b"\r\n")
    assert rows[1:-3] == [f"{number} uid-{number}".encode() for number in range(1, 2_346)]
    assert rows[-3:] == [b".", b"+OK done", b""]


def test_silence_is_closed_without_a_word_and_deletes_nothing() -> None:
    """RFC 1939 §3: the autologout timer answers nothing and removes nothing."""
    bench = Bench(HELLO).sign_in()
    bench.ask(b"DELE 1")
    bench.clock.advance(599)
    assert not bench.transport.disconnected
    bench.clock.advance(1)
    assert bench.transport.disconnected
    assert (bench.take(), bench.maildrop.deleted) == (b"", [])


def test_an_endless_line_and_stray_octets() -> None:
    """Refused, forgotten, and the connection is still good."""
    bench = Bench().sign_in()
    assert bench.ask(b"x" * 100_000) == b"-ERR line too long\r\n"
    assert bench.ask(b"ST\nAT") == b"-ERR bare LF in a line\r\n"
    assert bench.ask(b"STAT\0") == b"-ERR NUL in a line\r\n"
    assert bench.ask(b"STAT") == b"+OK 0 0\r\n"


def test_over_tls(tmp_path: Path) -> None:
    """The whole door inside TLS: greeting, a large message, goodbye and an orderly end."""
    content = b"A: b\r\n\r\n" + (b"." + b"x" * 75 + b"\r\n") * 4_000
    bench = Bench(content)
    door = bench.factory.buildProtocol(None)
    client, pump = connected_over_tls(door, ServerTls(*certificate_files(tmp_path)), bench.clock)
    assert client.take() == b"+OK POP3 server ready\r\n"
    assert client.transport is not None
    client.transport.write(b"USER alex\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n")
    settle(pump, bench.clock)
    answer = client.take()
    assert content.replace(b"\r\n.", b"\r\n..") + b".\r\n+OK goodbye\r\n" in answer
    assert client.lost
    assert bench.access.logouts == 1


def test_stls(tmp_path: Path) -> None:
    """Where the door listens without TLS, it asks for STLS first and takes passwords only after it."""
    tls, started = ServerTls(*certificate_files(tmp_path)), []

    class Startable(StringTransport):
        def startTLS(self, creator: object) -> None:
            started.append(creator)

    bench = Bench()
    bench.factory.stls = tls
    door, bench.transport = bench.factory.buildProtocol(None), Startable()
    bench.door = door
    door.makeConnection(bench.transport)
    assert bench.take() == b"+OK POP3 server ready\r\n"
    assert bench.ask(b"USER alex").startswith(b"-ERR ")
    assert bench.ask(b"STLS") == b"+OK begin TLS\r\n"
    assert started == [tls]
    door.handshakeCompleted()
    bench.sign_in()
    bench.connect()
