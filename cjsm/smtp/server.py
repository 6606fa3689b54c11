"""What the SMTP doors share on Twisted: drives a :class:`~cjsm.smtp.session.Session` and hands messages over.

Who may send is the doors' own affair: :mod:`~cjsm.smtp.submission` for people, :mod:`~cjsm.smtp.relay` for servers.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar, TypeAlias

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cjsm.configuration import SmtpSettings
from cjsm.mail.envelope import Demands, Wish
from cjsm.mail.interfaces import Hop, IAcceptance, Refused
from cjsm.smtp import refusals
from cjsm.smtp.actions import (
    Action,
    AddRecipient,
    Ask,
    Begin,
    Close,
    Forget,
    ReadChunk,
    ReadText,
    Say,
    SignIn,
    SkipChunk,
    StartTls,
)
from cjsm.smtp.grammar import Limits, Reply, reply
from cjsm.smtp.reception import ChunkReader, Reception, TextReader, TooSlow
from cjsm.smtp.session import Session, stray
from cjsm.wire.connections import Refusal
from cjsm.wire.door import DoorTimes
from cjsm.wire.dots import Unstuffer
from cjsm.wire.factory import DoorFactory
from cjsm.wire.linedoor import LineDoor
from cjsm.wire.lines import Line, LineReader
from cjsm.wire.text import ChunkedText, TextFault
from cjsm.wire.timing import Timer
from cjsm.wire.tls import ServerTls, negotiated

#: What is done when a text, or a chunk of it, has come to its end.
Ended: TypeAlias = Callable[[Reception], Coroutine[Any, Any, None]]

_CHANGED = reply(421, "4.7.0", "who you are has changed meanwhile: connect again")
_TOO_LONG = reply(552, "5.5.2", "a line of the message is too long")
_TOO_SLOW = reply(421, "4.4.2", "the message came too slowly")


class SmtpFactory(DoorFactory):
    """Makes an SMTP door's connections.

    :param max_octets: largest message, announced with SIZE.
    :param starttls: the TLS that STARTTLS begins, where this door listens without TLS; None behind implicit TLS.
    """

    settings: SmtpSettings

    def __init__(
        self,
        settings: SmtpSettings,
        *,
        acceptance: IAcceptance,
        max_octets: int,
        starttls: ServerTls | None = None,
        **common: Any,
    ) -> None:
        super().__init__(settings, **common)
        self.acceptance = acceptance
        self.max_octets = max_octets
        self.starttls = starttls


class SmtpDoor(LineDoor):
    """One SMTP connection.

    :cvar offers_auth: people sign in here.
    :cvar protocol: the word for it in Received (RFC 3848).
    :ivar sender: the :class:`~cjsm.access.interfaces.ISender` that is known by now, or None.
    """

    offers_auth: ClassVar[bool]
    protocol: ClassVar[str]
    _log: ClassVar[Logger] = Logger()

    def __init__(self, house: SmtpFactory) -> None:
        settings = house.settings
        super().__init__(
            clock=house.clock,
            limits=house.limits,
            reader=LineReader(settings.auth_octets, pause_at=settings.pipelined_octets),
            times=DoorTimes(settings.handshake, settings.command, settings.session),
            implicit=house.starttls is None,
        )
        self.house = house
        self.session = Session(
            host=settings.host_name,
            secure=house.starttls is None,
            offers_tls=house.starttls is not None,
            offers_auth=self.offers_auth,
            max_octets=house.max_octets,
            recipients=settings.announced_recipients,
            limits=Limits(
                command=settings.command_octets, parameters=settings.parameters_octets, auth=settings.auth_octets
            ),
            failed_sign_ins=settings.failed_sign_ins,
            bad_commands=settings.bad_commands,
        )
        self.sender: Any = None
        self._message: Any = None
        self._reception: Reception | None = None
        self._text_ended: Ended = self._end_text
        self._text_octets = 0
        self._chunks: ChunkedText | None = None
        self._committing = False
        self._goodbye: tuple[Reply, str] | None = None
        self._revalidation = Timer(house.clock, self._revalidate)
        self._since = 0.0
        self._accepted = 0
        self._octets = 0

    # What a door says.

    async def sign_in(self, name: str, secret: bytes) -> None:
        """Find out who wants to send."""
        raise TypeError("nobody signs in at this door")

    def client(self) -> str:
        """Who the other side is, for Received; empty where that is nobody's business."""
        return ""

    def known(self, sender: Any) -> None:
        """From now on mail is taken from *sender*, as long as that stays valid."""
        self.sender = sender
        self._revalidation.start(self.house.revalidate)

    # What the line door calls.

    def greet(self) -> None:
        """See :class:`LineDoor`."""
        self._since = self.clock.seconds()
        self.act(self.session.greeting())

    def secured(self) -> None:
        """TLS has begun after STARTTLS."""
        self.act(self.session.secured())

    def refused(self, why: Refusal) -> bytes:
        """There is no place for this connection."""
        return reply(421, "4.7.0", why.value).encode()

    def line_received(self, line: Line) -> None:
        """Take a line, if the account is still what it was at sign-in."""
        if self.sender is not None and not self.sender.still_valid():
            self._leave(_CHANGED, "no longer who it was")
        else:
            self.act(self.session.line(line))

    def broken(self, failure: Failure) -> None:
        """An unexpected failure costs this command; in the middle of a text, the connection."""
        if self._reception is not None:
            self._reception = None
            self._leave(reply(421, "4.3.0", "something went wrong here"), "unexpected failure")
            return
        self.act(self.session.broken())

    def time_over(self, why: str) -> None:
        """Say goodbye where the client can hear it."""
        self._leave(reply(421, "4.4.2", why), why)

    def finished(self, why: str) -> None:
        """Give up the message that was not finished, and write the one line about a session that was signed in."""
        self._revalidation.retire()
        self._forget()
        if self.sender is not None:
            self._log.info(
                "session of {account}: {messages} messages, {octets} octets accepted, {seconds:.1f} seconds: {why}",
                account=self.sender.pseudonym,
                messages=self._accepted,
                octets=self._octets,
                seconds=self.clock.seconds() - self._since,
                why=why,
            )

    # What the session asks for.

    def act(self, actions: Sequence[Action]) -> None:
        """Do what the session asks for."""
        for action in actions:
            self._do(action)
        self.reader.limit = self.session.line_limit
        goodbye, self._goodbye = self._goodbye, None
        if goodbye is not None:
            self._leave(*goodbye)

    def _leave(self, why: Reply, ended: str) -> None:
        """Say goodbye; where a message is being committed, when its sender was told what became of it."""
        if self._committing:
            self._goodbye = (why, ended)
        else:
            self.act(self.session.leaving(why, ended))

    def _do(self, action: Action) -> None:
        match action:
            case Say(said):
                self.say(said.encode())
            case AddRecipient(path, wish):
                self.perform(self._add_recipient(path, wish))
            case Begin(path, size, demands):
                self.perform(self._begin(path, size, demands))
            case ReadText():
                self._read_text()
            case ReadChunk(octets, last):
                self._read_chunk(octets, last)
            case SkipChunk(octets, last, why):
                self._skip_chunk(octets, last, why)
            case Ask(challenge):
                self.say(b"334 " + challenge.encoded + b"\r\n")
            case SignIn(claim):
                self.perform(self.sign_in(claim.name, claim.secret))
            case StartTls() if self.house.starttls is not None:
                self.start_tls(self.house.starttls)
            case Forget():
                self._forget()
            case Close(why):
                self.close(why)

    async def _begin(self, path: str, size: int | None, demands: Demands) -> None:
        try:
            message = await self.house.acceptance.begin(self.sender.origin_for(path), path, self._hop(), size, demands)
        except Refused as refused:
            self.act(self.session.not_begun(refusals.of_message(refused)))
            return
        self._message, self._chunks, self._text_octets = message, None, 0
        if self.ended:
            self._forget()
            return
        self.act(self.session.begun())

    async def _add_recipient(self, path: str, wish: Wish) -> None:
        try:
            await self._message.recipient(path, wish)
        except Refused as refused:
            self.act(self.session.recipient_refused(refusals.of_message(refused)))
            return
        self.act(self.session.recipient_added())

    def _hop(self) -> Hop:
        agreed = negotiated(self._transport)
        return Hop(
            host=self.house.settings.host_name,
            protocol=self.protocol,
            tls_version=agreed.version if agreed is not None else "",
            tls_group=(agreed.group or agreed.cipher) if agreed is not None else "",
            client=self.client(),
            source=self.source,
            called=self.session.called,
        )

    # The text.

    def _read_text(self) -> None:
        self._receive(Unstuffer(self.house.settings.text_line), self._end_text)

    def _read_chunk(self, octets: int, last: bool) -> None:
        if self._chunks is None:
            self._chunks = ChunkedText(self.house.settings.text_line)
        reader = ChunkReader(octets, self._chunks, last=last)
        self._receive(reader, self._end_text if last else lambda taken: self._end_chunk(taken, octets), octets)

    def _skip_chunk(self, octets: int, last: bool, why: Reply) -> None:
        self._receive(ChunkReader(octets, None, last=last), lambda _: self._end_skipped(last, why), octets)

    def _receive(self, reader: TextReader, ended: Ended, octets: int | None = None) -> None:
        """Give what comes to *reader* until it has all, *octets* where that is known; then say *ended*."""
        settings = self.house.settings
        self._reception = Reception(
            reader, rate=settings.data_rate, grace=settings.data_block, since=self.clock.seconds()
        )
        self._text_ended = ended
        if octets == 0:
            self._text_received(b"")
        else:
            self.read_raw(self._text_received, settings.data_block)

    def _text_received(self, data: bytes) -> bytes | None:
        reception = self._reception
        if reception is None:
            return data
        try:
            plain, ended, rest = reception.received(data, self.clock.seconds())
        except TooSlow:
            self._reception = None
            self._leave(_TOO_SLOW, "text too slow")
            return None
        written = self._message.write(plain) if plain and reception.fault is None else None
        if ended:
            self._reception = None
            self.perform(self._text_over(reception, written))
            return rest
        if written is not None:
            self.perform(_wait(written))
        return None

    async def _text_over(self, reception: Reception, written: "Deferred[None] | None") -> None:
        if written is not None:
            await written
        self._text_octets += reception.octets
        await self._text_ended(reception)

    async def _end_skipped(self, last: bool, why: Reply) -> None:
        self.act(self.session.chunk_skipped(last, why))

    async def _end_chunk(self, reception: Reception, octets: int) -> None:
        if reception.fault not in (None, TextFault.LINE_TOO_LONG):
            self._refuse_text(reception.fault)
        else:
            self.act(self.session.chunk_taken(octets))

    async def _end_text(self, reception: Reception) -> None:
        if reception.fault is not None:
            self._refuse_text(reception.fault)
            return
        # Whatever becomes of the connection now, the message is the commit's own.
        message, self._message = self._message, None
        self._committing = True
        try:
            queue_id = await message.commit()
        except Refused as refused:
            answer = self.session.not_accepted(refusals.of_message(refused))
        else:
            self._accepted += 1
            self._octets += self._text_octets
            answer = self.session.accepted(queue_id)
        finally:
            self._committing = False
        self.act(answer)

    def _refuse_text(self, fault: TextFault | None) -> None:
        self._forget()
        if fault is TextFault.LINE_TOO_LONG:
            self.act(self.session.not_accepted(_TOO_LONG))
        elif fault is not None:
            self.act(self.session.not_accepted(stray(fault.value), close=fault.value))

    def _forget(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            message.abort().addErrback(lambda failure: self._log.failure("giving up a message failed", failure))

    # The account behind it.

    def _revalidate(self) -> None:
        if self.ended:
            return
        if self.sender.still_valid():
            self._revalidation.start(self.house.revalidate)
        else:
            self._leave(_CHANGED, "no longer who it was")


async def _wait(written: "Deferred[None]") -> None:
    await written
