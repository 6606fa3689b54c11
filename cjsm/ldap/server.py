"""The LDAP door on Twisted: drives a :class:`~cjsm.ldap.session.LdapSession` and asks the directory and the checker.

Long searches share the reactor: all doors' searches go on in small steps, one after another.
"""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Cooperator
from twisted.logger import Logger
from twisted.python.failure import Failure

from cjsm.access.errors import AccessError
from cjsm.access.interfaces import IDirectoryReader, IPasswordChooser, LoginAttempt
from cjsm.access.protocols import CHOOSES
from cjsm.configuration import LdapSettings
from cjsm.directory.following import Directory, NotReady
from cjsm.directory.reading import Reading
from cjsm.ldap import bindnames, bounds, comparisons, refusals
from cjsm.ldap.actions import Action, Choose, Examine, Find, HangUp, Say, SignIn, SignOut, StartTls, Stop
from cjsm.ldap.encoded import EncodedEntries
from cjsm.ldap.grammar import responses
from cjsm.ldap.grammar.codes import Answer, ResultCode
from cjsm.ldap.grammar.framing import Framer, FramingError
from cjsm.ldap.grammar.requests import Malformed, Message, Unacceptable, decode
from cjsm.ldap.lookups import Kept, Lookup
from cjsm.ldap.paging import OpenSearches
from cjsm.ldap.rations import Rations
from cjsm.ldap.searching import SearchingConnection
from cjsm.ldap.service import ServiceEntries
from cjsm.ldap.session import LdapSession
from cjsm.wire.connections import Refusal
from cjsm.wire.door import DoorTimes
from cjsm.wire.factory import DoorFactory
from cjsm.wire.timing import Timer
from cjsm.wire.tls import ServerTls

_CHANGED = "your account or password has changed, sign in again"


class LdapFactory(DoorFactory):
    """Makes the door's connections; the portal gives :class:`~cjsm.access.interfaces.IDirectoryReader`.

    :param base: the distinguished name of the community's own tree
        (:func:`cjsm.directory.names.of_suffix`).
    :param starttls: the TLS that StartTLS begins, where this door listens without TLS; None behind implicit TLS.
    :param beside: another door to the same directory, with which this one shares what is remembered and counted.
    """

    def __init__(
        self,
        settings: LdapSettings,
        *,
        base: str,
        directory: Directory,
        starttls: ServerTls | None = None,
        beside: "LdapFactory | None" = None,
        **common: Any,
    ) -> None:
        super().__init__(settings, **common)
        self.directory = directory
        self.starttls = starttls
        self.entries = ServiceEntries(directory.schema, base, starttls=starttls is not None)
        if beside is None:
            self.kept = Kept(encoded=EncodedEntries(), opened=OpenSearches(self.clock), rations=Rations())
            self.cooperator = Cooperator(scheduler=self._soon)
        else:
            self.kept, self.cooperator = beside.kept, beside.cooperator

    @property
    def settings(self) -> LdapSettings:
        """The door's section, which may be replaced for requests that come then."""
        return self._settings

    @settings.setter
    def settings(self, settings: LdapSettings) -> None:
        self._settings = settings
        self.request_limits = bounds.of_requests(settings)
        self.lookup_limits = bounds.of_lookups(settings)

    def _soon(self, call: Callable[[], None]) -> IDelayedCall:
        return self.clock.callLater(0, call)

    def connection(self) -> "LdapDoor":
        """See :class:`DoorFactory`."""
        return LdapDoor(self)


