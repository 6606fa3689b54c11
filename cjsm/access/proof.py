"""Which connection a server is that relays mail in: proved by its certificate, narrowed by its address (community §5).

A certificate that the community's authority issued proves the connection that it was issued for, until it is revoked;
one of a public authority proves those that expect one of its names. An address alone proves only a connection in
testing. What is proved may be several connections behind one system; the sender's domain says which it is.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import TypeAlias

from msgspec import Struct
from zope.interface import Interface, implementer

from cjsm.access.errors import AccessError
from cjsm.access.interfaces import IRelayer
from cjsm.community.address import Address, BadAddress
from cjsm.community.admission import ConnectionOrigin, sends_bounces
from cjsm.community.identifiers import ConnectionId
from cjsm.community.providers import Provider
from cjsm.community.records import Connection, ConnectionKind, ConnectionState
from cjsm.community.view import View
from cjsm.store.interfaces import ICommunityStore

#: Connections, and whether each is suspended: a session ends when one is suspended meanwhile.
Standing: TypeAlias = tuple[tuple[ConnectionId, bool], ...]


class Shown(Struct, frozen=True, kw_only=True):
    """What a server showed of itself.

    :ivar source: its IP address.
    :ivar fingerprint: SHA-256 of its certificate, hexadecimal; empty where it showed none.
    :ivar names: the names in it.
    :ivar by_community: the community's own authority issued it.
    :ivar problem: why it proves nothing, in words; empty where it is good.
    """

    source: str
    fingerprint: str = ""
    names: frozenset[str] = frozenset()
    by_community: bool = False
    problem: str = ""


class NotProved(AccessError):
    """The server is not one of a connection; the text says what it would have to show."""


class IProof(Interface):
    """Tells who a server is."""

    def prove(shown: Shown) -> IRelayer:
        """Return the server's connection, or connections.

        :raises NotProved: when it is none.
        """


class _Known(Struct, frozen=True):
    """Who is found how, as of one state of the community."""

    number: int
    by_fingerprint: Mapping[str, Connection]
    by_name: Mapping[str, tuple[Connection, ...]]
    in_testing: tuple[Connection, ...]
    of_provider: Mapping[str, tuple[Connection, ...]]


@implementer(IProof)
class Proof:
    """See :class:`IProof`.

    :param providers: by name.
    """

    def __init__(self, community: ICommunityStore, providers: Mapping[str, Provider]) -> None:
        self._community = community
        self._providers = providers
        self._known = _Known(-1, {}, {}, (), {})

    def prove(self, shown: Shown) -> "Relayer":
        """See :class:`IProof`."""
        found = self._community.read_now(lambda view: self._found(view, shown))
        return Relayer(self, self._community, shown, _standing(found))

    def still_proved(self, shown: Shown, standing: Standing) -> bool:
        """Whether *shown* proves the same today."""
        try:
            found = self._community.read_now(lambda view: self._found(view, shown))
        except NotProved:
            return False
        return _standing(found) == standing

    def _found(self, view: View, shown: Shown) -> tuple[Connection, ...]:
        known = self._as_of(view)
        if shown.fingerprint and not shown.problem:
            if shown.by_community:
                issued = known.by_fingerprint.get(shown.fingerprint)
                return _narrowed((issued,) if issued is not None else (), shown, _NOT_ISSUED)
            named = tuple(one for name in sorted(shown.names) for one in known.by_name.get(name, ()))
            return _narrowed(named + self._tenants(known, shown), shown, _NOT_EXPECTED)
        testing = tuple(one for one in known.in_testing if _comes_from(one, shown.source))
        if testing:
            return testing
        problem = f"your server's certificate proves nothing: {shown.problem}" if shown.problem else _NO_CERTIFICATE
        raise NotProved(problem)

    def _tenants(self, known: _Known, shown: Shown) -> tuple[Connection, ...]:
        found: tuple[Connection, ...] = ()
        for provider in self._providers.values():
            if provider.is_called(shown.names) and (not provider.networks or _within(shown.source, provider.networks)):
                found += known.of_provider.get(provider.name, ())
        return found

    def _as_of(self, view: View) -> _Known:
        number = view.number
        if self._known.number != number:
            self._known = _known(view, number)
        return self._known


def _known(view: View, number: int) -> _Known:
    by_fingerprint: dict[str, Connection] = {}
    by_name: dict[str, tuple[Connection, ...]] = {}
    of_provider: dict[str, tuple[Connection, ...]] = {}
    in_testing: list[Connection] = []
    for connection in view.connections():
        if connection.kind is ConnectionKind.CLOUD:
            of_provider[connection.provider] = (*of_provider.get(connection.provider, ()), connection)
            continue
        for certificate in connection.issued:
            if certificate.revoked is None:
                by_fingerprint[certificate.fingerprint] = connection
        for name in connection.certificate_names:
            by_name[name.lower()] = (*by_name.get(name.lower(), ()), connection)
        if connection.state is ConnectionState.TESTING and connection.networks:
            in_testing.append(connection)
    return _Known(number, by_fingerprint, by_name, tuple(in_testing), of_provider)


_NO_CERTIFICATE = "your server shows no certificate: let it show the one that this community issued for the connection"
_NOT_ISSUED = "your server's certificate was revoked, or is not one of a connection of this community"
_NOT_EXPECTED = "your server's certificate is not for a name that a connection of this community expects"


def _narrowed(connections: tuple[Connection, ...], shown: Shown, otherwise: str) -> tuple[Connection, ...]:
    if not connections:
        raise NotProved(otherwise)
    near = tuple(one for one in connections if not one.networks or _comes_from(one, shown.source))
    if not near:
        raise NotProved(f"{shown.source} is not an address from which this connection sends")
    return near


def _standing(connections: tuple[Connection, ...]) -> Standing:
    return tuple((one.id, one.state is ConnectionState.SUSPENDED) for one in connections)


def _comes_from(connection: Connection, source: str) -> bool:
    return _within(source, connection.networks)


def _within(source: str, networks: tuple[str, ...]) -> bool:
    try:
        address = ip_address(source.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in ip_network(network, strict=False) for network in networks)


@implementer(IRelayer)
class Relayer:
    """See :class:`IRelayer`."""

    def __init__(self, proof: Proof, community: ICommunityStore, shown: Shown, standing: Standing) -> None:
        connections = tuple(connection for connection, _ in standing)
        self.account = connections[0]
        self.pseudonym = f"connection {connections[0].hex()[:12]}"
        self._proof = proof
        self._community = community
        self._shown = shown
        self._connections = connections
        self._standing = standing

    def still_valid(self) -> bool:
        """See :class:`IRelayer`."""
        return self._proof.still_proved(self._shown, self._standing)

    def origin_for(self, reverse_path: str) -> ConnectionOrigin:
        """See :class:`IRelayer`."""
        return self._community.read_now(lambda view: self._origin(view, reverse_path))

    def _origin(self, view: View, reverse_path: str) -> ConnectionOrigin:
        try:
            sender = Address.parse(reverse_path, international=True).with_suffix(view.suffix)
        except BadAddress:
            return self._any(view)
        # One look-up, however many tenants a provider has: strangers write over it too.
        domain = view.domain(sender.domain)
        if domain is None or domain.connection not in self._connections:
            return self._any(view)
        return ConnectionOrigin(connection=domain.connection)

    def _any(self, view: View) -> ConnectionOrigin:
        """The null sender says not whose mail it is: one that is not approved must not stop that of the others."""
        live = (ConnectionOrigin(connection=each) for each in self._connections if sends_bounces(view, each))
        return next(live, ConnectionOrigin(connection=self._connections[0]))
