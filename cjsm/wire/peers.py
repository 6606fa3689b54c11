"""TLS with other mail servers: what one must show that we send to, and what one shows that sends to us."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakKeyDictionary, WeakSet

from msgspec import Struct
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNSPattern
from service_identity.pyopenssl import extract_patterns, verify_hostname, verify_ip_address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from cjsm.sources import is_address
from cjsm.wire.errors import TlsError
from cjsm.wire.tls import TLS_1_2_SUITES, load_pair

#: OpenSSL's numbers for what is wrong with a certificate, in words; X509_V_ERR_… of x509_vfy.h.
_WRONG = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "nobody but its owner vouches for it",
    19: "its authority is not one that is trusted here",
    20: "its authority is not one that is trusted here",
    21: "the certificates between it and its authority are missing",
    23: "its authority revoked it",
}
#: Public authorities no longer issue certificates for clients; whoever has the key of a server's is that server.
_FOR_OTHER_USE = 26


#: The first thing that was wrong with what a connection's other side showed, while the connection lives.
_PROBLEMS: "WeakKeyDictionary[SSL.Connection, str]" = WeakKeyDictionary()
#: Connections whose server asked for our certificate.
_ASKED: "WeakSet[SSL.Connection]" = WeakSet()


class PeerPolicy(Struct, frozen=True, kw_only=True):
    """What a server must show before it gets an octet of a message.

    :ivar name: the host name, or IP address, that its certificate must be for.
    :ivar authority: PEM file of the authority that must vouch for it; empty for those the operating system trusts.
    :ivar pins: SHA-256 of public keys (SubjectPublicKeyInfo), hexadecimal; with any, one of them decides alone.
    :ivar newest_only: TLS 1.3 only.
    """

    name: str
    authority: str = ""
    pins: frozenset[str] = frozenset()
    newest_only: bool = False


class NotTrusted(Exception):
    """The server did not show what it must; the text says what was wrong, in words."""


class ClientTls:
    """The TLS that we begin with other servers, with our own certificate where there is one.

    :param certificate: PEM file with the chain, and *key* with its private key; empty for none.
    :raises TlsError: when the files cannot be used.
    """

    def __init__(self, certificate: str = "", key: str = "") -> None:
        self._certificate = certificate
        self._key = key
        self._contexts: dict[tuple[str, bool, bool], SSL.Context] = {}
        self.reload()

    def reload(self) -> None:
        """Read the files again, for connections that come.

        :raises TlsError: when they cannot be used; then the old ones stay in use.
        """
        if self._certificate:
            load_pair(SSL.Context(SSL.TLS_CLIENT_METHOD), Path(self._certificate), Path(self._key))
        self._contexts = {}

    def towards(self, policy: PeerPolicy) -> "IOpenSSLClientConnectionCreator":
        """Return what ``startTLS`` is given for a connection under *policy*."""
        wanted = (policy.authority, policy.newest_only, bool(policy.pins))
        context = self._contexts.get(wanted)
        if context is None:
            context = self._contexts[wanted] = self._context(policy)
        return _Towards(context, policy)

    def _context(self, policy: PeerPolicy) -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION if policy.newest_only else SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION)
        context.set_cipher_list(TLS_1_2_SUITES)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        if self._certificate:
            load_pair(context, Path(self._certificate), Path(self._key))
        if policy.pins:
            context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        else:
            _trust(context, policy.authority)
            context.set_verify(SSL.VERIFY_PEER, _note)
        context.set_info_callback(_note_request)
        return context


@implementer(IOpenSSLClientConnectionCreator)
class _Towards:
    def __init__(self, context: SSL.Context, policy: PeerPolicy) -> None:
        self._context = context
        self._policy = policy

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if not is_address(self._policy.name):
            connection.set_tlsext_host_name(self._policy.name.encode("ascii"))
        return connection


def check_server(connection: SSL.Connection, policy: PeerPolicy) -> None:
    """Check what the server showed, after the handshake and before anything is said.

    :raises NotTrusted: when it is not what *policy* asks for.
    """
    certificate = connection.get_peer_certificate()
    if certificate is None:
        raise NotTrusted("the server shows no certificate")
    if policy.pins:
        if key_pin(certificate) not in policy.pins:
            raise NotTrusted("the server's key is none of those that are pinned")
        return
    problem = _PROBLEMS.get(connection)
    if problem is not None:
        raise NotTrusted(f"the server's certificate cannot be trusted: {problem}")
    try:
        if is_address(policy.name):
            verify_ip_address(connection, policy.name)
        else:
            verify_hostname(connection, policy.name)
    except (VerificationError, CertificateError):
        raise NotTrusted(f"the server's certificate is not for {policy.name}") from None


class PeerCertificate(Struct, frozen=True, kw_only=True):
    """What a client showed of itself.

    :ivar fingerprint: SHA-256 over the certificate, hexadecimal.
    :ivar names: the DNS names that it is for, in lower case.
    :ivar by_community: the community's own authority vouches for it; else one that the operating system trusts does.
    :ivar problem: why it proves nothing, in words; empty where it is good.
    """

    fingerprint: str
    names: frozenset[str] = frozenset()
    by_community: bool = False
    problem: str = ""


class ShownCertificate(Struct, frozen=True, kw_only=True):
    """What a server showed of itself: names, who vouches for it, its end in seconds since the epoch, its key's pin.

    :ivar asked_for_ours: whether it asked for our certificate: else it cannot know us by it.
    """

    names: tuple[str, ...]
    issuer: str
    not_after: int
    pin: str
    asked_for_ours: bool = False


def shown_by(connection: SSL.Connection) -> ShownCertificate:
    """Return what the server showed; asked after :func:`check_server`, which wants a certificate."""
    certificate = connection.get_peer_certificate()
    if certificate is None:
        raise NotTrusted("the server shows no certificate")
    ends = certificate.get_notAfter() or b""
    parts = dict(certificate.get_issuer().get_components())
    return ShownCertificate(
        names=tuple(sorted(_names(certificate))),
        issuer=(parts.get(b"CN") or parts.get(b"O") or b"").decode("utf-8", "replace"),
        not_after=int(datetime.strptime(ends.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()),
        pin=key_pin(certificate),
        asked_for_ours=connection in _ASKED,
    )


def ask_for_certificate(context: SSL.Context, authority: str) -> None:
    """Let servers show certificates of the community's *authority* (a PEM file) or of a public one.

    The handshake goes on whatever is shown: what is wrong with it is told in the answer to MAIL, where people see it.
    """
    _trust(context, authority)
    _trust(context, "")
    context.set_verify(SSL.VERIFY_PEER, _note)


def certificate_of(connection: SSL.Connection, authority: str) -> PeerCertificate | None:
    """Return what the client showed in its handshake, or None."""
    certificate = connection.get_peer_certificate()
    if certificate is None:
        return None
    chain = connection.get_verified_chain() or []
    ours = {_fingerprint(each) for each in _certificates(authority)}
    return PeerCertificate(
        fingerprint=_fingerprint(certificate),
        names=_names(certificate),
        by_community=bool(chain) and _fingerprint(chain[-1]) in ours,
        problem=_PROBLEMS.get(connection, ""),
    )


def key_pin(certificate: crypto.X509) -> str:
    """Return the pin of a certificate's key: SHA-256 of its SubjectPublicKeyInfo (RFC 7469 §2.4), hexadecimal."""
    return hashlib.sha256(crypto.dump_publickey(crypto.FILETYPE_ASN1, certificate.get_pubkey())).hexdigest()


