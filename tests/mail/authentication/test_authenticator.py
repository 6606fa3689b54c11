"""Messages looked at in threads: results come back, and nothing that goes wrong is anybody else's trouble."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from cjsm.configuration import AuthenticationSettings
from cjsm.mail.authentication import authenticator
from cjsm.mail.authentication.authenticator import Authenticator
from cjsm.mail.authentication.interfaces import IAuthenticator, Kind
from cjsm.mail.authentication.results import UNAVAILABLE, AuthenticationResult, Policy, Result, confirmed
from cjsm.mail.authentication.verification import Crossing, author_domain, examine
from cjsm.mail.header import Header
from tests.mail.support import logged

from .support import BODY, DOMAIN, LETTER, NOW, Zone, fields, hashes, header, lookups, published, rsa, signed

SETTINGS = AuthenticationSettings(threads=1, queue=1, message=20, lookup=5)
PEER = "192.0.2.7"


def zone() -> Zone:
    """A domain with everything."""
    made = published(("sel", rsa()))
    made.records["firm.example", "TXT"] = ["v=spf1 ip4:192.0.2.7 -all"]
    made.records["_dmarc.firm.example", "TXT"] = ["v=DMARC1; p=reject"]
    return made


class Threads:
    """Threads that a test lets go on one by one."""

    joined = False

    def __init__(self, minthreads: int, maxthreads: int, name: str) -> None:
        self.waiting: list[tuple[Callable[[bool, Any], None], Callable[[], Any]]] = []

    def start(self) -> None: ...

    def stop(self) -> None:
        self.joined = True

    def callInThreadWithCallback(self, report: Callable[[bool, Any], None], work: Callable[[], Any]) -> None:
        self.waiting.append((report, work))

    def finish(self) -> None:
        """End what began first."""
        report, work = self.waiting.pop(0)
        try:
            result = work()
        except RuntimeError:
            report(False, Failure())
        else:
            report(True, result)


@implementer(IReactorFromThreads)
class Reactor(Clock):
    """A clock that takes calls from threads at once."""

    def callFromThread(self, call: Callable[..., Any], *arguments: object) -> None:
        call(*arguments)


class House:
    """An authenticator with its threads, and the answers so far."""

    def __init__(self, records: Zone) -> None:
        self.zone = records
        self.reactor = Reactor()
        self.made = Authenticator(
            SETTINGS, resolver=records, reactor=self.reactor, clock=lambda: NOW, elapsed=self.reactor.seconds
        )
        self.made.start()
        found = self.made._pool
        assert isinstance(found, Threads)
        self.threads = found
        self.answers: list[AuthenticationResult] = []

    def send(self, section: bytes = b"", body: bytes = BODY) -> "Deferred[AuthenticationResult]":
        """One message comes in."""
        told = header((section or signed()) + LETTER)
        inspector = self.made.inspector(told)
        inspector.write(body)
        asked = self.made.verify(told, inspector.finish(), PEER, "mail.firm.example", "jo@firm.example")
        asked.addCallback(self.answers.append)
        return asked


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    """With a domain that has everything."""
    monkeypatch.setattr(authenticator, "ThreadPool", Threads)
    return House(zone())


def test_a_good_message(house: House) -> None:
    """All three pass, and the signature confirms the author's domain."""
    verifyObject(IAuthenticator, house.made)
    house.send()
    assert house.answers == []
    house.threads.finish()
    (found,) = house.answers
    assert (found.spf.result, found.dkim[0].result, found.dmarc.result) == (Result.PASS,) * 3
    assert found.dmarc.policy is Policy.REJECT
    assert confirmed(found, DOMAIN)
    assert house.reactor.getDelayedCalls() == []


def test_a_changed_message(house: House) -> None:
    """SPF vouches still; nothing is confirmed."""
    house.send(body=BODY + b"and more")
    house.threads.finish()
    (found,) = house.answers
    assert (found.spf.result, found.dkim[0].result, found.dmarc.result) == (Result.PASS, Result.FAIL, Result.PASS)
    assert not confirmed(found, DOMAIN)


def test_only_what_is_needed_is_hashed(house: House) -> None:
    """Nothing for unsigned mail."""
    assert house.made.inspector(header(LETTER)).finish() == hashes(b"", wanted=())
    assert house.made.inspector(header(signed() + LETTER)).finish().relaxed is None


def test_too_many_at_once(house: House) -> None:
    """What would be the third waits for nobody: it is a temporary error at once; then there is room again."""
    house.send()
    house.send()
    house.send()
    assert house.answers == [UNAVAILABLE]
    house.threads.finish()
    house.send()
    assert len(house.answers) == 2
    house.threads.finish()
    house.threads.finish()
    assert [confirmed(found, DOMAIN) for found in house.answers] == [False, True, True, True]


