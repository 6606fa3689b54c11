"""DNS over the network, with dnspython."""

from collections.abc import Sequence

import dns.exception
import dns.message
import dns.rdatatype
import dns.resolver
from zope.interface import implementer

from cjsm.mail.authentication.interfaces import IResolver, Kind, LookupFailed

_REMEMBERED = 4_096


@implementer(IResolver)
class DnsResolver:
    """Asks the name servers of the settings, or those of this computer. For many threads at once.

    :param nameservers: addresses; none for those of ``/etc/resolv.conf``, which is read at the first lookup.
    """

    def __init__(self, nameservers: Sequence[str] = ()) -> None:
        self._nameservers = list(nameservers)
        self._resolver: dns.resolver.Resolver | None = None

    def lookup(self, name: str, kind: Kind, seconds: float) -> tuple[bytes, ...]:
        """See :class:`IResolver`."""
        try:
            answer = self._configured().resolve(
                f"{name}.", dns.rdatatype.from_text(kind), lifetime=seconds, search=False, raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            return ()
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise LookupFailed(type(error).__name__) from error
        return tuple(_octets(record, kind) for record in answer.rrset or ())

    def _configured(self) -> dns.resolver.Resolver:
        if self._resolver is None:
            made = dns.resolver.Resolver(configure=not self._nameservers)
            if self._nameservers:
                made.nameservers = list(self._nameservers)
            made.cache = dns.resolver.LRUCache(_REMEMBERED)
            self._resolver = made
        return self._resolver


def _octets(record: object, kind: Kind) -> bytes:
    """Return a record as :class:`IResolver` says; the library checked its form."""
    if kind is Kind.TXT:
        strings: tuple[bytes, ...] = getattr(record, "strings", ())
        return b"".join(strings)
    if kind in (Kind.A, Kind.AAAA):
        return str(getattr(record, "address", "")).encode()
    return str(getattr(record, "exchange" if kind is Kind.MX else "target", "")).encode()
