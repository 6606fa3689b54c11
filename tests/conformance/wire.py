"""A connection to a server under test: exact octets out, whole lines in, nothing said by itself."""

import socket
import ssl
from contextlib import suppress

_ENDS = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


class Malformed(AssertionError):
    """What the server said is no reply."""


class Ended(ConnectionError):
    """The server closed the connection where a reply was due."""


class Connection:
    """One connection.

    :param seconds: how long a reply may take; then the test fails.
    :param longest: octets of a line that is no longer waited for.
    :ivar longest: octets of the longest line so far.
    """

    def __init__(self, host: str, port: int, *, seconds: float = 30.0, longest: int = 4_096) -> None:
        self.longest = 0
        self.encrypted = False
        self._most = longest
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

    def line(self) -> bytes:
        """Read one line, without its CRLF."""
        while b"\r\n" not in self._buffer:
            if len(self._buffer) > self._most or b"\n" in self._buffer:
                raise Malformed(f"too long, or without CRLF: {self._buffer[:80]!r}")
            self._receive()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        self.longest = max(self.longest, len(line) + 2)
        return line

    def _receive(self) -> None:
        try:
            received = self._socket.recv(65_536)
        except _ENDS as error:
            raise Ended(str(error)) from None
        if not received:
            if self._buffer:
                raise Malformed(f"half a reply before the end: {self._buffer[-200:]!r}")
            raise Ended("closed")
        self._buffer += received
