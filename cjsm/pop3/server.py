"""The POP3 door on Twisted: drives a :class:`~cjsm.pop3.session.Session` and asks the rooms."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cjsm.access.errors import AccessError
from cjsm.access.interfaces import IMaildrop, IMessageReader, LoginAttempt
from cjsm.configuration import Pop3Settings
from cjsm.pop3 import grammar, refusals
from cjsm.pop3.actions import Action, Close, Remove, Reply, Rows, SendMessage, SignIn, StartTls
from cjsm.pop3.grammar import Code
from cjsm.pop3.policy import Policy
from cjsm.pop3.retrieval import Retrieval
from cjsm.pop3.session import Session
from cjsm.pop3.texts import Text, recognised, words
from cjsm.wire.connections import Refusal
from cjsm.wire.door import DoorTimes
from cjsm.wire.factory import DoorFactory
from cjsm.wire.flow import Outflow
from cjsm.wire.linedoor import LineDoor
from cjsm.wire.lines import Line, LineReader
from cjsm.wire.timing import Timer
from cjsm.wire.tls import ServerTls

ROWS_IN_A_WRITE = 500
"""Rows of LIST and UIDL that are made and sent at once."""


class Pop3Factory(DoorFactory):
    """Makes the door's connections; the portal gives :class:`~cjsm.access.interfaces.IMaildrop`.

    :param stls: the TLS that STLS begins, where this door listens without TLS; None behind implicit TLS.
    """

    settings: Pop3Settings

    def __init__(self, settings: Pop3Settings, *, stls: ServerTls | None = None, **common: Any) -> None:
        super().__init__(settings, **common)
        self.stls = stls

    def connection(self) -> "Pop3Door":
        """See :class:`DoorFactory`."""
        return Pop3Door(self)


class Pop3Door(LineDoor):
    """One POP3 connection."""

    _log: ClassVar[Logger] = Logger()

    def __init__(self, house: Pop3Factory) -> None:
        settings = house.settings
        super().__init__(
            clock=house.clock,
            limits=house.limits,
            reader=LineReader(settings.line_octets, pause_at=settings.pipelined_octets),
            times=DoorTimes(settings.handshake, settings.command, settings.session),
            implicit=house.stls is None,
        )
        self._house = house
        self._session = Session(
            secure=house.stls is None,
            stls=house.stls is not None,
            line_octets=settings.line_octets,
            auth_octets=settings.auth_octets,
            failed_sign_ins=settings.failed_sign_ins,
            bad_commands=settings.bad_commands,
            policy=Policy(settings.login_delay, settings.retention, settings.language),
        )
        self._maildrop: Any = None
        self._logout: Callable[[], object] | None = None
        self._removing = False
        self._revalidation = Timer(house.clock, self._revalidate)
        self._since = 0.0
        self._messages_sent = 0
        self._octets_sent = 0
        self._removed = 0

    # What the line door calls.

    def greet(self) -> None:
        """See :class:`LineDoor`."""
        self._since = self.clock.seconds()
        self._act(self._session.greeting())

    def secured(self) -> None:
        """TLS has begun after STLS."""
        self._act(self._session.secured())

    def refused(self, why: Refusal) -> bytes:
        """There is no place for this connection."""
        return grammar.error(why.value, Code.SYS_TEMP)

    def line_received(self, line: Line) -> None:
        """Take a line, if the account is still what it was at sign-in."""
        if self._maildrop is not None and not self._maildrop.still_valid():
            self.say(grammar.error(self._session.say(words(Text.ACCOUNT_CHANGED)), Code.AUTH))
            self._leave("account changed")
        else:
            self._act(self._session.line(line))

    def broken(self, failure: Failure) -> None:
        """An unexpected failure costs this command."""
        self._act(self._session.broken())

    def finished(self, why: str) -> None:
        """Write the one line about a session that was signed in, and give the maildrop back."""
        self._revalidation.retire()
        if self._maildrop is not None:
            self._log_session(why)
        if not self._removing:
            self._log_out()

    def _log_session(self, why: str) -> None:
        self._log.info(
            "session of {account}: {messages} messages, {octets} octets sent, {deleted} deleted,"
            " {seconds:.1f} seconds: {why}",
            account=self._maildrop.pseudonym,
            messages=self._messages_sent,
            octets=self._octets_sent,
            deleted=self._removed,
            seconds=self.clock.seconds() - self._since,
            why=why,
        )

    # What the session asks for.

    def _act(self, actions: Sequence[Action]) -> None:
        if any(isinstance(action, Close) for action in actions):
            # Before the last reply: whoever reads it may open the maildrop again.
            self._log_out()
        for action in actions:
            self._do(action)
        self.reader.limit = self._session.line_limit

    def _do(self, action: Action) -> None:
        match action:
            case Reply(data):
                self.say(data)
            case Rows(pieces):
                self.perform(self._send_rows(pieces))
            case SignIn():
                self.perform(self._sign_in(action))
            case SendMessage():
                self.perform(self._send_message(action))
            case Remove(indexes):
                self.perform(self._remove(indexes))
            case StartTls() if self._house.stls is not None:
                self.start_tls(self._house.stls)
            case Close(why):
                self.close(why)

    async def _sign_in(self, claim: SignIn) -> None:
        attempt = LoginAttempt(claim.name, claim.secret, protocol="pop3", source=self.source, wanted=self.is_wanted)
        try:
            _, maildrop, logout = await self._house.portal.login(attempt, None, IMaildrop)
        except AccessError as error:
            refusal = refusals.signing_in(error)
            self._act(self._session.not_signed_in(refusal.text, refusal.code, counts=refusal.counts))
            return
        self._logout = logout
        if self.ended:
            self._log_out()
            return
        self._enter(maildrop)

    def _enter(self, maildrop: Any) -> None:
        full = self.admission.sign_in(maildrop.account)
        if full is not None:
            self._log_out()
            self._act(self._session.not_signed_in(recognised(full.value), Code.SYS_TEMP, counts=False))
            return
        self._maildrop = maildrop
        self._revalidation.start(self._house.revalidate)
        self._act(self._session.signed_in(maildrop.messages))

    async def _send_rows(self, pieces: Iterator[bytes]) -> None:
        head = b"".join(islice(pieces, ROWS_IN_A_WRITE))
        following = b"".join(islice(pieces, ROWS_IN_A_WRITE))
        if not following:
            self.say(head)
            return
        outflow = Outflow(self._transport)
        try:
            await outflow.write(head)
            while following:
                self.expect()
                await outflow.write(following)
                following = b"".join(islice(pieces, ROWS_IN_A_WRITE))
        finally:
            outflow.close()

    async def _send_message(self, request: SendMessage) -> None:
        reader: IMessageReader | None = None
        try:
            reader = await self._maildrop.open(request.index)
            retrieval = Retrieval(reader, request.lines, ascii_only=request.changed is not None)
            await retrieval.begin()
        except Exception as error:  # noqa: BLE001 - _not_sent raises again what nobody expects
            if reader is not None:
                reader.close()
            self._not_sent(error)
            return
        try:
            await self._stream(retrieval, request)
        finally:
            reader.close()

    def _not_sent(self, error: Exception) -> None:
        refusal = refusals.reading(error)
        if refusal is None:
            raise error
        if refusal.code is Code.SYS_PERM:
            self._log.failure("a message of {account} could not be read", account=self._maildrop.pseudonym)
        self._act(self._session.not_sent(refusal.text, refusal.code))

    async def _stream(self, retrieval: Retrieval, request: SendMessage) -> None:
        if self.ended:
            return
        first = request.changed if request.changed and retrieval.changed else request.first
        outflow = Outflow(self._transport)
        try:
            await retrieval.send(outflow, first, lambda: self.expect())
        except ConnectionLost:
            raise
        except Exception:
            self._log.failure("a message of {account} could not be sent to its end", account=self._maildrop.pseudonym)
            # The client has read the positive reply: only a cut connection tells it that the message is not whole.
            self.abort("a message could not be sent to its end")
            raise
        finally:
            outflow.close()
            self._octets_sent += outflow.written
        self._messages_sent += 1
        self._act(self._session.sent())

    async def _remove(self, indexes: tuple[int, ...]) -> None:
        self._removing = True
        try:
            await self._maildrop.delete(indexes)
            self._removed = len(indexes)
        except Exception as error:  # noqa: BLE001 - logged; QUIT ends the session whatever happened
            self._log.failure("removing messages of {account} failed", account=self._maildrop.pseudonym)
            refusal = refusals.removing(error)
            actions = self._session.not_removed(refusal.text, refusal.code)
        else:
            actions = self._session.removed()
        self._removing = False
        self._act(actions)

    # The account behind it.

    def _revalidate(self) -> None:
        if self._maildrop.still_valid():
            self._revalidation.start(self._house.revalidate)
        elif not self._removing:
            self.abort("account changed")

    def _leave(self, why: str) -> None:
        self._log_out()
        self.close(why)

    def _log_out(self) -> None:
        logout, self._logout = self._logout, None
        if logout is not None:
            maybeDeferred(logout).addErrback(lambda failure: self._log.failure("logging out failed", failure=failure))
