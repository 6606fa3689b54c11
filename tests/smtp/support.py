"""A house that takes mail into a list, and a portal that lets ``alex`` in."""

from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import Interface, implementer

from cjsm.access.errors import AccessRefused
from cjsm.access.interfaces import ILoginAttempt, ISubmitter, LoginAttempt
from cjsm.mail.envelope import NO_DEMANDS, NO_WISH, Demands, Wish
from cjsm.mail.interfaces import Hop, IAcceptance, IIncomingMessage, Refused


@implementer(IIncomingMessage)
class MemoryMessage:
    """One message; recipients that begin with ``no`` are refused."""

    def __init__(self, house: "MemoryAcceptance", reverse_path: str, hop: Hop, size: int | None) -> None:
        self.reverse_path = reverse_path
        self.hop = hop
        self.size = size
        self.to: list[str] = []
        self.octets = b""
        self.committed = 0
        self.aborted = 0
        self._house = house
        self.wishes: list[Wish] = []
        self.demands = Demands()

    @property
    def recipients(self) -> int:
        return len(self.to)

    def recipient(self, forward_path: str, wish: Wish = NO_WISH) -> Deferred[None]:
        if forward_path.startswith("no"):
            return fail(Refused(550, "5.1.1", f"{forward_path} is nobody"))
        self.to.append(forward_path)
        self.wishes.append(wish)
        return self._house.slow(None)

    def write(self, octets: bytes) -> Deferred[None] | None:
        self.octets += octets
        return self._house.writing

    def commit(self) -> Deferred[str]:
        self.committed += 1
        if self._house.refusal is not None:
            return fail(self._house.refusal)
        return self._house.slow("abc123")

    def abort(self) -> Deferred[None]:
        self.aborted += 1
        return succeed(None)


@implementer(IAcceptance)
class MemoryAcceptance:
    """Keeps messages; *waiting*, where set, delays recipients and commits."""

    def __init__(self) -> None:
        self.messages: list[MemoryMessage] = []
        self.refusal: Exception | None = None
        self.sender_refusal: Exception | None = None
        self.waiting: Deferred[None] | None = None
        self.writing: Deferred[None] | None = None

    def begin(
        self, origin: object, reverse_path: str, hop: Hop, size: int | None, demands: Demands = NO_DEMANDS
    ) -> Deferred[MemoryMessage]:
        assert origin == "alex's origin"
        if self.sender_refusal is not None:
            return fail(self.sender_refusal)
        message = MemoryMessage(self, reverse_path, hop, size)
        message.demands = demands
        self.messages.append(message)
        return succeed(message)

    def slow(self, answer: Any) -> Deferred[Any]:
        if self.waiting is None:
            return succeed(answer)
        done: Deferred[Any] = Deferred()
        self.waiting.addCallbacks(lambda _: done.callback(answer), done.errback)
        return done


@implementer(ISubmitter)
class Submitter:
    """Whoever signed in."""

    account = b"\1" * 16
    pseudonym = "a-1"

    def origin_for(self, reverse_path: str) -> str:
        return "alex's origin"

    def __init__(self) -> None:
        self.valid = True

    def still_valid(self) -> bool:
        return self.valid


@implementer(ICredentialsChecker, IRealm)
class Access:
    """``alex`` with ``secret`` gets in; other outcomes as a test sets them."""

    credentialInterfaces = (ILoginAttempt,)

    def __init__(self) -> None:
        self.submitter = Submitter()
        self.outcome: Exception | None = None
        self.waiting: list[Deferred[None]] = []
        self.hold = False
        self.attempts: list[LoginAttempt] = []
        self.portal = Portal(self, [self])

    def requestAvatarId(self, credentials: ICredentials) -> Deferred[str]:
        assert isinstance(credentials, LoginAttempt)
        self.attempts.append(credentials)
        if self.hold:
            held: Deferred[None] = Deferred()
            self.waiting.append(held)
            return held.addCallback(lambda _: self._answer(credentials))
        return self._answer(credentials)

    def _answer(self, attempt: LoginAttempt) -> Deferred[str]:
        if self.outcome is not None:
            return fail(self.outcome)
        if (attempt.name, attempt.secret) != ("alex", b"secret"):
            return fail(AccessRefused())
        return succeed(attempt.name)

    def requestAvatar(
        self, avatarId: str, mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], Submitter, Callable[[], None]]:
        assert interfaces == (ISubmitter,)
        return ISubmitter, self.submitter, lambda: None
