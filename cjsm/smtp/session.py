"""The protocol's state machine without I/O: commands and answers in, actions out (RFC 5321 §4.1.4, RFC 6409).

What each command needs is one table, :data:`NEEDS`; it is asked before anything else is done with the command.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from cjsm.mail.envelope import Demands
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
from cjsm.smtp.grammar import (
    Auth,
    Bdat,
    Command,
    Ehlo,
    Limits,
    Mail,
    Plain,
    Problem,
    Rcpt,
    Reply,
    looks_like_http,
    parse,
    reply,
)
from cjsm.wire.lines import BadLine, Line, LineTooLong
from cjsm.wire.sasl import MECHANISMS, Challenge, Exchange, SaslFailure, SaslResult


class Need(Struct, frozen=True):
    """A condition on the session's state, by name, the value it must have, and the reply where it has not."""

    state: str
    value: bool
    otherwise: Reply


_SECURE = Need("secure", True, reply(530, "5.7.0", "say STARTTLS first: nothing is taken in the clear"))
_AUTH_SECURE = Need("secure", True, reply(538, "5.7.11", "say STARTTLS first: passwords are not taken in the clear"))
_GREETED = Need("greeted", True, reply(503, "5.5.1", "say EHLO first"))
_SIGNED_IN = Need("is_signed_in", True, reply(530, "5.7.0", "sign in first"))
_NOT_SIGNED_IN = Need("is_signed_in", False, reply(503, "5.5.1", "you are signed in already"))
_NO_MAIL = Need("in_mail", False, reply(503, "5.5.1", "a message is begun already: finish it or say RSET"))
_IN_MAIL = Need("in_mail", True, reply(503, "5.5.1", "say MAIL first"))
_RECIPIENTS = Need("has_recipients", True, reply(554, "5.5.1", "no recipient was accepted"))
_NO_CHUNKS = Need("in_chunks", False, reply(503, "5.5.1", "the message is under way in chunks: go on with BDAT"))
_OFFERS_TLS = Need("offers_tls", True, reply(503, "5.5.1", "TLS is not offered now"))

_PROVED = Need("is_proved", True, reply(550, "5.7.1", "this server is not known here"))
_NO_AUTH = Need("offers_auth", True, reply(502, "5.5.1", "nobody signs in here"))

#: What each command needs where people submit mail, in the order in which it is asked.
NEEDS: Mapping[str, tuple[Need, ...]] = MappingProxyType(
    {
        "EHLO": (),
        "NOOP": (),
        "QUIT": (),
        "STARTTLS": (_OFFERS_TLS, _GREETED),
        "RSET": (_SECURE,),
        "HELP": (_SECURE,),
        "VRFY": (_SECURE,),
        "EXPN": (_SECURE,),
        "AUTH": (_AUTH_SECURE, _GREETED, _NOT_SIGNED_IN, _NO_MAIL),
        "MAIL": (_SECURE, _GREETED, _SIGNED_IN, _NO_MAIL),
        "RCPT": (_SECURE, _GREETED, _SIGNED_IN, _IN_MAIL, _NO_CHUNKS),
        "DATA": (_SECURE, _GREETED, _SIGNED_IN, _IN_MAIL, _NO_CHUNKS, _RECIPIENTS),
        "BDAT": (_SECURE, _GREETED, _SIGNED_IN, _IN_MAIL, _RECIPIENTS),
    }
)
#: The same where organisations' own servers relay mail in: they are proved before MAIL, and nobody signs in.
RELAY_NEEDS: Mapping[str, tuple[Need, ...]] = MappingProxyType(
    {verb: tuple(_PROVED if need is _SIGNED_IN else need for need in needs) for verb, needs in NEEDS.items()}
    | {"AUTH": (_SECURE, _NO_AUTH), "HELP": (_SECURE,)}
)

OK = reply(250, "2.0.0", "done")
_SENDER_OK = reply(250, "2.1.0", "sender taken")
_RECIPIENT_OK = reply(250, "2.1.5", "recipient taken")
_GO_ON = reply(354, "", "send the message, end it with a line of one dot")
_STRAY = reply(550, "5.5.2", "lines end in CRLF and hold no bare CR, bare LF or NUL")
_NOT_ASCII = reply(553, "5.6.7", "say SMTPUTF8 with MAIL for an address that is not plain ASCII")
_BROKEN = reply(451, "4.3.0", "something went wrong here: try again later")


