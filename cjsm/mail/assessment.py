"""The assessment of a connection, as an engineer makes it: each next hop as relay will meet it, and the domains' DNS.

Nothing of anybody's mail is sent: whether a server would take mail to its postmaster is asked, and taken back.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from enum import StrEnum
from ipaddress import ip_address
from typing import Any

import dns.reversename
import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from cjsm.community.providers import Provider
from cjsm.community.records import Connection, Domain, DomainState
from cjsm.mail.authentication.interfaces import Kind, LookupFailed
from cjsm.mail.sending import CannotReach, Interrupted, IRelayConnector, Stage, policy

_DAY = 86_400
#: Days before the end of a certificate at which its engineer should know.
_ENDS_SOON = 30
#: What makes relay better, and what some mail cannot do without.
_WANTED = ("8BITMIME", "CHUNKING", "DSN", "PIPELINING", "REQUIRETLS", "SIZE", "SMTPUTF8")
_POSTMASTERS = 5

#: Fires with the records of a kind at a name, or fails with LookupFailed.
Lookup = Callable[[str, Kind], "Deferred[tuple[bytes, ...]]"]

_CURES = {
    Stage.REACH: "let its engineer look at host, port and firewall; `cjsm connection edit --next-hop` corrects them",
    Stage.GREETING: "its server must greet us with 220, take EHLO and offer STARTTLS; its log says why it did not",
    Stage.TLS: "its server must take TLS 1.2 or later, and our client certificate where it asks for one",
    Stage.CERTIFICATE: "let its engineer install the right certificate, or correct `cjsm connection edit "
    "--tls-name`, `--tls-trust` or `--tls-pin`",
    Stage.SESSION: "its server ended the session behind TLS: let it trust the authority of our certificate",
}


class Verdict(StrEnum):
    """How it is with what was looked at."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    PROBLEM = "problem"


class Observation(Struct, frozen=True, kw_only=True):
    """One thing that was looked at: where (``host:port`` or a domain), what, how it is, and what to do."""

    where: str
    what: str
    verdict: Verdict = Verdict.OK
    text: str = ""
    cure: str = ""


class Assessment(Struct, frozen=True, kw_only=True):
    """What was seen at a moment (seconds since the epoch). A field may be added with a default."""

    moment: int
    observations: tuple[Observation, ...] = ()

    @property
    def well(self) -> bool:
        """Whether nothing was a problem."""
        return all(each.verdict is not Verdict.PROBLEM for each in self.observations)


def encode_assessment(assessment: Assessment) -> bytes:
    """Return the form that is kept: a version octet, then MessagePack by field name."""
    return b"\x01" + msgspec.msgpack.encode(assessment)


def decode_assessment(octets: bytes) -> Assessment:
    """Return what :func:`encode_assessment` wrote.

    :raises msgspec.MsgspecError: when it is none.
    """
    return msgspec.msgpack.decode(octets[1:], type=Assessment)


_NO_HOP = Observation(
    where="",
    what="next hop",
    verdict=Verdict.PROBLEM,
    text="there is none",
    cure="give it one: cjsm connection edit --next-hop HOST:PORT",
)


