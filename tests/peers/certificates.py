"""Certificates of every kind that a peer may show: good ones, and ones that nobody should take."""

import datetime
import ipaddress
import itertools
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """A certificate and its key as PEM files.

    :ivar fingerprint: SHA-256 of the certificate, as lower-case hexadecimal digits.
    :ivar public_key: SHA-256 of its public key (SubjectPublicKeyInfo), the same way.
    """

    certificate: Path
    key: Path
    fingerprint: str
    public_key: str

    def server_context(self, clients: Path | None = None) -> ssl.SSLContext:
        """Return a server's side; *clients* is the authority of the certificates that clients must show."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if clients is not None:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client_context(self, authority: Path) -> ssl.SSLContext:
        """Return a client's side that shows this certificate and trusts *authority*."""
        context = ssl.create_default_context(cafile=str(authority))
        context.load_cert_chain(self.certificate, self.key)
        return context


class CertificateMaker:
    """An authority, and what it issues, in *directory*.

    :ivar file: the authority's certificate.
    """

    def __init__(self, directory: Path, name: str = "Test authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.file = directory / "authority.pem"
        self._directory = directory
        self._numbers = itertools.count(1)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name(name)
        builder = _builder(self._subject, self._subject, self._key, starts=-1, ends=30).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        certificate = builder.add_extension(_usage(authority=True), critical=True).sign(self._key, hashes.SHA256())
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, *names: str, starts: float = -1, ends: float = 30) -> Identity:
        """Issue a server's certificate for *names* (hosts or IP addresses), which holds from *starts* to *ends* days
        from now.
        """
        return self._issue(names, ExtendedKeyUsageOID.SERVER_AUTH, starts=starts, ends=ends)

    def client(self, *names: str, starts: float = -1, ends: float = 30) -> Identity:
        """Issue a client's certificate."""
        return self._issue(names, ExtendedKeyUsageOID.CLIENT_AUTH, starts=starts, ends=ends)

    def expired(self, *names: str) -> Identity:
        """Issue a server's certificate that held until yesterday."""
        return self.server(*names, starts=-30, ends=-1)

    def not_yet_valid(self, *names: str) -> Identity:
        """Issue a server's certificate that holds from tomorrow."""
        return self.server(*names, starts=1, ends=30)

    def self_signed(self, *names: str) -> Identity:
        """Make a server's certificate that no authority signed."""
        return self._issue(names, ExtendedKeyUsageOID.SERVER_AUTH, starts=-1, ends=30, by_itself=True)

    def foreign(self, *names: str) -> Identity:
        """Issue a server's certificate by another authority of the same name."""
        other = CertificateMaker(self._directory / f"foreign-{next(self._numbers)}")
        return other.server(*names)

    def _issue(
        self,
        names: tuple[str, ...],
        purpose: x509.ObjectIdentifier,
        *,
        starts: float,
        ends: float,
        by_itself: bool = False,
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(names[0])
        signer = key if by_itself else self._key
        certificate = (
            _builder(subject, subject if by_itself else self._subject, key, starts=starts, ends=ends)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )
        return self._write(certificate, key)

    def _write(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Identity:
        place = self._directory / f"{next(self._numbers)}"
        files = place.with_suffix(".pem"), place.with_suffix(".key")
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].touch(mode=0o600)
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        public = hashes.Hash(hashes.SHA256())
        public.update(
            key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        return Identity(*files, certificate.fingerprint(hashes.SHA256()).hex(), public.finalize().hex())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, starts: float, ends: float
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts * _DAY)
        .not_valid_after(now + ends * _DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
