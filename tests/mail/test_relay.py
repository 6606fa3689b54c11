"""From the queue to other servers: in their turn, once, and nobody waits for somebody else's server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from cjsm.community.records import ConnectionState, NextHop, RelayLimits, TlsTrust, TlsVersion
from cjsm.configuration import RelaySettings
from cjsm.mail.sending import Interrupted, IRelayConnector, IRelaySession, NextHopPolicy
from cjsm.store.interfaces import Unavailable
from tests.community.communities import FIRM_CONNECTION, FIRM_DOMAIN

from .support import logged, result
from .way import (
    AT_COURT,
    AT_FIRM,
    BUSY,
    COURT_HOST,
    FIRM_HOST,
    MINUTE,
    NOBODY,
    MemorySession,
    Recording,
    Servers,
    Way,
    firm,
)

AWAY = Unavailable("the disk is away")
MakeWay = Callable[..., Way]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeWay]:
    """Make the way out of a house."""
    made: list[Way] = []

    def way(**values: Any) -> Way:
        made.append(Way(tmp_path, **values))
        return made[-1]

    yield way
    for each in made:
        each.close()


@pytest.fixture
def way(make: MakeWay) -> Way:
    """The way out, with nothing special about it."""
    return make()


def test_fakes_are_true() -> None:
    """The servers of these tests keep to what relay asks for."""
    assert verifyObject(IRelayConnector, Servers())
    assert verifyObject(IRelaySession, MemorySession(Servers(), NextHopPolicy(host="host", port=25, name="host")))


def test_a_message_goes_out(way: Way) -> None:
    """With the firm's own address, to its next hop, and it leaves the queue."""
    way.send()
    way.worker.start()
    ((host, parcel, octets),) = way.servers.messages
    assert (host, [each.address for each in parcel.addressees]) == (FIRM_HOST, ["re.layed@firm.co.uk"])
    assert octets.endswith(b"At ten.\r\n")
    assert way.waiting() == []
    assert way.told() == []


def test_more_recipients_than_a_server_must_take(make: MakeWay) -> None:
    """A hundred at a time (RFC 5321 section 4.5.3.1.8), so that nobody waits for hours behind the others."""
    way = make(recipients=1_000)
    everybody = [f"member{number}@{FIRM_DOMAIN.name}" for number in range(250)]
    way.send(*everybody)
    way.worker.start()
    way.wait(1)
    assert [len(each) for each in way.servers.got()] == [100, 100, 50]
    assert {address for each in way.servers.got() for address in each} == {
        f"member{number}@firm.co.uk" for number in range(250)
    }
    assert way.waiting() == []


def test_nothing_goes_before_the_start(way: Way) -> None:
    """Arrivals are noticed when the worker runs, by word or by looking four times a second."""
    way.send()
    way.worker.wake()
    assert way.servers.calls == []
    way.worker.start()
    way.send()
    assert len(way.servers.messages) == 1
    way.wait(0.3)
    assert len(way.servers.messages) == 2
    way.send()
    way.worker.wake()
    assert len(way.servers.messages) == 3


def test_one_connection_for_many(way: Way) -> None:
    """Messages follow each other while their session may be used; it is closed when no more come for a while."""
    for _ in range(40):
        way.send()
    way.worker.start()
    assert len(way.servers.got()) == 40
    assert len(way.servers.calls) <= 40 // 2
    way.wait(4)
    assert not all(session.closed for session in way.servers.sessions)
    way.wait(2)
    assert all(session.closed for session in way.servers.sessions)


def _waiting_session(way: Way) -> MemorySession:
    """Send a message; return the session that waits for another."""
    way.send()
    way.worker.start()
    way.wait()
    (session,) = way.servers.sessions
    assert not session.closed
    return session


def test_a_connection_that_waits_is_used_again(way: Way) -> None:
    """As long as it may be, and the connection asks for nothing else."""
    session = _waiting_session(way)
    way.send()
    way.wait()
    assert (len(way.servers.got()), way.servers.sessions) == (2, [session])
    session.usable = False
    way.send()
    way.wait()
    assert len(way.servers.got()) == 3
    assert len(way.servers.sessions) == 2
    assert session.closed


@pytest.mark.parametrize(
    "changed",
    [{"tls_pins": ("ab",)}, {"tls_name": "other.example"}, {"next_hops": (NextHop(host="two.example", port=25),)}],
    ids=["pin", "name", "host"],
)
def test_a_connection_that_waits_is_not_used_for_another_policy(way: Way, changed: dict[str, Any]) -> None:
    """What must be shown has changed: the server is asked to show it."""
    session = _waiting_session(way)
    way.connection(msgspec.structs.replace(FIRM_CONNECTION, **changed))
    way.send()
    way.wait()
    assert len(way.servers.messages) == len(way.servers.sessions) == 2
    way.wait(6)
    assert session.closed


