"""The generator of POP3: processes of their own that sign in over TLS and read, one session after another."""

import multiprocessing
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import TypeVar

from benchmarks.load import Person, Target

_FORK = multiprocessing.get_context("fork")
_BLOCK = 65_536
T = TypeVar("T")


class Reader:
    """One POP3 connection inside TLS, with as little work as can be; *octets* counts what messages had."""

    def __init__(self, target: Target, context: ssl.SSLContext) -> None:
        self.octets = 0
        plain = socket.create_connection(("127.0.0.1", target.pop3s))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = context.wrap_socket(plain, server_hostname="localhost")
        self._line(b"")

    def sign_in(self, person: Person) -> None:
        """Say who this is."""
        self._line(f"USER {person.user_id}\r\n".encode())
        self._line(f"PASS {person.password}\r\n".encode())

    def poll(self) -> None:
        """Look what there is, as a mail program does: STAT, then UIDL."""
        self._line(b"STAT\r\n")
        self._lines(b"UIDL\r\n")

    def retrieve(self, number: int) -> None:
        """Read a message."""
        self.octets += self._lines(b"RETR %d\r\n" % number)

    def quit(self) -> None:
        """Say goodbye, and hang up."""
        self._line(b"QUIT\r\n")
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _line(self, command: bytes) -> None:
        self._say(command)
        received = b""
        while not received.endswith(b"\r\n"):
            received += self._more()
        if not received.startswith(b"+OK"):
            raise RuntimeError(f"{command[:4].decode()}: {received.decode(errors='replace').strip()}")

    def _lines(self, command: bytes) -> int:
        """Return how many octets came, the first line and the end mark included."""
        self._say(command)
        first = self._more()
        while len(first) < len(b"+OK"):
            first += self._more()
        end = first
        octets = len(first)
        while not end.endswith(b"\r\n.\r\n"):
            if not first.startswith(b"+OK"):
                raise RuntimeError(f"{command.decode().strip()}: {first.decode(errors='replace').strip()}")
            piece = self._more()
            octets += len(piece)
            end = piece if len(piece) >= 5 else end[-5:] + piece
        return octets

    def _say(self, command: bytes) -> None:
        if command:
            self._connection.sendall(command)

    def _more(self) -> bytes:
        received = self._connection.recv(_BLOCK)
        if not received:
            raise RuntimeError("the server hung up")
        return received


def session(target: Target, context: ssl.SSLContext, person: Person, messages: Sequence[int]) -> int:
    """Sign in, look what there is, read *messages* and say goodbye; return the octets of the messages."""
    reader = Reader(target, context)
    reader.sign_in(person)
    reader.poll()
    for number in messages:
        reader.retrieve(number)
    reader.quit()
    return reader.octets


def read(target: Target, people: Sequence[Person], messages: Sequence[int], processes: int) -> tuple[float, int]:
    """Let each of *people*, in this order, have one session; return seconds and octets of messages.

    :param processes: sessions at once. One person's sessions fall to one process, for a maildrop takes one at a time.
    """
    places = {person: place % processes for place, person in enumerate(dict.fromkeys(people))}
    shares = [[person for person in people if places[person] == number] for number in range(processes)]

    def share(number: int, context: ssl.SSLContext) -> int:
        return sum(session(target, context, person, messages) for person in shares[number])

    seconds, octets = in_processes(target, processes, share)
    return seconds, sum(octets)


def in_processes(target: Target, processes: int, work: Callable[[int, ssl.SSLContext], T]) -> tuple[float, Sequence[T]]:
    """Run *work* in so many processes, which begin together; return seconds and what each returned.

    :raises RuntimeError: when one fails.
    """
    barrier = _FORK.Barrier(processes + 1)

    def run(number: int, pipe: Connection) -> None:
        context = ssl.create_default_context(cafile=target.authority)
        barrier.wait()
        try:
            pipe.send((True, work(number, context)))
        except (OSError, RuntimeError) as error:
            pipe.send((False, f"{target.name}: {error}"))

    pipes, running = [], []
    for number in range(processes):
        mine, theirs = _FORK.Pipe(duplex=False)
        process = _FORK.Process(target=run, args=(number, theirs))
        process.start()
        theirs.close()
        pipes.append(mine)
        running.append(process)
    barrier.wait()
    began = time.perf_counter()
    answers = [pipe.recv() for pipe in pipes]
    seconds = time.perf_counter() - began
    for process in running:
        process.join()
    failed = [answer for good, answer in answers if not good]
    if failed:
        raise RuntimeError("; ".join(failed))
    return seconds, [answer for _, answer in answers]
