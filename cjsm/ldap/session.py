"""The protocol's state machine, without I/O: messages and answers in, octets and requests to others out.

What a request leads to is a sequence of :mod:`~cjsm.ldap.actions`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from cjsm.directory.query import Scope
from cjsm.ldap.actions import Action, Choose, Examine, Find, HangUp, Say, SignIn, SignOut, StartTls, Stop
from cjsm.ldap.comparisons import ASSERTION_FAILED, compared, holds
from cjsm.ldap.grammar import controls, responses
from cjsm.ldap.grammar.codes import ANSWERS, Answer, Operation, ResultCode
from cjsm.ldap.grammar.requests import (
    AbandonRequest,
    BindRequest,
    CompareRequest,
    ExtendedRequest,
    Malformed,
    Message,
    SearchRequest,
    Unacceptable,
    UnbindRequest,
    UpdateRequest,
    decode_password_modify,
)
from cjsm.ldap.service import MECHANISMS, PASSWORD_MODIFY, START_TLS, WHO_AM_I, ServiceEntries, ServiceEntry
from cjsm.ldap.states import TRANSITIONS, Event, State

_NAME_OCTETS = 4_096

_SIGN_IN_FIRST = "sign in first: only the root DSE and the schema can be read without"
_READ_ONLY = "the directory is managed by your administrator; ask them for changes"
_OLD_AND_NEW = "the present password, or the one-time password, and the new one are needed"
_WHOSE = "say whose password it is, or sign in first"
_NO_PASSWORD = "a password is needed with a name"
_TLS_FIRST = "begin TLS first: use StartTLS, or the port that is inside TLS from the first octet"


class LdapSession:
    """One client's session.

    :param secure: it is inside TLS from the first octet; else it begins in the clear, for StartTLS.
    :param outstanding: operations at work at once, at most.
    :param failures: refused sign-ins until the connection ends.
    :ivar state: where it is.
    """

    def __init__(self, entries: ServiceEntries, *, outstanding: int, failures: int, secure: bool = True) -> None:
        self.state = State.ANONYMOUS if secure else State.CLEAR
        self._authorization = _nobody
        self._entries = entries
        self._most = outstanding
        self._failures_left = failures
        self._working: dict[int, Operation] = {}

    def ready(self, message: Message) -> bool:
        """Whether *message* may be given to :meth:`received` now; until then it and all after it wait."""
        if self.state not in (State.CLEAR, State.ANONYMOUS, State.SIGNED_IN):
            return isinstance(message.request, UnbindRequest)
        if Operation.EXTENDED in self._working.values():
            # A password is being changed: one at a time, and nothing beside it.
            return isinstance(message.request, UnbindRequest)
        return len(self._working) < self._most or not isinstance(message.request, (SearchRequest, CompareRequest))

    @property
    def idle(self) -> bool:
        """Whether nothing is at work."""
        return not self._working

    def received(self, message: Message) -> list[Action]:
        """Take the next message, once it is :meth:`ready` for it."""
        if message.id in self._working:
            return self.fault("message number is in use")
        return _ORDERS[type(message.request)](self, message)

    def unacceptable(self, error: Unacceptable) -> list[Action]:
        """Answer a request that cannot be served as it is."""
        answer = ANSWERS.get(error.operation)
        if answer is None:
            return []
        return [Say(responses.message(error.message_id, responses.result(answer, error.code, error.text)))]

    def fault(self, why: str) -> list[Action]:
        """End with a Notice of Disconnection: what came cannot be understood (RFC 4511 §4.1.1)."""
        return self.disconnect(ResultCode.PROTOCOL_ERROR, why)

    def disconnect(self, code: ResultCode, why: str) -> list[Action]:
        """End with a Notice of Disconnection (RFC 4511 §4.4.1)."""
        if self.state is State.ENDED:
            return []
        stopped = self._stop_all()
        self._move(Event.FAULT)
        return [*stopped, SignOut(), Say(responses.disconnection(code, why)), HangUp(why)]

    def accepted(self, message_id: int, authorization: Callable[[], str]) -> list[Action]:
        """The client is who it claims to be.

        :param authorization: how "Who am I?" names who it is, when that is asked (RFC 4532).
        """
        self._working.pop(message_id, None)
        self._move(Event.ACCEPTED)
        self._authorization = authorization
        return [Say(responses.message(message_id, responses.result(Answer.BIND, ResultCode.SUCCESS)))]

    def refused(self, message_id: int, code: ResultCode, text: str) -> list[Action]:
        """The client is not let in; after too many times it has to come again."""
        self._working.pop(message_id, None)
        self._move(Event.REFUSED)
        return self._counted(Say(responses.message(message_id, responses.result(Answer.BIND, code, text))), code)

    def secured(self) -> None:
        """TLS has begun: nothing of what was before it counts any more (RFC 4513 §3.1)."""
        self._move(Event.SECURED)

    def chosen(self, message_id: int) -> list[Action]:
        """The password is replaced."""
        return self.done(message_id, responses.extended(ResultCode.SUCCESS))

    def not_chosen(self, message_id: int, code: ResultCode, text: str) -> list[Action]:
        """It is not; a wrong one counts as a refused sign-in."""
        self._working.pop(message_id, None)
        return self._counted(Say(responses.message(message_id, responses.extended(code, text))), code)

    def _counted(self, said: Say, code: ResultCode) -> list[Action]:
        actions: list[Action] = [said]
        self._failures_left -= code is ResultCode.INVALID_CREDENTIALS
        if self._failures_left <= 0:
            self._move(Event.UNBIND)
            actions.append(HangUp("too many failed sign-ins"))
        return actions

    def done(self, message_id: int, octets: bytes) -> list[Action]:
        """Work ended; *octets* are its last answer, encoded without the message number."""
        if self._working.pop(message_id, None) is None:
            return []
        return [Say(responses.message(message_id, octets))]

    def broken(self, message_id: int) -> list[Action]:
        """Work ended in an unexpected failure."""
        operation = self._working.get(message_id)
        if operation is None:
            return []
        text = "something went wrong here; it has been noted"
        if operation is Operation.BIND:
            return self.refused(message_id, ResultCode.OTHER, text)
        return self.done(message_id, responses.result(ANSWERS[operation], ResultCode.OTHER, text))

    # Requests, one each.

    def _bind(self, message: Message) -> list[Action]:
        request = message.request
        assert isinstance(request, BindRequest)
        actions = [*self._stop_all(), *self._sign_out()]
        if request.version != 3:
            return [*actions, self._result(message, ResultCode.PROTOCOL_ERROR, "this server speaks LDAP version 3")]
        if self.state is State.CLEAR and (request.mechanism is not None or request.name or request.credentials):
            return [*actions, self._result(message, ResultCode.CONFIDENTIALITY_REQUIRED, _TLS_FIRST)]
        if request.mechanism is not None:
            return [*actions, *self._sasl(message, request)]
        secret = request.credentials or b""
        if not request.name and not secret:
            return [*actions, self._result(message, ResultCode.SUCCESS)]
        if not secret:
            return [*actions, self._result(message, ResultCode.UNWILLING_TO_PERFORM, _NO_PASSWORD)]
        return [*actions, *self._claim(message, request.name, secret)]

    def _sasl(self, message: Message, request: BindRequest) -> list[Action]:
        """SASL PLAIN (RFC 4616); the authorization identity may be empty or the same name."""
        if (request.mechanism or "").upper() not in MECHANISMS:
            text = "use a simple bind or SASL PLAIN"
            return [self._result(message, ResultCode.AUTH_METHOD_NOT_SUPPORTED, text)]
        if request.credentials is None:
            return [Say(responses.message(message.id, responses.sasl_challenge()))]
        parts = request.credentials.split(b"\0")
        if len(parts) != 3 or not parts[1] or not parts[2]:
            return [self._result(message, ResultCode.PROTOCOL_ERROR, "PLAIN needs a name and a password")]
        acting_as, name, secret = parts
        if acting_as.removeprefix(b"u:").removeprefix(b"dn:") not in (b"", name):
            return [self._result(message, ResultCode.INVALID_CREDENTIALS, "acting as somebody else is not possible")]
        return self._claim(message, name.decode("utf-8", "replace"), secret)

    def _claim(self, message: Message, name: str, secret: bytes) -> list[Action]:
        if len(name) > _NAME_OCTETS:
            return [self._result(message, ResultCode.INVALID_CREDENTIALS, "user name or password not accepted")]
        self._move(Event.CLAIM)
        self._working[message.id] = message.operation
        return [SignIn(message.id, name, secret)]

    def _unbind(self, _message: Message) -> list[Action]:
        stopped = self._stop_all()
        self._move(Event.UNBIND)
        return [*stopped, SignOut(), HangUp("unbind")]

    def _search(self, message: Message) -> list[Action]:
        request = message.request
        assert isinstance(request, SearchRequest)
        entry = self._entries.find(request.base, request.scope)
        if entry is None:
            return self._for_members(message, Find(message.id, request, message.extras))
        fault = controls.view_fault(message.extras)
        if fault is not None:
            said = controls.view_given(0, 0, fault.code)
            return [self._result(message, ResultCode.VIRTUAL_LIST_VIEW_ERROR, fault.text, said)]
        if not _asserted(message, entry):
            return [self._result(message, ResultCode.ASSERTION_FAILED, ASSERTION_FAILED)]
        found = entry.answer(request.filter, request.attributes, types_only=request.types_only)
        given: list[Action] = [] if found is None else [Say(responses.message(message.id, found))]
        return [*given, self._result(message, ResultCode.SUCCESS, "", controls.of_few(message.extras, len(given)))]

    def _compare(self, message: Message) -> list[Action]:
        request = message.request
        assert isinstance(request, CompareRequest)
        entry = self._entries.find(request.dn, Scope.BASE)
        if entry is None:
            return self._for_members(message, Examine(message.id, request, message.extras))
        if not _asserted(message, entry):
            return [self._result(message, ResultCode.ASSERTION_FAILED, ASSERTION_FAILED)]
        return [self._result(message, *compared(request, entry, 0))]

    def _for_members(self, message: Message, action: Action) -> list[Action]:
        if self.state is not State.SIGNED_IN:
            return [self._not_signed_in(message)]
        self._working[message.id] = message.operation
        return [action]

    def _abandon(self, message: Message) -> list[Action]:
        request = message.request
        assert isinstance(request, AbandonRequest)
        if request.target not in self._working:
            return []
        del self._working[request.target]
        return [Stop(request.target)]

    def _extended(self, message: Message) -> list[Action]:
        request = message.request
        assert isinstance(request, ExtendedRequest)
        if request.oid == PASSWORD_MODIFY:
            return self._password_modify(message, request.value)
        if request.oid == WHO_AM_I and request.value is None:
            octets = responses.extended(ResultCode.SUCCESS, value=self._authorization().encode())
        elif request.oid == START_TLS and request.value is None:
            return self._start_tls(message)
        else:
            octets = responses.extended(ResultCode.PROTOCOL_ERROR, "this extended operation is not known here")
        return [Say(responses.message(message.id, octets))]

    def _start_tls(self, message: Message) -> list[Action]:
        """StartTLS (RFC 4511 §4.14)."""
        if self.state is State.CLEAR and not self._working:
            self._move(Event.START_TLS)
            return [StartTls(responses.message(message.id, responses.extended(ResultCode.SUCCESS, oid=START_TLS)))]
        text = "TLS is already in use" if self.state is not State.CLEAR else "other operations are at work"
        return [
            Say(responses.message(message.id, responses.extended(ResultCode.OPERATIONS_ERROR, text, oid=START_TLS)))
        ]

    def _password_modify(self, message: Message, value: bytes | None) -> list[Action]:
        """Password Modify (RFC 3062), always with the present password; whoever knows it need not be signed in."""

        def refuse(code: ResultCode, text: str) -> list[Action]:
            return [Say(responses.message(message.id, responses.extended(code, text)))]

        if self.state is State.CLEAR:
            return refuse(ResultCode.CONFIDENTIALITY_REQUIRED, _TLS_FIRST)
        try:
            asked = decode_password_modify(value)
        except Malformed as error:
            return refuse(ResultCode.PROTOCOL_ERROR, str(error))
        name = (asked.identity or self._authorization()).removeprefix("u:").removeprefix("dn:")
        if not name:
            return refuse(ResultCode.UNWILLING_TO_PERFORM, _WHOSE)
        if not asked.current or not asked.chosen or len(name) > _NAME_OCTETS:
            return refuse(ResultCode.UNWILLING_TO_PERFORM, _OLD_AND_NEW)
        self._working[message.id] = message.operation
        return [Choose(message.id, name, asked.current, asked.chosen)]

    def _update(self, message: Message) -> list[Action]:
        if self.state is not State.SIGNED_IN:
            return [self._not_signed_in(message)]
        return [self._result(message, ResultCode.UNWILLING_TO_PERFORM, _READ_ONLY)]

    # How it works.

    def _result(self, message: Message, code: ResultCode, text: str = "", said: bytes = b"") -> Say:
        answer = responses.result(ANSWERS[message.operation], code, text)
        return Say(responses.message(message.id, responses.with_controls(answer, said)))

    def _not_signed_in(self, message: Message) -> Say:
        if self.state is State.CLEAR:
            return self._result(message, ResultCode.CONFIDENTIALITY_REQUIRED, _TLS_FIRST)
        return self._result(message, ResultCode.INSUFFICIENT_ACCESS_RIGHTS, _SIGN_IN_FIRST)

    def _sign_out(self) -> list[Action]:
        """A bind makes the session anonymous before anything else (RFC 4511 §4.2.1)."""
        signed_in = self.state is State.SIGNED_IN
        self._move(Event.ANONYMOUS_BIND)
        self._authorization = _nobody
        return [SignOut()] if signed_in else []

    def _stop_all(self) -> list[Action]:
        stopped: list[Action] = [Stop(message_id) for message_id in self._working]
        self._working.clear()
        return stopped

    def _move(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state, event]


def _nobody() -> str:
    """How nobody is named."""
    return ""


def _asserted(message: Message, entry: ServiceEntry) -> bool:
    assertion = message.extras.assertion
    return assertion is None or holds(assertion, entry, 0)


_ORDERS: Mapping[type, Callable[[LdapSession, Message], list[Action]]] = MappingProxyType(
    {
        BindRequest: LdapSession._bind,
        UnbindRequest: LdapSession._unbind,
        SearchRequest: LdapSession._search,
        CompareRequest: LdapSession._compare,
        AbandonRequest: LdapSession._abandon,
        ExtendedRequest: LdapSession._extended,
        UpdateRequest: LdapSession._update,
    }
)
