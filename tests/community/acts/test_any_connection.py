"""Connections stay whole whatever is done to them, in any order, and versions only rise."""

from collections.abc import Callable
from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cjsm.community.acts import certificates, connections, domains
from cjsm.community.acts.acting import By
from cjsm.community.acts.connections import ConnectionChanges, in_force
from cjsm.community.errors import CommunityError
from cjsm.community.identifiers import ConnectionId, OrganisationId
from cjsm.community.invariants import problems
from cjsm.community.records import (
    Connection,
    ConnectionKind,
    ConnectionState,
    DomainState,
    IssuedCertificate,
    NextHop,
)
from cjsm.community.view import Change
from tests.community.communities import SUFFIX, by, community, identifier

NAMES = st.sampled_from(["c1", "c2", "firm-server", "none"])
LINKS = NAMES.map(lambda name: ConnectionId(identifier(name)))
DOMAINS = st.sampled_from(["firm.co.uk", "a.example", f"b.example.{SUFFIX}", "c.example", SUFFIX, "firm"])
HOPS = st.sampled_from([(), (NextHop(host="m.a.example", port=25),), (NextHop(host="m.a.example", port=0),)])
CERTIFICATE_NAMES = st.sampled_from([(), ("m.a.example",), ("m.b.example", "m.a.example"), ("no name",)])
SLUGS = st.sampled_from(["firm", "one", "two", "Two", "not one"])


class AnyConnections(RuleBasedStateMachine):
    """Acts in any order by anybody: refused ones change nothing, allowed ones leave a whole community."""

    def __init__(self) -> None:
        super().__init__()
        self.view = community()
        self.serial = 0

    def try_(self, act: Callable[..., Change], *arguments: object, **options: object) -> None:
        with suppress(CommunityError):
            change = act(self.view, *arguments, **options)
            assert change.entry is not None
            for record in change.put:
                earlier = self.view.connection(record.id) if isinstance(record, Connection) else None
                assert earlier is None or getattr(record, "version", 0) == earlier.version + 1
            self.view = self.view.apply(change, moment=self.view.moment + 100)

    actors = st.sampled_from([None, "ada.central", "ada.central", "olive.marsh", "erin.wright"]).map(by)

    @rule(who=actors, name=st.sampled_from(["c1", "c2"]), slug=SLUGS, kind=st.sampled_from(ConnectionKind))
    def add(self, who: By, name: str, slug: str, kind: ConnectionKind) -> None:
        if self.view.connection(ConnectionId(identifier(name))) is None:
            place = OrganisationId(identifier("avon"))
            made = Connection(id=ConnectionId(identifier(name)), organisation=place, kind=kind, name=name, slug=slug)
            self.try_(connections.add, who, made)

    @rule(who=actors, link=LINKS, hops=HOPS, names=CERTIFICATE_NAMES)
    def edit(self, who: By, link: ConnectionId, hops: tuple[NextHop, ...], names: tuple[str, ...]) -> None:
        self.try_(connections.edit, who, link, ConnectionChanges(next_hops=hops, certificate_names=names))

    @rule(who=actors, link=LINKS, slug=SLUGS)
    def rename(self, who: By, link: ConnectionId, slug: str) -> None:
        self.try_(connections.edit, who, link, ConnectionChanges(slug=slug))

    @rule(who=actors, link=LINKS, state=st.sampled_from(ConnectionState))
    def state(self, who: By, link: ConnectionId, state: ConnectionState) -> None:
        self.try_(connections.set_state, who, link, state)

    @rule(who=actors, link=LINKS, name=DOMAINS, where=st.sampled_from([None, "crime", "firm"]))
    def domain(self, who: By, link: ConnectionId, name: str, where: str | None) -> None:
        place = OrganisationId(identifier(where)) if where else None
        self.try_(domains.add, who, name, link, organisation=place)

    @rule(who=actors, name=DOMAINS, state=st.sampled_from(DomainState))
    def domain_state(self, who: By, name: str, state: DomainState) -> None:
        self.try_(domains.set_state, who, name, state)

    @rule(who=actors, name=DOMAINS)
    def remove(self, who: By, name: str) -> None:
        self.try_(domains.remove, who, name)

    @rule(who=actors, link=LINKS, follows=st.booleans(), life=st.sampled_from([150, 1_000]))
    def issue(self, who: By, link: ConnectionId, follows: bool, life: int) -> None:
        self.serial += 1
        now = self.view.moment
        made = IssuedCertificate(
            serial=f"{self.serial:x}", fingerprint=f"{self.serial:064x}", not_before=now - 1, not_after=now + life
        )
        self.try_(certificates.issued, who, link, made, follows=follows)

    @rule(who=actors, link=LINKS)
    def revoke(self, who: By, link: ConnectionId) -> None:
        found = self.view.connection(link)
        for each in found.issued[:1] if found is not None else ():
            self.try_(certificates.revoked, who, link, each.serial)

    @invariant()
    def whole(self) -> None:
        assert problems(self.view) == []

    @invariant()
    def live_ones_have_somewhere_to_go(self) -> None:
        for found in self.view.connections():
            if found.state is ConnectionState.LIVE:
                assert found.next_hops
                assert list(self.view.domains_of(found.id))
            assert sum(in_force(each, self.view.moment) for each in found.issued) <= certificates.MOST_IN_FORCE


TestAnyConnections = AnyConnections.TestCase
TestAnyConnections.settings = settings(deadline=None, max_examples=40, stateful_step_count=40)
