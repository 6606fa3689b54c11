"""Client certificates of the community's authority: what connections show when they relay in."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from msgspec import Struct

from cjsm.vault.certificates import Authority, PublicKey, general_name, private_pem
from cjsm.vault.errors import BadRequest

_LEAST_RSA = 2_048
_MOST_RSA = 8_192
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_LONGEST_REQUEST = 65_536


class ClientCertificate(Struct, frozen=True, kw_only=True):
    """A certificate as it is handed over, and what the community keeps of it.

    ``serial`` and ``fingerprint`` (SHA-256 over the DER form) are in hexadecimal; dates in seconds since the epoch.
    """

    pem: bytes
    serial: str
    fingerprint: str
    not_before: int
    not_after: int


class Holder(Struct, frozen=True, kw_only=True):
    """Whom a certificate is for: the connection's name, as common name and as URI, and host names.

    ``server`` also lets its holder show it as a server's certificate.
    """

    name: str
    uri: str
    hosts: Sequence[str] = ()
    server: bool = False


def new_key() -> tuple[PublicKey, bytes]:
    """Return a new ECDSA P-256 key: its public half, and the whole as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.public_key(), private_pem(key)


def requested(pem: bytes) -> PublicKey:
    """Return the public key of a certificate signing request (PKCS #10, PEM); what it asks for is not heard.

    :raises BadRequest: when it is none, is not signed with its own key, or its key is of a kind that is not taken.
    """
    try:
        request = x509.load_pem_x509_csr(pem[:_LONGEST_REQUEST])
        signed = request.is_signature_valid
        public = request.public_key()
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise BadRequest(f"this is not a certificate signing request in PEM: {error}") from None
    if not signed:
        raise BadRequest("the request is not signed with the key that it names")
    if isinstance(public, rsa.RSAPublicKey) and _LEAST_RSA <= public.key_size <= _MOST_RSA:
        return public
    if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, _CURVES):
        return public
    if isinstance(public, ed25519.Ed25519PublicKey):
        return public
    raise BadRequest("a key is ECDSA on P-256, P-384 or P-521, Ed25519, or RSA of 2048 to 8192 bits")


def issue(authority: Authority, holder: Holder, public: PublicKey, moment: int, days: int) -> ClientCertificate:
    """Return a client certificate for *holder* that holds for *days* from *moment*.

    :raises BadRequest: when it would outlast the authority.
    """
    if moment + days * 86_400 > authority.not_after:
        raise BadRequest(f"the community's authority ends within {days} days")
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if holder.server else [])]
    alternatives = [*(general_name(host) for host in holder.hosts), x509.UniformResourceIdentifier(holder.uri)]
    certificate = authority.certify(holder.name, public, alternatives, purposes, moment, days)
    return ClientCertificate(
        pem=certificate.public_bytes(serialization.Encoding.PEM),
        serial=f"{certificate.serial_number:x}",
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        not_before=int(certificate.not_valid_before_utc.timestamp()),
        not_after=int(certificate.not_valid_after_utc.timestamp()),
    )
