"""Client certificates: what a peer that trusts the authority takes, and which requests are taken."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL, crypto

from cjsm.vault import clientcertificates
from cjsm.vault.certificates import Authority
from cjsm.vault.clientcertificates import Holder
from cjsm.vault.errors import BadRequest

NOW = 1_790_000_000
DAY = 86_400
HOLDER = Holder(name="firm", uri="cjsm://cjsm.test/connection/firm", hosts=("mail.firm.co.uk",))


@pytest.fixture(scope="module")
def authority() -> Authority:
    """The community's."""
    return Authority.make("Test authority", NOW, 3_650)


def request(key: object, *, pem: bool = True) -> bytes:
    """A signing request for a name that is not the holder's."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "administrator of everything")])
    algorithm = None if isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)) else hashes.SHA256()
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, algorithm)  # type: ignore[arg-type]
    return made.public_bytes(serialization.Encoding.PEM if pem else serialization.Encoding.DER)


def verify(authority: Authority, pem: bytes, purpose: str, moment: int = NOW + DAY) -> None:
    """OpenSSL's own check of the chain for a purpose."""
    store = crypto.X509Store()
    store.add_cert(crypto.load_certificate(crypto.FILETYPE_PEM, authority.pem))
    store.set_time(datetime.datetime.fromtimestamp(moment, datetime.UTC))
    crypto.X509StoreContext(store, crypto.load_certificate(crypto.FILETYPE_PEM, pem)).verify_certificate()
    purposes = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert getattr(ExtendedKeyUsageOID, purpose) in purposes


def test_issued(authority: Authority, tmp_path: Path) -> None:
    """Chain, names, dates, serial and fingerprint are right; key and certificate belong together."""
    public, private = clientcertificates.new_key()
    made = clientcertificates.issue(authority, HOLDER, public, NOW, 365)
    verify(authority, made.pem, "CLIENT_AUTH")
    read = x509.load_pem_x509_certificate(made.pem)
    assert read.subject.rfc4514_string() == "CN=firm"
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mail.firm.co.uk"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [HOLDER.uri]
    assert made.serial == f"{read.serial_number:x}"
    assert made.fingerprint == read.fingerprint(hashes.SHA256()).hex()
    assert (made.not_before, made.not_after) == (NOW - 300, NOW + 365 * DAY)
    assert not read.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    (tmp_path / "pem").write_bytes(made.pem)
    (tmp_path / "key").write_bytes(private)
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.use_certificate_file(str(tmp_path / "pem"))
    context.use_privatekey_file(str(tmp_path / "key"))
    context.check_privatekey()


def test_for_servers_only_when_asked(authority: Authority) -> None:
    """A client's certificate is no server's, unless it is to be both."""
    public, _ = clientcertificates.new_key()
    with pytest.raises(AssertionError):
        verify(authority, clientcertificates.issue(authority, HOLDER, public, NOW, 30).pem, "SERVER_AUTH")
    both = Holder(name="firm", uri=HOLDER.uri, hosts=HOLDER.hosts, server=True)
    made = clientcertificates.issue(authority, both, public, NOW, 30)
    for purpose in ("CLIENT_AUTH", "SERVER_AUTH"):
        verify(authority, made.pem, purpose)


def test_ends_before_the_authority(authority: Authority) -> None:
    """It would not be good for longer anyway."""
    public, _ = clientcertificates.new_key()
    clientcertificates.issue(authority, HOLDER, public, NOW, 3_650)
    with pytest.raises(BadRequest, match="authority ends"):
        clientcertificates.issue(authority, HOLDER, public, NOW, 3_651)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65_537, 2_048),
    ],
    ids=["P-256", "P-384", "Ed25519", "RSA"],
)
def test_requests(authority: Authority, key: ec.EllipticCurvePrivateKey) -> None:
    """The organisation keeps its key; the name in the request is not heard."""
    public = clientcertificates.requested(request(key))
    made = clientcertificates.issue(authority, HOLDER, public, NOW, 30)
    verify(authority, made.pem, "CLIENT_AUTH")
    read = x509.load_pem_x509_certificate(made.pem)
    assert read.public_key() == key.public_key()
    assert read.subject.rfc4514_string() == "CN=firm"


def test_requests_that_are_not_taken() -> None:
    """Weak and unusual keys, other forms, and one that is signed with another key."""
    small = rsa.generate_private_key(65_537, 1_024)
    other = ec.generate_private_key(ec.SECP256K1())
    for key in (small, other, ed448.Ed448PrivateKey.generate(), dsa.generate_private_key(2_048)):
        with pytest.raises(BadRequest, match="a key is"):
            clientcertificates.requested(request(key))
    good = ec.generate_private_key(ec.SECP256R1())
    for text in (b"", b"no request", request(good, pem=False), request(good)[:100]):
        with pytest.raises(BadRequest, match="not a certificate signing request"):
            clientcertificates.requested(text)


def test_forged_request() -> None:
    """Whoever asks has to have the key."""
    der = bytearray(request(ec.generate_private_key(ec.SECP256R1()), pem=False))
    at = der.index(b"administrator")
    der[at : at + 13] = b"somebody else"
    pem = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(BadRequest, match="not signed"):
        clientcertificates.requested(pem)


def test_revocation_list(authority: Authority) -> None:
    """Signed by the authority, with each serial number and since when; it has an end of its own."""
    public, _ = clientcertificates.new_key()
    made = clientcertificates.issue(authority, HOLDER, public, NOW, 30)
    pem = authority.revocations([(made.serial, NOW + 5)], NOW + 10, 30)
    found = x509.load_pem_x509_crl(pem)
    key = x509.load_pem_x509_certificate(authority.pem).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert found.is_signature_valid(key)
    (entry,) = found
    assert (entry.serial_number, int(entry.revocation_date_utc.timestamp())) == (int(made.serial, 16), NOW + 5)
    assert found.next_update_utc == datetime.datetime.fromtimestamp(NOW + 10 + 30 * DAY, datetime.UTC)
    assert list(x509.load_pem_x509_crl(authority.revocations([], NOW, 30))) == []
