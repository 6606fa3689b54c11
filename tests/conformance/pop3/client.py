"""A wire to a POP3 server: exact octets out, whole replies in, nothing said by itself."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from tests.conformance.wire import Connection, Ended, Malformed

_LINE = re.compile(rb"(\+OK|-ERR)(?: ([\t -~\x80-\xff]*))?\Z|(\+) ([A-Za-z0-9+/=]*)\Z")
_CODE = re.compile(r"\[([^\]]*)\]")
_END = b"\r\n.\r\n"


@dataclass(frozen=True)
class Reply:
    """The first line of a reply: ``+OK``, ``-ERR`` or, for a challenge, ``+``, and what follows."""

    status: str
    text: str

    @property
    def ok(self) -> bool:
        """Whether it is positive."""
        return self.status == "+OK"

    @property
    def code(self) -> str:
        """The response code of a negative reply, in capitals, or nothing (RFC 2449 section 8)."""
        found = _CODE.match(self.text)
        return found[1].upper() if found and self.status == "-ERR" else ""

    def __str__(self) -> str:
        return f"{self.status} {self.text}"


class Wire(Connection):
    """One connection.

    :ivar heard: every reply so far, in order.
    """

    def __init__(self, host: str, port: int, *, seconds: float = 30.0) -> None:
        super().__init__(host, port, seconds=seconds)
        self.heard: list[Reply] = []

    def reply(self) -> Reply:
        """Read the first line of a reply.

        :raises Ended: when the connection is closed before it is whole.
        :raises Malformed: when it does not follow the grammar of replies.
        """
        line = self.line()
        match = _LINE.match(line)
        if match is None:
            raise Malformed(f"not a reply: {line!r}")
        status, text = (match[1], match[2]) if match[1] else (match[3], match[4])
        reply = Reply(status.decode(), (text or b"").decode("utf-8", "backslashreplace"))
        self.heard.append(reply)
        return reply

    def say(self, command: str | bytes) -> Reply:
        """Send one command line, CRLF added, and read the first line of its reply."""
        self.send(_octets(command) + b"\r\n")
        return self.reply()

    def group(self, commands: Iterable[str | bytes]) -> list[Reply]:
        """Send several command lines in one write and read as many replies of one line."""
        lines = [_octets(each) for each in commands]
        self.send(b"".join(line + b"\r\n" for line in lines))
        return [self.reply() for _ in lines]

    def block(self) -> bytes:
        """Read what follows a positive reply up to the terminator, as it was before dots were doubled.

        :raises Malformed: where a line ends in anything else than CRLF, or begins with a single dot.
        """
        while not (self._buffer.startswith(b".\r\n") or _END in self._buffer):
            self._receive()
        end = 0 if self._buffer.startswith(b".\r\n") else self._buffer.index(_END) + 2
        raw, self._buffer = self._buffer[:end], self._buffer[end + 3 :]
        if raw.count(b"\n") != raw.count(b"\r\n") or raw.count(b"\r") != raw.count(b"\r\n"):
            raise Malformed("a bare CR or LF")
        lines = raw.split(b"\r\n")
        if single := [line for line in lines if line.startswith(b".") and not line.startswith(b"..")]:
            raise Malformed(f"a dot that is not doubled: {single[0][:80]!r}")
        return b"\r\n".join(line.removeprefix(b".") if line.startswith(b"..") else line for line in lines)

    def ask(self, command: str) -> bytes:
        """Send a command with a reply of several lines; return these."""
        reply = self.say(command)
        assert reply.ok, f"{command}: {reply}"
        return self.block()

    def rows(self, command: str) -> list[list[str]]:
        """Send a command with a reply of several lines; return their words."""
        return [line.decode("ascii").split(" ") for line in self.ask(command).split(b"\r\n")[:-1]]

    def rest(self) -> list[Reply]:
        """Read all replies until the server closes the connection."""
        found = []
        with suppress(Ended):
            while True:
                found.append(self.reply())
        return found


def _octets(command: str | bytes) -> bytes:
    return command.encode() if isinstance(command, str) else command
