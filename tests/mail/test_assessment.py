"""The assessment of a connection: what is looked at, how each thing is judged, and what its engineer is told."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from cjsm.community.providers import Provider
from cjsm.community.records import Connection, ConnectionKind, Domain, DomainState, NextHop
from cjsm.mail.assessment import (
    Assessment,
    Assessor,
    Observation,
    Verdict,
    decode_assessment,
    encode_assessment,
)
from cjsm.mail.authentication.interfaces import Kind, LookupFailed
from cjsm.mail.sending import CannotReach, Interrupted, NextHopPolicy, Stage
from cjsm.wire.peers import ShownCertificate
from tests.community.communities import FIRM_CONNECTION, FIRM_DOMAIN, SUFFIX

from .support import result

DAY = 86_400
CLOUDS = Provider(name="clouds", title="Clouds", names=(), tenant_header="X-Tenant", selectors=("one", "two"))
CLOUD = msgspec.structs.replace(FIRM_CONNECTION, kind=ConnectionKind.CLOUD, provider="clouds", tenant="0f1e")
#: Everything that others need to believe the firm's mail.
ZONE = {
    ("firm.co.uk", Kind.TXT): (b"v=spf1 -all", b"something else"),
    ("_dmarc.firm.co.uk", Kind.TXT): (b"v=DMARC1; p=reject",),
    ("_mta-sts.firm.co.uk", Kind.TXT): (b"v=STSv1; id=1",),
    ("two._domainkey.firm.co.uk", Kind.TXT): (b"v=DKIM1; p=AAAA",),
    ("9.9.9.9.in-addr.arpa", Kind.PTR): (b"mail.firm.co.uk.",),
}
Zone = Mapping[tuple[str, Kind], tuple[bytes, ...]]


def certificate(**values: Any) -> ShownCertificate:
    """A good one, for a year."""
    made = ShownCertificate(
        names=("mail.firm.co.uk",),
        issuer="Community",
        not_after=int(time.time()) + 365 * DAY + 60,
        pin="ab" * 32,
        asked_for_ours=True,
    )
    return msgspec.structs.replace(made, **values)


class Session:
    """A server as relay finds it."""

    def __init__(self, **values: Any) -> None:
        self.peer, self.address = "mail.firm.co.uk [9.9.9.9]", "9.9.9.9"
        self.tls_version, self.tls_group = "TLSv1.3", "X25519MLKEM768"
        self.offers = frozenset({"PIPELINING", "SIZE"})
        self.certificate = certificate()
        self.usable, self.closed = True, False
        self.replies: dict[str, str] = {}
        self.probed: list[str] = []
        for name, value in values.items():
            setattr(self, name, value)

    def probe(self, recipient: str) -> "Deferred[str]":
        self.probed.append(recipient)
        reply = self.replies.get(recipient, "250 2.1.5 fine")
        if reply:
            return succeed(reply)
        self.usable = False
        return fail(Interrupted("the server closed the connection"))

    def close(self) -> None:
        self.closed = True


class Servers:
    """Gives each call the next session, or a reason why there is none."""

    def __init__(self, *sessions: Session | CannotReach) -> None:
        self.called: list[NextHopPolicy] = []
        self._sessions = list(sessions)

    def connect(self, policy: NextHopPolicy) -> "Deferred[Any]":
        self.called.append(policy)
        found = self._sessions.pop(0)
        return fail(found) if isinstance(found, CannotReach) else succeed(found)


def assessed(
    *sessions: Session | CannotReach,
    zone: Zone = ZONE,
    connection: Connection = FIRM_CONNECTION,
    domains: tuple[Domain, ...] = (FIRM_DOMAIN,),
    say: Callable[[str], object] = lambda _: None,
) -> Assessment:
    """Look at the firm."""

    def lookup(name: str, kind: Kind) -> "Deferred[tuple[bytes, ...]]":
        return succeed(zone.get((name, kind), ())) if zone else fail(LookupFailed("Timeout"))

    assessor = Assessor(Servers(*sessions), lookup, Clock(), SUFFIX, {"clouds": CLOUDS})  # type: ignore[arg-type]  # what it needs
    found: Assessment = result(Deferred.fromCoroutine(assessor.assess(connection, domains, say)))
    return found


def seen(assessment: Assessment) -> dict[str, Observation]:
    """By what was looked at; each thing once."""
    found = {each.what: each for each in assessment.observations}
    assert len(found) == len(assessment.observations)
    return found


def test_the_whole_checklist() -> None:
    """All of community section 12 but the letter, in the order in which it is met; nothing is wrong."""
    session = Session()
    said: list[str] = []
    assessment = assessed(session, connection=CLOUD, say=said.append)
    found = seen(assessment)
    assert list(found) == [
        *("reach", "PTR", "TLS", "certificate", "our certificate", "session", "extensions", "takes mail"),
        *("SPF", "DKIM", "DMARC", "MTA-STS"),
    ]
    assert {each.verdict for each in found.values()} == {Verdict.OK}
    assert assessment.well
    assert said == ["mail.firm.co.uk:25", "firm.co.uk"]
    assert found["reach"].text.startswith("mail.firm.co.uk [9.9.9.9]")
    assert found["PTR"].text == "mail.firm.co.uk"
    assert found["TLS"].text == "TLSv1.3 X25519MLKEM768"
    assert "for mail.firm.co.uk, by Community, ends in 365 days, pin abab" in found["certificate"].text
    assert found["extensions"].text == "without 8BITMIME, CHUNKING, DSN, REQUIRETLS, SMTPUTF8"
    assert found["SPF"].text == "v=spf1 -all"
    assert found["DKIM"].text == "keys at two._domainkey.firm.co.uk"
    assert (session.probed, session.closed) == (["postmaster@firm.co.uk"], True)
    assert decode_assessment(encode_assessment(assessment)) == assessment


@pytest.mark.parametrize(
    ("values", "what", "words"),
    [
        ({"tls_version": "TLSv1.2", "tls_group": "ECDHE"}, "TLS", "TLS 1.3"),
        ({"certificate": certificate(not_after=int(time.time()) + 29 * DAY)}, "certificate", "renew"),
        ({"certificate": certificate(asked_for_ours=False)}, "our certificate", "ask for client certificates"),
        ({"replies": {"postmaster@firm.co.uk": "450 4.7.1 greylisted"}}, "takes mail", "reports too"),
    ],
)
def test_what_could_be_better(values: dict[str, Any], what: str, words: str) -> None:
    """A warning with its cure; the connection is well."""
    assessment = assessed(Session(**values))
    one = seen(assessment)[what]
    assert (one.verdict, assessment.well) == (Verdict.WARNING, True)
    assert words in one.cure


@pytest.mark.parametrize("reply", ["550 5.7.1 no", "", "354 what"])
def test_mail_that_is_not_taken(reply: str) -> None:
    """A problem, and nothing more is asked of a server that hung up."""
    other = msgspec.structs.replace(FIRM_DOMAIN, name=f"firm.org.{SUFFIX}")
    session = Session(replies={"postmaster@firm.co.uk": reply})
    assessment = assessed(session, domains=(FIRM_DOMAIN, other))
    problems = [each for each in assessment.observations if each.verdict is Verdict.PROBLEM]
    assert [each.what for each in problems] == ["takes mail"]
    assert (reply or "closed the connection") in problems[0].text
    assert len(session.probed) == (2 if reply else 1)
    assert session.closed is bool(reply)


@pytest.mark.parametrize("stage", Stage)
def test_how_far_it_came(stage: Stage) -> None:
    """What was passed is well, the rest was not seen, and the cure is the stage's own."""
    assessment = assessed(CannotReach("because", stage), domains=())
    *before, last = assessment.observations
    assert [each.what for each in before] == list(Stage)[: list(Stage).index(stage)]
    assert (last.what, last.verdict, last.text) == (stage, Verdict.PROBLEM, "because")
    assert last.cure
    assert not assessment.well


