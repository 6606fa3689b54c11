"""Connections: added, edited, set live, suspended."""

from typing import Any

import msgspec
import pytest

from cjsm.community.acts import certificates, connections, domains
from cjsm.community.acts.connections import ConnectionChanges, missing
from cjsm.community.errors import BadValue, CommunityError, Conflict, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import ConnectionId, OrganisationId
from cjsm.community.memory import MemoryView
from cjsm.community.records import (
    Connection,
    ConnectionKind,
    ConnectionState,
    IssuedCertificate,
    NextHop,
    OrganisationState,
    RelayLimits,
    TlsTrust,
)
from cjsm.community.view import Change
from tests.community.communities import FIRM_CONNECTION, NOW, by, identifier, with_state

from .support import VIEW

NEW = Connection(
    id=ConnectionId(identifier("new")),
    organisation=OrganisationId(identifier("firm")),
    kind=ConnectionKind.SERVER,
    name="New",
    slug="new",
)
HOP = NextHop(host="mail.new.example", port=25)
ISSUED = IssuedCertificate(serial="1f", fingerprint="ab" * 32, not_before=NOW - 300, not_after=NOW + 1_000)


def new(**values: Any) -> Connection:
    """A new connection with some values."""
    return msgspec.structs.replace(NEW, **values)


def put(change: Change) -> Connection:
    """The connection that a change writes."""
    (found,) = (record for record in change.put if isinstance(record, Connection))
    return found


def complete(**values: Any) -> MemoryView:
    """A community with the new connection, a domain, a next hop and a certificate."""
    view = VIEW.apply(connections.add(VIEW, by(), new(next_hops=(HOP,), **values)))
    view = view.apply(domains.add(view, by(), "new.example", NEW.id))
    return view.apply(certificates.issued(view, by(), NEW.id, ISSUED))


def connection(view: MemoryView) -> Connection:
    """The new connection as it is now."""
    found = view.connection(NEW.id)
    assert found is not None
    return found


def test_add() -> None:
    """Values are kept in one form, the ledger hears of it, and it is tested first."""
    change = connections.add(
        VIEW,
        by("ada.central"),
        new(
            slug="New-Server",
            name=" New ",
            next_hops=(NextHop(host="MAIL.New.Example", port=25), NextHop(host="2001:DB8::1", port=2525)),
            networks=("192.0.2.0/24", "2001:DB8::/32"),
            tls_pins=("AB" * 32,),
            certificate_names=("Mail.New.Example",),
        ),
    )
    made = put(change)
    assert (made.slug, made.name, made.state, made.version) == ("new-server", "New", ConnectionState.TESTING, 1)
    assert [hop.host for hop in made.next_hops] == ["mail.new.example", "2001:db8::1"]
    assert (made.networks, made.tls_pins) == (("192.0.2.0/24", "2001:db8::/32"), ("ab" * 32,))
    assert made.certificate_names == ("mail.new.example",)
    assert change.entry is not None
    assert (change.entry.act, change.entry.subject) == ("connection-add", NEW.id)


def test_only_administrators_of_the_community() -> None:
    """Neither those of the organisation, nor engineers."""
    for actor in ("olive.marsh", "erin.wright", "law.yer"):
        with pytest.raises(NotAllowed):
            connections.add(VIEW, by(actor), NEW)
        with pytest.raises(NotAllowed):
            connections.set_state(VIEW, by(actor), FIRM_CONNECTION.id, ConnectionState.SUSPENDED)
        with pytest.raises(NotAllowed):
            connections.edit(VIEW, by(actor), FIRM_CONNECTION.id, ConnectionChanges(name="Other"))


