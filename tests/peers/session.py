"""One connection of a scripted peer."""

import hashlib
import re
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.peers.records import Connection, Message, Path
from tests.peers.script import BeginTls, HangUp, Hold, Move, Pause, Script, Send, Step, Usual

if TYPE_CHECKING:
    from tests.peers.scripted import ScriptedPeer

_PATH = re.compile(rb"(?:FROM|TO):[ ]?<((?:\"(?:[^\"\\]|\\.)*\"|[^<>\"])*)>(.*)\Z", re.IGNORECASE | re.DOTALL)
_LONGEST = 65_536
_SECONDS = 60.0
_HANDSHAKE = b"\x16\x03"
_IN_THE_CLEAR = (b"EHLO", b"HELO", b"STARTTLS", b"NOOP", b"QUIT", b"RSET")
#: The extension that a parameter belongs to.
_EXTENSION = {
    "SIZE": "SIZE",
    "BODY": "8BITMIME",
    "SMTPUTF8": "SMTPUTF8",
    "RET": "DSN",
    "ENVID": "DSN",
    "NOTIFY": "DSN",
    "ORCPT": "DSN",
    "REQUIRETLS": "REQUIRETLS",
    "AUTH": "AUTH",
}
_NO = b"503 5.5.1 not now\r\n"


class _Over(Exception):
    """The session has ended."""


class _Closing(ssl.SSLSocket):
    """Closes itself: where the other side resets while it is being made, nobody else ever has it."""

    def __del__(self) -> None:
        self.close()


