"""Mail to other servers: one connection, inside TLS that was checked, for message after message.

Nothing but EHLO and STARTTLS is ever said in the clear, and whatever a server sends ahead of its turn ends the
connection: it could have been put there by somebody else (RFC 3207 §6).
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IConsumer, IHandshakeListener, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cjsm.configuration import RelaySettings
from cjsm.mail.sending import (
    CannotReach,
    Interrupted,
    IRelayConnector,
    IRelaySession,
    NextHopPolicy,
    Parcel,
    Sent,
    Stage,
)
from cjsm.smtp.replies import Answer, AnswerReader, BadReply, Capabilities
from cjsm.smtp.transaction import Transaction
from cjsm.wire.door import FAREWELL
from cjsm.wire.flow import Outflow
from cjsm.wire.peers import ClientTls, NotTrusted, PeerPolicy, ShownCertificate, check_server, shown_by
from cjsm.wire.timing import Timer
from cjsm.wire.tls import negotiated

_OUT_OF_TURN = "the server said something before it was asked"


class _Ended(Exception):
    """The connection is over; the text says why."""


class _TimedOutflow(Outflow):
    """Each write must be taken in *seconds*: a server that reads no more would be waited for without end."""

    def __init__(self, transport: IConsumer, timer: Timer, seconds: float) -> None:
        super().__init__(transport)
        self._timer = timer
        self._seconds = seconds

    async def write(self, data: bytes) -> None:
        """See :class:`Outflow`."""
        self._timer.start(self._seconds)
        await super().write(data)
        self._timer.stop()


@implementer(IHandshakeListener, IRelaySession)
class ClientConnection(Protocol):
    """See :class:`IRelaySession`.

    :param policy: under which it is made.
    :param asked: what that asks of the server.
    """

    _log: ClassVar[Logger] = Logger()

    def __init__(
        self, settings: RelaySettings, clock: IReactorTime, tls: ClientTls, policy: NextHopPolicy, asked: PeerPolicy
    ) -> None:
        self.policy = policy
        self.peer = self.address = ""
        self.tls_version = ""
        self.tls_group = ""
        self.certificate: ShownCertificate | None = None
        self._settings = settings
        self._tls = tls
        self._asked = asked
        self._answers = AnswerReader()
        self._waiting: Deferred[Answer] | None = None
        self._secured: Deferred[None] | None = None
        self._why = ""
        self._is_secure = False
        self._sending = False
        self._writing_text = False
        self._sent = 0
        self._stage = Stage.GREETING
        #: From the offer of TLS to the end of the look at what the server shows.
        self._securing = False
        self._capabilities = Capabilities(frozenset())
        self._timer = Timer(clock, lambda: self._end("no answer in time"))
        self._transport: Any = None

    # What relay calls

    @property
    def usable(self) -> bool:
        """See :class:`IRelaySession`."""
        most = self._settings.messages_per_connection
        theirs = self._capabilities.messages or most
        return not self._why and self._is_secure and self._sent < min(most, theirs)

    @property
    def offers(self) -> frozenset[str]:
        """See :class:`IRelaySession`."""
        return self._capabilities.names

    def probe(self, recipient: str) -> "Deferred[str]":
        """See :class:`IRelaySession`."""
        return Deferred.fromCoroutine(self._probe(recipient))

    async def _probe(self, recipient: str) -> str:
        self._sending = True
        try:
            for command in ("MAIL FROM:<>", f"RCPT TO:<{recipient}>"):
                self.write(f"{command}\r\n".encode("ascii"))
                answer = await self.answer()
                if not answer.is_good:
                    break
            self.write(b"RSET\r\n")
            await self.answer()
        except (_Ended, ConnectionClosed) as error:
            raise Interrupted(self._why or str(error)) from None
        finally:
            self._sending = False
        return answer.text

    def send(self, parcel: Parcel) -> "Deferred[Sent]":
        """See :class:`IRelaySession`."""
        return Deferred.fromCoroutine(self._send(parcel))

    async def _send(self, parcel: Parcel) -> Sent:
        self._sent += 1
        self._sending = True
        try:
            sent = await Transaction(self, self._capabilities, parcel).run()
        except (_Ended, ConnectionClosed) as error:
            raise Interrupted(self._why or str(error)) from None
        except BaseException:
            self._end("given up")
            raise
        finally:
            self._sending = self._writing_text = False
        if self._answers.buffered and not self._why:
            # What it means is not known, so nothing more is said to it.
            self._end(f"{_OUT_OF_TURN}: {self._answers.said}")
        return sent

    def close(self) -> None:
        """See :class:`IRelaySession`."""
        if not self._why:
            self._transport.write(b"QUIT\r\n")
            self._why = "closed"
            # One that does not part would keep the connection for ever.
            self._timer.start(FAREWELL)
            self._transport.loseConnection()

    # Getting ready

    async def open(self) -> None:
        """Greet, begin TLS, check the server, greet again.

        :raises CannotReach: saying why.
        """
        try:
            await self._open()
        except (_Ended, ConnectionClosed) as error:
            raise CannotReach(self._why or str(error), self._stage, insecure=self._securing) from None
        except NotTrusted as error:
            self._end(str(error))
            raise CannotReach(str(error), self._stage, insecure=True) from None
        except BaseException:
            self._end("given up")
            raise

    async def _open(self) -> None:
        self._expect(await self.answer(), "greets us with")
        before = await self._greet()
        self._securing = True
        if "STARTTLS" not in before:
            raise self._ending("the server does not offer STARTTLS: nothing is sent in the clear")
        self.write(b"STARTTLS\r\n")
        self._expect(await self.answer(), "answers STARTTLS with")
        if self._answers.buffered:
            raise self._ending("the server said something between STARTTLS and TLS")
        self._stage = Stage.TLS
        self._secured = Deferred()
        self._timer.start(self._settings.connect_timeout)
        self._transport.startTLS(self._tls.towards(self._asked))
        await self._secured
        handle = self._transport.getHandle()
        self._stage = Stage.CERTIFICATE
        check_server(handle, self._asked)
        self.certificate = shown_by(handle)
        self._stage = Stage.SESSION
        self._is_secure, self._securing = True, False
        agreed = negotiated(self._transport)
        if agreed is not None:
            self.tls_version, self.tls_group = agreed.version, agreed.group or agreed.cipher
        self._capabilities = await self._greet()
        self._timer.stop()

    async def _greet(self) -> Capabilities:
        self.write(f"EHLO {self._settings.host_name}\r\n".encode("ascii"))
        answer = await self.answer()
        self._expect(answer, "answers EHLO with")
        return Capabilities.of(answer)

    def _expect(self, answer: Answer, what: str) -> None:
        if not answer.is_good:
            raise self._ending(f"the server {what} {answer.text}")

    def _ending(self, why: str) -> _Ended:
        self._end(why)
        return _Ended(why)

    # What a transaction calls

    def write(self, octets: bytes) -> None:
        """Send commands.

        :raises _Ended: when the connection is over, or the server said something that nothing asked for yet.
        """
        if self._why:
            raise _Ended(self._why)
        if self._answers.buffered:
            raise self._ending(f"{_OUT_OF_TURN}: {self._answers.said}")
        self._transport.write(octets)

    def outflow(self, *, watched: bool) -> Outflow:
        """See :class:`cjsm.smtp.transaction.Connection`."""
        self._writing_text = watched
        self._check_silent()
        if self._why:
            raise _Ended(self._why)
        return _TimedOutflow(self._transport, self._timer, self._settings.reply_timeout)

    def _check_silent(self) -> None:
        """A server that answers before it has heard all does not know what it accepts."""
        if self._writing_text and self._answers.buffered:
            self._end(f"the server answered before it had the whole message: {self._answers.said}")

    async def answer(self) -> Answer:
        """Wait for the next reply.

        :raises _Ended: when the connection ends first, or what comes is no reply.
        """
        if self._why:
            raise _Ended(self._why)
        self._writing_text = False
        waiting = self._waiting = Deferred()
        self._timer.start(self._settings.reply_timeout)
        self._pass_on()
        answer = await waiting
        self._timer.stop()
        if answer.code == 421:
            self._end(f"the server says {answer.text}")
        return answer

    def end(self, why: str) -> None:
        """The other side cannot be understood any more."""
        self._end(why)

    # What Twisted calls

    def connectionMade(self) -> None:
        """See :class:`Protocol`."""
        self._transport = self.transport
        self._transport.setTcpNoDelay(True)
        self.address = str(getattr(self._transport.getPeer(), "host", ""))
        self.peer = f"{self._asked.name} [{self.address}]"

    def handshakeCompleted(self) -> None:
        """See :class:`IHandshakeListener`."""
        secured, self._secured = self._secured, None
        if secured is not None:
            secured.callback(None)

    def dataReceived(self, data: bytes) -> None:
        """See :class:`Protocol`."""
        if self._why:
            return
        if self._secured is not None:
            self._end("the server spoke before TLS was agreed")
            return
        self._answers.feed(data)
        self._pass_on()
        self._check_silent()
        if not self._sending and self._is_secure and self._answers.buffered and self._waiting is None:
            # Nothing was asked: a goodbye, or a server that cannot be followed.
            self._end("the server ended the connection")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See :class:`Protocol`."""
        words = "the server closed the connection"
        if reason.check(SSL.Error):
            words = f"TLS failed: {_tls_words(reason)}"
        elif self._secured is not None:
            words += " instead of agreeing on TLS"
        self._over(words)
        self._timer.retire()

    # How it works

    def _pass_on(self) -> None:
        waiting = self._waiting
        if waiting is None:
            return
        try:
            answer = self._answers.next_answer()
        except BadReply as error:
            self._end(str(error))
            return
        if answer is not None:
            self._waiting = None
            waiting.callback(answer)

    def _end(self, why: str) -> None:
        self._over(why)
        if self._transport is not None:
            self._transport.abortConnection()

    def _over(self, why: str) -> None:
        if self._why:
            return
        self._why = why
        self._timer.stop()
        waiting, self._waiting = self._waiting, None
        secured, self._secured = self._secured, None
        for waiter in (waiting, secured):
            if waiter is not None:
                waiter.errback(_Ended(why))


