"""Client certificates that the community's authority issued for connections: recorded and revoked.

The record is what the door asks: a certificate that is not in it, or revoked there, proves nothing.
"""

import re

from cjsm.community.acts.acting import By, changed, check_text, entry_of
from cjsm.community.acts.connections import in_force, managed
from cjsm.community.acts.connectionvalues import check_host
from cjsm.community.address import has_suffix
from cjsm.community.errors import BadValue, Conflict, Exists, NotFound, quoted
from cjsm.community.identifiers import ConnectionId
from cjsm.community.records import Connection, ConnectionKind, IssuedCertificate
from cjsm.community.view import Change, View

#: In force at once: the current one, and the one that follows it.
MOST_IN_FORCE = 2
#: Seconds after its end for which a certificate's record is kept.
_KEPT = 365 * 86_400
_HEX = re.compile(r"[0-9a-f]+\Z")
_FINGERPRINT = 64
_SERIAL = 40


def issued(
    view: View, by: By, connection: ConnectionId, certificate: IssuedCertificate, *, follows: bool = False
) -> Change:
    """Record a certificate that was issued for a connection.

    :param follows: whether it is to follow one that is in force, which stays so until it ends or is revoked.
    """
    found, permission = managed(view, by, connection)
    check_issuable(view, found, follows=follows)
    _check(certificate, view.moment)
    for other in view.connections():
        if any(known.fingerprint == certificate.fingerprint for known in other.issued):
            raise Exists("this certificate is recorded already")
    kept = tuple(known for known in found.issued if view.moment < known.not_after + _KEPT)
    made = changed(found, issued=(*kept, certificate))
    entry = entry_of(
        view, by, "certificate-issue", "connection", connection, permission, fingerprint=certificate.fingerprint
    )
    return Change(put=(made,), entry=entry)


def revoked(view: View, by: By, connection: ConnectionId, serial: str) -> Change:
    """Revoke a certificate at once; it needs a reason. The connection may be left without one."""
    found, permission = managed(view, by, connection)
    if not by.reason:
        raise BadValue("revoking needs a reason", "give one with --reason")
    check_text(by.reason, "a reason")
    told = serial.lower().replace(":", "").lstrip("0")
    known = next((each for each in found.issued if each.serial == told), None)
    if known is None:
        raise NotFound(f"there is no certificate {quoted(serial)}", "see `cjsm connection certificate list`")
    if known.revoked is not None:
        raise Conflict("this certificate is revoked already")
    ended = IssuedCertificate(
        serial=known.serial,
        fingerprint=known.fingerprint,
        not_before=known.not_before,
        not_after=known.not_after,
        revoked=view.moment,
    )
    made = changed(found, issued=tuple(ended if each is known else each for each in found.issued))
    entry = entry_of(
        view, by, "certificate-revoke", "connection", connection, permission, fingerprint=known.fingerprint
    )
    return Change(put=(made,), entry=entry)


def check_issuable(view: View, connection: Connection, *, follows: bool) -> None:
    """Refuse a certificate that a connection does not need: the second of two, or one of a cloud tenant.

    :raises CommunityError: saying why.
    """
    if connection.kind is ConnectionKind.CLOUD:
        raise BadValue("a cloud connection shows its provider's certificate", "give it a provider and a tenant")
    now = sum(in_force(known, view.moment) for known in connection.issued)
    if now and not follows:
        raise Conflict("this connection has a certificate in force", "renew it, or revoke it first")
    if not now and follows:
        raise Conflict("this connection has no certificate in force", "issue one")
    if now >= MOST_IN_FORCE:
        raise Conflict("this connection has two certificates in force", "revoke the older one first")


def check_names(view: View, connection: Connection, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return host names for a certificate; an organisation gets them for its own hosts only.

    :raises BadValue: when a name is neither a next hop's, nor the connection's TLS name, nor in one of its domains.
    """
    own = {hop.host for hop in connection.next_hops} | {connection.tls_name} - {""}
    plain = [domain.name.removesuffix(f".{view.suffix}") for domain in view.domains_of(connection.id)]
    told = tuple(dict.fromkeys(check_host(name) for name in names))
    for name in told:
        if name not in own and not any(has_suffix(name, domain) for domain in plain):
            raise BadValue(f"{name} is not a host of this connection", "name a next hop, or a host in its domains")
    return told


def _check(certificate: IssuedCertificate, moment: int) -> None:
    fingerprint, serial = certificate.fingerprint, certificate.serial
    if not _HEX.match(fingerprint) or len(fingerprint) != _FINGERPRINT:
        raise BadValue("a fingerprint has 64 hexadecimal digits")
    if not _HEX.match(serial) or len(serial) > _SERIAL or serial.startswith("0"):
        raise BadValue("a serial number has 1 to 40 hexadecimal digits")
    if certificate.revoked is not None or not certificate.not_before < certificate.not_after:
        raise BadValue("a certificate that is issued begins before it ends")
    if certificate.not_after <= moment:
        raise BadValue("this certificate has ended")
