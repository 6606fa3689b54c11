"""A maildrop in memory and a portal that lets people into it."""

from collections.abc import Callable, Sequence

from msgspec import Struct
from twisted.cred.credentials import ICredentials
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import Interface, implementer

from cjsm.access.errors import AccessError, AccessRefused
from cjsm.access.interfaces import ILoginAttempt, IMaildrop, IMessageReader, LoginAttempt


@implementer(IMessageReader)
class MemoryReader:
    """Gives a message in pieces of *size*; *failure* comes instead of the piece with that number."""

    accepted = 0

    def __init__(self, content: bytes, size: int, failures: dict[int, Exception]) -> None:
        self.reads = 0
        self.closed = False
        self._pieces = [content[at : at + size] for at in range(0, len(content), size)]
        self._failures = failures

    def read(self) -> Deferred[bytes]:
        self.reads += 1
        failure = self._failures.get(self.reads - 1)
        if failure is not None:
            return fail(failure)
        return succeed(self._pieces.pop(0) if self._pieces else b"")

    def close(self) -> None:
        self.closed = True


class Listed(Struct, frozen=True):
    """A message as it is listed."""

    octets: int
    unique_id: str


@implementer(IMaildrop)
class MemoryMaildrop:
    """A maildrop of *contents*."""

    account = b"\1" * 16
    pseudonym = "a-1"

    def __init__(self, *contents: bytes, size: int = 16_384) -> None:
        self.contents = list(contents)
        self.messages: Sequence[Listed] = [
            Listed(len(content), f"uid-{number}") for number, content in enumerate(contents, 1)
        ]
        self.valid = True
        self.deleted: list[int] = []
        self.delete_result: Deferred[None] | None = None
        self.open_failure: Exception | None = None
        self.read_failures: dict[int, Exception] = {}
        self.readers: list[MemoryReader] = []
        self._size = size

    def still_valid(self) -> bool:
        return self.valid

    def open(self, index: int) -> Deferred[MemoryReader]:
        if self.open_failure is not None:
            return fail(self.open_failure)
        reader = MemoryReader(self.contents[index], self._size, self.read_failures)
        self.readers.append(reader)
        return succeed(reader)

    def delete(self, indexes: Sequence[int]) -> Deferred[None]:
        self.deleted += indexes
        return self.delete_result or succeed(None)


class Access:
    """Checker and realm: ``alex`` with ``secret`` gets the maildrop; other outcomes as a test sets them.

    :ivar logouts: how often the maildrop was given back.
    """

    credentialInterfaces = (ILoginAttempt,)

    def __init__(self, maildrop: MemoryMaildrop) -> None:
        self.maildrop = maildrop
        self.outcome: AccessError | Exception | None = None
        self.waiting: Deferred[None] | None = None
        self.attempts: list[LoginAttempt] = []
        self.logouts = 0
        self.portal = Portal(self)
        self.portal.registerChecker(self)

    def requestAvatarId(self, credentials: ICredentials) -> Deferred[str]:
        assert isinstance(credentials, LoginAttempt)
        self.attempts.append(credentials)
        if self.waiting is not None:
            return self.waiting.addCallback(lambda _: self._answer(credentials))
        return self._answer(credentials)

    def _answer(self, attempt: LoginAttempt) -> Deferred[str]:
        if self.outcome is not None:
            return fail(self.outcome)
        if (attempt.name, attempt.secret) != ("alex", b"secret"):
            return fail(AccessRefused())
        return succeed(attempt.name)

    def requestAvatar(
        self, avatarId: str, mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], MemoryMaildrop, Callable[[], None]]:
        assert interfaces == (IMaildrop,)
        return IMaildrop, self.maildrop, self._logout

    def _logout(self) -> None:
        self.logouts += 1
