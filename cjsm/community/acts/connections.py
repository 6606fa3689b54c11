"""Organisations' own mail systems: added, edited, set live, suspended."""

import msgspec
from msgspec import UNSET, Struct, UnsetType

from cjsm.community.acts.acting import By, changed, check_text, entry_of, made_in
from cjsm.community.acts.connectionvalues import checked
from cjsm.community.acts.organisations import kept_organisation
from cjsm.community.authority import Action, Permission, may, require
from cjsm.community.errors import BadValue, Conflict, Exists, NotFound
from cjsm.community.identifiers import ConnectionId
from cjsm.community.records import (
    Connection,
    ConnectionKind,
    ConnectionState,
    DomainState,
    IssuedCertificate,
    NextHop,
    RelayLimits,
    TlsTrust,
    TlsVersion,
)
from cjsm.community.view import Change, View

#: What follows what. A live connection is tested again only after it was suspended, which needs a reason.
STATES: dict[ConnectionState, frozenset[ConnectionState]] = {
    ConnectionState.TESTING: frozenset({ConnectionState.LIVE, ConnectionState.SUSPENDED}),
    ConnectionState.LIVE: frozenset({ConnectionState.SUSPENDED}),
    ConnectionState.SUSPENDED: frozenset({ConnectionState.LIVE, ConnectionState.TESTING}),
}


class ConnectionChanges(Struct, frozen=True, kw_only=True):
    """What an edit changes: what is not given stays as it is. Tuples replace the whole tuple."""

    slug: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    contact: str | UnsetType = UNSET
    next_hops: tuple[NextHop, ...] | UnsetType = UNSET
    networks: tuple[str, ...] | UnsetType = UNSET
    certificate_names: tuple[str, ...] | UnsetType = UNSET
    tls_name: str | UnsetType = UNSET
    tls_trust: TlsTrust | UnsetType = UNSET
    tls_minimum: TlsVersion | UnsetType = UNSET
    tls_pins: tuple[str, ...] | UnsetType = UNSET
    tenant: str | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    limits: RelayLimits | UnsetType = UNSET

    def given(self) -> dict[str, object]:
        """Return what is given, by the names of the record's fields."""
        told = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in told.items() if value is not UNSET}


def add(view: View, by: By, connection: Connection) -> Change:
    """Add an organisation's own mail system; it is tested first."""
    permission = require(may(view, by.actor, Action.MANAGE_CONNECTIONS, connection.organisation))
    kept_organisation(view, connection.organisation)
    if connection.state is not ConnectionState.TESTING or connection.issued:
        raise BadValue("a new connection is in testing and has no certificates yet")
    made = msgspec.structs.replace(checked(connection), created=view.moment, state_since=view.moment, version=1)
    _check_unique(view, made)
    entry = entry_of(view, by, "connection-add", "connection", made.id, permission, access=made.kind.value)
    return Change(put=(made,), entry=made_in(made.organisation, entry))


def edit(view: View, by: By, connection: ConnectionId, changes: ConnectionChanges) -> Change:
    """Change values of a connection; one that is live stays complete."""
    found, permission = managed(view, by, connection)
    given = changes.given()
    if not given:
        raise BadValue("nothing to change was given", "see `cjsm connection edit --help`")
    if not given.get("slug", found.slug):
        raise BadValue("this connection is older than short names", "give it one with --rename")
    made = changed(checked(msgspec.structs.replace(found, **given)))
    _check_unique(view, made)
    if made.state is ConnectionState.LIVE:
        _check_complete(view, made)
    fields = " ".join(sorted(given))
    entry = entry_of(view, by, "connection-edit", "connection", connection, permission, fields=fields)
    return Change(put=(made,), entry=entry)


def set_state(view: View, by: By, connection: ConnectionId, state: ConnectionState) -> Change:
    """Set a connection live, suspend it or put it back to testing; suspending needs a reason."""
    found, permission = managed(view, by, connection)
    if state is found.state:
        raise Conflict(f"this connection is {state} already")
    if state not in STATES[found.state]:
        raise Conflict(f"a connection that is {found.state} does not become {state}", "suspend it first")
    if state is ConnectionState.SUSPENDED:
        _check_reason(by)
    if state is ConnectionState.LIVE:
        _check_complete(view, found)
    made = changed(found, state=state, state_reason=by.reason, state_since=view.moment)
    entry = entry_of(view, by, f"connection-{state.value}", "connection", connection, permission)
    return Change(put=(made,), entry=entry)


def test(view: View, by: By, connection: ConnectionId) -> Change:
    """Note that a connection is tried out, before it is.

    :raises NotAllowed: when the actor may not test connections.
    """
    permission = require(may(view, by.actor, Action.TEST_CONNECTIONS, None))
    return Change(entry=entry_of(view, by, "connection-test", "connection", connection, permission))


def missing(view: View, connection: Connection) -> tuple[str, ...]:
    """Return what a connection still needs before it can be live, in plain words; empty when it has all."""
    told = []
    if not any(domain.state is DomainState.APPROVED for domain in view.domains_of(connection.id)):
        told.append("an approved domain")
    if not connection.next_hops:
        told.append("a next hop")
    if not _can_be_proved(connection, view.moment):
        cloud = connection.kind is ConnectionKind.CLOUD
        told.append("a provider and a tenant" if cloud else "a client certificate, or the name of one")
    return tuple(told)


def in_force(certificate: IssuedCertificate, moment: int) -> bool:
    """Whether the door takes a certificate at *moment*: not revoked, and within its dates."""
    return certificate.revoked is None and certificate.not_before <= moment < certificate.not_after


def managed(view: View, by: By, connection: ConnectionId) -> tuple[Connection, Permission]:
    """Return the connection and the permission to change it.

    :raises NotFound: when there is none.
    :raises NotAllowed: when the actor may not.
    """
    found = existing_connection(view, connection)
    return found, require(may(view, by.actor, Action.MANAGE_CONNECTIONS, found.organisation))


def existing_connection(view: View, connection: ConnectionId) -> Connection:
    """Return the connection.

    :raises NotFound: when there is none.
    """
    found = view.connection(connection)
    if found is None:
        raise NotFound("there is no such connection", "see `cjsm connection list`")
    return found


def _can_be_proved(connection: Connection, moment: int) -> bool:
    if connection.kind is ConnectionKind.CLOUD:
        return bool(connection.provider and connection.tenant)
    return bool(connection.certificate_names) or any(in_force(each, moment) for each in connection.issued)


def _check_complete(view: View, connection: Connection) -> None:
    needed = missing(view, connection)
    if needed:
        raise Conflict(
            f"a live connection needs {'; '.join(needed)}", "see `cjsm connection show` for what there is so far"
        )


def _check_unique(view: View, connection: Connection) -> None:
    """One short name, and one certificate name, belong to one connection."""
    same = view.connection_of_slug(connection.slug)
    if same is not None and same.id != connection.id:
        raise Exists(f"there is a connection {connection.slug!r} already", "choose another short name")
    for name in connection.certificate_names:
        other = next((found for found in view.connections() if name in found.certificate_names), None)
        if other is not None and other.id != connection.id:
            raise Exists(f"the certificate name {name} belongs to {other.slug or other.name}", "a name proves only one")


def _check_reason(by: By) -> None:
    if not by.reason:
        raise BadValue("suspending needs a reason", "give one with --reason")
    check_text(by.reason, "a reason")
