"""Mail of cloud tenants at the edge: whose it is, and what confirms that (community §5, rule 1)."""

from collections.abc import Mapping

import msgspec
import pytest
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from cjsm.community.address import Address
from cjsm.community.admission import ConnectionOrigin
from cjsm.community.identifiers import ConnectionId, OrganisationId
from cjsm.community.memory import MemoryView
from cjsm.community.providers import Provider
from cjsm.community.records import Connection, ConnectionKind, ConnectionState, Domain, OrganisationState
from cjsm.configuration import RelaySettings
from cjsm.mail.authentication import signatures, verification
from cjsm.mail.authentication.bodies import BodyHashes, BodyInspector
from cjsm.mail.authentication.interfaces import IAuthenticator
from cjsm.mail.authentication.results import AuthenticationResult
from cjsm.mail.authentication.verification import examine
from cjsm.mail.crossing import Crossing, Crossings
from cjsm.mail.header import Header
from cjsm.mail.interfaces import Hop, Refused
from tests.community.communities import FIRM_CONNECTION, SUFFIX, community, identifier, with_state

from .authentication.support import NOW, Zone, fields, lookups, other_rsa, published, rsa, signed
from .support import result, small

HOST = "relay.cjsm.test"
HOP = Hop(host=HOST, protocol="ESMTPS", tls_version="TLSv1.3", tls_group="", source="192.0.2.9", called="out.example")
CLOUDS = Provider(name="clouds", title="Clouds", names=("out.clouds.example",), tenant_header="X-Clouds-Tenant")
OTHERS = Provider(name="others", title="Others", names=("out.others.example",), tenant_header="X-Others-Tenant")
PROVIDERS: Mapping[str, Provider] = {each.name: each for each in (CLOUDS, OTHERS)}
BODY = b"At ten.\r\n"
SECTION = (
    b"From: Jo <jo@court.example>\r\nTo: sam.hill@avon.cjsm.test\r\nSubject: Bail\r\n"
    b"Date: Thu, 1 Jan 2026 10:00:00 +0000\r\nMessage-ID: <one@court.example>\r\n"
)
TENANT = b"X-Clouds-Tenant: tenant-COURT\r\n"


def tenant(slug: str, state: ConnectionState = ConnectionState.LIVE) -> tuple[Connection, Domain]:
    """A tenant of the provider, and its domain."""
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
FROM_COURT = ConnectionOrigin(connection=COURT.id)
SENDER = Address("jo", f"court.example.{SUFFIX}")


@implementer(IAuthenticator)
class AtOnce:
    """Verifies without threads, against a zone made by hand."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def inspector(self, header: Header) -> BodyInspector:
        return BodyInspector(signatures.wanted(header, 5))

    def verify(
        self, header: Header, bodies: BodyHashes, peer: str, helo: str, mail_from: str
    ) -> Deferred[AuthenticationResult]:
        told = verification.Crossing(header=header, bodies=bodies, peer=peer, helo=helo, mail_from=mail_from)
        return succeed(examine(told, lookups(self._zone), signatures=5, now=NOW))


def clouds(*changed: Connection) -> MemoryView:
    """The community with two tenants of a provider."""
    return community(COURT, COURT_DOMAIN, PRISON, PRISON_DOMAIN, *changed)


def crossings(zone: Zone | None = None) -> Crossings:
    """What looks at mail; the court publishes its key."""
    zone = zone or published(("sel", rsa()), domain="court.example")
    settings = msgspec.structs.replace(small(), relay=RelaySettings(host_name=HOST))
    return Crossings(settings, AtOnce(zone), PROVIDERS)


def crossing(octets: bytes, zone: Zone | None = None, body: bytes = BODY) -> Crossing:
    """A message of the court on its way in, as far as its last octet."""
    made = crossings(zone).begin(clouds(), FROM_COURT, HOP, SENDER, fields(octets))
    assert made is not None
    made.write(body)
    return made


def signature(section: bytes = SECTION, **tags: str) -> bytes:
    """The court's signature, unless *tags* say otherwise."""
    return signed(section, BODY, tags={"d": "court.example"} | tags)


# Whose it is


def test_the_tenant_is_named() -> None:
    """In any case of letters; the field stays, since it is the provider's own."""
    header = fields(TENANT + SECTION)
    assert crossings().origin(clouds(), FROM_COURT, SENDER, header) == FROM_COURT
    kept = crossing(TENANT + signature() + SECTION).header
    assert kept.first(b"x-clouds-tenant") == "tenant-COURT"


@pytest.mark.parametrize(
    "named",
    [
        b"",
        b"X-Clouds-Tenant: \r\n",
        b"X-Clouds-Tenant: tenant-prison\r\n",
        b"X-Clouds-Tenant: tenant-court x\r\n",
        b"X-Others-Tenant: tenant-court\r\n",
        TENANT + b"X-Clouds-Tenant: tenant-prison\r\n",
        b"X-Clouds-Tenant: tenant-prison\r\n" + TENANT,
        TENANT + TENANT,
    ],
)
def test_another_tenant(named: bytes) -> None:
    """Mail that the provider does not say to be the tenant's, once and plainly, is nobody's."""
    with pytest.raises(Refused, match="does not say") as refused:
        crossings().origin(clouds(), FROM_COURT, SENDER, fields(named + SECTION))
    assert (refused.value.code, refused.value.status) == (550, "5.7.1")