@pytest.mark.parametrize("ended", ["renewed", "stopped"])
def test_what_waits_is_closed(way: Way, ended: str) -> None:
    """With other settings, which may be other certificates, and at the end."""
    session = _waiting_session(way)
    if ended == "renewed":
        way.worker.renew(RelaySettings())
    else:
        result(way.worker.stop())
    assert session.closed


def test_a_connection_that_broke_while_it_waited(way: Way) -> None:
    """It says nothing of the server: the message goes over another at once, and nobody counts a failure."""
    _waiting_session(way)
    way.servers.interrupts.append(Interrupted("the server closed the connection"))
    way.send()
    way.wait()
    assert (len(way.servers.got()), len(way.servers.sessions), way.waiting()) == (2, 2, [])


def test_one_that_breaks_while_it_is_used_is_a_failure(way: Way) -> None:
    """Also where the connection before it had waited."""
    _waiting_session(way)
    way.servers.interrupts += Interrupted("and again"), Interrupted("the server closed the connection")
    way.send()
    way.wait()
    assert way.state().reason == "and again"


def test_no_waiting(make: MakeWay) -> None:
    """Where the settings say so."""
    way = make(relay=RelaySettings(idle_connection=0))
    way.send()
    way.worker.start()
    assert all(session.closed for session in way.servers.sessions)


def test_next_hops_in_order(make: MakeWay) -> None:
    """The second where the first is away; what each must show is the connection's."""
    hops = (NextHop(host="one.example", port=25), NextHop(host="two.example", port=2_525))
    way = make(
        view=firm(
            next_hops=hops,
            tls_name="mail.firm.example",
            tls_trust=TlsTrust.PUBLIC,
            tls_pins=("ab",),
            tls_minimum=TlsVersion.TLS_1_3,
        )
    )
    way.servers.away.add("one.example")
    way.send()
    way.worker.start()
    assert [(policy.host, policy.port) for policy in way.servers.calls] == [("one.example", 25), ("two.example", 2_525)]
    policy = way.servers.calls[1]
    assert (policy.name, policy.public_authority, policy.newest_tls_only) == ("mail.firm.example", True, True)
    assert policy.pins == {"ab"}
    assert len(way.servers.got("two.example")) == 1


@pytest.mark.parametrize(
    "values",
    [{"next_hops": (NextHop(host="new.example", port=25),)}, {"tls_pins": ("ab",)}, {"tls_name": "other.example"}],
    ids=["next hop", "pin", "name"],
)
def test_a_connection_that_is_changed_while_mail_goes_over_it(make: MakeWay, values: dict[str, Any]) -> None:
    """No further message goes to a server that was found to be what the connection asked for before."""
    way = make(view=firm(limits=RelayLimits(concurrency=1)))
    way.servers.hold = Deferred()
    way.send()
    way.send()
    way.worker.start()
    changed = msgspec.structs.replace(FIRM_CONNECTION, limits=RelayLimits(concurrency=1), **values)
    way.connection(changed)
    hold, way.servers.hold = way.servers.hold, None
    hold.callback(None)
    before, after = way.servers.calls
    assert after != before
    assert [host for host, _, _ in way.servers.messages] == [FIRM_HOST, after.host]
    way.wait(6)
    assert all(session.closed for session in way.servers.sessions)


def test_without_next_hops_it_waits(make: MakeWay) -> None:
    """And says what is missing."""
    way = make(view=firm(next_hops=()))
    way.send()
    way.worker.start()
    assert "no next hop" in way.state().reason


@pytest.mark.parametrize("limits", [RelayLimits(), RelayLimits(concurrency=3)], ids=["settings", "own"])
def test_connections_at_once(make: MakeWay, limits: RelayLimits) -> None:
    """No more than the window, nor than the connection's own limit."""
    way = make(view=firm(limits=limits), relay=RelaySettings(concurrency_first=5))
    way.servers.hold = Deferred()
    for _ in range(20):
        way.send()
    way.worker.start()
    assert len(way.servers.calls) == (limits.concurrency or 5)
    hold, way.servers.hold = way.servers.hold, None
    hold.callback(None)
    way.wait(1)
    assert len(way.servers.got()) == 20


def test_connections_in_all(make: MakeWay) -> None:
    """There is a limit for all destinations together, and everybody's turn comes."""
    way = make(view=firm(court=True), relay=RelaySettings(active=2))
    way.servers.hold = Deferred()
    for _ in range(5):
        way.send(AT_FIRM)
        way.send(AT_COURT)
    way.worker.start()
    assert len(way.servers.calls) == 2
    hold, way.servers.hold = way.servers.hold, None
    hold.callback(None)
    way.wait(1)
    assert (len(way.servers.got()), len(way.servers.got(COURT_HOST))) == (5, 5)


