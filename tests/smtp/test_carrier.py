"""Notices on their way to the one host: one connection for letters that follow one another, and what it answers."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer
from zope.interface.verify import verifyObject

from cjsm.mail.sending import CannotReach, Interrupted, IRelayConnector, NextHopPolicy, Outcome, Parcel, Sent
from cjsm.notices.interfaces import CannotCarry, Host, ICarrier
from cjsm.smtp.carrier import NoticeCarrier
from tests.mail.support import result

HOST = Host(host="mail.example.org", port=25, name="mx.example.org", pins=frozenset({"a" * 64}), public=False)
LETTER = b"Subject: x\r\n\r\nx\r\n" * 10


class Session:
    """Answers as a test says."""

    def __init__(self, policy: NextHopPolicy) -> None:
        self.policy = policy
        self.usable = True
        self.closed = False
        self.code = 250
        self.sent: list[tuple[str, list[str], bytes]] = []

    def send(self, parcel: Parcel) -> "Deferred[Sent]":
        octets = b""
        while piece := result(parcel.pieces.read(7)):
            octets += piece
        parcel.pieces.close()
        assert parcel.octets == len(octets)
        self.sent.append((parcel.reverse_path, [each.address for each in parcel.addressees], octets))
        if not self.code:
            return fail(Interrupted("it hung up"))
        return succeed(Sent(outcomes={0: Outcome(code=self.code, status="2.0.0", text=f"{self.code} so")}))

    def close(self) -> None:
        self.closed = True


@implementer(IRelayConnector)
class Connector:
    """Connects to whom it is told, unless a test says that nobody is there."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.away = False

    def connect(self, policy: NextHopPolicy) -> "Deferred[Any]":
        if self.away:
            return fail(CannotReach("the name cannot be found"))
        self.sessions.append(Session(policy))
        return succeed(self.sessions[-1])


@pytest.fixture
def connector() -> Connector:
    return Connector()


@pytest.fixture
def carrier(connector: Connector) -> NoticeCarrier:
    return NoticeCarrier(connector)


def carry(carrier: NoticeCarrier, host: Host = HOST) -> None:
    result(carrier.carry(host, "noreply@example.org", "jo@home.example", LETTER))


def test_letters_that_follow_one_another(carrier: NoticeCarrier, connector: Connector) -> None:
    """Go over one connection, under the policy that the host has; another host has its own."""
    assert verifyObject(ICarrier, carrier)
    carry(carrier)
    carry(carrier)
    (session,) = connector.sessions
    assert session.sent == [("noreply@example.org", ["jo@home.example"], LETTER)] * 2
    assert session.policy == NextHopPolicy(
        host="mail.example.org", port=25, name="mx.example.org", public_authority=False, pins=frozenset({"a" * 64})
    )
    carry(carrier, Host(host="other.example.org", port=25, name="other.example.org"))
    assert session.closed
    assert connector.sessions[1].policy.public_authority
    carrier.rest()
    assert connector.sessions[1].closed
    carrier.rest()


@pytest.mark.parametrize(("code", "for_good"), [(451, False), (550, True), (0, False)])
def test_refused(carrier: NoticeCarrier, connector: Connector, code: int, for_good: bool) -> None:
    """For now, for good, or nobody knows."""
    carry(carrier)
    connector.sessions[0].code = code
    with pytest.raises(CannotCarry) as caught:
        carry(carrier)
    assert caught.value.for_good is for_good
    assert connector.sessions[0].closed is (not code)
    connector.sessions[0].usable = False
    carry(carrier)
    assert len(connector.sessions) == 2


def test_nobody_there(carrier: NoticeCarrier, connector: Connector) -> None:
    """It is tried again another time."""
    connector.away = True
    with pytest.raises(CannotCarry, match="the name cannot be found") as caught:
        carry(carrier)
    assert not caught.value.for_good
