"""The LDAP door on Twisted: drives a :class:`~cjsm.ldap.session.LdapSession` and asks the directory and the checker.

Long searches share the reactor: all doors' searches go on in small steps, one after another.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import CooperativeTask, Cooperator, TaskStopped
from twisted.logger import Logger
from twisted.python.failure import Failure

from cjsm.access.checker import CHOOSES
from cjsm.access.errors import AccessError
from cjsm.access.interfaces import IDirectoryReader, IPasswordChooser, LoginAttempt
from cjsm.configuration import LdapSettings
from cjsm.directory.following import Directory, NotReady
from cjsm.directory.query import Limits
from cjsm.ldap import lookups, refusals
from cjsm.ldap.actions import Action, Choose, Examine, Find, HangUp, Say, SignIn, SignOut, Stop
from cjsm.ldap.connection import MessageConnection
from cjsm.ldap.encoded import EncodedEntries
from cjsm.ldap.grammar.codes import ResultCode
from cjsm.ldap.grammar.framing import Framer, FramingError
from cjsm.ldap.grammar.requests import DecodingLimits, Malformed, Message, Unacceptable, decode
from cjsm.ldap.lookups import Lookup
from cjsm.ldap.service import ServiceEntries
from cjsm.ldap.session import LdapSession
from cjsm.wire.connections import Refusal
from cjsm.wire.door import DoorTimes
from cjsm.wire.factory import DoorFactory
from cjsm.wire.timing import Timer

_CHANGED = "your account or password has changed, sign in again"


class LdapFactory(DoorFactory):
    """Makes the door's connections; the portal gives :class:`~cjsm.access.interfaces.IDirectoryReader`.

    :param base: the distinguished name of the community's own tree
        (:func:`cjsm.directory.names.of_suffix`).
    """

    settings: LdapSettings

    def __init__(self, settings: LdapSettings, *, base: str, directory: Directory, **common: Any) -> None:
        super().__init__(settings, **common)
        self.directory = directory
        self.entries = ServiceEntries(directory.schema, base)
        self.encoded = EncodedEntries()
        self.cooperator = Cooperator(scheduler=self._soon)

    @property
    def query_limits(self) -> Limits:
        """What a search may ask for."""
        settings = self.settings
        return Limits(
            entries=settings.entries,
            administrator_entries=settings.administrator_entries,
            term_characters=settings.term_characters,
        )

    @property
    def decoding_limits(self) -> DecodingLimits:
        """What a request may be made of."""
        settings = self.settings
        return DecodingLimits(
            depth=settings.depth,
            filter_elements=settings.filter_elements,
            term_octets=settings.term_octets,
            attributes=settings.attributes,
            controls=settings.controls,
        )

    def _soon(self, call: Callable[[], None]) -> IDelayedCall:
        return self.clock.callLater(0, call)

    def connection(self) -> "LdapDoor":
        """See :class:`DoorFactory`."""
        return LdapDoor(self)


class LdapDoor(MessageConnection):
    """One LDAP connection."""

    _log: ClassVar[Logger] = Logger()

    def __init__(self, house: LdapFactory) -> None:
        settings = house.settings
        super().__init__(
            clock=house.clock,
            limits=house.limits,
            framer=Framer(settings.anonymous_pdu_octets),
            times=DoorTimes(settings.handshake, settings.idle, settings.session),
        )
        self._house = house
        self._session = LdapSession(house.entries, outstanding=settings.outstanding, failures=settings.failed_sign_ins)
        self._avatar: Any = None
        self._logout: Callable[[], object] = _nothing
        self._counted = False
        self._held: Message | None = None
        self._tasks: dict[int, CooperativeTask[Iterator[Deferred[None] | None]]] = {}
        self._revalidation = Timer(house.clock, self._revalidate)

    # What the connection calls.

    @property
    def holds(self) -> bool:
        """Whether a message waits for others to be done."""
        return self._held is not None

    @property
    def works(self) -> bool:
        """Whether anything is at work."""
        return not self._session.idle

    def message(self) -> bool:
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
        self.expect()
        if self._still_valid():
            self._answer(message)
        return True

    def time_over(self, why: str) -> None:
        """End with a notice."""
        self._act(self._session.disconnect(ResultCode.UNAVAILABLE, why))

    def stopped(self) -> None:
        """Stop what is at work and give the avatar back."""
        super().stopped()
        self._held = None
        for message_id in list(self._tasks):
            self._stop(message_id)
        self._sign_out()
        self._revalidation.retire()

    def _next(self) -> Message | None:
        octets = self.framer.next_message()
        return decode(octets, self._house.decoding_limits) if octets is not None else None

    def _answer(self, message: Message) -> None:
        try:
            self._act(self._session.received(message))
        except Exception:  # noqa: BLE001 - it costs this operation only: logged, then answered with 80.
            self._broken(message.id, Failure())

    # Actions out.

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Say(octets):
                    self.say(octets)
                case SignIn():
                    self._sign_in(action)
                case Choose():
                    self._choose(action)
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
                    self.close("said goodbye")

    def _done(self, message_id: int, answer: bytes) -> None:
        self._act(self._session.done(message_id, answer))
        self.something_ended()

    def _broken(self, message_id: int, failure: Failure) -> None:
        self._log.failure("unexpected failure in an operation", failure=failure)
        if not self.ended:
            self._act(self._session.broken(message_id))
            self.something_ended()

    # Signing in and out.

    def _sign_in(self, action: SignIn) -> None:
        Deferred.fromCoroutine(self._signing_in(action)).addErrback(
            lambda failure: self._broken(action.message_id, failure)
        ).addBoth(self._signed_in)

    async def _signing_in(self, action: SignIn) -> None:
        try:
            name = lookups.login_name(action.name, self._house.directory)
            attempt = LoginAttempt(name, action.secret, protocol="ldap", source=self.source, wanted=self.is_wanted)
            login: Any = await self._house.portal.login(attempt, None, IDirectoryReader)
        except (AccessError, NotReady) as refusal:
            self._refused(action.message_id, refusals.code(refusal), str(refusal))
            return
        _, avatar, logout = login
        if self.ended:
            logout()
            return
        full = self._count(avatar.account)
        if full is not None:
            logout()
            self._refused(action.message_id, ResultCode.BUSY, full.value)
            return
        self._avatar, self._logout = avatar, logout
        self.framer.limit = self._house.settings.pdu_octets
        self._revalidation.start(self._house.revalidate)
        authorization = lookups.authorization(avatar.account, action.name, self._house.directory)
        self._act(self._session.accepted(action.message_id, authorization))

    def _choose(self, action: Choose) -> None:
        Deferred.fromCoroutine(self._choosing(action)).addErrback(
            lambda failure: self._broken(action.message_id, failure)
        ).addBoth(self._signed_in)

    async def _choosing(self, action: Choose) -> None:
        try:
            name = lookups.login_name(action.name, self._house.directory)
            attempt = LoginAttempt(name, action.current, protocol=CHOOSES, source=self.source, wanted=self.is_wanted)
            login: Any = await self._house.portal.login(attempt, None, IPasswordChooser)
            _, avatar, logout = login
            try:
                await avatar.choose(action.current, action.chosen, self.source)
            finally:
                logout()
        except refusals.NOT_CHOSEN as refusal:
            if not self.ended:
                self._act(self._session.not_chosen(action.message_id, refusals.choosing(refusal), str(refusal)))
            return
        if not self.ended:
            self._act(self._session.chosen(action.message_id))

    def _count(self, account: Hashable) -> Refusal | None:
        if self._counted:
            return None
        full = self.admission.sign_in(account)
        self._counted = full is None
        return full

    def _refused(self, message_id: int, code: ResultCode, text: str) -> None:
        if not self.ended:
            self._act(self._session.refused(message_id, code, text))

    def _signed_in(self, _result: object) -> None:
        if not self.ended:
            self.expect()
            self.something_ended()

    def _sign_out(self) -> None:
        logout, self._logout = self._logout, _nothing
        self._avatar = None
        self.framer.limit = self._house.settings.anonymous_pdu_octets
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
                self.say(found)
            if lookup.result is not None:
                self._tasks.pop(action.message_id, None)
                self._done(action.message_id, lookup.result)
                return
            yield self.room()

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


def _nothing() -> None:
    """Nobody is signed in."""
