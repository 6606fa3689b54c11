"""What the community publishes in the DNS, so that nobody outside can write in its name (smtp, "Doors").

MX (RFC 5321), SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489), MTA-STS (RFC 8461) and TLS reports (RFC 8460).
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from cjsm.community.records import ConnectionState, DomainState, OrganisationState
from cjsm.community.view import View

_STRING = 255
_WEEK = 604_800


class ZoneRecord(Struct, frozen=True):
    """One DNS record: owner name without the final dot, type, and value as it is published; ``why`` in plain words."""

    name: str
    kind: str
    value: str
    why: str

    def line(self) -> str:
        """Return the record as a line of a zone file; long texts are cut into strings."""
        if self.kind != "TXT":
            return f"{self.name}. IN {self.kind} {self.value}"
        parts = [self.value[place : place + _STRING] for place in range(0, len(self.value), _STRING)]
        return f"{self.name}. IN TXT " + " ".join(f'"{part}"' for part in parts)


class Publisher(Struct, frozen=True, kw_only=True):
    """What the records speak of.

    :ivar host: the name of the door for connections, where all mail comes in and goes out.
    :ivar reports: the address that reports are sent to.
    :ivar keys: the public halves of the DKIM keys, as (selector, TXT value); they belong to the suffix.
    """

    suffix: str
    host: str
    reports: str
    keys: Sequence[tuple[str, str]] = ()


def mail_domains(view: View) -> Iterator[str]:
    """Yield every domain that mail of the community has: the suffix, hosted ones, approved ones of connections."""
    yield view.suffix
    for organisation in view.organisations():
        if organisation.abbreviation and organisation.state is not OrganisationState.DELETED:
            yield f"{organisation.abbreviation}.{view.suffix}"
    for domain in view.domains():
        connection = view.connection(domain.connection)
        open_ = connection is not None and connection.state is not ConnectionState.SUSPENDED
        if open_ and domain.state is DomainState.APPROVED:
            yield domain.name


def records(publisher: Publisher, domains: Iterable[str]) -> Iterator[ZoneRecord]:
    """Yield the records of each of *domains*, and first those of the suffix alone."""
    yield from (
        ZoneRecord(f"{selector}._domainkey.{publisher.suffix}", "TXT", value, "what outgoing mail is signed with")
        for selector, value in publisher.keys
    )
    policy = f"v=DMARC1; p=reject; sp=reject; rua=mailto:{publisher.reports}"
    version = hashlib.sha256(policy_file(publisher).encode()).hexdigest()[:20]
    for name in domains:
        yield ZoneRecord(name, "MX", f"10 {publisher.host}.", "mail comes in at one place")
        yield ZoneRecord(name, "TXT", f"v=spf1 a:{publisher.host} -all", "and goes out from there only")
        yield ZoneRecord(f"_dmarc.{name}", "TXT", policy, "anything else is to be refused")
        yield ZoneRecord(f"_mta-sts.{name}", "TXT", f"v=STSv1; id={version}", "mail comes over verified TLS only")
        yield ZoneRecord(f"mta-sts.{name}", "CNAME", f"{publisher.host}.", "where the policy file is")
        yield ZoneRecord(
            f"_smtp._tls.{name}", "TXT", f"v=TLSRPTv1; rua=mailto:{publisher.reports}", "reports about TLS that failed"
        )


def policy_file(publisher: Publisher) -> str:
    """Return what ``https://mta-sts.DOMAIN/.well-known/mta-sts.txt`` has to answer."""
    return f"version: STSv1\r\nmode: enforce\r\nmx: {publisher.host}\r\nmax_age: {_WEEK}\r\n"
