"""The SMTP doors on Twisted: drives a :class:`~cjsm.smtp.session.Session` and hands messages over."""

from collections.abc import Sequence
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cjsm.access.errors import AccessError
from cjsm.access.interfaces import ISubmitter, LoginAttempt
from cjsm.configuration import SmtpSettings
from cjsm.mail.interfaces import Hop, IAcceptance, Refused
from cjsm.smtp import refusals
from cjsm.smtp.actions import (
    Action,
    AddRecipient,
    Ask,
    Begin,
    Close,
    Forget,
    ReadText,
    Say,
    SignIn,
    StartTls,
)
from cjsm.smtp.grammar import Limits, Reply, reply
from cjsm.smtp.session import Session, stray
from cjsm.wire.connections import Refusal
from cjsm.wire.door import DoorTimes
from cjsm.wire.dots import TextFault, Unstuffer
from cjsm.wire.factory import DoorFactory
from cjsm.wire.linedoor import LineDoor
from cjsm.wire.lines import Line, LineReader
from cjsm.wire.timing import MinimumRate, Timer
from cjsm.wire.tls import ServerTls, negotiated

_CHANGED = reply(421, "4.7.0", "your account or password has changed, sign in again")
_TOO_LONG = reply(552, "5.5.2", "a line of the message is too long")
_TOO_SLOW = reply(421, "4.4.2", "the message came too slowly")


