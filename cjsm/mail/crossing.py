"""Mail that comes in over a connection: authenticated as it passes, its addresses made canonical (community 3 and 5).

What SPF, DKIM and DMARC say of it is kept on top of it. For a cloud connection it decides: a provider's servers send
for all its tenants, so the tenant that the provider names and an aligned DKIM signature must confirm whose mail it is.
"""

from collections.abc import Mapping

from cjsm.community.address import Address
from cjsm.community.admission import ConnectionOrigin, Origin, sends_bounces
from cjsm.community.providers import Provider
from cjsm.community.records import Connection, ConnectionKind
from cjsm.community.view import View
from cjsm.configuration import Settings
from cjsm.mail.authentication.field import authentication_results, without_claims
from cjsm.mail.authentication.interfaces import IAuthenticator
from cjsm.mail.authentication.results import brief, confirmed, undecided
from cjsm.mail.edge import rules_of
from cjsm.mail.header import Header
from cjsm.mail.interfaces import Hop, Refused
from cjsm.mail.mailboxes import AmbiguousAddress, addresses
from cjsm.mail.rewriting import entering


class Crossings:
    """Makes a :class:`Crossing` for each message that comes in over a connection.

    :ivar settings: may be replaced while it runs.
    """

    def __init__(self, settings: Settings, authenticator: IAuthenticator, providers: Mapping[str, Provider]) -> None:
        self.settings = settings
        self._authenticator = authenticator
        self._providers = providers

    def origin(self, view: View, origin: Origin, sender: Address | None, header: Header) -> Origin:
        """Return whose mail it is: of a cloud provider's mail with the null sender its tenant says so.

        :raises Refused: when the tenant is not that of a connection, or of another one than the sender's.
        """
        connection = view.connection(origin.connection) if isinstance(origin, ConnectionOrigin) else None
        provider = self._provider(connection)
        if connection is None or provider is None:
            return origin
        tenants = [field.value.lower() for field in header.all(provider.tenant_header.lower().encode("ascii"))]
        if len(tenants) == 1 and connection.tenant and tenants[0] == connection.tenant.lower():
            return origin
        if len(tenants) == 1 and sender is None:
            for other in view.connections():
                same = other.provider == connection.provider and other.tenant.lower() == tenants[0]
                if same and other.tenant and sends_bounces(view, other.id):
                    return ConnectionOrigin(connection=other.id)
        raise Refused(550, "5.7.1", f"{provider.title} does not say that this is mail of the connection's own tenant")

    def begin(self, view: View, origin: Origin, hop: Hop, sender: Address | None, header: Header) -> "Crossing | None":
        """Return what is looked at in a message; None for mail that does not cross the edge."""
        connection = view.connection(origin.connection) if isinstance(origin, ConnectionOrigin) else None
        if connection is None:
            return None
        own = self._provider(connection)
        return Crossing(
            self._authenticator,
            host=self.settings.relay.host_name,
            original=header,
            header=entering(self.believed(header, own), rules_of(view, connection)),
            hop=hop,
            sender=_outside(str(sender), view.suffix) if sender is not None else "",
            must_be_from=_from_domain(header, view.suffix) if own is not None else None,
        )

    def believed(self, header: Header, own: Provider | None = None) -> Header:
        """Return *header* without what only we may say of a message, or a provider: all but *own*."""
        names = (self.settings.relay.host_name, self.settings.smtp.host_name)
        others = (provider for provider in self._providers.values() if provider is not own)
        tenant_fields = frozenset(provider.tenant_header.lower().encode("ascii") for provider in others)
        kept = without_claims(header, names).fields
        return Header(tuple(field for field in kept if field.name not in tenant_fields))

    def _provider(self, connection: Connection | None) -> Provider | None:
        if connection is None or connection.kind is not ConnectionKind.CLOUD:
            return None
        return self._providers.get(connection.provider)


class Crossing:
    """One message.

    :ivar header: as it is passed on.
    :ivar found: what :meth:`verdict` found of SPF, DKIM and DMARC, in one line.
    :param original: the header as it came: signatures are over it.
    :param sender: the reverse-path without suffix; empty for null.
    :param must_be_from: the domain that a passing DKIM signature must be aligned with; None where none must.
    """

    def __init__(
        self,
        authenticator: IAuthenticator,
        *,
        host: str,
        original: Header,
        header: Header,
        hop: Hop,
        sender: str,
        must_be_from: str | None,
    ) -> None:
        self.header = header
        self.found = ""
        self._authenticator = authenticator
        self._host = host
        self._original = original
        self._hop = hop
        self._sender = sender
        self._must_be_from = must_be_from
        self._inspector = authenticator.inspector(original)

    def write(self, octets: bytes) -> None:
        """Take the next octets of the body."""
        self._inspector.write(octets)

    async def verdict(self) -> bytes:
        """Return the field that goes on top of the message, after its end.

        :raises Refused: when a cloud provider's mail is not confirmed.
        """
        result = await self._authenticator.verify(
            self._original, self._inspector.finish(), self._hop.source, self._hop.called, self._sender
        )
        self.found = brief(result)
        domain = self._must_be_from
        if domain is not None and not confirmed(result, domain):
            if undecided(result, domain):
                raise Refused(451, "4.7.0", "the message's DKIM signature cannot be checked now: try again later")
            raise Refused(550, "5.7.1", f"the message has no DKIM signature of {domain} that holds")
        return authentication_results(result, self._host)


def _from_domain(header: Header, suffix: str) -> str:
    """Return the domain of the one address in From, without suffix; it was checked before."""
    try:
        (address,) = addresses(header.first(b"from"), groups=False, international=True)
    except (AmbiguousAddress, ValueError):
        return ""
    return _outside(address.domain, suffix)


def _outside(text: str, suffix: str) -> str:
    return text.removesuffix(f".{suffix}")