def test_waiting_too_long(house: House) -> None:
    """Time in the queue counts: nothing is asked any more when it is over."""
    house.send()
    house.reactor.advance(20)
    house.threads.finish()
    (found,) = house.answers
    assert found.dkim[0].result is Result.TEMPERROR
    assert found.spf.result is found.dmarc.result is Result.TEMPERROR
    assert house.zone.asked == []


def test_a_thread_that_hangs(house: House) -> None:
    """Whoever waits is answered; its late result is nobody's."""
    with logged() as events:
        house.send()
        house.reactor.advance(25)
    assert house.answers == [UNAVAILABLE]
    assert any("in time" in event for event in events)
    house.threads.finish()
    assert house.answers == [UNAVAILABLE]


def test_a_mistake_of_ours(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that nobody thought of is logged, and a temporary error."""

    def broken(name: str, kind: Kind, seconds: float) -> tuple[bytes, ...]:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(house.zone, "lookup", broken)
    with logged() as events:
        house.send()
        house.threads.finish()
    assert house.answers == [UNAVAILABLE]
    assert any("could not be examined" in event for event in events)


def test_giving_up(house: House) -> None:
    """Whoever asked may go away."""
    asked = house.send()
    asked.addErrback(lambda failure: None)
    asked.cancel()
    house.threads.finish()
    assert house.answers == []
    assert house.reactor.getDelayedCalls() == []


def test_stopping(house: House) -> None:
    """What is under way asks nothing more, and nothing new begins."""
    house.send()
    house.made.stop()
    house.made.stop()
    house.send()
    assert house.answers == [UNAVAILABLE]
    house.threads.finish()
    assert house.answers[1].dkim[0].result is Result.TEMPERROR
    assert house.zone.asked == []


def crossing(section: Header, mail_from: str = "jo@firm.example") -> Crossing:
    return Crossing(header=section, bodies=hashes(BODY), peer=PEER, helo="mail.firm.example", mail_from=mail_from)


@pytest.mark.parametrize(
    ("line", "domain"),
    [
        (b"From: Jo <jo@Firm.Example>\r\n", "firm.example"),
        (b"From: jo@firm.example, sam@other.example\r\n", ""),
        (b"From: jo@firm.example\r\nFrom: jo@firm.example\r\n", ""),
        (b"From: nobody\r\n", ""),
        (b"From:\r\n", ""),
        (b"From: <jo@firm.example> <sam@other.example>\r\n", ""),
        (b"X: y\r\n", ""),
    ],
)
def test_author(line: bytes, domain: str) -> None:
    """The one address in From, or nobody."""
    assert author_domain(fields(line)) == domain


def test_forged_author() -> None:
    """Another domain's signature and SPF vouch for nobody else."""
    records = zone()
    records.records["_dmarc.court.example", "TXT"] = ["v=DMARC1; p=reject"]
    forged = LETTER.replace(b"jo@firm.example", b"judge@court.example")
    found = examine(crossing(header(signed(forged) + forged)), lookups(records), signatures=5, now=NOW)
    assert (found.dkim[0].result, found.spf.result) == (Result.PASS, Result.PASS)
    assert (found.dmarc.result, found.dmarc.policy) == (Result.FAIL, Policy.REJECT)
    assert not confirmed(found, "court.example")


def test_spf_leaves_lookups_for_signatures() -> None:
    """Whoever publishes a policy that asks too much hides no signature."""
    records = zone()
    records.records["firm.example", "TXT"] = ["v=spf1 mx -all"]
    records.records["firm.example", "MX"] = [f"h{number}.example" for number in range(10)]
    found = examine(crossing(header(signed() + LETTER)), lookups(records, most=4), signatures=5, now=NOW)
    assert (found.dkim[0].result, found.spf.result) == (Result.PASS, Result.PERMERROR)


lines = st.sampled_from(
    [
        *(*signed().split(b"\r\n"), *LETTER.split(b"\r\n")),
        *(b"From: x@y.example", b"DKIM-Signature: v=1", b"\t;", b"From: \xff"),
    ]
).filter(bool)


@given(st.lists(lines, max_size=12), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_total(section: list[bytes], peer: str, helo: str, mail_from: str) -> None:
    """Whatever comes in."""
    told = fields(b"X: y\r\n" + b"".join(line + b"\r\n" for line in section))
    at_edge = Crossing(header=told, bodies=hashes(BODY), peer=peer, helo=helo, mail_from=mail_from)
    examine(at_edge, lookups(zone()), signatures=3, now=NOW)