@pytest.mark.parametrize(
    "values",
    [
        {"slug": ""},
        {"slug": "two words"},
        {"slug": "a" * 64},
        {"slug": "0123456789abcdef" * 2},
        {"name": " "},
        {"name": "n" * 201},
        {"contact": "tab\there"},
        {"next_hops": (NextHop(host="mail.example", port=0),)},
        {"next_hops": (NextHop(host="mail.example", port=65_536),)},
        {"next_hops": (NextHop(host="mail_example", port=25),)},
        {"next_hops": (NextHop(host="mail.example.", port=25),)},
        {"next_hops": (NextHop(host="", port=25),)},
        {"next_hops": (NextHop(host="1.2.3", port=25),)},
        {"next_hops": (NextHop(host=f"{'a.' * 126}aa", port=25),)},
        {"next_hops": (HOP, NextHop(host="MAIL.new.example", port=25))},
        {"next_hops": tuple(NextHop(host=f"m{number}.example", port=25) for number in range(9))},
        {"networks": ("192.0.2.1/24",)},
        {"networks": ("0.0.0.0/0",)},
        {"networks": ("::/0",)},
        {"networks": ("anywhere",)},
        {"networks": tuple(f"192.0.2.{number}" for number in range(65))},
        {"certificate_names": ("*.example.org",)},
        {"certificate_names": ("192.0.2.1",)},
        {"tls_pins": ("ab" * 31,)},
        {"tls_pins": ("zz" * 32,)},
        {"tls_pins": ("aa" * 32, "bb" * 32, "cc" * 32)},
        {"tls_name": "not a name"},
        {"tenant": "t"},
        {"provider": "p"},
        {"kind": ConnectionKind.CLOUD, "provider": "Two Words", "tenant": "t"},
        {"kind": ConnectionKind.CLOUD, "provider": "p", "tenant": "t" * 201},
        {"limits": RelayLimits(concurrency=0)},
        {"limits": RelayLimits(concurrency=101)},
        {"limits": RelayLimits(message_octets=1)},
        {"limits": RelayLimits(retry_first=100, retry_most=50)},
        {"limits": RelayLimits(delay_notice=1_000, give_up=900)},
        {"state": ConnectionState.LIVE},
        {"issued": (ISSUED,)},
    ],
    ids=str,
)
def test_values_that_are_not_taken(values: dict[str, Any]) -> None:
    """Each is refused with words, and nothing is written."""
    with pytest.raises(BadValue) as refused:
        connections.add(VIEW, by(), new(**values))
    assert str(refused.value)


def test_no_place() -> None:
    """An organisation that is not there, or not any more."""
    with pytest.raises(NotFound):
        connections.add(VIEW, by(), new(organisation=OrganisationId(identifier("nowhere"))))
    with pytest.raises(Conflict, match="deleted"):
        connections.add(with_state(VIEW, "firm", OrganisationState.DELETED), by(), NEW)
    for act in (
        lambda: connections.set_state(VIEW, by(), NEW.id, ConnectionState.LIVE),
        lambda: connections.edit(VIEW, by(), NEW.id, ConnectionChanges(name="Other")),
    ):
        with pytest.raises(NotFound):
            act()


def test_names_are_one_connections_own() -> None:
    """Short names, and names in certificates: else the door could not tell who came."""
    with pytest.raises(Exists):
        connections.add(VIEW, by(), new(slug="FIRM"))
    with pytest.raises(Exists):
        connections.add(VIEW, by(), new(certificate_names=("MAIL.firm.co.uk",)))
    view = VIEW.apply(connections.add(VIEW, by(), NEW))
    with pytest.raises(Exists):
        connections.edit(view, by(), NEW.id, ConnectionChanges(slug="firm"))
    with pytest.raises(Exists):
        connections.edit(view, by(), NEW.id, ConnectionChanges(certificate_names=("mail.firm.co.uk",)))
    assert put(connections.edit(view, by(), NEW.id, ConnectionChanges(slug="new"))).slug == "new"


def test_edit() -> None:
    """What is given changes, what is not stays, and the version tells."""
    view = VIEW.apply(connections.add(VIEW, by(), new(networks=("192.0.2.0/24",), limits=RelayLimits(concurrency=9))))
    changes = ConnectionChanges(name="Other", networks=(), tls_trust=TlsTrust.PUBLIC)
    change = connections.edit(view, by(), NEW.id, changes)
    made = put(change)
    assert (made.name, made.networks, made.tls_trust) == ("Other", (), TlsTrust.PUBLIC)
    assert (made.limits.concurrency, made.slug, made.version) == (9, "new", 2)
    assert change.entry is not None
    assert dict(change.entry.details)["fields"] == "name networks tls_trust"
    with pytest.raises(BadValue):
        connections.edit(view, by(), NEW.id, ConnectionChanges())
    with pytest.raises(BadValue):
        connections.edit(view, by(), NEW.id, ConnectionChanges(tls_pins=("x",)))


