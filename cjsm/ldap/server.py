"""The LDAP door on Twisted: drives a :class:`~cjsm.ldap.session.LdapSession` and asks the directory and the checker.

What one client can take from others is bounded: messages are taken a few in a turn, at most some are at work, no more
is read while one has to wait or answers are not taken, and long searches share the reactor in small steps.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Any, ClassVar

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IHandshakeListener, IPushProducer, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import CooperativeTask, Cooperator, TaskStopped
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cjsm.access.errors import AccessError
from cjsm.access.interfaces import IDirectoryReader, LoginAttempt
from cjsm.configuration import LdapSettings
from cjsm.directory.following import Directory, NotReady
from cjsm.directory.query import Limits
from cjsm.ldap import lookups, refusals
from cjsm.ldap.encoded import EncodedEntries
from cjsm.ldap.grammar.codes import ResultCode
from cjsm.ldap.grammar.framing import Framer, FramingError
from cjsm.ldap.grammar.requests import DecodingLimits, Malformed, Message, Unacceptable, decode
from cjsm.ldap.lookups import Lookup
from cjsm.ldap.service import ServiceEntries
from cjsm.ldap.session import Action, Examine, Find, HangUp, LdapSession, Say, SignIn, SignOut, Stop
from cjsm.wire.connections import Admission, ConnectionLimits, Refusal
from cjsm.wire.timing import Timer

MESSAGES_IN_A_TURN = 16
"""Messages of one client handled before the reactor turns to others."""

FAREWELL = 5.0
"""Seconds that a peer has to take the last answer and close."""

_CHANGED = "your account or password has changed, sign in again"


class LdapFactory(Factory):
    """Makes the door's connections, which are inside TLS from the first octet.

    :param base: the distinguished name of the community's own tree
        (:func:`cjsm.directory.names.of_suffix`).
    :param portal: signs people in; :class:`~cjsm.access.interfaces.LoginAttempt` for
        :class:`~cjsm.access.interfaces.IDirectoryReader`.
    :param limits: the places, shared by all doors.
    :param revalidate: seconds after which an account's validity is looked at again.
    """

    noisy = False

    def __init__(
        self,
        settings: LdapSettings,
        *,
        base: str,
        portal: Portal,
        directory: Directory,
        limits: ConnectionLimits,
        clock: IReactorTime,
        revalidate: float = 5,
    ) -> None:
        self.settings = settings
        self.portal = portal
        self.directory = directory
        self.limits = limits
        self.clock = clock
        self.revalidate = revalidate
        self.entries = ServiceEntries(directory.schema, base)
        self.encoded = EncodedEntries()
        self.cooperator = Cooperator(scheduler=self._soon)
        self.query_limits = Limits(
            entries=settings.entries,
            administrator_entries=settings.administrator_entries,
            term_characters=settings.term_characters,
        )
        self.decoding_limits = DecodingLimits(
            depth=settings.depth,
            filter_elements=settings.filter_elements,
            attributes=settings.attributes,
            controls=settings.controls,
        )

    def buildProtocol(self, addr: IAddress | None) -> "LdapDoor":
        """See :class:`Factory`."""
        door = LdapDoor(self)
        door.factory = self
        return door

    def _soon(self, call: Callable[[], None]) -> IDelayedCall:
        return self.clock.callLater(0, call)


@implementer(IHandshakeListener, IPushProducer)
class LdapDoor(Protocol):
    """One LDAP connection.

    :ivar source: the peer's IP address.
    """

    _log: ClassVar[Logger] = Logger()

    def __init__(self, house: LdapFactory) -> None:
        settings = house.settings
        self.source = ""
        self._house = house
        self._framer = Framer(settings.anonymous_pdu_octets)
        self._session = LdapSession(house.entries, outstanding=settings.outstanding, failures=settings.failed_sign_ins)
        self._transport: Any = None
        self._admission: Admission | None = None
        self._counted = False
        self._open = False
        self._ended = False
        self._avatar: Any = None
        self._logout: Callable[[], object] = _nothing
        self._held: Message | None = None
        self._draining = False
        self._reading_paused = False
        self._room: Deferred[None] | None = None
        self._tasks: dict[int, CooperativeTask[Iterator[Deferred[None] | None]]] = {}
        self._handshake_timer = Timer(house.clock, lambda: self._abort("no TLS handshake in time"))
        self._idle_timer = Timer(house.clock, self._idle)
        self._session_timer = Timer(house.clock, lambda: self._disconnect("session too long"))
        self._revalidation = Timer(house.clock, self._revalidate)
        self._farewell_timer = Timer(house.clock, self._cut)
        self._turn = Timer(house.clock, self._drain)

    # What Twisted calls.

    def connectionMade(self) -> None:
        """See :class:`Protocol`."""
        self._transport = self.transport
        self.source = str(getattr(self._transport.getPeer(), "host", ""))
        place = self._house.limits.admit(self.source)
        if isinstance(place, Refusal):
            self._log.info("connection refused: {why}", why=place.value, source=self.source)
            self._abort(place.value)
            return
        self._admission = place
        self._handshake_timer.start(self._house.settings.handshake)
        self._session_timer.start(self._house.settings.session)

    def handshakeCompleted(self) -> None:
        """See :class:`IHandshakeListener`."""
        if self._ended:
            return
        self._handshake_timer.stop()
        self._idle_timer.start(self._house.settings.idle)
        self._open = True
        self._transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """See :class:`Protocol`."""
        if not self._ended:
            self._framer.feed(data)
            self._drain()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See :class:`Protocol`."""
        self._end()
        self._farewell_timer.stop()
        if self._admission is not None:
            self._admission.release()

    def pauseProducing(self) -> None:
        """The client does not take its answers as fast as they come."""
        if self._room is None:
            self._room = Deferred()
            self._regulate()

    def resumeProducing(self) -> None:
        """The client has taken its answers."""
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)
        self._drain()

    def stopProducing(self) -> None:
        """The connection is lost, which :meth:`connectionLost` will say too."""
        self._end()

    # Messages in.

    def _drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        try:
            self._take_turn()
        finally:
            self._draining = False
        self._regulate()

    def _take_turn(self) -> None:
        for _ in range(MESSAGES_IN_A_TURN):
            if self._ended or self._room is not None or not self._advance():
                return
        if not self._turn.running:
            self._turn.start(0)

    def _advance(self) -> bool:
        """Take the next message, if there is one and it need not wait."""
        try:
            message = self._held or self._next()
        except (FramingError, Malformed) as error:
            self._act(self._session.fault(str(error)))
            return False
        except Unacceptable as error:
            self._act(self._session.unacceptable(error))
            return True
        if message is None:
            return False
        if not self._session.ready(message):
            self._held = message
            return False
        self._held = None
        self._idle_timer.start(self._house.settings.idle)
        if self._still_valid():
            self._answer(message)
        return True

    def _next(self) -> Message | None:
        octets = self._framer.next_message()
        return decode(octets, self._house.decoding_limits) if octets is not None else None

    def _answer(self, message: Message) -> None:
        try:
            self._act(self._session.received(message))
        except Exception:  # noqa: BLE001 - it costs this operation only: logged, then answered with 80.
            self._broken(message.id, Failure())

    def _regulate(self) -> None:
        pause = self._held is not None or self._room is not None or self._turn.running
        if pause != self._reading_paused and self._open and not self._ended:
            self._reading_paused = pause
            (self._transport.pauseProducing if pause else self._transport.resumeProducing)()

    # Actions out.

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Say(octets):
                    self._transport.write(octets)
                case SignIn():
                    self._sign_in(action)
                case SignOut():
                    self._sign_out()
                case Find():
                    self._find(action)
                case Examine(message_id, request):
                    answer = lookups.compare(request, self._house.directory.reading(self._avatar.account))
                    self._done(message_id, answer)
                case Stop(message_id):
                    self._stop(message_id)
                case HangUp():
                    self._hang_up()

    def _done(self, message_id: int, answer: bytes) -> None:
        self._act(self._session.done(message_id, answer))
        self._go_on()

    def _go_on(self) -> None:
        """Something ended: what waited may go on, in the next turn."""
        waiting = self._held is not None or self._framer.buffered
        if waiting and not self._draining and not self._ended:
            self._turn.start(0)

    def _broken(self, message_id: int, failure: Failure) -> None:
        self._log.failure("unexpected failure in an operation", failure=failure)
        if not self._ended:
            self._act(self._session.broken(message_id))
            self._go_on()

    # Signing in and out.

    def _sign_in(self, action: SignIn) -> None:
        self._idle_timer.stop()
        Deferred.fromCoroutine(self._signing_in(action)).addErrback(
            lambda failure: self._broken(action.message_id, failure)
        ).addBoth(self._signed_in)

    async def _signing_in(self, action: SignIn) -> None:
        try:
            name = lookups.login_name(action.name, self._house.directory)
            attempt = LoginAttempt(name, action.secret, protocol="ldap", source=self.source)
            login: Any = await self._house.portal.login(attempt, None, IDirectoryReader)
        except (AccessError, NotReady) as refusal:
            self._refused(action.message_id, refusals.code(refusal), str(refusal))
            return
        _, avatar, logout = login
        if self._ended:
            logout()
            return
        full = self._count(avatar.account)
        if full is not None:
            logout()
            self._refused(action.message_id, ResultCode.BUSY, full.value)
            return
        self._avatar, self._logout = avatar, logout
        self._framer.limit = self._house.settings.pdu_octets
        self._revalidation.start(self._house.revalidate)
        authorization = lookups.authorization(avatar.account, action.name, self._house.directory)
        self._act(self._session.accepted(action.message_id, authorization))

    def _count(self, account: Hashable) -> Refusal | None:
        if self._counted or self._admission is None:
            return None
        full = self._admission.sign_in(account)
        self._counted = full is None
        return full

    def _refused(self, message_id: int, code: ResultCode, text: str) -> None:
        if not self._ended:
            self._act(self._session.refused(message_id, code, text))

    def _signed_in(self, _result: object) -> None:
        if not self._ended:
            self._idle_timer.start(self._house.settings.idle)
            self._drain()

    def _sign_out(self) -> None:
        logout, self._logout = self._logout, _nothing
        self._avatar = None
        self._framer.limit = self._house.settings.anonymous_pdu_octets
        self._revalidation.stop()
        logout()

    def _still_valid(self) -> bool:
        if self._avatar is None or self._avatar.still_valid():
            return True
        self._act(self._session.disconnect(ResultCode.STRONGER_AUTH_REQUIRED, _CHANGED))
        return False

    def _revalidate(self) -> None:
        if self._still_valid() and self._avatar is not None:
            self._revalidation.start(self._house.revalidate)

    # Searching.

    def _find(self, action: Find) -> None:
        steps = self._steps(action)
        try:
            next(steps)
        except StopIteration:
            return
        task = self._house.cooperator.cooperate(steps)
        self._tasks[action.message_id] = task
        task.whenDone().addErrback(self._search_ended, action.message_id)

    def _steps(self, action: Find) -> Iterator[Deferred[None] | None]:
        lookup = self._lookup(action)
        while True:
            found = lookup.step()
            if found:
                self._transport.write(found)
            if lookup.result is not None:
                self._tasks.pop(action.message_id, None)
                self._done(action.message_id, lookup.result)
                return
            yield self._room and _when(self._room)

    def _lookup(self, action: Find) -> Lookup:
        house = self._house
        allowed = house.settings.search_time
        return Lookup(
            action.request,
            action.message_id,
            reading=house.directory.reading(self._avatar.account),
            limits=house.query_limits,
            encoded=house.encoded,
            who=self._avatar.pseudonym,
            clock=house.clock.seconds,
            until=house.clock.seconds() + min(action.request.time_limit or allowed, allowed),
        )

    def _search_ended(self, failure: Failure, message_id: int) -> None:
        self._tasks.pop(message_id, None)
        if not isinstance(failure.value, TaskStopped):
            self._broken(message_id, failure)

    def _stop(self, message_id: int) -> None:
        task = self._tasks.pop(message_id, None)
        if task is not None:
            task.stop()

    # Ending.

    def _idle(self) -> None:
        if self._session.idle:
            self._disconnect("idle for too long")
        else:
            self._idle_timer.start(self._house.settings.idle)

    def _disconnect(self, why: str) -> None:
        if self._open:
            self._act(self._session.disconnect(ResultCode.UNAVAILABLE, why))
        else:
            self._abort(why)

    def _hang_up(self) -> None:
        """Close after what was said; read on, unheard, so that no reset overtakes the last answer."""
        if self._ended:
            return
        self._end()
        self._farewell_timer.start(FAREWELL)
        if self._reading_paused:
            self._transport.resumeProducing()
        if self._open:
            self._transport.unregisterProducer()
        self._transport.loseConnection()

    def _abort(self, why: str) -> None:
        self._log.debug("connection ended: {why}", why=why, source=self.source)
        self._end()
        self._cut()

    def _cut(self) -> None:
        self._transport.abortConnection()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._held = None
        self._framer.clear()
        for timer in (
            self._handshake_timer,
            self._idle_timer,
            self._session_timer,
            self._revalidation,
            self._turn,
        ):
            timer.stop()
        for message_id in list(self._tasks):
            self._stop(message_id)
        self._sign_out()


def _when(event: Deferred[None]) -> Deferred[None]:
    """Return a Deferred of one's own that fires with *event*."""
    own: Deferred[None] = Deferred()
    event.addCallback(lambda _: own.callback(None))
    return own


def _nothing() -> None:
    """Nobody is signed in."""