def test_every_next_hop() -> None:
    """One that is down does not hide the other."""
    hops = (NextHop(host="mx1.firm.co.uk", port=25), NextHop(host="mx2.firm.co.uk", port=2525))
    connection = msgspec.structs.replace(FIRM_CONNECTION, next_hops=hops)
    found = assessed(CannotReach("down"), Session(), connection=connection, domains=()).observations
    assert {each.where for each in found} == {"mx1.firm.co.uk:25", "mx2.firm.co.uk:2525"}
    assert [each.where for each in found if each.verdict is Verdict.PROBLEM] == ["mx1.firm.co.uk:25"]
    nothing = assessed(connection=msgspec.structs.replace(FIRM_CONNECTION, next_hops=()), domains=())
    assert [(each.what, each.verdict) for each in nothing.observations] == [("next hop", Verdict.PROBLEM)]


def test_domains_that_are_not_approved() -> None:
    """Nothing is asked of them or about them."""
    closed = msgspec.structs.replace(FIRM_DOMAIN, state=DomainState.SUSPENDED)
    session = Session()
    assert set(seen(assessed(session, domains=(closed,)))).isdisjoint({"SPF", "takes mail"})
    assert session.probed == []


@pytest.mark.parametrize(
    ("zone", "what", "text"),
    [
        ({("x", Kind.TXT): ()}, "SPF", "no records at firm.co.uk"),
        ({("firm.co.uk", Kind.TXT): (b"v=spf1 -all", b"V=SPF1 +all")}, "SPF", "2 records at firm.co.uk"),
        ({("x", Kind.TXT): ()}, "DMARC", "no records at _dmarc.firm.co.uk"),
        ({("x", Kind.TXT): ()}, "MTA-STS", "no records at _mta-sts.firm.co.uk"),
        ({("x", Kind.TXT): ()}, "DKIM", "no keys at one._domainkey.firm.co.uk, two._domainkey.firm.co.uk"),
        ({("x", Kind.TXT): ()}, "PTR", "9.9.9.9 has no name"),
        ({}, "SPF", "could not be looked up"),
        ({}, "DKIM", "could not be looked up"),
        ({}, "PTR", "could not be looked up"),
    ],
)
def test_what_dns_lacks(zone: Zone, what: str, text: str) -> None:
    """A warning: mail goes over the connection all the same."""
    assessment = assessed(Session(), zone=zone, connection=CLOUD)
    one = seen(assessment)[what]
    assert (one.verdict, one.text, assessment.well) == (Verdict.WARNING, text, True)


def test_keys_that_only_mail_tells_of() -> None:
    """Of a server that is nobody's cloud it is said that DKIM was not looked at, and how it can be."""
    one = seen(assessed(Session()))["DKIM"]
    assert (one.verdict, "--to" in one.cure) == (Verdict.UNKNOWN, True)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "fd00::1"])
def test_an_address_that_nobody_else_has(address: str) -> None:
    """Public DNS has no name for it, and is not asked."""
    assert "PTR" not in seen(assessed(Session(address=address)))


def test_kept_samples() -> None:
    """What was kept before something more was looked at is still read."""
    kept = b"\x01\x82\xa6moment\xce\x65\x00\x00\x00\xacobservations\x91\x82\xa5where\xa1x\xa4what\xa5reach"
    assert decode_assessment(kept) == Assessment(
        moment=0x65000000, observations=(Observation(where="x", what="reach"),)
    )
