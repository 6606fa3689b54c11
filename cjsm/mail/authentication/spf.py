"""SPF (RFC 7208): whether a domain lets the address that mail came from send for it.

The policy is evaluated by spf3, the kept version of the reference implementation; what it asks of DNS goes through our
lookups, and none of its words go anywhere.
"""

import ipaddress
from typing import Any

import spf

from cjsm.mail.authentication.domains import host_name
from cjsm.mail.authentication.interfaces import Kind, LookupFailed, TooManyLookups
from cjsm.mail.authentication.lookups import Lookups
from cjsm.mail.authentication.results import Result, SpfVerdict

#: Lookups that may come back empty (§4.6.4).
_VOID = 2
#: A stranger's record can surprise the library in these ways, at worst.
_SURPRISES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, RecursionError)


def check(lookups: Lookups, *, peer: str, helo: str, mail_from: str) -> SpfVerdict:
    """Return what the domain of *mail_from* says of *peer*; that of *helo* where the sender is null (§2.4).

    :param peer: an IPv4 or IPv6 address.
    """
    local, _, domain = mail_from.rpartition("@")
    name = host_name(domain if mail_from else helo)
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        name = ""
    if "." not in name:
        return SpfVerdict(result=Result.NONE, helo=not mail_from)
    query = _Query(lookups, str(address), local or "postmaster", name, host_name(helo))
    return SpfVerdict(result=_result(query), domain=name, helo=not mail_from)


def _result(query: "_Query") -> Result:
    try:
        word, _, _ = query.check()
        return Result(word)
    except _SURPRISES:
        return Result.PERMERROR


class _Query(spf.query):  # type: ignore[misc]
    """The library's evaluation of one policy, with our lookups in place of its own."""

    def __init__(self, lookups: Lookups, peer: str, local: str, domain: str, helo: str) -> None:
        super().__init__(peer, f"{local}@{domain}", helo or "unknown", receiver="unknown")
        # The library splits at the first @; a quoted local part may have one.
        self.l, self.o, self.d = local, domain, domain
        self._lookups = lookups

    def dns(self, name: Any, qtype: str, cnames: Any = None, ignore_void: bool = False) -> list[Any]:
        """Return records in the library's form, and count what comes back empty."""
        try:
            found = self._ask(str(name), qtype)
        except TooManyLookups as error:
            raise spf.PermError("too many lookups") from error
        except LookupFailed as error:
            raise spf.TempError("no answer") from error
        if not found and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > _VOID:
                raise spf.PermError("too many lookups came back empty")
        return found

    def _ask(self, name: str, qtype: str) -> list[Any]:
        if qtype == "TXT":
            return [[text] for text in self._lookups.texts(name) if text]
        if qtype == "MX":
            return [(0, host) for host in self._lookups.hosts(name, Kind.MX)]
        if qtype == "PTR":
            return list(self._lookups.hosts(name, Kind.PTR))
        return list(self._lookups.addresses(name, Kind(qtype)))