def test_a_dead_destination_holds_up_nobody(make: MakeWay) -> None:
    """1,000 messages wait for a server that is away: it is called a few times, and others get theirs at once."""
    way = make(view=firm(court=True))
    way.servers.away.add(FIRM_HOST)
    for _ in range(1_000):
        way.send(AT_FIRM)
    way.send(AT_COURT)
    way.worker.start()
    way.wait(2)
    assert len(way.servers.got(COURT_HOST)) == 1
    assert way.servers.counted()[FIRM_HOST] <= 10
    waiting = way.waiting()
    assert len(waiting) == 1_000
    assert {queued.state.reason for queued in waiting} == {f"{FIRM_HOST} does not answer"}
    assert {queued.state.attempts for queued in waiting} == {1}
    way.send(AT_COURT)
    way.wait(0.3)
    assert len(way.servers.got(COURT_HOST)) == 2


@pytest.mark.parametrize("limits", [RelayLimits(), RelayLimits(retry_first=120)], ids=["settings", "own"])
def test_a_dead_destination_rests(make: MakeWay, limits: RelayLimits) -> None:
    """For as long as a first retry takes; then it is called again, and everything goes when it is well."""
    way = make(view=firm(limits=limits))
    rest = limits.retry_first or 300
    way.servers.away.add(FIRM_HOST)
    for _ in range(50):
        way.send()
    way.worker.start()
    way.wait(1)
    calls = len(way.servers.calls)
    way.wait(rest - 10, step=5)
    assert len(way.servers.calls) == calls
    way.send()
    way.wait(1)
    assert len(way.servers.calls) == calls
    way.servers.away.clear()
    way.wait(20, step=1)
    assert len(way.servers.got()) >= 50


def test_why_a_destination_rests_names_nobody(make: MakeWay) -> None:
    """What a server said of one message is kept with all that wait, and logged."""
    way = make(relay=RelaySettings(concurrency_first=1))
    way.servers.interrupts = [Interrupted("the server says 421 4.7.0 <re.layed@firm.co.uk> is too much")]
    for _ in range(3):
        way.send()
    with logged() as texts:
        way.worker.start()
        way.wait(1)
    reasons = {queued.state.reason for queued in way.waiting()}
    assert reasons == {"the server says 421 4.7.0 (address) is too much"}
    assert "a destination is put off: the server says 421 4.7.0 (address) is too much" in texts


def test_an_interrupted_message_is_tried_again(way: Way) -> None:
    """Nobody knows what became of it; its session is not used again."""
    way.servers.interrupts = [Interrupted("the server closed the connection")]
    way.send()
    way.worker.start()
    assert way.state().reason == "the server closed the connection"
    way.wait(301, step=1)
    assert len(way.servers.calls) == 2
    assert way.waiting() == []


def test_what_nobody_thought_of_costs_one_message_a_wait(way: Way) -> None:
    """It is logged and tried again; the others go."""
    way.servers.interrupts = [ZeroDivisionError("?")]
    way.send()
    way.send()
    with logged() as texts:
        way.worker.start()
    assert any("could not be sent" in text for text in texts)
    assert len(way.servers.got()) == 1
    assert "ZeroDivisionError" in way.state().reason


@pytest.mark.parametrize("times", [1, 3])
def test_what_cannot_be_recorded_is_not_sent_again(way: Way, times: int) -> None:
    """It was sent once; that is written as soon as there is a disk."""
    recording = Recording(way, [AWAY] * times)
    way.send()
    with logged() as texts:
        way.worker.start()
        way.wait(4.5)
        assert len(way.waiting()) == 1
        way.wait(5.5 * times)
    assert sum("could not be told" in text for text in texts) == times
    assert len(way.servers.messages) == 1
    assert [attempted.settled for attempted in recording.made] == [(0,)]
    assert way.waiting() == []


