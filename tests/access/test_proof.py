"""Which connection a server is."""

from typing import Any

import msgspec
import pytest
from zope.interface.verify import verifyObject

from cjsm.access.interfaces import IRelayer
from cjsm.access.proof import IProof, NotProved, Proof, Shown
from cjsm.community.admission import ConnectionOrigin
from cjsm.community.identifiers import ConnectionId, OrganisationId
from cjsm.community.providers import Provider
from cjsm.community.records import (
    Connection,
    ConnectionKind,
    ConnectionState,
    Domain,
    IssuedCertificate,
    OrganisationState,
)
from tests.community.communities import FIRM_CONNECTION, SUFFIX, community, identifier, with_state
from tests.mail.support import MemoryCommunity

PRINT = "ab" * 32
ISSUED = IssuedCertificate(serial="1", fingerprint=PRINT, not_before=0, not_after=2_000_000_000)
FIRM = msgspec.structs.replace(FIRM_CONNECTION, issued=(ISSUED,), certificate_names=("mail.firm.co.uk",))
SHOWN = Shown(source="192.0.2.1", fingerprint=PRINT, by_community=True)
NAMED = Shown(source="192.0.2.1", fingerprint="cd" * 32, names=frozenset({"mail.firm.co.uk"}))
CLOUD = Provider(name="cloud", title="Cloud", names=("*.out.cloud.example",), tenant_header="X-Tenant")
#: A provider that says from where it sends, too.
PLACED = msgspec.structs.replace(
    CLOUD, names=("out.cloud.example", "*.out.cloud.example"), networks=("192.0.2.0/24", "2001:db8::/32")
)
BY_PROVIDER = Shown(source="192.0.2.9", fingerprint="ab" * 32, names=frozenset(("mail.out.cloud.example",)))


def tenant(slug: str, **values: object) -> tuple[Connection, Domain]:
    """A tenant of the provider with a domain of its own."""
    connection = Connection(
        id=ConnectionId(identifier(slug)),
        organisation=FIRM_CONNECTION.organisation,
        kind=ConnectionKind.CLOUD,
        slug=slug,
        name=slug,
        state=ConnectionState.LIVE,
        provider="cloud",
        tenant=slug,
    )
    made = msgspec.structs.replace(connection, **values)
    return made, Domain(name=f"{slug}.example.{SUFFIX}", connection=made.id, organisation=FIRM_CONNECTION.organisation)


def proof(*records: object, provider: Provider = CLOUD) -> Proof:
    """The proof over the community with *records*."""
    return Proof(MemoryCommunity(community(*records)), {"cloud": provider})  # type: ignore[arg-type]  # what it asks for


def whose(made: Proof, shown: Shown, path: str = "jo@firm.co.uk") -> ConnectionId:
    """The connection that mail from *path* is taken for."""
    origin = made.prove(shown).origin_for(path)
    assert isinstance(origin, ConnectionOrigin)
    return origin.connection


def refused(made: Proof, shown: Shown) -> str:
    with pytest.raises(NotProved) as caught:
        made.prove(shown)
    return str(caught.value)


def test_interfaces() -> None:
    """It keeps to the contract."""
    made = proof(FIRM)
    assert verifyObject(IProof, made)
    assert verifyObject(IRelayer, made.prove(SHOWN))


def test_a_certificate_of_the_community() -> None:
    """It is the one on record, and not revoked; another of the same authority proves nothing."""
    assert whose(proof(FIRM), SHOWN) == FIRM.id
    revoked = msgspec.structs.replace(FIRM, issued=(msgspec.structs.replace(ISSUED, revoked=5),))
    assert "revoked" in refused(proof(revoked), SHOWN)
    assert "not one of a connection" in refused(proof(FIRM), msgspec.structs.replace(SHOWN, fingerprint="cd" * 32))


def test_a_name_is_not_a_fingerprint() -> None:
    """What a public authority vouches for is found by its names, what ours issued by itself alone."""
    assert whose(proof(FIRM), NAMED) == FIRM.id
    assert "not one" in refused(proof(FIRM), msgspec.structs.replace(NAMED, by_community=True))
    assert "expects" in refused(proof(FIRM), msgspec.structs.replace(SHOWN, by_community=False))


def test_a_bad_certificate_proves_nothing() -> None:
    """However well it is known."""
    assert "it has expired" in refused(proof(FIRM), msgspec.structs.replace(SHOWN, problem="it has expired"))


def test_addresses_narrow() -> None:
    """The right certificate from a wrong place."""
    narrow = msgspec.structs.replace(FIRM, networks=("198.51.100.0/24",))
    assert "not an address from which" in refused(proof(narrow), SHOWN)
    assert whose(proof(narrow), msgspec.structs.replace(SHOWN, source="198.51.100.9")) == FIRM.id


@pytest.mark.parametrize("state", list(ConnectionState))
def test_an_address_alone(state: ConnectionState) -> None:
    """It proves only a connection in testing."""
    made = proof(msgspec.structs.replace(FIRM, networks=("192.0.2.0/24",), state=state))
    plain = Shown(source="192.0.2.1")
    if state is ConnectionState.TESTING:
        assert whose(made, plain) == FIRM.id
    else:
        assert "shows no certificate" in refused(made, plain)
    assert refused(made, Shown(source="203.0.113.1"))
    assert refused(made, Shown(source=""))