class LdapDoor(SearchingConnection):
    """One LDAP connection."""

    _log: ClassVar[Logger] = Logger()

    def __init__(self, house: LdapFactory) -> None:
        settings = house.settings
        super().__init__(
            clock=house.clock,
            limits=house.limits,
            framer=Framer(settings.anonymous_pdu_octets),
            times=DoorTimes(settings.handshake, settings.idle, settings.session),
            implicit=house.starttls is None,
            cooperator=house.cooperator,
        )
        self._house = house
        self._session = LdapSession(
            house.entries,
            outstanding=settings.outstanding,
            failures=settings.failed_sign_ins,
            secure=house.starttls is None,
        )
        self._avatar: Any = None
        self._logout: Callable[[], object] = _nothing
        self._counted = False
        self._held: Message | None = None
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
        except Exception:  # noqa: BLE001 - logged; where the next message begins is not known any more.
            self.note(Failure())
            self.abort("unexpected failure")
            return False
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
        self._sign_out()
        self._revalidation.retire()

    def secured(self) -> None:
        """TLS has begun after StartTLS."""
        self._session.secured()

    def _next(self) -> Message | None:
        octets = self.framer.next_message()
        return decode(octets, self._house.request_limits) if octets is not None else None

    def _answer(self, message: Message) -> None:
        try:
            self._act(self._session.received(message))
        except Exception:  # noqa: BLE001 - it costs this operation only: logged, then answered with 80.
            self.work_broken(message.id, Failure())

    # Actions out.

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Say(octets):
                    self.say(octets)
                case Find():
                    self._find(action)
                case SignIn():
                    self._sign_in(action)
                case Choose():
                    self._choose(action)
                case SignOut():
                    self._sign_out()
                case Examine():
                    self._examine(action)
                case StartTls(octets):
                    self._start_tls(octets)
                case Stop(message_id):
                    self.stop_search(message_id)
                case HangUp():
                    self.close("said goodbye")

    def _start_tls(self, octets: bytes) -> None:
        if self.framer.buffered:
            # Said in the clear, to be taken as said inside TLS (RFC 4511 §4.14.1).
            self._act(self._session.fault("octets after the request that starts TLS"))
            return
        assert self._house.starttls is not None
        self.say(octets)
        self.begin_tls(self._house.starttls)

    def work_done(self, message_id: int, answer: bytes) -> None:
        """An operation ended with *answer*."""
        self._act(self._session.done(message_id, answer))
        self.something_ended()

    def work_broken(self, message_id: int, failure: Failure) -> None:
        """An operation failed unexpectedly."""
        self.note(failure)
        if not self.ended:
            self._act(self._session.broken(message_id))
            self.something_ended()

    # Signing in and out.

    def _sign_in(self, action: SignIn) -> None:
        Deferred.fromCoroutine(self._signing_in(action)).addErrback(
            lambda failure: self.work_broken(action.message_id, failure)
        ).addBoth(self._signed_in)

    async def _signing_in(self, action: SignIn) -> None:
        try:
            name = bindnames.login_name(action.name, self._house.directory)
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
        authorization = partial(bindnames.authorization, avatar.account, action.name, self._house.directory)
        self._act(self._session.accepted(action.message_id, authorization))

    def _choose(self, action: Choose) -> None:
        Deferred.fromCoroutine(self._choosing(action)).addErrback(
            lambda failure: self.work_broken(action.message_id, failure)
        ).addBoth(self._signed_in)

    async def _choosing(self, action: Choose) -> None:
        try:
            name = bindnames.login_name(action.name, self._house.directory)
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
        self._house.kept.opened.forget(self)
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
        try:
            reading = self._reading()
        except NotReady as refusal:
            self._unavailable(action.message_id, Answer.DONE, refusal)
            return
        house = self._house
        self.start_search(
            action.message_id,
            lambda: Lookup(
                action,
                reading=reading,
                limits=house.lookup_limits,
                kept=house.kept,
                owner=self,
                who=self._avatar.pseudonym,
                clock=house.clock.seconds,
            ),
        )

    def _examine(self, action: Examine) -> None:
        try:
            answer = comparisons.compare(action, self._reading(), self._avatar.pseudonym)
        except NotReady as refusal:
            self._unavailable(action.message_id, Answer.COMPARE, refusal)
            return
        self.work_done(action.message_id, answer)

    def _reading(self) -> Reading:
        return self._house.directory.reading(self._avatar.account)

    def _unavailable(self, message_id: int, answer: Answer, refusal: NotReady) -> None:
        self.work_done(message_id, responses.result(answer, ResultCode.UNAVAILABLE, str(refusal)))


def _nothing() -> None:
    """Nobody is signed in."""