def test_older_than_short_names() -> None:
    """It is edited once it has one, and works without."""
    view = VIEW.apply(Change(put=(msgspec.structs.replace(FIRM_CONNECTION, slug=""),)))
    with pytest.raises(BadValue) as refused:
        connections.edit(view, by(), FIRM_CONNECTION.id, ConnectionChanges(contact="Jo"))
    assert "--rename" in refused.value.cure
    assert put(connections.edit(view, by(), FIRM_CONNECTION.id, ConnectionChanges(slug="firm"))).slug == "firm"
    assert put(connections.set_state(view, by(), FIRM_CONNECTION.id, ConnectionState.SUSPENDED)).slug == ""


def test_live_when_complete() -> None:
    """A domain, a next hop and a proof; what is missing is said in words."""
    view = VIEW.apply(connections.add(VIEW, by(), NEW))
    assert len(missing(view, connection(view))) == 3
    with pytest.raises(Conflict, match="approved domain; a next hop; a client certificate"):
        connections.set_state(view, by(), NEW.id, ConnectionState.LIVE)
    view = complete()
    assert missing(view, connection(view)) == ()
    live = put(connections.set_state(view, by(), NEW.id, ConnectionState.LIVE))
    assert (live.state, live.state_since, live.version) == (ConnectionState.LIVE, NOW, connection(view).version + 1)


def test_proofs() -> None:
    """A certificate name does for servers; a cloud tenant needs a provider and a tenant, and no certificate."""
    named = new(certificate_names=("mail.new.example",))
    assert "certificate" not in " ".join(missing(VIEW, named))
    tenant = new(kind=ConnectionKind.CLOUD, provider="cloud", tenant="t-1")
    assert "tenant" not in " ".join(missing(VIEW, tenant))
    assert "a provider and a tenant" in missing(VIEW, new(kind=ConnectionKind.CLOUD, certificate_names=("a.example",)))
    for useless in ({"revoked": NOW}, {"not_after": NOW}, {"not_before": NOW + 1}):
        certificate = msgspec.structs.replace(ISSUED, **useless)
        assert "certificate" in " ".join(missing(VIEW, new(issued=(certificate,))))


def test_a_live_connection_stays_complete() -> None:
    """What it needs cannot be edited away."""
    view = complete()
    view = view.apply(connections.set_state(view, by(), NEW.id, ConnectionState.LIVE))
    with pytest.raises(Conflict):
        connections.edit(view, by(), NEW.id, ConnectionChanges(next_hops=()))
    assert put(connections.edit(view, by(), NEW.id, ConnectionChanges(contact="Jo"))).contact == "Jo"


@pytest.mark.parametrize("state", ConnectionState)
@pytest.mark.parametrize("following", ConnectionState)
def test_states(state: ConnectionState, following: ConnectionState) -> None:
    """Testing, live, suspended; a live one is tested again only by way of suspension."""
    view = complete()
    view = view.apply(Change(put=(msgspec.structs.replace(connection(view), state=state),)))
    allowed = {
        (ConnectionState.TESTING, ConnectionState.LIVE),
        (ConnectionState.TESTING, ConnectionState.SUSPENDED),
        (ConnectionState.LIVE, ConnectionState.SUSPENDED),
        (ConnectionState.SUSPENDED, ConnectionState.LIVE),
        (ConnectionState.SUSPENDED, ConnectionState.TESTING),
    }
    if (state, following) in allowed:
        made = put(connections.set_state(view, by(), NEW.id, following))
        assert (made.state, made.state_reason) == (following, "a test")
    else:
        with pytest.raises(Conflict):
            connections.set_state(view, by(), NEW.id, following)


@pytest.mark.parametrize("reason", ["", "x" * 201, "a\nb"])
def test_suspending_needs_a_reason(reason: str) -> None:
    """One that a person can read."""
    with pytest.raises(BadValue):
        connections.set_state(VIEW, by(reason=reason), FIRM_CONNECTION.id, ConnectionState.SUSPENDED)


def test_refusals_name_a_cure() -> None:
    """Those that something can be done about."""
    for act in (
        lambda: connections.set_state(VIEW, by(reason=""), FIRM_CONNECTION.id, ConnectionState.SUSPENDED),
        lambda: connections.add(VIEW, by(), new(slug="firm")),
        lambda: connections.add(VIEW, by(), new(networks=("x",))),
    ):
        with pytest.raises(CommunityError) as refused:
            act()
        assert refused.value.cure
