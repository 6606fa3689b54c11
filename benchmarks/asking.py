"""The generator: an LDAP client that sends what mail programs send, one request after another, over TLS."""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field

from cjsm.ldap.grammar.ber import ENUMERATED, OCTETS, SEQUENCE, element, header, number

_SEARCH, _BIND, _DONE, _BOUND = 0x63, 0x60, 0x65, 0x61
_SORT, _WINDOW = "1.2.840.113556.1.4.473", "2.16.840.1.113730.3.4.9"
#: A byte that every answer's length fits beside.
_OCTETS = 1 << 18


@dataclass(frozen=True)
class Server:
    """Where to ask, as whom."""

    name: str
    port: int
    authority: str
    base: str
    user: str
    password: str


@dataclass(frozen=True)
class Question:
    """One search, encoded but for its number."""

    filter: bytes
    attributes: Sequence[str] = ()
    size: int = 0
    scope: int = 2
    #: Attribute to sort by, and how many entries of the sorted list from its begin.
    window: tuple[str, int] | None = None

    def request(self, base: str, message_id: int) -> bytes:
        """Return the whole message."""
        named = b"".join(element(OCTETS, name.encode()) for name in self.attributes)
        content = element(OCTETS, base.encode()) + number(self.scope, ENUMERATED) + number(0, ENUMERATED)
        content += number(self.size) + number(30) + b"\x01\x01\x00" + self.filter + element(SEQUENCE, named)
        controls = self._controls() if self.window else b""
        return element(SEQUENCE, number(message_id) + element(_SEARCH, content) + controls)

    def _controls(self) -> bytes:
        assert self.window is not None
        attribute, count = self.window
        rule = element(0x80, b"caseIgnoreOrderingMatch")
        sort = element(SEQUENCE, element(SEQUENCE, element(OCTETS, attribute.encode()) + rule))
        offset = element(0xA0, number(1) + number(0))
        window = element(SEQUENCE, number(0) + number(count - 1) + offset)
        return element(0xA0, _control(_SORT, sort) + _control(_WINDOW, window))


def _control(oid: str, value: bytes) -> bytes:
    return element(SEQUENCE, element(OCTETS, oid.encode()) + b"\x01\x01\xff" + element(OCTETS, value))


# Filters.


def present(attribute: str) -> bytes:
    """``(attribute=*)``"""
    return element(0x87, attribute.encode())


def equal(attribute: str, value: str) -> bytes:
    """``(attribute=value)``"""
    return element(0xA3, element(OCTETS, attribute.encode()) + element(OCTETS, value.encode()))


def begins(attribute: str, value: str) -> bytes:
    """``(attribute=value*)``"""
    return element(0xA4, element(OCTETS, attribute.encode()) + element(SEQUENCE, element(0x80, value.encode())))


def contains(attribute: str, *values: str) -> bytes:
    """``(attribute=*value*…*)``"""
    pieces = b"".join(element(0x81, value.encode()) for value in values)
    return element(0xA4, element(OCTETS, attribute.encode()) + element(SEQUENCE, pieces))


def either(*parts: bytes) -> bytes:
    """``(|…)``"""
    return element(0xA1, b"".join(parts))


def both(*parts: bytes) -> bytes:
    """``(&…)``"""
    return element(0xA0, b"".join(parts))


@dataclass
class Client:
    """One connection, signed in."""

    server: Server
    context: ssl.SSLContext
    session: ssl.SSLSession | None = None
    _buffer: bytearray = field(default_factory=bytearray)
    _last: int = 0

    def __post_init__(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.server.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = self.context.wrap_socket(plain, server_hostname="localhost", session=self.session)
        name, password = self.server.user.encode(), self.server.password.encode()
        content = number(3) + element(OCTETS, name) + element(0x80, password)
        self._last += 1
        self._socket.sendall(element(SEQUENCE, number(self._last) + element(_BIND, content)))
        code, _ = self._answer(_BOUND)
        if code:
            raise RuntimeError(f"{self.server.name}: sign-in failed with code {code}")

    def ask(self, question: Question) -> tuple[int, int]:
        """Return the result code and the number of entries."""
        self._last += 1
        self._socket.sendall(question.request(self.server.base, self._last))
        return self._answer(_DONE)

    def close(self) -> ssl.SSLSession | None:
        """End the connection; return what another one may resume."""
        session = self._socket.session
        self._socket.close()
        return session

    def _answer(self, last: int) -> tuple[int, int]:
        entries = 0
        while True:
            found = header(self._buffer, 0, len(self._buffer))
            if found is None or found[1] + found[2] > len(self._buffer):
                received = self._socket.recv(_OCTETS)
                if not received:
                    raise ConnectionError(f"{self.server.name}: connection lost")
                self._buffer += received
                continue
            _, start, length = found
            message = bytes(self._buffer[start : start + length])
            del self._buffer[: start + length]
            tag, content = _operation(message)
            if tag == last:
                return content[2], entries
            entries += 1


def _operation(message: bytes) -> tuple[int, bytes]:
    first = header(message, 0, len(message))
    assert first is not None
    at = first[1] + first[2]
    second = header(message, at, len(message))
    assert second is not None
    return second[0], message[second[1] :]


def trusting(authority: str) -> ssl.SSLContext:
    """Return how clients trust *authority*."""
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname = False
    return context
