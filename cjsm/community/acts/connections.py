"""Organisations' own mail systems and their domains."""

import msgspec

from cjsm.community.acts.acting import By, check_text, entry_of
from cjsm.community.address import check_domain
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import Exists, NotFound
from cjsm.community.identifiers import ConnectionId
from cjsm.community.records import Connection, Domain
from cjsm.community.view import Change, View


def add(view: View, by: By, connection: Connection) -> Change:
    """Add an organisation's own mail system."""
    permission = require(may(view, by.actor, Action.MANAGE_CONNECTIONS, connection.organisation))
    if view.organisation(connection.organisation) is None:
        raise NotFound("there is no such organisation")
    made = msgspec.structs.replace(connection, name=check_text(connection.name, "a name"), created=view.moment)
    entry = entry_of(view, by, "connection-add", "connection", made.id, permission, access=made.kind.value)
    return Change(put=(made,), entry=entry)


def add_domain(view: View, by: By, name: str, connection: ConnectionId, *, listed_members_only: bool) -> Change:
    """Approve a domain, given with or without suffix, for a connection."""
    found = view.connection(connection)
    if found is None:
        raise NotFound("there is no such connection")
    permission = require(may(view, by.actor, Action.MANAGE_CONNECTIONS, found.organisation))
    plain = name.lower().removesuffix("." + view.suffix)
    check_domain(plain)
    domain = Domain(
        name=f"{plain}.{view.suffix}",
        connection=connection,
        organisation=found.organisation,
        listed_members_only=listed_members_only,
    )
    if view.domain(domain.name) is not None:
        raise Exists(f"the domain {plain} is connected already")
    entry = entry_of(view, by, "domain-add", "domain", domain.name.encode(), permission)
    return Change(put=(domain,), entry=entry)
