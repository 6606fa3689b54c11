"""A mailbox on disk and several clients at the door, held against a model at every step.

``HYPOTHESIS_PROFILE=long`` takes 100,000 steps.
"""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from twisted.cred.portal import Portal
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from cjsm.community.acts import accounts
from cjsm.configuration import Pop3Settings
from cjsm.pop3.server import Pop3Factory
from cjsm.wire.connections import ConnectionLimits
from tests.access.support import PASSWORD, House

_CLIENTS = st.sampled_from([0, 1, 2])
_NUMBERS = st.sampled_from([1, 2, 3, 4, 5, 0, 9])
_LINES = st.sampled_from([b"", b".", b"..", b".a", b"a.", b"text", "tŷ".encode(), b"x" * 900])
#: Dots at every edge of the segments in which bodies are sealed and read.
_LONG = b".y\r\n" * 40_000
_BODIES = st.one_of(st.lists(_LINES, max_size=6).map(lambda lines: b"".join(line + b"\r\n" for line in lines)))


class Kept:
    """A message as the model knows it."""

    def __init__(self, unique_id: str, content: bytes) -> None:
        self.unique_id = unique_id
        self.content = content


class Client:
    """One connection, and what the model knows of it.

    :ivar named: USER was said.
    :ivar drop: the messages as they were at sign-in; None before it.
    """

    def __init__(self, factory: Pop3Factory) -> None:
        self.door: Any = factory.buildProtocol(None)
        self.transport = StringTransport()
        self.door.makeConnection(self.transport)
        self.door.handshakeCompleted()
        self.named = False
        self.failures = 0
        self.drop: list[Kept] | None = None
        self.marked: set[int] = set()
        self.take()

    def take(self) -> bytes:
        taken: bytes = self.transport.value()
        self.transport.clear()
        return taken

    def ask(self, line: bytes, cut: int = 0) -> bytes:
        """Send a line in two pieces; return what is answered."""
        octets = line + b"\r\n"
        self.door.dataReceived(octets[:cut])
        self.door.dataReceived(octets[cut:])
        return self.take()

    def there(self, number: int) -> Kept | None:
        """The message that *number* stands for."""
        assert self.drop is not None
        gone = not 1 <= number <= len(self.drop) or number in self.marked
        return None if gone else self.drop[number - 1]

    def totals(self) -> tuple[int, int]:
        left = [kept for number, kept in enumerate(self.drop or (), 1) if number not in self.marked]
        return len(left), sum(len(kept.content) for kept in left)


