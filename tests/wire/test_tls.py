"""TLS: what is negotiated, what is refused, certificates that change, and mistakes with files."""

from contextlib import suppress
from pathlib import Path

import pytest
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IWriteDescriptor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import directlyProvidedBy, implementer
from zope.interface.verify import verifyObject

from cjsm.wire.errors import TlsError
from cjsm.wire.tls import Negotiated, PromptTls, ServerTls, negotiated, over_tls
from tests.wire.support import certificate_files, client_connection, connected_over_tls, handshake


def context(maximum: int | None = None, ciphers: bytes | None = None) -> SSL.Context:
    made = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if maximum is not None:
        made.set_max_proto_version(maximum)
    if ciphers is not None:
        made.set_cipher_list(ciphers)
    return made


def test_tls_1_3_with_the_hybrid_group_first(tmp_path: Path) -> None:
    """A client of today gets TLS 1.3 and a key exchange that outlasts quantum computers."""
    tls = ServerTls(*certificate_files(tmp_path))
    server = handshake(tls, client_connection())
    assert (server.get_protocol_version_name(), server.get_group_name()) == ("TLSv1.3", "X25519MLKEM768")


def test_tls_1_2_with_aead_only(tmp_path: Path) -> None:
    """An older client gets TLS 1.2 with an AEAD suite; one that has only CBC or plain RSA gets nothing."""
    tls = ServerTls(*certificate_files(tmp_path))
    server = handshake(tls, client_connection(context(SSL.TLS1_2_VERSION)))
    assert server.get_protocol_version_name() == "TLSv1.2"
    assert "GCM" in str(server.get_cipher_name())
    for suites in (b"ECDHE-ECDSA-AES128-SHA256", b"AES128-GCM-SHA256"):
        with pytest.raises(SSL.Error, match="no shared cipher"):
            handshake(tls, client_connection(context(SSL.TLS1_2_VERSION, suites)))


def test_tls_1_1_is_refused(tmp_path: Path) -> None:
    """Nothing older than TLS 1.2."""
    tls = ServerTls(*certificate_files(tmp_path))
    old = context(SSL.TLS1_1_VERSION, b"ALL:@SECLEVEL=0")
    with pytest.raises(SSL.Error):
        handshake(tls, client_connection(old))


def test_a_client_that_asks_for_another_protocol_is_refused(tmp_path: Path) -> None:
    """ALPN is checked where it is offered, so that a browser cannot be tricked into speaking to a mail door."""
    tls = ServerTls(*certificate_files(tmp_path), protocol=b"pop3")
    handshake(tls, client_connection())
    mail, web = context(), context()
    mail.set_alpn_protos([b"pop3"])
    web.set_alpn_protos([b"h2", b"http/1.1"])
    assert handshake(tls, client_connection(mail)).get_alpn_proto_negotiated() == b"pop3"
    with pytest.raises(SSL.Error, match="no application protocol"):
        handshake(tls, client_connection(web))


@pytest.mark.parametrize(("tickets", "resumed"), [(True, True), (False, False)])
def test_session_tickets(tmp_path: Path, tickets: bool, resumed: bool) -> None:
    """A client that comes back resumes its session where tickets are on."""
    tls = ServerTls(*certificate_files(tmp_path), tickets=tickets)
    shared = context(SSL.TLS1_2_VERSION)
    first = client_connection(shared)
    handshake(tls, first)
    second = client_connection(shared)
    session = first.get_session()
    assert session is not None
    second.set_session(session)
    handshake(tls, second)
    again = second.get_session()
    assert again is not None
    assert (first.master_key() == second.master_key()) is resumed


def test_reload_swaps_the_certificate(tmp_path: Path) -> None:
    """After a reload new connections see the new certificate; a broken one leaves the old in use."""
    certificate, key = certificate_files(tmp_path)
    tls = ServerTls(certificate, key)
    new_certificate, new_key = certificate_files(tmp_path, "new.cjsm.test")
    certificate.write_bytes(new_certificate.read_bytes())
    with pytest.raises(TlsError):
        tls.reload()
    assert shown(tls) == "mail.cjsm.test"
    key.write_bytes(new_key.read_bytes())
    tls.reload()
    assert shown(tls) == "new.cjsm.test"


def shown(tls: ServerTls) -> str:
    client = client_connection()
    handshake(tls, client)
    peer = client.get_peer_certificate()
    assert peer is not None
    return peer.to_cryptography().subject.rfc4514_string().removeprefix("CN=")


