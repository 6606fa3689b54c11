"""A wire to an SMTP server: exact octets out, whole replies in, nothing said by itself."""

import re
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

_LINE = re.compile(rb"([2-5][0-5][0-9])(?:([ -])([\t -~\x80-\xff]*))?\Z")
_STATUS = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |\Z)")
_LONGEST = 4_096
_ENDS = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


class Malformed(AssertionError):
    """What the server said is no reply (RFC 5321 section 4.2)."""


class Ended(ConnectionError):
    """The server closed the connection where a reply was due."""


@dataclass(frozen=True)
class Reply:
    """One reply; *lines* are its texts without codes."""

    code: int
    lines: tuple[str, ...]

    @property
    def statuses(self) -> tuple[str, ...]:
        """The enhanced status code of each line, empty where a line has none (RFC 2034)."""
        found = (_STATUS.match(line) for line in self.lines)
        return tuple(match[1] if match else "" for match in found)

    @property
    def status(self) -> str:
        """The enhanced status code of the first line, or nothing."""
        return self.statuses[0]

    def __str__(self) -> str:
        return f"{self.code} {' / '.join(self.lines)}"


class Wire:
    """One connection.

    :param seconds: how long a reply may take; then the test fails.
    :ivar heard: every reply so far, in order.
    :ivar longest: octets of the longest line of them.
    """

    def __init__(self, host: str, port: int, *, seconds: float = 30.0) -> None:
        self.heard: list[Reply] = []
        self.longest = 0
        self.encrypted = False
        self._socket = socket.create_connection((host, port), timeout=seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def send(self, *pieces: bytes) -> None:
        """Write *pieces*, each in a write (inside TLS: in records) of its own.

        A server that hangs up meanwhile is noticed when its reply is read.
        """
        with suppress(*_ENDS):
            for piece in pieces:
                self._socket.sendall(piece)

    def reply(self) -> Reply:
        """Read one reply.

        :raises Ended: when the connection is closed before it is whole.
        :raises Malformed: when it does not follow the grammar of replies.
        """
        code, more = b"", True
        texts: list[str] = []
        while more:
            line = self._line()
            match = _LINE.match(line)
            if match is None or (code and match[1] != code):
                raise Malformed(f"not a line of a reply: {line!r} after {texts}")
            code, more = match[1], match[2] == b"-"
            texts.append((match[3] or b"").decode("utf-8", "backslashreplace"))
        reply = Reply(int(code), tuple(texts))
        self.heard.append(reply)
        return reply

    def replies(self, count: int) -> list[Reply]:
        """Read *count* replies."""
        return [self.reply() for _ in range(count)]

    def say(self, command: str | bytes) -> Reply:
        """Send one command line, CRLF added, and read its reply."""
        octets = command.encode() if isinstance(command, str) else command
        self.send(octets + b"\r\n")
        return self.reply()

    def group(self, commands: Iterable[str | bytes]) -> list[Reply]:
        """Send several command lines in one write and read as many replies (RFC 2920)."""
        lines = [each.encode() if isinstance(each, str) else each for each in commands]
        self.send(b"".join(line + b"\r\n" for line in lines))
        return self.replies(len(lines))

    def rest(self) -> list[Reply]:
        """Read all replies until the server closes the connection."""
        found = []
        with suppress(Ended):
            while True:
                found.append(self.reply())
        return found

    def secure(self, context: ssl.SSLContext, name: str) -> None:
        """Begin TLS.

        :raises Malformed: when the server has said more than it was asked before TLS.
        :raises OSError: when the handshake fails.
        """
        if self._buffer:
            raise Malformed(f"said before TLS: {self._buffer!r}")
        self._socket = context.wrap_socket(self._socket, server_hostname=name)
        self.encrypted = True

    def close(self) -> None:
        """Hang up without a word."""
        with suppress(OSError):
            self._socket.close()

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            if len(self._buffer) > _LONGEST or b"\n" in self._buffer:
                raise Malformed(f"too long, or without CRLF: {self._buffer[:80]!r}")
            try:
                received = self._socket.recv(65_536)
            except _ENDS as error:
                raise Ended(str(error)) from None
            if not received:
                if self._buffer:
                    raise Malformed(f"half a reply before the end: {self._buffer!r}")
                raise Ended("closed")
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        self.longest = max(self.longest, len(line) + 2)
        return line
