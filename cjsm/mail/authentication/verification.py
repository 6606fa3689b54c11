"""Everything about one message, in a thread: DKIM first, then DMARC's policy is asked for with SPF's verdict at hand.

SPF comes after DKIM because its lookups are the ones that a stranger multiplies: what is left is enough for the rest.
"""

from msgspec import Struct

from cjsm.mail.authentication import dkim, dmarc, spf
from cjsm.mail.authentication.bodies import BodyHashes
from cjsm.mail.authentication.domains import host_name
from cjsm.mail.authentication.lookups import Lookups
from cjsm.mail.authentication.results import AuthenticationResult
from cjsm.mail.header import Header
from cjsm.mail.mailboxes import AmbiguousAddress, addresses


class Crossing(Struct, frozen=True, kw_only=True):
    """A message at the edge: see :class:`~cjsm.mail.authentication.interfaces.IAuthenticator`."""

    header: Header
    bodies: BodyHashes
    peer: str
    helo: str
    mail_from: str


def examine(crossing: Crossing, lookups: Lookups, *, signatures: int, now: float) -> AuthenticationResult:
    """Return what SPF, DKIM and DMARC say. Total; asks nothing but *lookups*.

    :param signatures: how many are looked at.
    :param now: seconds since the epoch.
    """
    author = author_domain(crossing.header)
    signed = dkim.verify(crossing.header, crossing.bodies, lookups, author=author, most=signatures, now=now)
    sent = spf.check(lookups, peer=crossing.peer, helo=crossing.helo, mail_from=crossing.mail_from)
    return AuthenticationResult(spf=sent, dkim=signed, dmarc=dmarc.check(lookups, author, sent, signed))


def author_domain(header: Header) -> str:
    """Return the domain of the one address in From; an empty string where it is not one plain address."""
    fields = header.all(b"from")
    if len(fields) != 1:
        return ""
    try:
        named = addresses(fields[0].value, groups=False)
    except AmbiguousAddress:
        return ""
    return host_name(named[0].domain) if len(named) == 1 else ""
