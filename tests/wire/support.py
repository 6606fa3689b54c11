"""Certificates and in-memory TLS for tests of doors."""

import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.test.iosim import FakeTransport, IOPump, connect
from zope.interface import implementer

from cjsm.wire.tls import ServerTls, over_tls


def certificate_files(directory: Path, name: str = "mail.cjsm.test") -> tuple[Path, Path]:
    """Write a self-signed certificate and its key; return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=365 * 80))
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = directory / f"{name}.pem", directory / f"{name}.key"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return certificate_path, key_path


def client_connection(context: SSL.Context | None = None) -> SSL.Connection:
    """A client's side that takes any certificate."""
    connection = SSL.Connection(context or SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    connection.set_connect_state()
    return connection


def handshake(tls: ServerTls, client: SSL.Connection) -> SSL.Connection:
    """Bring both sides together in memory and return the server's.

    :raises SSL.Error: when they do not agree.
    """
    server = tls.serverConnectionForTLS(None)  # type: ignore[arg-type]  # ours does not look at it
    server.set_accept_state()
    for _ in range(6):
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                pass
            finally:
                _carry(one, other)
    return server


def _carry(one: SSL.Connection, other: SSL.Connection) -> None:
    try:
        other.bio_write(one.bio_read(1 << 16))
    except SSL.WantReadError:
        return


@implementer(IOpenSSLClientConnectionCreator)
class AnyServer:
    """A client that takes any certificate."""

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        return client_connection()


class Recorder(Protocol):
    """A client that keeps what it receives."""

    def __init__(self) -> None:
        self.received = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: object = None) -> None:
        self.lost = True

    def take(self) -> bytes:
        received, self.received = self.received, b""
        return received


def connected_over_tls(door: Protocol, tls: ServerTls, clock: Clock) -> tuple[Recorder, IOPump]:
    """Connect a client to *door* over implicit TLS in memory and finish the handshake."""
    client = Recorder()
    server_side = over_tls(Factory.forProtocol(lambda: door), tls, clock).buildProtocol(None)
    client_factory = Factory.forProtocol(lambda: client)
    client_side = TLSMemoryBIOFactory(AnyServer(), True, client_factory, clock).buildProtocol(None)
    server_transport = PausableTransport(server_side, isServer=True)
    pump = connect(server_side, server_transport, client_side, FakeTransport(client_side, isServer=False))
    settle(pump, clock)
    return client, pump


def settle(pump: IOPump, clock: Clock) -> None:
    """Carry octets both ways until nothing moves."""
    while True:
        clock.advance(0)
        if not pump.pump():
            clock.advance(0)
            if not pump.pump():
                return


class PausableTransport(FakeTransport):
    """An in-memory transport whose reading can be paused, which the library's own lacks."""

    reading = True

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def getPeer(self) -> Any:
        return StringTransport().getPeer()
