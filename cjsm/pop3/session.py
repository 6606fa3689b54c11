"""A POP3 session without I/O: lines and answers in, actions out.

Feed :meth:`Session.line` with one line at a time and carry out the actions it returns, in order. After a request
(``SignIn``, ``SendMessage``, ``Remove``) the next thing to feed is its answer. :data:`TABLE` says which
command is taken in which state (RFC 1939 §3).
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from types import MappingProxyType

from cjsm.pop3 import grammar, texts
from cjsm.pop3.actions import Action, Close, Message, Remove, Reply, Rows, SendMessage, SignIn, StartTls
from cjsm.pop3.grammar import (
    Auth,
    Capa,
    Code,
    Command,
    Dele,
    Lang,
    List,
    Malformed,
    Noop,
    Pass,
    Quit,
    Retr,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    Unknown,
    User,
    Utf8,
)
from cjsm.pop3.policy import Policy, capabilities
from cjsm.pop3.texts import Sayable, Text, words
from cjsm.wire.lines import BadLine, Line, LineTooLong
from cjsm.wire.sasl import Challenge, Exchange, Plain, SaslFailure, SaslResult, Step


class State(Enum):
    """Where a session is. ``CLEAR`` is before TLS; ``SASL`` awaits an answer to a challenge."""

    CLEAR = "clear"
    AUTHORIZATION = "authorization"
    SASL = "sasl"
    SIGNING_IN = "signing in"
    TRANSACTION = "transaction"
    SENDING = "sending"
    UPDATE = "update"
    ENDED = "ended"


_MAILDROP: frozenset[type] = frozenset({Stat, List, Uidl, Retr, Top, Dele, Noop, Rset})

TABLE: Mapping[State, frozenset[type]] = MappingProxyType(
    {
        State.CLEAR: frozenset({Capa, Stls, Quit}),
        State.AUTHORIZATION: frozenset({Capa, User, Pass, Auth, Utf8, Lang, Quit}),
        State.SASL: frozenset(),
        State.SIGNING_IN: frozenset(),
        State.TRANSACTION: _MAILDROP | {Capa, Lang, Quit},
        State.SENDING: frozenset(),
        State.UPDATE: frozenset(),
        State.ENDED: frozenset(),
    }
)
"""The commands of each state. In the states without any, lines are answers or wait."""


class Session:
    """The state of one connection.

    :ivar state: where it is.
    :ivar deleted: numbers, counted from 0, of the messages marked as deleted.
    :ivar utf8: the client takes UTF-8 in messages (RFC 6856 §2.1).
    :ivar language: what replies are said in.
    :param policy: what is announced and asked of clients.
    :param secure: True inside TLS from the beginning.
    :param stls: True where TLS may begin by STLS.
    :param line_octets: most octets of a command, CRLF included (RFC 2449 §4).
    :param auth_octets: the same for ``AUTH`` and answers to challenges (RFC 5034 §4).
    :param failed_sign_ins: how many failures end the session.
    :param bad_commands: how many lines that are no command end the session; wrong arguments do not count.
    """

    def __init__(
        self,
        *,
        secure: bool,
        stls: bool = False,
        line_octets: int,
        auth_octets: int,
        failed_sign_ins: int,
        bad_commands: int,
        policy: Policy | None = None,
    ) -> None:
        self.state = State.AUTHORIZATION if secure else State.CLEAR
        self.deleted: set[int] = set()
        self.utf8 = False
        self.language = texts.ENGLISH
        self._policy = policy or Policy()
        self._octets = self._octets_deleted = 0
        self._stls = stls
        self._line_octets = line_octets
        self._auth_octets = auth_octets
        self._failures_left = failed_sign_ins
        self._bad_left = bad_commands
        self._name: str | None = None
        self._exchange: Exchange | None = None
        self._messages: Sequence[Message] = ()

    @property
    def line_limit(self) -> int:
        """Most octets of the next line, CRLF included."""
        return self._auth_octets if self.state in {State.AUTHORIZATION, State.SASL} else self._line_octets

    def say(self, text: Sayable) -> str:
        """Return *text* in the client's language."""
        return texts.say(text, self.language)

    def greeting(self) -> list[Action]:
        """Return what is said first."""
        return [self._yes(Text.READY)]

    def line(self, line: Line) -> list[Action]:
        """Take the client's next line, or what was wrong with it."""
        if isinstance(line, BadLine):
            return self._bad(Text.STRAY, kind=line.kind)
        if isinstance(line, LineTooLong):
            return self._bad(Text.LINE_TOO_LONG)
        if self.state is State.SASL:
            return self._sasl_answer(line)
        command = grammar.parse(line)
        if len(line) + 2 > self._line_octets and not isinstance(command, Auth):
            return self._bad(Text.LINE_TOO_LONG)
        return self._command(command)

    def secured(self) -> list[Action]:
        """TLS has begun: forget what was said before (RFC 2595 §4)."""
        self.state = State.AUTHORIZATION
        self._name = None
        return []

    def signed_in(self, messages: Sequence[Message]) -> list[Action]:
        """The client is who it says; these are its messages."""
        self._messages = messages
        self._octets = sum(message.octets for message in messages)
        self.state = State.TRANSACTION
        count, octets = self._totals()
        return [self._yes(Text.MAILDROP, count=count, octets=octets)]

    def not_signed_in(self, text: Sayable, code: Code, *, counts: bool) -> list[Action]:
        """Signing in did not succeed; *counts* is True where it is a failure of the client's."""
        self.state = State.AUTHORIZATION
        reply = self._refusal(text, code)
        if counts:
            self._failures_left -= 1
        if self._failures_left > 0:
            return [reply]
        return [reply, self._close("too many failed sign-ins")]

    def sent(self) -> list[Action]:
        """The message has been sent with its terminator."""
        self.state = State.TRANSACTION
        return []

    def not_sent(self, text: Sayable, code: Code) -> list[Action]:
        """Nothing of the message has been sent, nor will be."""
        self.state = State.TRANSACTION
        return [self._refusal(text, code)]

    def removed(self) -> list[Action]:
        """All marked messages are gone."""
        count = len(self.deleted)
        return [self._yes(Text.REMOVED if count > 1 else Text.REMOVED_ONE, count=count), self._close("quit")]

    def not_removed(self, text: Sayable, code: Code) -> list[Action]:
        """They are not; *text* says exactly what is."""
        return [self._refusal(text, code), self._close("quit, removing failed")]

    def broken(self) -> list[Action]:
        """The last command ended in an unexpected failure."""
        if self.state is State.UPDATE:
            return self.not_removed(words(Text.REMOVING_BROKEN), Code.SYS_TEMP)
        if self.state in {State.SIGNING_IN, State.SASL}:
            self.state = State.AUTHORIZATION
        elif self.state is State.SENDING:
            self.state = State.TRANSACTION
        return [self._refusal(words(Text.BROKEN), Code.SYS_TEMP)]

    # Commands.

    def _command(self, command: Command) -> list[Action]:
        if isinstance(command, Unknown):
            return self._bad(Text.UNKNOWN)
        if isinstance(command, Malformed):
            return self._no(Text.USAGE, usage=command.usage)
        if type(command) not in TABLE[self.state] or (isinstance(command, Stls) and not self._stls):
            return self._no(Text.NOT_NOW)
        return self._take(command)

    def _take(self, command: Command) -> list[Action]:
        match command:
            case Capa():
                return [self._listed(Text.CAPABILITIES, self._capabilities())]
            case Stls():
                return [self._yes(Text.BEGIN_TLS), StartTls()]
            case User():
                self._name = command.name
                return [self._yes(Text.SEND_PASS)]
            case Pass():
                return self._pass(command)
            case Auth():
                return self._auth(command)
            case Utf8():
                self.utf8 = True
                return [self._yes(Text.UTF8)]
            case Lang():
                return self._lang(command.range)
            case Quit():
                return self._quit()
            case _:
                return self._in_maildrop(command)

    def _in_maildrop(self, command: Command) -> list[Action]:
        match command:
            case Stat():
                return [Reply(grammar.ok("{} {}".format(*self._totals())))]
            case Rset():
                self.deleted.clear()
                self._octets_deleted = 0
                return [self._yes(Text.NONE_MARKED)]
            case List(None):
                count, octets = self._totals()
                return [self._listed(Text.TOTALS, self._rows(sizes=True), count=count, octets=octets)]
            case Uidl(None):
                return [self._listed(Text.UNIQUE_IDS, self._rows(sizes=False))]
            case List(int() as number) | Uidl(int() as number) | Retr(number) | Top(number, _) | Dele(number):
                return self._on_message(command, number - 1)
            case _:
                return [self._yes(Text.DONE)]

    def _on_message(self, command: Command, index: int) -> list[Action]:
        if not 0 <= index < len(self._messages):
            return self._no(Text.NO_SUCH_MESSAGE)
        if index in self.deleted:
            return self._no(Text.IS_MARKED)
        message = self._messages[index]
        match command:
            case List():
                return [Reply(grammar.ok(f"{index + 1} {message.octets}"))]
            case Uidl():
                return [Reply(grammar.ok(f"{index + 1} {message.unique_id}"))]
            case Dele():
                self.deleted.add(index)
                self._octets_deleted += message.octets
                return [self._yes(Text.MARKED, number=index + 1)]
        self.state = State.SENDING
        changed = None if self.utf8 else self._yes(Text.CHANGED).data
        if isinstance(command, Top):
            return [SendMessage(index, self._yes(Text.TOP).data, command.lines, changed)]
        return [SendMessage(index, self._yes(Text.OCTETS, octets=message.octets).data, None, changed)]

    def _pass(self, command: Pass) -> list[Action]:
        if self._name is None:
            return self._no(Text.SEND_USER)
        name, self._name = self._name, None
        self.state = State.SIGNING_IN
        return [SignIn(name, command.secret)]

    def _auth(self, command: Auth) -> list[Action]:
        self._name = None
        if command.mechanism != b"PLAIN":
            return self._no(Text.MECHANISM)
        self._exchange = Plain()
        return self._sasl_step(self._exchange.start(command.initial))

    def _sasl_answer(self, line: bytes) -> list[Action]:
        if self._exchange is None:
            raise RuntimeError("an answer without a challenge")
        return self._sasl_step(self._exchange.answer(line))

    def _sasl_step(self, step: Step) -> list[Action]:
        self.state = State.AUTHORIZATION
        match step:
            case Challenge(encoded):
                self.state = State.SASL
                return [Reply(grammar.challenge(encoded))]
            case SaslResult():
                self.state = State.SIGNING_IN
                return [SignIn(step.name, step.secret)]
            case SaslFailure.REFUSED:
                return self.not_signed_in(texts.recognised(step.value), Code.AUTH, counts=True)
            case SaslFailure():
                return [self._refusal(texts.recognised(step.value))]

    def _lang(self, language_range: str | None) -> list[Action]:
        if language_range is None:
            return [self._listed(Text.LANGUAGES, (f"{tag} {name}" for tag, name in texts.LANGUAGES.items()))]
        language = texts.chosen(language_range, self._policy.language)
        if language is None:
            return self._no(Text.NO_LANGUAGE)
        self.language = language
        return [Reply(grammar.ok(f"{language} {self.say(words(Text.LANGUAGE))}"))]

    def _quit(self) -> list[Action]:
        if self.state is not State.TRANSACTION or not self.deleted:
            return [self._yes(Text.GOODBYE), self._close("quit")]
        self.state = State.UPDATE
        return [Remove(tuple(sorted(self.deleted)))]

    # What they need.

    def _capabilities(self) -> Iterator[str]:
        return capabilities(self._policy, secure=self.state is not State.CLEAR, stls=self._stls)

    def _totals(self) -> tuple[int, int]:
        return len(self._messages) - len(self.deleted), self._octets - self._octets_deleted

    def _rows(self, *, sizes: bool) -> Iterator[str]:
        deleted = frozenset(self.deleted)
        for index, message in enumerate(self._messages):
            if index not in deleted:
                yield f"{index + 1} {message.octets if sizes else message.unique_id}"

    def _yes(self, text: Text, **values: object) -> Reply:
        return Reply(grammar.ok(self.say(words(text, **values))))

    def _listed(self, text: Text, rows: Iterator[str], **values: object) -> Rows:
        return Rows(grammar.listing(self.say(words(text, **values)), rows))

    def _refusal(self, text: Sayable, code: Code | None = None) -> Reply:
        return Reply(grammar.error(self.say(text), code))

    def _no(self, text: Text, **values: object) -> list[Action]:
        return [self._refusal(words(text, **values))]

    def _bad(self, text: Text, **values: object) -> list[Action]:
        self._bad_left -= 1
        if self.state is State.SASL:
            self.state = State.AUTHORIZATION
        if self._bad_left > 0:
            return self._no(text, **values)
        return [*self._no(text, **values), self._close("too many bad commands")]

    def _close(self, why: str) -> Close:
        self.state = State.ENDED
        return Close(why)
