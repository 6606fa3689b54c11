"""Connections and their domains."""

import pytest

from cjsm.community.acts import connections
from cjsm.community.errors import BadValue, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import (
    ConnectionId,
    OrganisationId,
)
from cjsm.community.records import (
    Connection,
    ConnectionKind,
)
from tests.community.communities import (
    FIRM_CONNECTION,
    SUFFIX,
    by,
    identifier,
)

from .support import VIEW


def test_connections_and_domains() -> None:
    """A domain is approved once, with or without the suffix; only the community's administrators do it."""
    change = connections.add_domain(
        VIEW, by("ada.central"), "New.Example", FIRM_CONNECTION.id, listed_members_only=True
    )
    (domain,) = change.put
    assert getattr(domain, "name", None) == f"new.example.{SUFFIX}"
    after = VIEW.apply(change)
    with pytest.raises(Exists):
        connections.add_domain(after, by(), f"new.example.{SUFFIX}", FIRM_CONNECTION.id, listed_members_only=False)
    with pytest.raises(BadValue):
        connections.add_domain(VIEW, by(), "localhost", FIRM_CONNECTION.id, listed_members_only=False)
    with pytest.raises(NotFound):
        connections.add_domain(VIEW, by(), "a.example", ConnectionId(identifier("no")), listed_members_only=False)
    with pytest.raises(NotAllowed):
        connections.add(VIEW, by("olive.marsh"), FIRM_CONNECTION)
    nowhere = Connection(
        id=ConnectionId(identifier("c")),
        organisation=OrganisationId(identifier("nowhere")),
        kind=ConnectionKind.CLOUD,
        name="C",
    )
    with pytest.raises(NotFound):
        connections.add(VIEW, by(), nowhere)
