"""X.509 certificates: the community's own authority, what it issues, and the dates of what is in use."""

import datetime
import ipaddress
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from cjsm.vault.errors import MissingSecret

_DAY = 86_400
_BACKDATED = 300

#: Keys that certificates are issued for.
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


class CertificateDates(Struct, frozen=True, kw_only=True):
    """Whose a certificate is and when it holds, in seconds since the epoch.

    :ivar for_clients: it may be shown by a client (RFC 5280 section 4.2.1.12).
    """

    subject: str
    names: tuple[str, ...]
    not_before: int
    not_after: int
    for_clients: bool


class Authority:
    """A certificate authority with an ECDSA P-256 key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def make(cls, name: str, moment: int, days: int, permitted: Iterable[str] = ()) -> "Authority":
        """Return a new authority called *name*, which holds for *days* from *moment*.

        :param permitted: domains and networks (``10.0.0.0/8``) that it may issue for, RFC 5280 section 4.2.1.10;
            none for no such limit.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _dated(subject, subject, key.public_key(), moment, days).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        limits = [_subtree(place) for place in permitted]
        if limits:
            builder = builder.add_extension(x509.NameConstraints(limits, None), critical=True)
        return cls(_usage(builder, authority=True).sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, certificate_file: Path, key_file: Path) -> "Authority":
        """Read an authority that :meth:`save` wrote.

        :raises MissingSecret: when a file is missing or damaged.
        """
        try:
            certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        except (OSError, ValueError) as error:
            raise MissingSecret(f"the certificate authority cannot be read: {error}", "restore its files") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise MissingSecret(f"{key_file} is not an EC key", "restore the authority's own key")
        return cls(certificate, key)

    def save(self, certificate_file: Path, key_file: Path) -> None:
        """Write certificate and key as PEM; the key with mode 0600."""
        _write(certificate_file, self.pem, 0o644)
        _write(key_file, private_pem(self._key), 0o600)

    def issue(self, names: Iterable[str], moment: int, days: int, certificate_file: Path, key_file: Path) -> None:
        """Make a key and a certificate for the service's *names* (host names or IP addresses) and write both.

        It is good for doors, and for us to show to organisations' servers.
        """
        told = tuple(names)
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [general_name(name) for name in told]
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = self.certify(told[0], key.public_key(), alternatives, purposes, moment, days)
        _write(key_file, private_pem(key), 0o600)
        _write(certificate_file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)

    def certify(
        self,
        name: str,
        public: PublicKey,
        alternatives: Sequence[x509.GeneralName],
        purposes: Sequence[x509.ObjectIdentifier],
        moment: int,
        days: int,
    ) -> x509.Certificate:
        """Return a certificate for the holder of *public*, with *name* as its common name."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            _dated(subject, self._certificate.subject, public, moment, days)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        return _usage(builder, authority=False).sign(self._key, hashes.SHA256())

    def revocations(self, revoked: Iterable[tuple[str, int]], moment: int, days: int) -> bytes:
        """Return a revocation list (PEM) that holds for *days*: serial numbers in hexadecimal, and since when."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(_time(moment))
            .next_update(_time(moment + days * _DAY))
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.CRLNumber(moment), critical=False)
        )
        for serial, since in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(_time(since))
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    @property
    def pem(self) -> bytes:
        """The authority's certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def not_after(self) -> int:
        """When the authority ends, and with it everything that it issued."""
        return int(self._certificate.not_valid_after_utc.timestamp())


def dates(certificate_file: Path) -> CertificateDates:
    """Return the dates of the first certificate in a PEM file.

    :raises MissingSecret: when there is none.
    """
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (OSError, ValueError) as error:
        raise MissingSecret(
            f"{certificate_file} is not a readable certificate: {error}", "put the server's PEM certificate there"
        ) from None
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    return CertificateDates(
        subject=certificate.subject.rfc4514_string(),
        names=tuple(str(name.value) for name in names),
        not_before=int(certificate.not_valid_before_utc.timestamp()),
        not_after=int(certificate.not_valid_after_utc.timestamp()),
        for_clients=bool(
            {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}.intersection(purposes)
        ),
    )


def check_dates(certificate_file: Path, moment: float) -> CertificateDates:
    """Return the dates of a certificate that holds at *moment*.

    :raises MissingSecret: when it does not hold yet or any more.
    """
    found = dates(certificate_file)
    if not found.not_before <= moment < found.not_after:
        word = "expired" if moment >= found.not_after else "is not valid before"
        day = datetime.datetime.fromtimestamp(
            found.not_after if word == "expired" else found.not_before, datetime.UTC
        ).date()
        raise MissingSecret(
            f"the certificate {certificate_file} {word} {'on ' if word == 'expired' else ''}{day}",
            "put a valid certificate and its key there, then run `cjsm reload`",
        )
    return found


def _time(moment: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC)


def _dated(subject: x509.Name, issuer: x509.Name, public: PublicKey, moment: int, days: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_time(moment - _BACKDATED))
        .not_valid_after(_time(moment + days * _DAY))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(builder: x509.CertificateBuilder, *, authority: bool) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
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
    return builder.add_extension(usage, critical=True)


def general_name(name: str) -> x509.GeneralName:
    """Return a host name or IP address as certificates name it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _subtree(place: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(place))
    except ValueError:
        return x509.DNSName(place)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as PEM, without a password."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, pem: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(pem)