def _fingerprint(certificate: crypto.X509) -> str:
    return certificate.digest("sha256").decode("ascii").replace(":", "").lower()


def _names(certificate: crypto.X509) -> frozenset[str]:
    try:
        patterns = extract_patterns(certificate)
    except CertificateError:
        return frozenset()
    return frozenset(pattern.pattern.decode("ascii").lower() for pattern in patterns if isinstance(pattern, DNSPattern))


def _certificates(authority: str) -> list[crypto.X509]:
    return [crypto.load_certificate(crypto.FILETYPE_PEM, Path(authority).read_bytes())] if authority else []


def _trust(context: SSL.Context, authority: str) -> None:
    if not authority:
        context.set_default_verify_paths()
        return
    try:
        context.load_verify_locations(authority)
    except SSL.Error:
        raise TlsError(
            f"the authority's certificate {authority} cannot be read", "correct tls.authority in cjsm.toml"
        ) from None


def _note_request(connection: SSL.Connection, _where: int, _code: int) -> None:
    """Notice that the server asks who we are: the handshake is in a state of its own then, in TLS 1.2 and 1.3."""
    if connection.get_state_string().endswith(b"read server certificate request"):
        _ASKED.add(connection)


def _note(connection: SSL.Connection, _certificate: crypto.X509, number: int, _depth: int, good: int) -> bool:
    """Remember what is wrong with a certificate, and let the handshake go on: nothing is said before it is asked."""
    if not good and number != _FOR_OTHER_USE:
        _PROBLEMS.setdefault(connection, _WRONG.get(number, f"OpenSSL's error {number}"))
    return True