class PeerSession:
    """Plays *script* on one connection and records what comes in *connection*."""

    def __init__(self, peer: "ScriptedPeer", accepted: socket.socket, script: Script, connection: Connection) -> None:
        accepted.settimeout(_SECONDS)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peer = peer
        self._socket = accepted
        self._script = script
        self._seen = connection
        self._buffer = b""
        self._waiting = b""
        self._said = b""
        self._times: Counter[Step] = Counter()
        self._sender: Path | None = None
        self._recipients: list[Path] = []
        self._message: Message | None = None

    def run(self) -> None:
        """Play until the end."""
        try:
            if self._script.implicit:
                self._begin_tls()
            self._reach(Step.GREETING, f"220 {self._script.name} ESMTP\r\n".encode())
            while True:
                self._command(self._line())
        except _Over as over:
            self._seen.ended = str(over)
        except OSError:
            self._seen.ended = "client"
        finally:
            self.cut()
            self._seen.ended = self._seen.ended or "peer"
            self._peer.changed()

    def cut(self) -> None:
        """Close the connection."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self._socket.close()

    # Steps and moves

    def _reach(self, step: Step, usual: bytes) -> bytes:
        """Carry out the moves of a step, *usual* being the reply of a good server; return what was said."""
        self._times[step] += 1
        self._said = b""
        for move in self._script.moves(step, self._times[step]):
            self._move(move, usual)
        self._peer.changed()
        return self._said

    def _move(self, move: Move, usual: bytes) -> None:
        match move:
            case Usual(first, piece, gap):
                self._say(usual if first is None else usual[:first], piece, gap)
            case Send(octets, piece, gap):
                self._say(octets, piece, gap)
            case Pause(seconds):
                self._flush()
                self._peer.stopping.wait(seconds)
            case Hold(until):
                self._flush()
                while not until.wait(0.05) and not self._peer.stopping.is_set():
                    pass
            case HangUp(rude):
                self._hang_up(rude)
            case BeginTls():
                self._begin_tls()

    def _say(self, octets: bytes, piece: int = 0, gap: float = 0.0) -> None:
        self._said += octets
        if not piece:
            self._waiting += octets
            if not self._script.joined:
                self._flush()
            return
        self._flush()
        for start in range(0, len(octets), piece):
            self._socket.sendall(octets[start : start + piece])
            self._peer.stopping.wait(gap)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, b""
        if waiting:
            self._socket.sendall(waiting)

    def _hang_up(self, rude: bool) -> None:
        self._flush()
        if rude:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # A plain close, since a shutdown would end in order.
            self._socket.close()
        raise _Over("peer")

    def _begin_tls(self) -> None:
        self._flush()
        said = self._said
        self._reach(Step.HANDSHAKE, b"")
        self._said = said
        if self._buffer and not self._buffer.startswith(_HANDSHAKE):
            self._expose(self._buffer)
            self._buffer = b""
        identity = self._script.identity or self._peer.identity
        if identity is None:
            raise _Over("peer")
        context = identity.server_context(self._script.clients or self._peer.clients)
        context.sni_callback = self._named
        context.sslsocket_class = _Closing
        inside = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        self._socket = inside
        try:
            inside.do_handshake()
        except OSError as error:
            self._seen.failure = str(error)
            raise
        self._seen.encrypted = True
        self._seen.tls_version = inside.version() or ""
        shown = inside.getpeercert(binary_form=True)
        self._seen.certificate = hashlib.sha256(shown).hexdigest() if shown else ""
        self._forget()
        self._peer.changed()

    def _named(self, _inside: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        self._seen.server_name = name or ""

    # Reading

    def _receive(self) -> None:
        self._flush()
        received = self._socket.recv(65_536)
        if not received:
            raise _Over("client")
        self._buffer += received

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            if len(self._buffer) > _LONGEST:
                raise _Over("peer")
            self._receive()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        self._seen.commands.append(line)
        self._seen.pipelined |= bool(self._buffer)
        if not self._seen.encrypted and line.split(b" ")[0].upper() not in _IN_THE_CLEAR:
            self._expose(line)
        return line

    def _expose(self, octets: bytes) -> None:
        if octets and not octets.startswith(_HANDSHAKE):
            self._seen.exposed.append(octets)

    # Commands

    def _command(self, line: bytes) -> None:
        if self._script.always is not None:
            self._say(self._script.always)
            return
        verb, _, rest = line.partition(b" ")
        commands: dict[bytes, Callable[[bytes], object]] = {
            b"EHLO": self._ehlo,
            b"HELO": self._helo,
            b"STARTTLS": self._starttls,
            b"MAIL": self._mail,
            b"RCPT": self._rcpt,
            b"DATA": self._data,
            b"BDAT": self._bdat,
            b"RSET": self._rset,
            b"NOOP": lambda _: self._reach(Step.NOOP, b"250 2.0.0 ok\r\n"),
            b"QUIT": self._quit,
        }
        commands.get(verb.upper(), self._unknown)(rest)

    def _offers(self) -> list[str]:
        offered = list(self._script.offers)
        if self._seen.encrypted:
            offered += self._script.offers_inside
        elif self._script.starttls and not self._script.implicit:
            offered.append("STARTTLS")
        return offered

    def _is_offered(self, keyword: str) -> bool:
        return keyword in {offer.split(" ")[0].upper() for offer in self._offers()}

    def _ehlo(self, _rest: bytes) -> None:
        self._forget()
        lines = [self._script.name, *self._offers()]
        last = len(lines) - 1
        said = "".join(f"250{' ' if place == last else '-'}{line}\r\n" for place, line in enumerate(lines))
        self._reach(Step.EHLO, said.encode())

    def _helo(self, _rest: bytes) -> None:
        self._forget()
        self._reach(Step.HELO, f"250 {self._script.name}\r\n".encode())

    def _starttls(self, _rest: bytes) -> None:
        usual = b"220 2.0.0 go\r\n" if self._is_offered("STARTTLS") else b"502 5.5.1 not known\r\n"
        said = self._reach(Step.STARTTLS, usual)
        # A script that begins TLS itself has done so by now.
        if said.startswith(b"220") and not self._seen.encrypted and not self._begins_tls():
            self._begin_tls()

    def _begins_tls(self) -> bool:
        return any(isinstance(move, BeginTls) for move in self._script.moves(Step.STARTTLS, self._times[Step.STARTTLS]))

    def _mail(self, rest: bytes) -> None:
        path = _path(rest)
        usual = self._judged(path) or (_NO if self._sender else b"250 2.1.0 ok\r\n")
        if self._reach(Step.MAIL, usual).startswith(b"2"):
            self._sender = path

    def _rcpt(self, rest: bytes) -> None:
        path = _path(rest)
        usual = self._judged(path) or (b"250 2.1.5 ok\r\n" if self._sender else _NO)
        if path is not None and path.address in self._script.recipients:
            usual = self._script.recipients[path.address]
        if self._reach(Step.RCPT, usual).startswith(b"2") and path is not None:
            self._recipients.append(path)

    def _judged(self, path: Path | None) -> bytes:
        """Return how a path is refused; nothing where it is not."""
        if path is None:
            return b"501 5.5.4 no path\r\n"
        for keyword in path.parameters:
            if not self._is_offered(_EXTENSION.get(keyword, "?")):
                return b"555 5.5.4 not offered\r\n"
        asks_for_utf8 = "SMTPUTF8" in path.parameters or (self._sender and "SMTPUTF8" in self._sender.parameters)
        if not path.address.isascii() and not asks_for_utf8:
            return b"553 5.6.7 not without SMTPUTF8\r\n"
        size = path.parameters.get("SIZE", "0") or ""
        if not size.isdecimal():
            return b"501 5.5.4 no size\r\n"
        if self._is_too_large(int(size)):
            return b"552 5.3.4 too large\r\n"
        return b""

    def _is_too_large(self, octets: int) -> bool:
        sizes = [offer.split(" ")[1] for offer in self._offers() if offer.upper().startswith("SIZE ")]
        return any(0 < int(size) < octets for size in sizes)

    def _rset(self, _rest: bytes) -> None:
        self._forget()
        self._reach(Step.RSET, b"250 2.0.0 ok\r\n")

    def _quit(self, _rest: bytes) -> None:
        self._reach(Step.QUIT, b"221 2.0.0 bye\r\n")
        self._hang_up(rude=False)

    def _forget(self) -> None:
        self._sender, self._recipients, self._message = None, [], None

    def _unknown(self, _rest: bytes) -> None:
        self._reach(Step.OTHER, b"502 5.5.1 not known\r\n")

    # Messages

    def _begin(self, by: str) -> Message:
        if self._message is None:
            sender = self._sender or Path("", {})
            self._message = Message(sender, self._recipients, by, self._seen.encrypted, self._seen.certificate)
            self._peer.saw(self._message)
        return self._message

    def _data(self, _rest: bytes) -> None:
        usual = b"354 go on\r\n" if self._recipients else b"554 5.5.1 no recipients\r\n"
        if self._sender is None or self._message is not None:
            usual = _NO
        if self._reach(Step.DATA, usual).startswith(b"354"):
            self._text(self._begin("DATA"))

    def _text(self, message: Message) -> None:
        end = b"\r\n.\r\n"
        # The line of the one dot may be the first.
        self._buffer = b"\r\n" + self._buffer
        reached, searched = False, 0
        try:
            while self._buffer.find(end, max(0, searched - 4)) < 0:
                searched = len(self._buffer)
                reached = reached or self._middle(message, self._buffer[2:])
                self._receive()
        finally:
            text, ended, rest = self._buffer.partition(end)
            message.octets = (text + (b"\r\n" if ended else b"")).replace(b"\r\n.", b"\r\n")[2:]
        self._buffer = rest
        reached = reached or self._middle(message, text[2:])
        self._end(message)

    def _bdat(self, rest: bytes) -> None:
        words = rest.split()
        if not words or not words[0].isdigit() or not self._is_offered("CHUNKING"):
            self._unknown(rest)
            return
        size, last = int(words[0]), words[1:] == [b"LAST"]
        message = self._begin("BDAT") if self._recipients else None
        before = message.octets if message else b""
        reached = len(before) >= self._script.middle
        try:
            while len(self._buffer) < size:
                reached = reached or self._middle(message, before + self._buffer)
                self._receive()
        finally:
            chunk, self._buffer = self._buffer[:size], self._buffer[size:]
            if message is not None:
                message.octets = before + chunk
        reached = reached or self._middle(message, before + chunk)
        if message is None:
            self._reach(Step.BDAT, b"554 5.5.1 no recipients\r\n")
        elif last:
            self._end(message)
        else:
            self._reach(Step.BDAT, b"250 2.0.0 %d octets\r\n" % size)

    def _middle(self, message: Message | None, so_far: bytes) -> bool:
        """Reach the middle of a message once so much of it has come; return whether it was."""
        if not self._seen.encrypted:
            self._expose(so_far)
        if message is None or len(so_far) < self._script.middle:
            return False
        self._times[Step.TEXT] += 1
        for move in self._script.moves(Step.TEXT, self._times[Step.TEXT]):
            self._move(move, b"")
        return True

    def _end(self, message: Message) -> None:
        message.whole = True
        self._forget()
        usual = b"250 2.0.0 accepted\r\n"
        if self._is_too_large(len(message.octets)):
            usual = b"552 5.3.4 too large\r\n"
        try:
            self._reach(Step.END, usual)
        finally:
            message.reply = self._said
            self._peer.changed()


def _path(rest: bytes) -> Path | None:
    match = _PATH.match(rest)
    if match is None:
        return None
    parameters: dict[str, str | None] = {}
    for word in match[2].decode("utf-8", "replace").split():
        keyword, equals, value = word.partition("=")
        parameters[keyword.upper()] = value if equals else None
    return Path(match[1].decode("utf-8", "replace"), parameters)