def _tls_words(failure: Failure) -> str:
    arguments = failure.value.args if failure.value is not None else ()
    parts: Sequence[Any] = arguments[0] if arguments and isinstance(arguments[0], list) else ()
    return "; ".join(str(part[-1]) for part in parts) or "the other side broke it off"


@implementer(IRelayConnector)
class RelayConnector:
    """See :class:`IRelayConnector`.

    :ivar settings: may be replaced, for connections that come.
    :param authority: PEM file of the community's own authority.
    """

    def __init__(self, settings: RelaySettings, tls: ClientTls, authority: str, reactor: Any) -> None:
        self.settings = settings
        self._tls = tls
        self._authority = authority
        self._reactor = reactor

    def connect(self, policy: NextHopPolicy) -> "Deferred[ClientConnection]":
        """See :class:`IRelayConnector`."""
        return Deferred.fromCoroutine(self._connect(policy))

    async def _connect(self, policy: NextHopPolicy) -> ClientConnection:
        wanted = PeerPolicy(
            name=policy.name,
            authority="" if policy.public_authority else self._authority,
            pins=policy.pins,
            newest_only=policy.newest_tls_only,
        )
        factory = Factory.forProtocol(lambda: ClientConnection(self.settings, self._reactor, self._tls, policy, wanted))
        factory.noisy = False
        timeout = self.settings.connect_timeout
        endpoint = HostnameEndpoint(self._reactor, policy.host, policy.port, timeout=timeout)
        try:
            connection: Any = await endpoint.connect(factory)
        except DNSLookupError:
            raise CannotReach(f"the name {policy.host} cannot be found") from None
        except (ConnectError, TimedOut, CancelledError, OSError) as error:
            raise CannotReach(f"{policy.host} port {policy.port} cannot be reached: {_words(error)}") from None
        await connection.open()
        made: ClientConnection = connection
        return made


def _words(error: BaseException) -> str:
    return str(error).rstrip(".").lower() or "it does not answer"
