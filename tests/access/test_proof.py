"""Which connection a server is, from what it shows."""

from typing import Any

import msgspec
import pytest
from zope.interface.verify import verifyObject

from cjsm.access.interfaces import IRelayer
from cjsm.access.proof import IProof, NotProved, Proof, Shown
from cjsm.community.identifiers import ConnectionId, OrganisationId
from cjsm.community.memory import MemoryView
from cjsm.community.providers import Provider
from cjsm.community.records import Connection, ConnectionKind, ConnectionState, Domain, IssuedCertificate
from tests.community.communities import FIRM_CONNECTION, NOW, SUFFIX, community, identifier, records
from tests.mail.support import MemoryCommunity

PROVIDER = Provider(
    name="clouds",
    title="Clouds",
    names=("out.clouds.example", "*.out.clouds.example"),
    networks=("192.0.2.0/24", "2001:db8::/32"),
    tenant_header="X-Clouds-Tenant",
)


def tenant(slug: str, state: ConnectionState = ConnectionState.LIVE) -> tuple[Connection, Domain]:
    """A tenant of the provider with a domain."""
    made = Connection(
        id=ConnectionId(identifier(slug)),
        organisation=OrganisationId(identifier("firm")),
        kind=ConnectionKind.CLOUD,
        name=slug,
        slug=slug,
        state=state,
        provider="clouds",
        tenant=f"tenant-{slug}",
    )
    return made, Domain(name=f"{slug}.example.{SUFFIX}", connection=made.id, organisation=made.organisation)


COURT, COURT_DOMAIN = tenant("court")
PRISON, PRISON_DOMAIN = tenant("prison")
BY_PROVIDER = Shown(source="192.0.2.9", fingerprint="ab" * 32, names=frozenset(("mail.out.clouds.example",)))


def proof(view: MemoryView) -> Proof:
    """What proves servers of the community and of the provider's tenants."""
    return Proof(MemoryCommunity(view), {"clouds": PROVIDER})


def clouds(*changed: Connection) -> MemoryView:
    """The community with two tenants of the provider."""
    return community(COURT, COURT_DOMAIN, PRISON, PRISON_DOMAIN, *changed)


def test_a_provider_stands_for_its_tenants() -> None:
    """The sender's domain says which of them it is, with or without suffix."""
    proved = proof(clouds())
    verifyObject(IProof, proved)
    relayer = proved.prove(BY_PROVIDER)
    verifyObject(IRelayer, relayer)
    for one in (COURT, PRISON):
        for path in (f"jo@{one.slug}.example", f"jo@{one.slug}.example.{SUFFIX}"):
            assert relayer.origin_for(path).connection == one.id


@pytest.mark.parametrize(
    "shown",
    [
        Shown(source="192.0.2.9"),
        Shown(source="203.0.113.1", fingerprint="ab" * 32, names=BY_PROVIDER.names),
        Shown(source="192.0.2.9", fingerprint="ab" * 32, names=frozenset(("out.clouds.example.evil.example",))),
        Shown(source="192.0.2.9", fingerprint="ab" * 32, names=frozenset(("evilout.clouds.example",))),
        Shown(source="192.0.2.9", fingerprint="ab" * 32, names=BY_PROVIDER.names, problem="it has expired"),
        Shown(source="192.0.2.9", fingerprint="ab" * 32, names=BY_PROVIDER.names, by_community=True),
    ],
    ids=["no certificate", "another network", "a name in front", "a name behind", "expired", "not public"],
)
def test_what_is_no_provider(shown: Shown) -> None:
    """Certificate, name and network must all be the provider's; the community's authority issues none for it."""
    with pytest.raises(NotProved):
        proof(clouds()).prove(shown)


@pytest.mark.parametrize("source", ["192.0.2.9", "::ffff:192.0.2.9", "2001:db8::1"])
def test_networks_of_either_kind(source: str) -> None:
    """Addresses count however the socket writes them."""
    shown = Shown(source=source, fingerprint="ab" * 32, names=frozenset(("out.clouds.example",)))
    assert proof(clouds()).prove(shown).still_valid()


def firm(number: int, **values: Any) -> MemoryView:
    """The community in its state *number*, with other values in the firm's connection."""
    changed = msgspec.structs.replace(FIRM_CONNECTION, **values)
    return MemoryView([*records(), changed], suffix=SUFFIX, moment=NOW, number=number)


@pytest.mark.parametrize("state", [ConnectionState.SUSPENDED, ConnectionState.TESTING])
def test_one_tenant_does_not_stop_another(state: ConnectionState) -> None:
    """A bounce does not say whose it is: where one tenant is not live, it is taken as that of one that is."""
    court, _ = tenant("court", state)
    relayer = proof(clouds(court)).prove(BY_PROVIDER)
    assert relayer.origin_for("").connection == PRISON.id
    prison, _ = tenant("prison", state)
    both = proof(clouds(court, prison)).prove(BY_PROVIDER)
    assert both.origin_for("").connection in (COURT.id, PRISON.id)


def test_suspended_meanwhile() -> None:
    """A session ends when its connection is suspended, and one that began so goes on to be told."""
    store = MemoryCommunity(community())
    made = Proof(store, {})
    shown = Shown(source="192.0.2.9", fingerprint="ab" * 32, names=frozenset(("mail.firm.co.uk",)))
    relayer = made.prove(shown)
    assert relayer.still_valid()
    store.view = firm(8, state=ConnectionState.SUSPENDED)
    assert not relayer.still_valid()
    assert made.prove(shown).still_valid()


def test_an_issued_certificate() -> None:
    """It counts by its fingerprint, from the community's authority only, until it is revoked."""
    issued = IssuedCertificate(serial="1", fingerprint="cd" * 32, not_before=NOW, not_after=NOW + 1_000)
    shown = Shown(source="192.0.2.9", fingerprint="cd" * 32, by_community=True)
    store = MemoryCommunity(firm(7, issued=(issued,)))
    made = Proof(store, {})
    relayer = made.prove(shown)
    assert relayer.origin_for("re.layed@firm.co.uk").connection == FIRM_CONNECTION.id
    with pytest.raises(NotProved):
        made.prove(Shown(source="192.0.2.9", fingerprint="cd" * 32))
    revoked = IssuedCertificate(serial="1", fingerprint="cd" * 32, not_before=NOW, not_after=NOW + 1_000, revoked=NOW)
    store.view = firm(8, issued=(revoked,))
    assert not relayer.still_valid()
    with pytest.raises(NotProved, match="was revoked"):
        made.prove(shown)
