"""What servers show to one another: good certificates, bad ones, and words for each."""

from pathlib import Path

import pytest
from OpenSSL import SSL

from cjsm.wire.errors import TlsError
from cjsm.wire.peers import (
    ClientTls,
    NotTrusted,
    PeerCertificate,
    PeerPolicy,
    ask_for_certificate,
    certificate_of,
    check_server,
)
from cjsm.wire.tls import ServerTls
from tests.peers.certificates import CertificateMaker, Identity

from .support import client_connection, handshake

NAME = "mail.firm.example"


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> CertificateMaker:
    """An authority that is trusted."""
    return CertificateMaker(tmp_path_factory.mktemp("authority"))


def towards(shown: Identity, policy: PeerPolicy, ours: Identity | None = None) -> SSL.Connection:
    """Our side of a handshake with a server that shows *shown*."""
    tls = ClientTls(str(ours.certificate), str(ours.key)) if ours is not None else ClientTls()
    client: SSL.Connection = tls.towards(policy).clientConnectionForTLS(None)  # type: ignore[arg-type]  # not looked at
    client.set_connect_state()
    handshake(ServerTls(shown.certificate, shown.key), client)
    return client


def checked(maker: CertificateMaker, shown: Identity, **policy: object) -> str:
    """Why the server is not trusted; empty where it is."""
    wanted = PeerPolicy(**({"name": NAME, "authority": str(maker.file)} | policy))  # type: ignore[arg-type]  # by name
    try:
        check_server(towards(shown, wanted), wanted)
    except NotTrusted as error:
        return str(error)
    return ""


def test_a_good_server(maker: CertificateMaker) -> None:
    """By its name, or by its address where that is what the policy names."""
    assert checked(maker, maker.server(NAME)) == ""
    assert checked(maker, maker.server("127.0.0.1"), name="127.0.0.1") == ""
    assert checked(maker, maker.server(NAME), newest_only=True) == ""


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expired", "it has expired"),
        ("not_yet_valid", "it is not valid yet"),
        ("self_signed", "nobody but its owner vouches"),
        ("foreign", ""),
    ],
)
def test_bad_servers(maker: CertificateMaker, kind: str, words: str) -> None:
    """The handshake goes on, and what was wrong is said in words."""
    said = checked(maker, getattr(maker, kind)(NAME))
    assert said.startswith("the server's certificate cannot be trusted: ")
    assert words in said


@pytest.mark.parametrize("name", ["other.example", "example", "firm.example", "x.mail.firm.example", "127.0.0.1"])
def test_another_name(maker: CertificateMaker, name: str) -> None:
    """A good certificate of somebody else."""
    assert checked(maker, maker.server(name)) == f"the server's certificate is not for {NAME}"


def test_pins(maker: CertificateMaker) -> None:
    """One of them decides alone."""
    own, other = maker.self_signed("any.example"), maker.server(NAME)
    pins = frozenset({own.public_key, "00" * 32})
    assert checked(maker, own, pins=pins) == ""
    assert "none of those that are pinned" in checked(maker, other, pins=pins)


def test_public_authorities(maker: CertificateMaker) -> None:
    """Ours is none of those that the operating system trusts."""
    assert "cannot be trusted" in checked(maker, maker.server(NAME), authority="")


def test_files_that_cannot_be_used(maker: CertificateMaker, tmp_path: Path) -> None:
    """Said with the cure, when they are read."""
    with pytest.raises(TlsError, match="does not exist"):
        ClientTls(str(tmp_path / "none.pem"), str(tmp_path / "none.key"))
    with pytest.raises(TlsError, match="authority"):
        towards(maker.server(NAME), PeerPolicy(name=NAME, authority=str(tmp_path / "none.pem")))


def seen(maker: CertificateMaker, shown: Identity | None) -> PeerCertificate | None:
    """What our door knows of a client that shows *shown*."""
    ours = maker.server("localhost")
    tls = ServerTls(
        ours.certificate,
        ours.key,
        tickets=False,
        asked_of_clients=lambda context: ask_for_certificate(context, str(maker.file)),
    )
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if shown is not None:
        context.use_certificate_chain_file(str(shown.certificate))
        context.use_privatekey_file(str(shown.key))
    return certificate_of(handshake(tls, client_connection(context)), str(maker.file))


def test_a_client(maker: CertificateMaker) -> None:
    """Its fingerprint, its names and who vouches for it; one of a server's is as good."""
    shown = maker.client(NAME)
    found = seen(maker, shown)
    assert found is not None
    assert (found.fingerprint, found.names) == (shown.fingerprint, frozenset({NAME}))
    assert (found.by_community, found.problem) == (True, "")
    server = seen(maker, maker.server(NAME))
    assert server is not None
    assert server.problem == ""


def test_a_client_without(maker: CertificateMaker) -> None:
    """The door goes on without."""
    assert seen(maker, None) is None


@pytest.mark.parametrize(("kind", "words"), [("expired", "it has expired"), ("self_signed", "nobody"), ("foreign", "")])
def test_a_client_with_a_bad_one(maker: CertificateMaker, kind: str, words: str) -> None:
    """The handshake goes on, and the door knows why it proves nothing."""
    found = seen(maker, getattr(maker, kind)(NAME))
    assert found is not None
    assert found.problem
    assert words in found.problem
