"""The generator: sessions in processes of their own that sign in over TLS and send messages one after another."""

import base64
import multiprocessing
import poplib
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing.synchronize import Barrier

_FORK = multiprocessing.get_context("fork")
_READABLE = 120.0
#: Signing in so often leaves hardly anybody unknown to one of two processes.
_ROUNDS = 5


@dataclass(frozen=True)
class Person:
    """Somebody who signs in."""

    user_id: str
    address: str
    password: str


@dataclass(frozen=True)
class Target:
    """A server under load; ports speak TLS from the first octet."""

    name: str
    authority: str
    submissions: int
    pop3s: int
    people: tuple[Person, ...]


@dataclass(frozen=True)
class Work:
    """What one run sends: *sessions* times *each* messages of *octets*, each to *recipients* of ten people."""

    sessions: int
    each: int
    octets: int
    recipients: int = 1

    @property
    def messages(self) -> int:
        """Messages in all."""
        return self.sessions * self.each


#: People that mail is sent to.
READERS = 10


#: Who gets a message: the addresses for a session and a number in it.
Recipients = Callable[[int, int], list[str]]


def run(target: Target, work: Work) -> float:
    """Send all of *work* and return the seconds from the first connection until every copy is readable over POP3."""
    expected = {reader.user_id: count(target, reader) for reader in target.people[:READERS]}
    for session in range(work.sessions):
        for number in range(work.each):
            for reader in _readers(target, work, session, number):
                expected[reader.user_id] += 1
    began = send(target, work, lambda *place: [reader.address for reader in _readers(target, work, *place)])
    _await_readable(target, expected)
    return time.perf_counter() - began


def warm(target: Target) -> None:
    """Let everybody sign in to both doors, several times: whichever process takes them knows them then."""
    for person in target.people:
        count(target, person)
    for _ in range(_ROUNDS):
        send(target, Work(len(target.people), 0, 0), lambda session, number: [])


def send(target: Target, work: Work, recipients: Recipients) -> float:
    """Send all of *work* and return when the first connection was begun, as a performance counter."""
    barrier = _FORK.Barrier(work.sessions + 1)
    failed = _FORK.Value("i", 0)
    sessions = [
        _FORK.Process(target=_guarded, args=(target, work, number, recipients, barrier, failed))
        for number in range(work.sessions)
    ]
    for session in sessions:
        session.start()
    barrier.wait()
    began = time.perf_counter()
    for session in sessions:
        session.join()
    if failed.value:
        raise RuntimeError(f"{failed.value} sessions failed at {target.name}")
    return began


def _await_readable(target: Target, expected: dict[str, int]) -> None:
    for reader in target.people[:READERS]:
        await_messages(target, reader, expected[reader.user_id])


def await_messages(target: Target, reader: Person, expected: int) -> None:
    """Return when *reader* can read so many messages.

    :raises RuntimeError: when that takes too long.
    """
    ends = time.monotonic() + _READABLE
    while (found := count(target, reader)) < expected:
        if time.monotonic() > ends:
            raise RuntimeError(f"{reader.user_id} at {target.name} has {found}, not {expected}")
        time.sleep(0.01)


def count(target: Target, reader: Person) -> int:
    """Return how many messages *reader* can read."""
    connection = poplib.POP3_SSL("localhost", target.pop3s, context=_tls(target))
    try:
        connection.user(reader.user_id)
        connection.pass_(reader.password)
        return connection.stat()[0]
    finally:
        connection.quit()


def message(sender: str, recipients: Sequence[str], octets: int, number: int) -> bytes:
    """Return a message of about *octets*, ready for DATA, end mark included."""
    head = (
        f"From: {sender}\r\nTo: {', '.join(recipients)}\r\nSubject: Report {number}\r\n"
        f"Message-ID: <{number}.{time.time_ns()}@{sender.partition('@')[2]}>\r\n"
        "Date: Mon, 02 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
    )
    line = "The quick brown fox jumps over the lazy dog, and writes it down as evidence.\r\n"
    return (head + line * max(1, (octets - len(head)) // len(line)) + ".\r\n").encode()


def _readers(target: Target, work: Work, session: int, number: int) -> list[Person]:
    return [target.people[(session + number + copy) % READERS] for copy in range(work.recipients)]


@cache
def _tls(target: Target) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=target.authority)


def _guarded(
    target: Target,
    work: Work,
    session: int,
    recipients: Recipients,
    barrier: Barrier,
    failed: "multiprocessing.Value",  # type: ignore[valid-type]
) -> None:
    context = _tls(target)
    barrier.wait()
    try:
        _session(target, work, session, recipients, context)
    except (OSError, RuntimeError) as error:
        print(f"session {session} at {target.name}: {error}", flush=True)
        with failed.get_lock():  # type: ignore[attr-defined]
            failed.value += 1  # type: ignore[attr-defined]


def _session(target: Target, work: Work, session: int, recipients: Recipients, context: ssl.SSLContext) -> None:
    sender = target.people[session % len(target.people)]
    plain = socket.create_connection(("localhost", target.submissions))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with context.wrap_socket(plain, server_hostname="localhost") as connection:
        dialogue = _Dialogue(connection)
        dialogue.expect(220)
        dialogue.say(b"EHLO client.example\r\n", 250)
        token = base64.b64encode(f"\0{sender.user_id}\0{sender.password}".encode())
        dialogue.say(b"AUTH PLAIN " + token + b"\r\n", 235)
        for number in range(work.each):
            to = recipients(session, number)
            content = message(sender.address, to, work.octets, session * work.each + number)
            commands = [f"MAIL FROM:<{sender.address}>", *(f"RCPT TO:<{each}>" for each in to), "DATA"]
            dialogue.say("".join(f"{command}\r\n" for command in commands).encode(), *(250,) * (len(to) + 1), 354)
            dialogue.say(content, 250)
        dialogue.say(b"QUIT\r\n", 221)


class _Dialogue:
    """Sends commands and checks replies, with as little work as can be."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        self._received = b""

    def say(self, octets: bytes, *codes: int) -> None:
        self._connection.sendall(octets)
        for code in codes:
            self.expect(code)

    def expect(self, code: int) -> None:
        while True:
            line, end, rest = self._received.partition(b"\r\n")
            if not end:
                more = self._connection.recv(65_536)
                if not more:
                    raise RuntimeError("the server hung up")
                self._received += more
                continue
            self._received = rest
            if not line.startswith(str(code).encode()):
                raise RuntimeError(f"expected {code}: {line.decode(errors='replace')}")
            if line[3:4] != b"-":
                return