class Session:
    """One connection's state.

    :param secure: inside TLS from the beginning.
    :param offers_tls: STARTTLS is there to be said.
    :param offers_auth: people sign in here; else servers are proved, see :meth:`proved`.
    :param max_octets: largest message, announced with SIZE.
    :param recipients: announced with LIMITS (RFC 9422).
    :ivar line_limit: octets of the next line at most.
    """

    def __init__(
        self,
        *,
        host: str,
        secure: bool,
        offers_tls: bool,
        offers_auth: bool = True,
        max_octets: int,
        recipients: int = 100,
        limits: Limits,
        failed_sign_ins: int,
        bad_commands: int,
    ) -> None:
        self.secure = secure
        self.offers_tls = offers_tls
        self.greeted = False
        #: What the client called itself last.
        self.called = ""
        self.offers_auth = offers_auth
        self.is_signed_in = False
        self.is_proved = False
        self.in_mail = False
        self.in_chunks = False
        self.has_recipients = False
        self._needs = NEEDS if offers_auth else RELAY_NEEDS
        self._stranger = _PROVED.otherwise
        self._host = host
        self._max_octets = max_octets
        self._recipients = recipients
        self._demands = Demands()
        self._chunked = 0
        self._chunk_refused: Reply | None = None
        self._limits = limits
        self._failures_left = failed_sign_ins
        self._bad_left = bad_commands
        self._exchange: Exchange | None = None
        self._first = True

    @property
    def line_limit(self) -> int:
        """Only before sign-in can a line be as long as an AUTH line."""
        auth_may_come = self.offers_auth and not self.is_signed_in
        return self._limits.auth if auth_may_come else max(self._limits.parameters, self._limits.command)

    def greeting(self) -> list[Action]:
        """The first words."""
        return [Say(reply(220, "", f"{self._host} ESMTP ready"))]

    def line(self, line: Line) -> list[Action]:
        """Take a line, or what was wrong with its framing."""
        first, self._first = self._first, False
        if isinstance(line, BadLine):
            return [Say(_STRAY), Close(line.kind)]
        if isinstance(line, LineTooLong):
            self._exchange = None
            return self._bad(reply(500, "5.5.2", "line too long"))
        if first and looks_like_http(line):
            return [Close("HTTP")]
        if self._exchange is not None:
            return self._step(self._exchange.answer(line))
        return self._command(parse(line, self._limits))

    def _command(self, command: Command) -> list[Action]:
        if isinstance(command, Problem):
            return [*self._bad(command.reply), *([Close(command.close)] if command.close else [])]
        for need in self._needs[_verb(command)]:
            if getattr(self, need.state) is not need.value:
                return self._not_now(command, self._stranger if need is _PROVED else need.otherwise)
        match command:
            case Rcpt(path, wish):
                return [AddRecipient(path, wish)] if self._may_be_written(path) else self._bad(_NOT_ASCII)
            case Mail(path, size, demands):
                self._demands = demands
                return [Begin(path, size, demands)] if self._may_be_written(path) else self._bad(_NOT_ASCII)
            case Bdat(octets, last):
                return self._bdat(octets, last)
            case Auth(mechanism, initial):
                return self._auth(mechanism, initial)
            case Ehlo(extended, name):
                self.called = name
                return self._ehlo(extended)
            case Plain(verb):
                return self._plain(verb)

    def _not_now(self, command: Command, why: Reply) -> list[Action]:
        """Refuse a command; the octets that follow a BDAT must not become commands."""
        if not isinstance(command, Bdat):
            return self._bad(why)
        if not self.secure:
            return [Say(why), Close("BDAT in the clear")]
        return self._skip(command.octets, command.last, why)

    def _may_be_written(self, path: str) -> bool:
        return path.isascii() or self._demands.smtputf8

    def _plain(self, verb: str) -> list[Action]:
        match verb:
            case "DATA":
                return [Say(_GO_ON), ReadText()]
            case "RSET":
                return [*self._forget(), Say(OK)]
            case "QUIT":
                return [*self._forget(), Say(reply(221, "2.0.0", "goodbye")), Close("quit")]
            case "STARTTLS":
                return [Say(reply(220, "2.0.0", "begin TLS")), StartTls()]
            case "VRFY":
                return [Say(reply(252, "2.1.5", "send the message and see; the directory is at your LDAP server"))]
            case "EXPN":
                return self._bad(reply(502, "5.5.1", "lists are not shown here"))
            case "HELP":
                auth = " AUTH" if self.offers_auth else ""
                return [Say(reply(214, "2.0.0", f"commands: EHLO STARTTLS{auth} MAIL RCPT DATA BDAT RSET NOOP QUIT"))]
            case _:
                return [Say(OK)]

    def _ehlo(self, extended: bool) -> list[Action]:
        self.greeted = True
        forget = self._forget()
        if not extended:
            return [*forget, Say(reply(250, "", self._host))]
        return [*forget, Say(reply(250, "", self._host, *self._offered()))]

    def _offered(self) -> list[str]:
        """What is offered now; nothing that holds inside TLS only is offered before it."""
        offered = ["PIPELINING", "ENHANCEDSTATUSCODES"]
        if self.offers_tls:
            offered.append("STARTTLS")
        if self.secure:
            offered += [f"SIZE {self._max_octets}", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING", "REQUIRETLS"]
            offered.append(f"LIMITS RCPTMAX={self._recipients}")
        if self.secure and self.offers_auth and not self.is_signed_in:
            offered.append(f"AUTH {' '.join(name.decode() for name in MECHANISMS)}")
        return offered

    def _forget(self) -> list[Action]:
        begun = self.in_mail
        self._message_ended()
        return [Forget()] if begun else []

    def _message_ended(self) -> None:
        self.in_mail = self.in_chunks = self.has_recipients = False
        self._chunked = 0
        self._chunk_refused = None

    # TLS and signing in

    def secured(self) -> list[Action]:
        """TLS has begun: everything said before is forgotten (RFC 3207 §4.2)."""
        self.secure = True
        self.offers_tls = False
        self.greeted = False
        return []

    def _auth(self, mechanism: bytes, initial: bytes | None) -> list[Action]:
        made = MECHANISMS.get(mechanism)
        if made is None:
            return self._bad(reply(504, "5.5.4", "this mechanism is not offered: use PLAIN or LOGIN"))
        self._exchange = made()
        return self._step(self._exchange.start(initial))

    def _step(self, step: Challenge | SaslResult | SaslFailure) -> list[Action]:
        if isinstance(step, Challenge):
            return [Ask(step)]
        self._exchange = None
        if isinstance(step, SaslResult):
            return [SignIn(step)]
        return self.not_signed_in(reply(501, "5.5.2", step.value), counts=True)

    def proved(self) -> None:
        """The server at the other end is a connection's."""
        self.is_proved = True

    def not_proved(self, why: Reply) -> None:
        """It is not; MAIL is answered with *why*."""
        self._stranger = why

    def signed_in(self) -> list[Action]:
        """Answer to :class:`SignIn`."""
        self.is_signed_in = True
        return [Say(reply(235, "2.7.0", "signed in"))]

    def not_signed_in(self, why: Reply, *, counts: bool) -> list[Action]:
        """Answer to :class:`SignIn`; *counts* where the client is to blame."""
        if counts:
            self._failures_left -= 1
            if self._failures_left <= 0:
                return [Say(why), *self.leaving(reply(421, "4.7.0", "too many failed sign-ins"), "failed sign-ins")]
        return [Say(why)]

    # The message

    def begun(self) -> list[Action]:
        """Answer to :class:`Begin`."""
        self.in_mail = True
        return [Say(_SENDER_OK)]

    def not_begun(self, why: Reply) -> list[Action]:
        """Answer to :class:`Begin`."""
        return [Say(why)]

    def recipient_added(self) -> list[Action]:
        """Answer to :class:`AddRecipient`."""
        self.has_recipients = True
        return [Say(_RECIPIENT_OK)]

    def recipient_refused(self, why: Reply) -> list[Action]:
        """Answer to :class:`AddRecipient`."""
        return [Say(why)]

    def accepted(self, queue_id: str) -> list[Action]:
        """Answer to :class:`ReadText`."""
        self._message_ended()
        return [Say(reply(250, "2.0.0", f"accepted as {queue_id}"))]

    def not_accepted(self, why: Reply, *, close: str = "") -> list[Action]:
        """Answer to :class:`ReadText`; *close* says why the connection ends, where it does."""
        self._message_ended()
        return [Say(why), *([Close(close)] if close else [])]

    # The text in chunks (RFC 3030)

    def _bdat(self, octets: int, last: bool) -> list[Action]:
        if self._chunk_refused is not None:
            return self._skip(octets, last, self._chunk_refused)
        self.in_chunks = True
        self._chunked += octets
        if self._chunked > self._max_octets:
            self._chunk_refused = reply(552, "5.3.4", f"the message is larger than {self._max_octets} octets")
            return self._skip(octets, last, self._chunk_refused)
        return [ReadChunk(octets, last)]

    def _skip(self, octets: int, last: bool, why: Reply) -> list[Action]:
        if octets > self._max_octets:
            return [Say(why), Close("a chunk larger than a message")]
        return [SkipChunk(octets, last, why)]

    def chunk_taken(self, octets: int) -> list[Action]:
        """Answer to :class:`ReadChunk` that is not the last."""
        return [Say(reply(250, "2.0.0", f"{octets} octets taken"))]

    def chunk_skipped(self, last: bool, why: Reply) -> list[Action]:
        """Answer to :class:`SkipChunk`.

        With its last chunk the message is over, also a refused one: what a client has pipelined behind it is another
        message, and must not get the envelope of this one.
        """
        return [*(self._forget() if last else ()), *self._bad(why)]

    # Trouble

    def broken(self) -> list[Action]:
        """An unexpected failure costs this command and the message it belonged to."""
        self._exchange = None
        return [*self._forget(), Say(_BROKEN)]

    def leaving(self, why: Reply, ended: str) -> list[Action]:
        """End the session from our side."""
        return [*self._forget(), Say(why), Close(ended)]

    def _bad(self, why: Reply) -> list[Action]:
        self._bad_left -= 1
        if self._bad_left <= 0:
            return [Say(why), *self.leaving(reply(421, "4.7.0", "too many bad commands"), "bad commands")]
        return [Say(why)]


def stray(kind: str) -> Reply:
    """Return the reply to text with *kind* in it: never a way to hide a second message."""
    return reply(550, "5.5.2", f"{kind}: {_STRAY.text[0]}")


def _verb(command: Ehlo | Mail | Rcpt | Bdat | Auth | Plain) -> str:
    return command.verb if isinstance(command, Plain) else type(command).__name__.upper()