def test_one_system_for_several() -> None:
    """The sender's domain says which; a domain of none of them is for admission to refuse."""
    one, its = tenant("one", kind=ConnectionKind.SERVER, certificate_names=("shared.example",))
    two, theirs = tenant("two", kind=ConnectionKind.SERVER, certificate_names=("shared.example",))
    made = proof(one, two, its, theirs)
    shown = msgspec.structs.replace(NAMED, names=frozenset({"shared.example"}))
    assert whose(made, shown, "a@one.example") == one.id
    assert whose(made, shown, f"a@two.example.{SUFFIX}") == two.id
    assert whose(made, shown, "a@firm.co.uk") in {one.id, two.id}
    assert whose(made, shown, "") in {one.id, two.id}


def test_tenants_of_a_cloud() -> None:
    """The provider's servers stand for all of them; a tenant is never found by a certificate of its own."""
    one, its = tenant("one")
    two, theirs = tenant("two", networks=("198.51.100.0/24",))
    made = proof(one, two, its, theirs)
    shown = msgspec.structs.replace(NAMED, names=frozenset({"a.out.cloud.example"}))
    assert whose(made, shown, "a@one.example") == one.id
    assert whose(made, msgspec.structs.replace(shown, source="198.51.100.1"), "a@two.example") == two.id
    assert whose(made, shown, "a@two.example") == one.id


@pytest.mark.parametrize(
    "changed",
    [
        {"fingerprint": "", "names": frozenset()},
        {"source": "203.0.113.1"},
        {"names": frozenset(("out.cloud.example.evil.example",))},
        {"names": frozenset(("evilout.cloud.example",))},
        {"problem": "it has expired"},
        {"by_community": True},
    ],
    ids=["no certificate", "another network", "a name in front", "a name behind", "expired", "not public"],
)
def test_what_is_no_provider(changed: dict[str, Any]) -> None:
    """Certificate, name and network must all be the provider's; the community's authority issues none for it."""
    made = proof(*tenant("one"), provider=PLACED)
    assert whose(made, BY_PROVIDER, "a@one.example")
    assert refused(made, msgspec.structs.replace(BY_PROVIDER, **changed))


@pytest.mark.parametrize("source", ["192.0.2.9", "::ffff:192.0.2.9", "2001:db8::1"])
def test_networks_of_either_kind(source: str) -> None:
    """Addresses count however the socket writes them."""
    shown = msgspec.structs.replace(BY_PROVIDER, source=source, names=frozenset(("out.cloud.example",)))
    assert proof(*tenant("one"), provider=PLACED).prove(shown).still_valid()


@pytest.mark.parametrize("state", [ConnectionState.SUSPENDED, ConnectionState.TESTING])
def test_one_tenant_does_not_stop_another(state: ConnectionState) -> None:
    """A bounce does not say whose it is: where one tenant is not live, it is taken as that of one that is."""
    stopped, its = tenant("one", state=state)
    other, theirs = tenant("two")
    assert whose(proof(stopped, its, other, theirs, provider=PLACED), BY_PROVIDER, "") == other.id
    other = msgspec.structs.replace(other, state=state)
    assert whose(proof(stopped, its, other, theirs, provider=PLACED), BY_PROVIDER, "") in {stopped.id, other.id}


def test_an_organisation_that_is_suspended_does_not_stop_another() -> None:
    """Its connection is live still, but admission takes nothing from it."""
    stopped, its = tenant("one", organisation=OrganisationId(identifier("avon")))
    other, theirs = tenant("two")
    view = with_state(community(stopped, its, other, theirs), "avon", OrganisationState.SUSPENDED)
    made = Proof(MemoryCommunity(view), {"cloud": CLOUD})  # type: ignore[arg-type]  # what it asks for
    assert whose(made, msgspec.structs.replace(BY_PROVIDER, names=frozenset({"a.out.cloud.example"})), "") == other.id


def test_suspended_meanwhile() -> None:
    """A session ends when its connection is suspended, and one that began so goes on to be told."""
    store = MemoryCommunity(community(FIRM))
    made = Proof(store, {})  # type: ignore[arg-type]  # what it asks for
    relayer = made.prove(NAMED)
    assert relayer.still_valid()
    store.view = community(msgspec.structs.replace(FIRM, state=ConnectionState.SUSPENDED))
    store.view.number += 1
    assert not relayer.still_valid()
    assert made.prove(NAMED).still_valid()


def test_a_session_ends_with_its_proof() -> None:
    """Revoked while it is connected."""
    store = MemoryCommunity(community(FIRM))
    made = Proof(store, {})  # type: ignore[arg-type]  # what it asks for
    relayer = made.prove(SHOWN)
    assert relayer.still_valid()
    store.view = community(msgspec.structs.replace(FIRM, issued=()))
    store.view.number += 1
    assert not relayer.still_valid()
