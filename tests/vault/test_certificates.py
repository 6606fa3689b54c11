"""Certificates: issued so that TLS clients accept them, and their dates told before they hurt."""

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from OpenSSL import SSL, crypto

from cjsm.vault.certificates import Authority, check_dates, dates
from cjsm.vault.errors import MissingSecret

NOW = 1_790_000_000
DAY = 86_400
NAMES = ("localhost", "mail.cjsm.test", "127.0.0.1", "::1")


class Issued:
    """An authority and one certificate, as files."""

    def __init__(self, directory: Path, names: tuple[str, ...] = NAMES, permitted: tuple[str, ...] = ()) -> None:
        self.authority = directory / "authority.pem"
        self.authority_key = directory / "authority.key"
        self.certificate = directory / "server.pem"
        self.key = directory / "server.key"
        Authority.make("Test authority", NOW, 3_650, permitted).save(self.authority, self.authority_key)
        again = Authority.load(self.authority, self.authority_key)
        again.issue(names, NOW, 365, self.certificate, self.key)


@pytest.fixture
def issued(tmp_path: Path) -> Issued:
    """A certificate for the loopback."""
    return Issued(tmp_path)


def accepted(issued: Issued, name: str) -> None:
    """What a client does that trusts the authority and wants *name*: raises what it would."""
    try:
        subject: x509.DNSName | x509.IPAddress = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        subject = x509.DNSName(name)
    store = Store([x509.load_pem_x509_certificate(issued.authority.read_bytes())])
    moment = datetime.datetime.fromtimestamp(NOW + DAY, datetime.UTC)
    verifier = PolicyBuilder().store(store).time(moment).build_server_verifier(subject)
    verifier.verify(x509.load_pem_x509_certificate(issued.certificate.read_bytes()), [])


def chain(issued: Issued) -> None:
    """OpenSSL's own check of the chain, name constraints included."""
    store = crypto.X509Store()
    store.add_cert(crypto.load_certificate(crypto.FILETYPE_PEM, issued.authority.read_bytes()))
    store.set_time(datetime.datetime.fromtimestamp(NOW + DAY, datetime.UTC))
    leaf = crypto.load_certificate(crypto.FILETYPE_PEM, issued.certificate.read_bytes())
    crypto.X509StoreContext(store, leaf).verify_certificate()


@pytest.mark.parametrize("name", NAMES)
def test_clients_accept_it(issued: Issued, name: str) -> None:
    """Every name and address asked for is good; key and certificate belong together."""
    accepted(issued, name)
    chain(issued)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(str(issued.certificate))
    context.use_privatekey_file(str(issued.key))
    context.check_privatekey()


def test_other_names_are_refused(issued: Issued, tmp_path: Path) -> None:
    """A name that was not asked for, and another authority's certificate."""
    with pytest.raises(VerificationError):
        accepted(issued, "other.cjsm.test")
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    issued.authority = Issued(stranger).authority
    with pytest.raises(VerificationError):
        accepted(issued, "localhost")


def test_constrained_authority(tmp_path: Path) -> None:
    """An authority limited to its own domain and the loopback cannot issue for others that anybody accepts."""
    permitted = ("cjsm.test", "localhost", "127.0.0.0/8", "::1/128")
    good = Issued(tmp_path, permitted=permitted)
    for name in NAMES:
        accepted(good, name)
    chain(good)
    for names in (("bank.example",), ("10.0.0.1",)):
        bad = Issued(tmp_path, names, permitted)
        with pytest.raises(VerificationError):
            accepted(bad, names[0])
        with pytest.raises(crypto.X509StoreContextError):
            chain(bad)


def test_files_are_private(issued: Issued) -> None:
    """Keys are for their owner alone, even where a file with an open mode was there before."""
    for path in (issued.key, issued.authority_key):
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o644)
    Authority.make("Again", NOW, 1).save(issued.authority, issued.authority_key)
    assert issued.authority_key.stat().st_mode & 0o777 == 0o600


def test_dates(issued: Issued) -> None:
    """Names and dates are told, the clocks of clients a little behind allowed for."""
    found = dates(issued.certificate)
    assert set(found.names) == {"localhost", "mail.cjsm.test", "127.0.0.1", "::1"}
    assert found.subject == "CN=localhost"
    assert NOW - 3_600 < found.not_before < NOW
    assert found.not_after == NOW + 365 * DAY
    assert dates(issued.authority).names == ()


@pytest.mark.parametrize(("moment", "words"), [(NOW - DAY, "not valid before"), (NOW + 366 * DAY, "expired on 2027-")])
def test_certificate_out_of_date(issued: Issued, moment: int, words: str) -> None:
    """Too early and too late are refused with a cure."""
    check_dates(issued.certificate, NOW)
    with pytest.raises(MissingSecret, match=words) as caught:
        check_dates(issued.certificate, moment)
    assert "cjsm reload" in caught.value.cure


def test_unreadable_files(issued: Issued, tmp_path: Path) -> None:
    """Missing or damaged files are named."""
    damaged = tmp_path / "damaged.pem"
    damaged.write_text("no certificate")
    for path in (tmp_path / "nowhere.pem", damaged):
        with pytest.raises(MissingSecret, match=path.stem) as caught:
            dates(path)
        assert caught.value.cure
    for pair in ((damaged, issued.authority_key), (issued.authority, damaged), (issued.authority, tmp_path / "no")):
        with pytest.raises(MissingSecret):
            Authority.load(*pair)


def test_authority_key_of_another_kind(issued: Issued) -> None:
    """A key that is not of the authority's kind is refused."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    issued.authority_key.write_bytes(pem)
    with pytest.raises(MissingSecret, match="not an EC key"):
        Authority.load(issued.authority, issued.authority_key)