def test_a_bounce_is_its_tenants() -> None:
    """With the null sender only the provider says whose it is."""
    named = fields(b"X-Clouds-Tenant: Tenant-Prison\r\n" + SECTION)
    assert crossings().origin(clouds(), FROM_COURT, None, named) == ConnectionOrigin(connection=PRISON.id)
    suspended, _ = tenant("prison", ConnectionState.SUSPENDED)
    with pytest.raises(Refused):
        crossings().origin(clouds(suspended), FROM_COURT, None, named)
    with pytest.raises(Refused):
        crossings().origin(clouds(), FROM_COURT, None, fields(SECTION))
    elsewhere = msgspec.structs.replace(PRISON, organisation=OrganisationId(identifier("avon")))
    view = with_state(clouds(elsewhere), "avon", OrganisationState.SUSPENDED)
    with pytest.raises(Refused):
        crossings().origin(view, FROM_COURT, None, named)


def test_a_tenant_without_a_name() -> None:
    """A connection whose tenant is not known yet confirms nothing, also not with an empty field."""
    nameless = msgspec.structs.replace(COURT, tenant="")
    for named in (b"", b"X-Clouds-Tenant:\r\n"):
        for sender in (SENDER, None):
            with pytest.raises(Refused):
                crossings().origin(clouds(nameless), FROM_COURT, sender, fields(named + SECTION))


def test_a_server_names_no_tenant() -> None:
    """From an organisation's own server a tenant is never believed, and the field does not go on."""
    firm = ConnectionOrigin(connection=FIRM_CONNECTION.id)
    header = fields(TENANT + b"X-OTHERS-tenant: 1\r\n" + SECTION)
    assert crossings().origin(clouds(), firm, None, header) == firm
    made = crossings().begin(clouds(), firm, HOP, None, header)
    assert made is not None
    assert not [field for field in made.header.fields if b"tenant" in field.name]


def test_another_providers_field() -> None:
    """A provider says nothing of another's tenants."""
    kept = crossing(TENANT + b"X-Others-Tenant: 1\r\n" + SECTION).header
    assert not kept.has(b"x-others-tenant")


# What confirms it


def test_confirmed() -> None:
    """An aligned signature that holds: our verdict is on top, the header is in canonical form."""
    made = crossing(TENANT + signature() + SECTION)
    verdict = result(made.verdict())
    assert verdict.startswith(f"Authentication-Results: {HOST};".encode())
    assert b"dkim=pass" in verdict
    assert made.header.first(b"from") == f"Jo <jo@court.example.{SUFFIX}>"


def test_signed_by_a_name_below() -> None:
    """Names of one organisation vouch for each other."""
    zone = published(("sel", rsa()), domain="mail.court.example")
    made = crossing(TENANT + signature(d="mail.court.example") + SECTION, zone)
    assert b"dkim=pass" in result(made.verdict())


UNCONFIRMED = {
    "none": SECTION,
    "another tenant's": signature(d="prison.example") + SECTION,
    "the provider's": signature(d="clouds.example") + SECTION,
    "another key": signed(SECTION, BODY, key=other_rsa(), tags={"d": "court.example"}) + SECTION,
    "another author": signature() + SECTION.replace(b"jo@court", b"al@court"),
    "a shorter body": signature(l="0") + SECTION,
    "nobody's selector": signature(s="other") + SECTION,
    "expired": signature(t=str(int(NOW) - 90_000), x=str(int(NOW) - 80_000)) + SECTION,
}


@pytest.mark.parametrize("kind", UNCONFIRMED)
def test_not_confirmed(kind: str) -> None:
    """Anything else is refused for good, with the domain that must sign."""
    zone = published(("sel", rsa()), domain="court.example")
    for other in ("prison.example", "clouds.example"):
        zone.records |= published(("sel", rsa()), domain=other).records
    with pytest.raises(Refused, match=r"no DKIM signature of court\.example") as refused:
        result(crossing(TENANT + UNCONFIRMED[kind], zone).verdict())
    assert (refused.value.code, refused.value.status) == (550, "5.7.1")


def test_a_changed_body() -> None:
    """What was put in behind the signature's back is seen."""
    with pytest.raises(Refused, match="no DKIM signature"):
        result(crossing(TENANT + signature() + SECTION, body=BODY + b"And bring money.\r\n").verdict())


def test_keys_that_cannot_be_looked_up() -> None:
    """The provider tries again later."""
    zone = Zone({("sel._domainkey.court.example", "TXT"): None})
    with pytest.raises(Refused, match="cannot be checked now") as refused:
        result(crossing(TENANT + signature() + SECTION, zone).verdict())
    assert (refused.value.code, refused.value.status) == (451, "4.7.0")


def test_a_server_needs_no_signature() -> None:
    """Its certificate proved it; what is found is told all the same."""
    firm = ConnectionOrigin(connection=FIRM_CONNECTION.id)
    made = crossings().begin(clouds(), firm, HOP, None, fields(SECTION))
    assert made is not None
    assert b"dkim=none" in result(made.verdict())