def test_each_mistake_with_files_is_told_apart(tmp_path: Path) -> None:
    """Missing, unreadable, not PEM and mismatched: each names its file and says what to do."""
    certificate, key = certificate_files(tmp_path)
    _, other_key = certificate_files(tmp_path, "other.cjsm.test")
    junk = tmp_path / "junk"
    junk.write_text("hello")
    cases = [
        (tmp_path / "none.pem", key, "does not exist", "tls.certificate"),
        (certificate, tmp_path / "none.key", "does not exist", "tls.key"),
        (tmp_path, key, "cannot be read", "user that the service runs as"),
        (junk, key, "is not a PEM certificate", "PEM"),
        (certificate, junk, "is not a PEM key", "PEM"),
        (certificate, other_key, "does not belong", "issued for"),
    ]
    for certificate_path, key_path, problem, cure in cases:
        with pytest.raises(TlsError, match=problem) as told:
            ServerTls(certificate_path, key_path)
        assert cure in told.value.cure


def test_negotiated_is_known_after_the_handshake_only(tmp_path: Path) -> None:
    """The trace line of a message can name version and group."""
    assert negotiated(StringTransport()) is None
    door, clock = Protocol(), Clock()
    connected_over_tls(door, ServerTls(*certificate_files(tmp_path)), clock)
    assert door.transport is not None
    assert negotiated(door.transport) == Negotiated("TLSv1.3", "TLS_AES_256_GCM_SHA384", "X25519MLKEM768")


def test_a_connection_declares_nothing(tmp_path: Path) -> None:
    """That costs each connection time, and nobody asks what it provides; the transport below it stays what it is."""
    tls, clock, transport = ServerTls(*certificate_files(tmp_path)), Clock(), StringTransport()
    side = over_tls(Factory.forProtocol(Protocol), tls, clock).buildProtocol(None)
    assert side is not None
    side.makeConnection(transport)
    assert list(directlyProvidedBy(side)) == []
    assert side.transport is transport


def test_what_twisted_is_given(tmp_path: Path) -> None:
    """Our objects are what Twisted's interfaces ask for; each write is a TLS record that leaves at once."""
    tls, clock, factory = ServerTls(*certificate_files(tmp_path)), Clock(), Factory.forProtocol(Protocol)
    verifyObject(IOpenSSLServerConnectionCreator, tls)
    assert over_tls(factory, tls, clock).protocol is PromptTls


@implementer(IWriteDescriptor)
class Descriptor(StringTransport):
    """A transport that sends when it is told to, as the reactor's own."""

    connected = True
    producer = None
    _tempDataBuffer = ()

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bool] = []
        self.producerPaused = False

    @property
    def dataBuffer(self) -> bytes:
        """What was written and waits."""
        return self.value()

    def doWrite(self) -> None:
        self.sent.append(self.disconnecting)

    def fileno(self) -> int:
        return -1

    def logPrefix(self) -> str:
        return "descriptor"


class Answering(Protocol):
    """Says something for everything it hears."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(b"+OK\r\n")


class Listening(Protocol):
    """Hears and says nothing."""


@pytest.mark.parametrize(
    ("door", "made", "prompt"),
    [
        (Answering(), {}, True),
        (Listening(), {}, False),
        (Answering(), {"producer": object(), "streamingProducer": True}, True),
        (Answering(), {"producer": object(), "streamingProducer": True, "producerPaused": True}, False),
        (Answering(), {"producer": object(), "streamingProducer": False}, False),
        (Answering(), {"disconnecting": True}, False),
        (Answering(), {"connected": False}, False),
    ],
)
def test_answers_leave_in_the_turn_of_their_question(
    tmp_path: Path, door: Protocol, made: dict[str, object], prompt: bool
) -> None:
    """Not where there is nothing to say, a producer has its pace or is paused, or the reactor is to hang up."""
    transport = Descriptor()
    server = over_tls(Factory.forProtocol(lambda: door), ServerTls(*certificate_files(tmp_path)), Clock())
    side = server.buildProtocol(None)
    assert side is not None
    side.makeConnection(transport)
    client = client_connection()
    for _ in range(3):
        exchange(client, side, transport)
    before = len(transport.sent)
    for name, value in made.items():
        setattr(transport, name, value)
    client.send(b"NOOP\r\n")
    side.dataReceived(client.bio_read(65_536))
    assert bool(transport.sent[before:]) is prompt


def exchange(client: SSL.Connection, side: Protocol, transport: StringTransport) -> None:
    """Take the handshake a step further."""
    with suppress(SSL.WantReadError):
        client.do_handshake()
    with suppress(SSL.WantReadError):
        side.dataReceived(client.bio_read(65_536))
    if transport.value():
        client.bio_write(transport.value())
        transport.clear()