class SmtpFactory(DoorFactory):
    """Makes the door's connections; the portal gives :class:`~cjsm.access.interfaces.ISubmitter`.

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

    def connection(self) -> "SmtpDoor":
        """See :class:`DoorFactory`."""
        return SmtpDoor(self)


class SmtpDoor(LineDoor):
    """One SMTP connection."""

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
        self._house = house
        self._session = Session(
            host=settings.host_name,
            secure=house.starttls is None,
            offers_tls=house.starttls is not None,
            max_octets=house.max_octets,
            limits=Limits(
                command=settings.command_octets, parameters=settings.parameters_octets, auth=settings.auth_octets
            ),
            failed_sign_ins=settings.failed_sign_ins,
            bad_commands=settings.bad_commands,
        )
        self._submitter: Any = None
        self._message: Any = None
        self._text: Unstuffer | None = None
        self._text_octets = 0
        self._rate: MinimumRate | None = None
        self._committing = False
        self._goodbye: tuple[Reply, str] | None = None
        self._revalidation = Timer(house.clock, self._revalidate)
        self._since = 0.0
        self._accepted = 0
        self._octets = 0

    # What the line door calls.

    def greet(self) -> None:
        """See :class:`LineDoor`."""
        self._since = self.clock.seconds()
        self._act(self._session.greeting())

    def secured(self) -> None:
        """TLS has begun after STARTTLS."""
        self._act(self._session.secured())

    def refused(self, why: Refusal) -> bytes:
        """There is no place for this connection."""
        return reply(421, "4.7.0", why.value).encode()

    def line_received(self, line: Line) -> None:
        """Take a line, if the account is still what it was at sign-in."""
        if self._submitter is not None and not self._submitter.still_valid():
            self._leave(_CHANGED, "account changed")
        else:
            self._act(self._session.line(line))

    def broken(self, failure: Failure) -> None:
        """An unexpected failure costs this command; in the middle of a text, the connection."""
        if self._text is not None:
            self._text = None
            self._leave(reply(421, "4.3.0", "something went wrong here"), "unexpected failure")
            return
        self._act(self._session.broken())

    def time_over(self, why: str) -> None:
        """Say goodbye where the client can hear it."""
        self._leave(reply(421, "4.4.2", why), why)

    def finished(self, why: str) -> None:
        """Give up the message that was not finished, and write the one line about a session that was signed in."""
        self._revalidation.retire()
        self._forget()
        if self._submitter is not None:
            self._log.info(
                "session of {account}: {messages} messages, {octets} octets accepted, {seconds:.1f} seconds: {why}",
                account=self._submitter.pseudonym,
                messages=self._accepted,
                octets=self._octets,
                seconds=self.clock.seconds() - self._since,
                why=why,
            )

    # What the session asks for.

    def _act(self, actions: Sequence[Action]) -> None:
        for action in actions:
            self._do(action)
        self.reader.limit = self._session.line_limit
        goodbye, self._goodbye = self._goodbye, None
        if goodbye is not None:
            self._leave(*goodbye)

    def _leave(self, why: Reply, ended: str) -> None:
        """Say goodbye; where a message is being committed, when its sender was told what became of it."""
        if self._committing:
            self._goodbye = (why, ended)
        else:
            self._act(self._session.leaving(why, ended))

    def _do(self, action: Action) -> None:
        match action:
            case Say(said):
                self.say(said.encode())
            case AddRecipient(path):
                self.perform(self._add_recipient(path))
            case Begin(path, size):
                self.perform(self._begin(path, size))
            case ReadText():
                self._read_text()
            case Ask(challenge):
                self.say(b"334 " + challenge.encoded + b"\r\n")
            case SignIn(claim):
                self.perform(self._sign_in(claim.name, claim.secret))
            case StartTls() if self._house.starttls is not None:
                self.start_tls(self._house.starttls)
            case Forget():
                self._forget()
            case Close(why):
                self.close(why)

    async def _sign_in(self, name: str, secret: bytes) -> None:
        attempt = LoginAttempt(name, secret, protocol="smtp", source=self.source, wanted=self.is_wanted)
        submitter: Any
        try:
            _, submitter, _ = await self._house.portal.login(attempt, None, ISubmitter)
        except AccessError as error:
            why, counts = refusals.signing_in(error)
            self._act(self._session.not_signed_in(why, counts=counts))
            return
        if self.ended:
            return
        full = self.admission.sign_in(submitter.account)
        if full is not None:
            self._act(self._session.not_signed_in(reply(454, "4.7.0", full.value), counts=False))
            return
        self._submitter = submitter
        self._revalidation.start(self._house.revalidate)
        self._act(self._session.signed_in())

    async def _begin(self, path: str, size: int | None) -> None:
        try:
            message = await self._house.acceptance.begin(self._submitter.origin, path, self._hop(), size)
        except Refused as refused:
            self._act(self._session.not_begun(refusals.of_message(refused)))
            return
        self._message = message
        if self.ended:
            self._forget()
            return
        self._act(self._session.begun())

    async def _add_recipient(self, path: str) -> None:
        try:
            await self._message.recipient(path)
        except Refused as refused:
            self._act(self._session.recipient_refused(refusals.of_message(refused)))
            return
        self._act(self._session.recipient_added())

    def _hop(self) -> Hop:
        agreed = negotiated(self._transport)
        return Hop(
            host=self._house.settings.host_name,
            protocol="ESMTPSA",
            tls_version=agreed.version if agreed is not None else "",
            tls_group=(agreed.group or agreed.cipher) if agreed is not None else "",
        )

    # The text.

    def _read_text(self) -> None:
        settings = self._house.settings
        self._text = Unstuffer(settings.text_line)
        self._rate = MinimumRate(settings.data_rate, grace=settings.data_block, since=self.clock.seconds())
        self._text_octets = 0
        self.read_raw(self._text_received, settings.data_block)

    def _text_received(self, data: bytes) -> bytes | None:
        text, rate = self._text, self._rate
        if text is None or rate is None:
            return data
        rate.received(len(data))
        if rate.too_slow(self.clock.seconds()):
            self._text = None
            self._leave(_TOO_SLOW, "text too slow")
            return None
        plain, ended, rest = text.feed(data)
        self._text_octets += len(plain)
        written = self._message.write(plain) if plain and text.fault is None else None
        if ended:
            self._text = None
            self.perform(self._end_text(text.fault, written))
            return rest
        if written is not None:
            self.perform(_wait(written))
        return None

    async def _end_text(self, fault: TextFault | None, written: "Deferred[None] | None") -> None:
        if written is not None:
            await written
        if fault is not None:
            self._forget()
            self._act(self._refusal(fault))
            return
        # Whatever becomes of the connection now, the message is the commit's own.
        message, self._message = self._message, None
        self._committing = True
        try:
            queue_id = await message.commit()
        except Refused as refused:
            answer = self._session.not_accepted(refusals.of_message(refused))
        else:
            self._accepted += 1
            self._octets += self._text_octets
            answer = self._session.accepted(queue_id)
        finally:
            self._committing = False
        self._act(answer)

    def _refusal(self, fault: TextFault) -> list[Action]:
        if fault is TextFault.LINE_TOO_LONG:
            return self._session.not_accepted(_TOO_LONG)
        why: Reply = stray(fault.value)
        return self._session.not_accepted(why, close=fault.value)

    def _forget(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            message.abort().addErrback(lambda failure: self._log.failure("giving up a message failed", failure))

    # The account behind it.

    def _revalidate(self) -> None:
        if self.ended:
            return
        if self._submitter.still_valid():
            self._revalidation.start(self._house.revalidate)
        else:
            self._leave(_CHANGED, "account changed")


async def _wait(written: "Deferred[None]") -> None:
    await written
