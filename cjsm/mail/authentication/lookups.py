"""The lookups of one message: few, in little time, for names and with answers in which there can be no surprise."""

import ipaddress
import re
from collections.abc import Callable

from cjsm.mail.authentication.domains import host_name
from cjsm.mail.authentication.interfaces import IResolver, Kind, LookupFailed, TooManyLookups

#: What macros of SPF may put into a name (RFC 7208 §7) and every resolver takes as it is.
_NAME = re.compile(r"[a-z0-9_!#$%&'*+/=?^`{|}~-]{1,63}(?:\.[a-z0-9_!#$%&'*+/=?^`{|}~-]{1,63})*")
_LONGEST = 253
#: Records of one name that are looked at, and octets of each.
_RECORDS = 50
_OCTETS = 8 * 1024


class Lookups:
    """What one message may ask of DNS.

    :param most: lookups in all; names asked for again cost nothing.
    :param until: when *clock* shows this, nothing more is asked.
    :param seconds: for one lookup.
    """

    def __init__(
        self, resolver: IResolver, *, most: int, until: float, seconds: float, clock: Callable[[], float]
    ) -> None:
        self._resolver = resolver
        self._left = most
        self._until = until
        self._seconds = seconds
        self._clock = clock
        self._known: dict[tuple[str, Kind], tuple[bytes, ...] | LookupFailed] = {}

    def texts(self, name: str) -> tuple[bytes, ...]:
        """Return the TXT records at *name*; none where it is no name.

        :raises LookupFailed: when there is no answer for now, or no time or lookup is left.
        """
        return tuple(record for record in self._lookup(name, Kind.TXT) if len(record) <= _OCTETS)

    def addresses(self, name: str, kind: Kind) -> tuple[str, ...]:
        """Return the addresses of *kind*, A or AAAA, at *name*; otherwise like :meth:`texts`."""
        version = ipaddress.IPv4Address if kind is Kind.A else ipaddress.IPv6Address
        found = []
        for record in self._lookup(name, kind):
            try:
                # No record has the zone of an IPv6 address, which is a thing of one computer alone.
                found.append(str(version(record.decode("ascii").replace("%", " "))))
            except ValueError:
                continue
        return tuple(found)

    def hosts(self, name: str, kind: Kind) -> tuple[str, ...]:
        """Return the hosts that records of *kind*, MX or PTR, name at *name*; otherwise like :meth:`texts`."""
        found = (host_name(record.decode("ascii", "replace")) for record in self._lookup(name, kind))
        return tuple(host for host in found if host)

    def _lookup(self, name: str, kind: Kind) -> tuple[bytes, ...]:
        name = name.removesuffix(".").lower()
        if not name.isascii() or len(name) > _LONGEST or not _NAME.fullmatch(name):
            return ()
        known = self._known.get((name, kind))
        if known is None:
            known = self._known[name, kind] = self._ask(name, kind)
        if isinstance(known, LookupFailed):
            raise known
        return known

    def _ask(self, name: str, kind: Kind) -> tuple[bytes, ...] | LookupFailed:
        left = self._until - self._clock()
        if self._left <= 0:
            return TooManyLookups("one message asked for too many lookups")
        if left <= 0:
            return LookupFailed("no time is left for lookups")
        self._left -= 1
        try:
            return self._resolver.lookup(name, kind, min(self._seconds, left))[:_RECORDS]
        except LookupFailed as error:
            return error