class Mailboxes(RuleBasedStateMachine):
    """The model: what is stored, who has it open, and what each client has marked."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.house = House(Path(self.directory.name))
        account = self.house.join()
        assert account.mailbox is not None
        self.account, self.mailbox = account.id, account.mailbox
        self.clock = Clock()
        self.factory = Pop3Factory(
            Pop3Settings(command=100_000, session=100_000),
            portal=Portal(self.house.realm, [self.house.checker]),
            limits=ConnectionLimits(per_source=20, per_account=10, in_all=100),
            clock=self.clock,
            revalidate=5,
        )
        self.stored: list[Kept] = []
        self.clients: list[Client | None] = [None, None, None]

    def teardown(self) -> None:
        for client in self.clients:
            if client is not None:
                client.door.connectionLost()
        self.house.close()
        self.directory.cleanup()

    def inside(self) -> Client | None:
        """The one client that has the mailbox open."""
        found = [client for client in self.clients if client is not None and client.drop is not None]
        assert len(found) <= 1
        return found[0] if found else None

    def client(self, which: int) -> Client:
        """Return a client, which connects if it is not there."""
        found = self.clients[which]
        if found is None:
            found = self.clients[which] = Client(self.factory)
        return found

    def gone(self, client: Client) -> None:
        """This connection ended."""
        client.door.connectionLost()
        self.clients[self.clients.index(client)] = None

    def ended(self, client: Client) -> None:
        """The server closed this connection."""
        assert client.transport.disconnecting or client.transport.disconnected
        self.gone(client)

    # What happens outside.

    @initialize(bodies=st.lists(_BODIES, min_size=1, max_size=4))
    def begin(self, bodies: list[bytes]) -> None:
        for body in bodies:
            self.deliver(body, False, False)

    @precondition(lambda self: len(self.stored) < 6)
    @rule(body=_BODIES, long=st.booleans(), in_file=st.booleans())
    def deliver(self, body: bytes, long: bool, in_file: bool) -> None:
        """Mail comes, whoever has the mailbox open."""
        content = b"Subject: x\r\nX: .\r\n .\r\n\r\n" + body + (_LONG if long else b"")
        row = self.house.deliver(self.mailbox, content, in_file=in_file)
        self.stored.append(Kept(row.delivery_id.hex(), content))

    @precondition(lambda self: self.inside())
    @rule(way=st.sampled_from(["idle", "at the next command"]))
    def lock(self, way: str) -> None:
        """An administrator locks the account: who is in is out within five seconds, and deleted nothing."""
        client = self.inside()
        assert client is not None
        self.set_locked(True)
        if way == "idle":
            self.clock.pump([1] * 5)
        else:
            assert client.ask(b"QUIT").startswith(b"-ERR [AUTH] ")
        self.ended(client)
        self.set_locked(False)

    def set_locked(self, locked: bool) -> None:
        self.house.commit(lambda view, by: accounts.set_locked(view, by, self.account, locked=locked))

    @rule(which=_CLIENTS, half=st.sampled_from([b"", b"QUI", b"DELE 1\r", b"QUIT"]))
    def cut(self, which: int, half: bytes) -> None:
        """A connection breaks, perhaps in the middle of a line: nothing is deleted."""
        client = self.clients[which]
        if client is not None:
            client.door.dataReceived(half)
            self.gone(client)

    # Signing in.

    @rule(which=_CLIENTS)
    def user(self, which: int) -> None:
        client = self.client(which)
        client.named = client.drop is None
        assert client.ask(b"USER jo.ward@avon").startswith(b"+OK" if client.named else b"-ERR")

    @rule(which=_CLIENTS)
    def password(self, which: int) -> None:
        """PASS without USER, or a wrong one; three of these end the connection."""
        client = self.client(which)
        answer = client.ask(b"PASS wrong")
        if client.drop is not None or not client.named:
            assert answer.startswith(b"-ERR ")
            return
        client.named = False
        assert answer.startswith(b"-ERR [AUTH] ")
        client.failures += 1
        if client.failures == 3:
            self.ended(client)

    @rule(which=_CLIENTS)
    def sign_in(self, which: int) -> None:
        """One client is let in at a time."""
        client = self.client(which)
        if client.drop is not None:
            return
        assert client.ask(b"USER jo.ward@avon").startswith(b"+OK ")
        answer = client.ask(b"PASS " + PASSWORD)
        client.named = False
        if self.inside() is not None:
            assert answer.startswith(b"-ERR [IN-USE] ")
            return
        client.drop = list(self.stored)
        count, octets = client.totals()
        assert answer == f"+OK maildrop has {count} messages ({octets} octets)\r\n".encode()

    # In the maildrop.

    @precondition(lambda self: self.inside())
    @rule(cut=st.integers(0, 6))
    def look(self, cut: int) -> None:
        """STAT, LIST, UIDL and NOOP agree with the model, whatever came or went meanwhile."""
        client = self.inside()
        assert client is not None
        count, octets = client.totals()
        assert client.ask(b"STAT", cut) == f"+OK {count} {octets}\r\n".encode()
        left = [(number, kept) for number, kept in enumerate(client.drop or (), 1) if number not in client.marked]
        for command, told in (
            (b"LIST", [f"{number} {len(kept.content)}" for number, kept in left]),
            (b"UIDL", [f"{number} {kept.unique_id}" for number, kept in left]),
        ):
            _, *rows, end, nothing = client.ask(command, cut).decode().split("\r\n")
            assert (rows, end, nothing) == (told, ".", "")
        assert client.ask(b"NOOP", cut) == b"+OK done\r\n"

    @precondition(lambda self: self.inside())
    @rule(number=_NUMBERS, cut=st.integers(0, 8))
    def one(self, number: int, cut: int) -> None:
        """LIST and UIDL of one message."""
        client = self.inside()
        assert client is not None
        kept = client.there(number)
        for command, told in (
            ("LIST", str(len(kept.content)) if kept else ""),
            ("UIDL", kept.unique_id if kept else ""),
        ):
            answer = client.ask(f"{command} {number}".encode(), cut)
            assert answer == f"+OK {number} {told}\r\n".encode() if kept else answer.startswith(b"-ERR ")

    @precondition(lambda self: self.inside())
    @rule(number=_NUMBERS, cut=st.integers(0, 8))
    def fetch(self, number: int, cut: int) -> None:
        client = self.inside()
        assert client is not None
        kept, answer = client.there(number), client.ask(f"RETR {number}".encode(), cut)
        if kept is None:
            assert answer.startswith(b"-ERR ")
        else:
            stuffed = kept.content.replace(b"\r\n.", b"\r\n..")
            assert answer == f"+OK {len(kept.content)} octets\r\n".encode() + stuffed + b".\r\n"

    @precondition(lambda self: self.inside())
    @rule(number=_NUMBERS, lines=st.sampled_from([0, 1, 2, 5, 100, 16_000, 50_000]))
    def top(self, number: int, lines: int) -> None:
        client = self.inside()
        assert client is not None
        kept, answer = client.there(number), client.ask(f"TOP {number} {lines}".encode())
        if kept is None:
            assert answer.startswith(b"-ERR ")
        else:
            header, _, body = kept.content.partition(b"\r\n\r\n")
            whole = header + b"\r\n\r\n" + b"".join(body.splitlines(keepends=True)[:lines])
            assert answer.partition(b"\r\n")[2] == whole.replace(b"\r\n.", b"\r\n..") + b".\r\n"

    @precondition(lambda self: self.inside())
    @rule(number=_NUMBERS)
    def delete(self, number: int) -> None:
        client = self.inside()
        assert client is not None
        kept, answer = client.there(number), client.ask(f"DELE {number}".encode())
        assert answer.startswith(b"+OK " if kept else b"-ERR ")
        if kept:
            client.marked.add(number)

    @precondition(lambda self: self.inside())
    @rule()
    def reset(self) -> None:
        client = self.inside()
        assert client is not None
        assert client.ask(b"RSET").startswith(b"+OK ")
        client.marked.clear()

    @precondition(lambda self: self.inside())
    @rule()
    def quit(self) -> None:
        """What was marked is gone, nothing else, and the next may come in as soon as the answer is there."""
        client = self.inside()
        assert client is not None
        assert client.ask(b"QUIT").startswith(b"+OK ")
        gone = {(client.drop or [])[number - 1].unique_id for number in client.marked}
        self.stored = [kept for kept in self.stored if kept.unique_id not in gone]
        self.ended(client)

    @invariant()
    def nobody_says_what_was_not_asked(self) -> None:
        for client in self.clients:
            assert client is None or client.take() == b""


TestMailboxes = Mailboxes.TestCase
#: 20 runs of 250 steps as a rule, 400 in the long profile.
TestMailboxes.settings = settings(max_examples=settings.default.max_examples // 5, stateful_step_count=250)
