"""An SMTP server on loopback that plays a script, well or badly, and records what it is sent."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tests.peers.certificates import Identity
from tests.peers.records import Connection, Message
from tests.peers.script import Script
from tests.peers.session import PeerSession


class ScriptedPeer:
    """Listens from the beginning of a ``with`` block to its end.

    :param scripts: what it plays on the first connections, the last of them on all that follow.
    :param identity: its certificate; without one there is no TLS.
    :param clients: the authority of the certificates that clients must show; None asks for none.
    :ivar port: where it listens on 127.0.0.1.
    """

    host = "127.0.0.1"

    def __init__(self, *scripts: Script, identity: Identity | None = None, clients: Path | None = None) -> None:
        self.identity = identity
        self.clients = clients
        self.stopping = threading.Event()
        self._scripts = list(scripts) or [Script()]
        self._changed = threading.Condition()
        self._connections: list[Connection] = []
        self._messages: list[Message] = []
        self._sessions: list[PeerSession] = []
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server((self.host, 0), backlog=128)
        self.port: int = self._listening.getsockname()[1]

    # What was seen.

    @property
    def connections(self) -> list[Connection]:
        """All connections so far."""
        with self._changed:
            return list(self._connections)

    @property
    def messages(self) -> list[Message]:
        """Messages that came whole, whatever was answered."""
        with self._changed:
            return [message for message in self._messages if message.whole]

    @property
    def accepted(self) -> list[Message]:
        """Messages that came whole and were answered with 2xx."""
        return [message for message in self.messages if message.accepted]

    @property
    def halves(self) -> list[Message]:
        """Messages that were begun and never came whole."""
        with self._changed:
            return [message for message in self._messages if not message.whole]

    @property
    def exposed(self) -> list[bytes]:
        """What came in the clear and should not have: an empty list is what a test wants."""
        return [octets for connection in self.connections for octets in connection.exposed]

    def wait_until(self, holds: Callable[["ScriptedPeer"], object], seconds: float = 20.0) -> None:
        """Wait until *holds* says so.

        :raises TimeoutError: when it does not in time.
        """
        ends = time.monotonic() + seconds
        while not holds(self):
            with self._changed:
                left = ends - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{self.connections} {self.messages}")
                self._changed.wait(min(left, 0.2))

    def wait_for_messages(self, count: int, seconds: float = 20.0) -> list[Message]:
        """Return the first *count* messages as soon as they were accepted."""
        self.wait_until(lambda peer: len(peer.accepted) >= count, seconds)
        return self.accepted[:count]

    def wait_for_connections(self, count: int, seconds: float = 20.0) -> list[Connection]:
        """Return the first *count* connections as soon as they have ended."""
        self.wait_until(lambda peer: sum(bool(each.ended) for each in peer.connections) >= count, seconds)
        return [each for each in self.connections if each.ended][:count]

    def play(self, *scripts: Script) -> None:
        """Play *scripts* on the connections to come."""
        with self._changed:
            self._scripts = list(scripts)

    # What sessions tell.

    def saw(self, message: Message) -> None:
        """Record a message that begins."""
        with self._changed:
            self._messages.append(message)
        self.changed()

    def changed(self) -> None:
        """Tell those who wait that something happened."""
        with self._changed:
            self._changed.notify_all()

    # Running.

    def __enter__(self) -> "ScriptedPeer":
        self._start(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Close everything and wait for it. Idempotent."""
        self.stopping.set()
        # Closing alone does not wake who accepts.
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._changed:
            sessions = list(self._sessions)
        for session in sessions:
            session.cut()
        for thread in self._threads:
            thread.join(20)

    def _listen(self) -> None:
        with suppress(OSError):
            while not self.stopping.is_set():
                accepted, _ = self._listening.accept()
                self._serve(accepted)

    def _serve(self, accepted: socket.socket) -> None:
        with self._changed:
            script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
            connection = Connection()
            self._connections.append(connection)
            session = PeerSession(self, accepted, script, connection)
            self._sessions.append(session)
        self._start(session.run)

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True, name="scripted peer")
        self._threads.append(thread)
        thread.start()