def test_a_queue_that_cannot_be_read_after_sending(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was just sent is not given back, so nobody gets it twice."""
    failing = [AWAY]
    claim = way.queue.claim

    def once_away(*arguments: Any) -> "Deferred[Any]":
        if way.servers.messages and failing:
            raise failing.pop()
        return claim(*arguments)

    monkeypatch.setattr(way.queue, "claim", once_away)
    Recording(way, [AWAY])
    for _ in range(33):
        way.send()
    way.servers.answers["re.layed@firm.co.uk"] = BUSY
    with logged() as texts:
        way.worker.start()
        way.wait(10)
    assert any("relay has to wait" in text for text in texts)
    assert len(way.servers.messages) == 33
    assert [queued.state.attempts for queued in way.waiting()] == [1] * 33


def test_stop_waits_for_what_is_under_way(way: Way) -> None:
    """It is sent and written; nothing more is begun."""
    way.servers.hold = Deferred()
    for _ in range(10):
        way.send()
    way.worker.start()
    stopped: list[None] = []
    way.worker.stop().addCallback(stopped.append)
    assert (stopped, way.servers.messages) == ([], [])
    way.servers.hold.callback(None)
    assert stopped == [None]
    assert len(way.servers.messages) == 5
    assert len(way.waiting()) == 5
    way.wait(5)
    assert len(way.servers.messages) == 5


def test_stop_when_nothing_is_under_way(way: Way) -> None:
    """At once, and for good."""
    way.worker.start()
    assert result(way.worker.stop()) is None
    way.send()
    way.wait(1)
    assert way.servers.calls == []


@pytest.mark.parametrize("stopped_first", [True, False])
def test_stop_does_not_wait_for_a_disk_that_stays_away(way: Way, stopped_first: bool) -> None:
    """However often writing fails."""
    Recording(way, [AWAY] * 100)
    way.servers.hold = Deferred()
    way.send()
    way.worker.start()
    stopped: list[None] = []
    if stopped_first:
        way.worker.stop().addCallback(stopped.append)
        way.servers.hold.callback(None)
    else:
        way.servers.hold.callback(None)
        way.worker.stop().addCallback(stopped.append)
    assert stopped == [None]


def test_held_while_it_stood_in_line(way: Way) -> None:
    """What the worker took already stays when an engineer holds it; what is being sent goes on."""
    way.servers.hold = Deferred()
    for _ in range(8):
        way.send()
    way.worker.start()
    way.change(held=True)
    hold, way.servers.hold = way.servers.hold, None
    hold.callback(None)
    way.wait(5)
    assert len(way.servers.messages) == 5
    assert [queued.state.held for queued in way.waiting()] == [True] * 3
    way.change(held=False, due=0)
    way.wait(0.3)
    assert way.waiting() == []


def test_retry_wakes_a_dead_destination(way: Way) -> None:
    """An engineer's word counts more than its rest; asking for a thousand messages is asking once."""
    way.servers.away.add(FIRM_HOST)
    for _ in range(100):
        way.send()
    way.worker.start()
    way.wait(10)
    calls = len(way.servers.calls)
    way.change(due=0)
    way.wait(3)
    assert calls < len(way.servers.calls) <= calls + 10
    assert all(queued.state.attempts == 2 and queued.state.due for queued in way.waiting())
    way.servers.away.clear()
    way.wait(10)
    way.change(due=0)
    way.wait(1)
    assert way.waiting() == []


@pytest.mark.parametrize("state", ["fresh", "held", "dead"])
def test_removed(way: Way, state: str) -> None:
    """It is returned within a second, whatever state it or its destination is in, and never sent."""
    way.servers.away.add(FIRM_HOST)
    for _ in range(20 if state == "dead" else 1):
        way.send()
    if state == "held":
        way.change(held=True)
    if state != "fresh":
        way.worker.start()
        way.wait(1)
    calls = len(way.servers.calls)
    way.change(removed="wrong firm", held=False, due=0)
    way.worker.start()
    way.wait(1)
    assert way.waiting() == []
    assert len(way.servers.calls) == calls
    assert len(way.told()) == (20 if state == "dead" else 1)


def test_removed_while_it_was_tried(way: Way) -> None:
    """The try does not make the engineer wait for the next one."""
    way.servers.answers["re.layed@firm.co.uk"] = BUSY
    way.servers.hold = Deferred()
    way.send()
    way.worker.start()
    way.change(removed="wrong firm", due=0)
    way.servers.hold.callback(None)
    way.wait(0.6)
    assert way.waiting() == []
    assert len(way.told()) == 1


def test_a_refusal_is_an_answer(way: Way) -> None:
    """Servers that refuse in an orderly way are not dead."""
    way.servers.answers["re.layed@firm.co.uk"] = NOBODY
    for _ in range(30):
        way.send()
    way.worker.start()
    way.wait(1)
    assert len(way.servers.messages) == 30
    assert way.waiting() == []


def test_a_suspended_connection_waits(way: Way) -> None:
    """Nobody is called; when it is resumed its mail goes."""
    way.send()
    way.connection(msgspec.structs.replace(FIRM_CONNECTION, state=ConnectionState.SUSPENDED))
    way.worker.start()
    assert "suspended" in way.state().reason
    assert way.servers.calls == []
    way.connection(FIRM_CONNECTION)
    way.wait(5 * MINUTE + 1, step=1)
    assert way.waiting() == []
