"""The TLS that every door speaks: 1.2 with AEAD suites and 1.3, X25519MLKEM768 first, certificates that can be swapped.

Inside TLS 1.3 the groups are OpenSSL's own: since 3.5 it prefers X25519MLKEM768, even when the client must send another
key share for it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct
from OpenSSL import SSL
from twisted.internet.interfaces import (
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
    ITransport,
    IWriteDescriptor,
)
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from cjsm.wire.errors import TlsError

TLS_1_2_SUITES = b"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!aDSS:!PSK"

_NO_RENEGOTIATION: int = SSL.OP_NO_RENEGOTIATION  # type: ignore[attr-defined]  # defined in a branch mypy leaves out
_OPTIONS = SSL.OP_NO_COMPRESSION | _NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE


class Negotiated(Struct, frozen=True):
    """What a connection agreed on.

    :ivar version: as in ``TLSv1.3``.
    :ivar cipher: OpenSSL's name of the suite.
    :ivar group: name of the key exchange group, or None if unknown.
    """

    version: str
    cipher: str
    group: str | None


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """A door's TLS. Connections made after :meth:`reload` show the new certificate, earlier ones go on as they are.

    Give it to ``transport.startTLS`` or :func:`over_tls`.

    :param certificate: PEM file: the server's certificate, then those that link it to its authority.
    :param key: PEM file with its private key.
    :param protocol: ALPN name; a client that offers names without this one is refused (RFC 7301 §3.2).
    :param tickets: let clients resume sessions.
    :param asked_of_clients: says in the context what clients are to show of themselves.
    :raises TlsError: when the files cannot be used.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path,
        *,
        protocol: bytes | None = None,
        tickets: bool = True,
        asked_of_clients: Callable[[SSL.Context], None] | None = None,
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._protocol = protocol
        self._tickets = tickets
        self._asked_of_clients = asked_of_clients
        self._context = self._load()

    def reload(self) -> None:
        """Read the files again; on failure the old certificate stays in use.

        :raises TlsError: when the files cannot be used.
        """
        self._context = self._load()

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Make the OpenSSL object of a new connection."""
        return SSL.Connection(self._context, None)

    def _load(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(_OPTIONS if self._tickets else _OPTIONS | SSL.OP_NO_TICKET)
        context.set_cipher_list(TLS_1_2_SUITES)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_session_id(b"cjsm")
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        if self._protocol is not None:
            context.set_alpn_select_callback(_only(self._protocol))
        if self._asked_of_clients is not None:
            self._asked_of_clients(context)
        load_pair(context, self._certificate, self._key)
        return context


def load_pair(context: SSL.Context, certificate: Path, key: Path) -> None:
    """Give *context* a certificate and its key.

    :raises TlsError: when they cannot be used.
    """
    _read(certificate, "certificate", context.use_certificate_chain_file)
    _read(key, "key", context.use_privatekey_file)
    _matched(context, certificate, key)


def _read(path: Path, what: str, use: Callable[[str], object]) -> None:
    try:
        path.read_bytes()
    except FileNotFoundError:
        raise TlsError(
            f"the TLS {what} {path} does not exist", f"put it there, or correct tls.{what} in cjsm.toml"
        ) from None
    except OSError as error:
        raise TlsError(
            f"the TLS {what} {path} cannot be read: {error.strerror}",
            "let the user that the service runs as read this file",
        ) from None
    try:
        use(str(path))
    except SSL.Error as error:
        if what == "key" and "mismatch" in str(error):
            return
        raise TlsError(f"the TLS {what} {path} is not a PEM {what}", f"put the {what} there in PEM form") from None


def _matched(context: SSL.Context, certificate: Path, key: Path) -> None:
    try:
        context.check_privatekey()
    except SSL.Error:
        raise TlsError(
            f"the TLS key {key} does not belong to the certificate {certificate}",
            "put in place the key that the certificate was issued for, then `cjsm reload`",
        ) from None


def _only(protocol: bytes) -> Callable[[SSL.Connection, list[bytes]], bytes]:
    def choose(_connection: SSL.Connection, offered: list[bytes]) -> bytes:
        if protocol not in offered:
            raise SSL.Error([("SSL routines", "", "no application protocol")])
        return protocol

    return choose


def negotiated(transport: ITransport) -> Negotiated | None:
    """Return what *transport* agreed on, or None before the handshake is done and without TLS."""
    handle: Any = getattr(transport, "getHandle", lambda: None)()
    if not isinstance(handle, SSL.Connection):
        return None
    cipher = handle.get_cipher_name()
    if cipher is None:
        return None
    return Negotiated(handle.get_protocol_version_name(), cipher, handle.get_group_name())


class PromptTls(TLSMemoryBIOProtocol):
    """TLS whose answers leave in the turn in which their question came.

    Twisted's own collects small writes until the next turn of the reactor, and what is written then leaves in the one
    after that. A client waits for each answer, and each is written in one piece: so what was said while something was
    received is given to the system at once. What is written in one call is TLS records of its own: there are clients
    that wait on their socket while their TLS library already holds the rest of a record.
    """

    def makeConnection(self, transport: ITransport) -> None:
        """See :class:`TLSMemoryBIOProtocol`."""
        super().makeConnection(_Undeclared(transport))
        self.transport = transport

    def dataReceived(self, data: bytes) -> None:
        """See :class:`TLSMemoryBIOProtocol`."""
        super().dataReceived(data)
        transport: Any = self.transport
        if IWriteDescriptor.providedBy(transport) and _may_write(transport):
            # An error shows again when the reactor writes what is left.
            transport.doWrite()


class _Undeclared:
    """A transport that says nothing of the interfaces it has.

    Twisted says of each connection that it provides them too, one after the other, so that only the last one stays.
    That takes a twentieth of what a short session costs, and nobody asks.
    """

    def __init__(self, transport: ITransport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # Its declarations are among these.
            raise AttributeError(name)
        return getattr(self._transport, name)


def _may_write(transport: Any) -> bool:
    """Not where a producer has its pace or is paused, nor where the reactor is to hang up once all is written."""
    waits = transport.dataBuffer or transport._tempDataBuffer
    free = transport.producer is None or (transport.streamingProducer and not transport.producerPaused)
    return bool(waits and transport.connected and not transport.disconnecting and free)


class _PromptTlsFactory(TLSMemoryBIOFactory):
    protocol = PromptTls


def over_tls(factory: IProtocolFactory, tls: ServerTls, clock: IReactorTime) -> TLSMemoryBIOFactory:
    """Return *factory* behind implicit TLS."""
    return _PromptTlsFactory(tls, False, factory, clock)
