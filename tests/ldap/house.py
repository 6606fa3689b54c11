"""A door with a directory and a portal behind it, on an in-memory transport and a clock that stands still."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.cred.portal import IRealm, Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from cjsm.access.errors import AccessRefused
from cjsm.access.interfaces import IDirectoryReader, ILoginAttempt, IPasswordChooser, LoginAttempt
from cjsm.community.identifiers import AccountId
from cjsm.community.memory import MemoryView
from cjsm.community.records import Account, Record
from cjsm.configuration import LdapSettings
from cjsm.directory import schema
from cjsm.directory.following import Directory
from cjsm.ldap.server import LdapDoor, LdapFactory
from cjsm.wire.connections import ConnectionLimits
from tests.directory.support import BASE, records
from tests.ldap import support

GOLDEN = Path(__file__).with_name("golden")
PASSWORD = b"secret"


def golden(name: str) -> bytes:
    """Return the octets of one recorded request."""
    lines = (GOLDEN / f"{name}.hex").read_text().splitlines()
    return bytes.fromhex("".join(line for line in lines if not line.startswith("#")))


class Community:
    """The store that the directory follows."""

    def __init__(self, made: list[Record]) -> None:
        self.view = MemoryView(made)

    def number(self) -> int:
        """The change number."""
        return self.view.number

    def changes(self, after: int) -> list[tuple[int, str, bytes]] | None:
        """What changed."""
        return None  # too much to tell

    def read(self, function: Callable[[MemoryView], Any]) -> "Deferred[Any]":
        """Run *function* over the view."""
        return succeed(function(self.view))


@implementer(IDirectoryReader)
class Reader:
    """An avatar; ``valid`` says whether its account is still what it was."""

    def __init__(self, account: AccountId) -> None:
        self.account = account
        self.pseudonym = f"account-{account[-1]}"
        self.valid = True

    def still_valid(self) -> bool:
        """See :class:`IDirectoryReader`."""
        return self.valid


class Chooser:
    """An avatar that chooses a password; what ``failure`` is, choosing fails with."""

    def __init__(self, access: "Access", account: AccountId) -> None:
        self.account = account
        self._access = access

    def choose(self, current: bytes, chosen: bytes, source: str) -> "Deferred[None]":
        """See :class:`IPasswordChooser`."""
        if self._access.failure is not None:
            return fail(self._access.failure)
        self._access.chosen.append((self.account, current, chosen, source))
        return succeed(None)


@implementer(IRealm)
class Access:
    """Checker and realm: user IDs and addresses of the community with one password for all.

    :ivar attempts: what was asked, in order.
    :ivar waiting: set to a Deferred to answer later, or to an exception to fail with.
    """

    credentialInterfaces = (ILoginAttempt,)

    def __init__(self, made: list[Record]) -> None:
        self._accounts = {account.user_id: account.id for account in made if isinstance(account, Account)}
        self.attempts: list[LoginAttempt] = []
        self.waiting: Deferred[Any] | Exception | None = None
        self.avatars: list[Reader] = []
        self.logouts = 0
        self.chosen: list[tuple[AccountId, bytes, bytes, str]] = []
        self.failure: Exception | None = None

    def requestAvatarId(self, attempt: LoginAttempt) -> "Deferred[Any]":
        """See ICredentialsChecker."""
        self.attempts.append(attempt)
        if isinstance(self.waiting, Exception):
            return fail(self.waiting)
        name = attempt.name.replace(".cjsm.test", "")
        if attempt.secret != PASSWORD or name not in self._accounts:
            return fail(AccessRefused())
        account = self._accounts[name]
        if self.waiting is not None:
            return self.waiting.addCallback(lambda _: account)
        return succeed(account)

    def requestAvatar(self, avatar_id: AccountId, mind: object, *interfaces: Any) -> Any:
        """See IRealm."""
        if IPasswordChooser in interfaces:
            return IPasswordChooser, Chooser(self, avatar_id), self._log_out
        self.avatars.append(Reader(avatar_id))
        return IDirectoryReader, self.avatars[-1], self._log_out

    def _log_out(self) -> None:
        self.logouts += 1


class Transport(StringTransport):
    """A transport that says how it ended."""

    def __init__(self) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.1", 50000))
        self.aborted = False
        self.started: object = None

    def startTLS(self, tls: object) -> None:
        """See ITLSTransport; the handshake is for the test to do."""
        self.started = tls

    def abortConnection(self) -> None:
        """See ITransport."""
        self.aborted = True
        self.loseConnection()


class Connection:
    """One client at a door."""

    def __init__(self, house: "House", *, handshake: bool = True) -> None:
        self.clock = house.clock
        self.transport = Transport()
        self.door: LdapDoor = house.factory.buildProtocol(None)
        self.door.makeConnection(self.transport)
        if handshake and house.factory.starttls is None:
            self.door.handshakeCompleted()

    def send(self, octets: bytes) -> None:
        """Send *octets* and nothing more: no turn of the reactor."""
        self.door.dataReceived(octets)

    def said(self) -> list[Any]:
        """Return what the server said since the last time."""
        octets = self.transport.value()
        self.transport.clear()
        return support.answers(octets)

    def ask(self, octets: bytes) -> list[Any]:
        """Send *octets*, let the reactor turn, return the answers."""
        self.send(octets)
        self.clock.pump([0.0] * 20)
        return self.said()

    def sign_in(self, name: str = "jane.smith@avon") -> "Connection":
        """Bind."""
        (result,) = self.ask(support.bind(1, name, PASSWORD))
        assert result.code == 0, result
        return self

    @property
    def gone(self) -> bool:
        """Whether the server ended the connection."""
        return bool(self.transport.disconnecting)

    def lose(self) -> None:
        """The network ends the connection."""
        self.door.connectionLost(connectionDone)


class House:
    """A door and all that is behind it."""

    def __init__(
        self,
        more: list[Record] | None = None,
        *,
        base: list[Record] | None = None,
        starttls: Any = None,
        **settings: Any,
    ) -> None:
        made = [*(records() if base is None else base), *(more or [])]
        self.clock = Clock()
        self._connections: list[Connection] = []
        self.community = Community(made)
        self.directory = Directory(self.community, schema.load(), self.clock, seconds=lambda: 0.0)  # type: ignore[arg-type]
        self.directory.start()
        self.clock.pump([0.0] * 20)
        self.access = Access(made)
        self.limits = ConnectionLimits(per_source=3, per_account=2, in_all=10)
        self.factory = LdapFactory(
            LdapSettings(**settings),
            base=BASE,
            portal=Portal(self.access, [self.access]),
            directory=self.directory,
            limits=self.limits,
            clock=self.clock,
            starttls=starttls,
        )

    def connect(self, name: str | None = None) -> Connection:
        """Return a new connection, signed in as *name* if there is one."""
        connection = Connection(self)
        self._connections.append(connection)
        return connection.sign_in(name) if name else connection

    def hang_up(self) -> None:
        """All clients go."""
        for connection in self._connections:
            connection.lose()
        self._connections.clear()