class Assessor:
    """Looks at connections.

    :param reactor: tells how long things take.
    :param providers: of cloud connections, by name.
    """

    def __init__(
        self,
        connector: IRelayConnector,
        lookup: Lookup,
        reactor: IReactorTime,
        suffix: str,
        providers: Mapping[str, Provider],
    ) -> None:
        self._connector = connector
        self._lookup = lookup
        self._reactor = reactor
        self._suffix = suffix
        self._providers = providers

    async def assess(
        self, connection: Connection, domains: Sequence[Domain], say: Callable[[str], object]
    ) -> Assessment:
        """Return what there is to see of *connection* and its *domains* now.

        :param say: hears what is looked at next.
        """
        suffix = f".{self._suffix}"
        approved = [each.name.removesuffix(suffix) for each in domains if each.state is DomainState.APPROVED]
        seen = [] if connection.next_hops else [_NO_HOP]
        for hop in connection.next_hops:
            place = f"{hop.host}:{hop.port}"
            say(place)
            seen += [each async for each in self._server(policy(connection, hop), place, approved)]
        for domain in approved:
            say(domain)
            seen += await self._domain(domain, self._providers.get(connection.provider))
        return Assessment(moment=int(time.time()), observations=tuple(seen))

    # Servers

    async def _server(self, wanted: Any, place: str, domains: Sequence[str]) -> AsyncIterator[Observation]:
        began = self._reactor.seconds()
        try:
            session: Any = await self._connector.connect(wanted)
        except CannotReach as error:
            for stage in list(Stage)[: list(Stage).index(error.stage)]:
                yield Observation(where=place, what=stage)
            cure = _CURES[error.stage]
            yield Observation(where=place, what=error.stage, verdict=Verdict.PROBLEM, text=str(error), cure=cure)
            return
        took = self._reactor.seconds() - began
        yield Observation(where=place, what=Stage.REACH, text=f"{session.peer}, ready after {took * 1_000:.0f} ms")
        if ip_address(session.address).is_global:
            yield await self._name_of(place, session.address)
        yield _of_tls(place, session)
        yield _of_certificate(place, session.certificate, pinned=bool(wanted.pins))
        yield _of_ours(place, asked=session.certificate.asked_for_ours)
        yield Observation(where=place, what=Stage.SESSION, text="it goes on behind TLS")
        lacking = [name for name in _WANTED if name not in session.offers]
        text = f"all of {', '.join(_WANTED)}" if not lacking else f"without {', '.join(lacking)}"
        yield Observation(where=place, what="extensions", text=text)
        for domain in domains[:_POSTMASTERS]:
            yield await self._postmaster(place, session, f"postmaster@{domain}")
            if not session.usable:
                return
        session.close()

    async def _postmaster(self, place: str, session: Any, recipient: str) -> Observation:
        """Whether a report to the postmaster of a domain would be taken there."""
        try:
            reply: str = await session.probe(recipient)
        except Interrupted as error:
            reply = str(error)
        if reply.startswith("2"):
            return Observation(where=place, what="takes mail", text=f"to {recipient}")
        verdict = Verdict.WARNING if reply.startswith("4") else Verdict.PROBLEM
        cure = f"let its server take mail from us, reports too, for {recipient}"
        return Observation(where=place, what="takes mail", verdict=verdict, text=f"{recipient}: {reply}", cure=cure)

    # DNS

    async def _domain(self, domain: str, provider: Provider | None) -> list[Observation]:
        """What others need to believe mail from *domain*, asked at once; with us it counts for cloud tenants only."""
        questions = (
            self._record(domain, "SPF", domain, b"v=spf1"),
            self._keys(domain, provider),
            self._record(domain, "DMARC", f"_dmarc.{domain}", b"v=DMARC1"),
            self._record(domain, "MTA-STS", f"_mta-sts.{domain}", b"v=STSv1"),
        )
        return await gatherResults([Deferred.fromCoroutine(each) for each in questions], consumeErrors=True)

    async def _record(self, domain: str, what: str, name: str, begins: bytes) -> Observation:
        try:
            found = [each for each in await self._lookup(name, Kind.TXT) if each.lower().startswith(begins.lower())]
        except LookupFailed:
            return Observation(where=domain, what=what, verdict=Verdict.WARNING, text="could not be looked up")
        if len(found) == 1:
            return Observation(where=domain, what=what, text=found[0][:200].decode("ascii", "replace"))
        text = f"{len(found) or 'no'} record{'' if len(found) == 1 else 's'} at {name}"
        cure = f"let its engineer publish one {what} record at {name}"
        return Observation(where=domain, what=what, verdict=Verdict.WARNING, text=text, cure=cure)

    async def _keys(self, domain: str, provider: Provider | None) -> Observation:
        """Look for DKIM keys where the provider has them; of other servers only their mail says where theirs are."""
        if provider is None or not provider.selectors:
            cure = "test with --to: what a letter's answer was signed with is shown"
            text = "where its keys are is known from its mail only"
            return Observation(where=domain, what="DKIM", verdict=Verdict.UNKNOWN, text=text, cure=cure)
        places = [f"{selector}._domainkey.{domain}" for selector in provider.selectors]
        try:
            found = [place for place in places if any(b"p=" in each for each in await self._lookup(place, Kind.TXT))]
        except LookupFailed:
            return Observation(where=domain, what="DKIM", verdict=Verdict.WARNING, text="could not be looked up")
        if found:
            return Observation(where=domain, what="DKIM", text=f"keys at {', '.join(found)}")
        text = f"no keys at {', '.join(places)}"
        cure = f"let its engineer have {provider.title} sign for {domain}: what is not signed is refused here"
        return Observation(where=domain, what="DKIM", verdict=Verdict.WARNING, text=text, cure=cure)

    async def _name_of(self, place: str, address: str) -> Observation:
        """Return the name that DNS has for an address (PTR)."""
        try:
            found = await self._lookup(dns.reversename.from_address(address).to_text(omit_final_dot=True), Kind.PTR)
        except LookupFailed:
            return Observation(where=place, what="PTR", verdict=Verdict.WARNING, text="could not be looked up")
        names = ", ".join(each.decode("ascii", "replace").rstrip(".") for each in found)
        if names:
            return Observation(where=place, what="PTR", text=names)
        cure = f"let its engineer publish a name for {address}"
        return Observation(where=place, what="PTR", verdict=Verdict.WARNING, text=f"{address} has no name", cure=cure)


def _of_tls(place: str, session: Any) -> Observation:
    text = f"{session.tls_version} {session.tls_group}".strip()
    if session.tls_version == "TLSv1.2":
        cure = "let its engineer enable TLS 1.3"
        return Observation(where=place, what=Stage.TLS, verdict=Verdict.WARNING, text=text, cure=cure)
    return Observation(where=place, what=Stage.TLS, text=text)


def _of_ours(place: str, *, asked: bool) -> Observation:
    """Whether the server knows us by our certificate; one that does not take it has ended the session."""
    if asked:
        return Observation(where=place, what="our certificate", text="the server asks for it, and takes it")
    text = "the server does not ask for it, so it cannot know by it that mail is from here"
    cure = "let its engineer ask for client certificates, and take mail in this community's name from us only"
    return Observation(where=place, what="our certificate", verdict=Verdict.WARNING, text=text, cure=cure)


def _of_certificate(place: str, shown: Any, *, pinned: bool) -> Observation:
    days = (shown.not_after - int(time.time())) // _DAY
    text = (
        f"{'pinned, ' if pinned else ''}for {', '.join(shown.names) or 'no name'}, by {shown.issuer or 'nobody'}, "
        f"ends in {days} days, pin {shown.pin}"
    )
    if days < _ENDS_SOON:
        cure = "let its engineer renew it; with pins, add the next key first: cjsm connection edit --tls-pin"
        return Observation(where=place, what=Stage.CERTIFICATE, verdict=Verdict.WARNING, text=text, cure=cure)
    return Observation(where=place, what=Stage.CERTIFICATE, text=text)
