"""One try after the other: how long until the next, who is done with, and what the sender hears."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred

from cjsm.community.admission import ConnectionOrigin, Service
from cjsm.community.identifiers import AccountId
from cjsm.community.records import ConnectionState, DomainState, RelayLimits
from cjsm.configuration import RelaySettings
from cjsm.mail.envelope import Notify, Wish
from cjsm.mail.sending import Outcome
from cjsm.mail.traced import Result, open_event
from cjsm.store.interfaces import Missing, Unavailable
from cjsm.vault.traces import TraceSealer
from tests.community.communities import CRIME_LIST, FIRM_CONNECTION, FIRM_DOMAIN, SUFFIX, community, identifier

from .support import JO_ADDRESS, JO_MAILBOX, LETTER, LIST_ADDRESS, OLIVE, SECRETS, logged, result
from .way import AT_FIRM, BUSY, FIRM_HOST, HOUR, MINUTE, NOBODY, TAKEN, Way, fields_of, firm, words_of
from .weather import Fate

MakeWay = Callable[..., Way]
BOSS, CLERK = f"boss@firm.co.uk.{SUFFIX}", f"clerk@firm.co.uk.{SUFFIX}"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeWay]:
    """Make the way out of a house, with the worker started."""
    made: list[Way] = []

    def way(**values: Any) -> Way:
        made.append(Way(tmp_path, **values))
        made[-1].worker.start()
        return made[-1]

    yield way
    for each in made:
        each.close()


@pytest.fixture
def way(make: MakeWay) -> Way:
    """The way out, with nothing special about it."""
    return make()


def results(way: Way) -> list[Result]:
    """What the trace was told."""
    sealer = TraceSealer(SECRETS.cache)
    return [open_event(sealer, record).result for record in way.house.traced.records]


def waits(way: Way, times: int) -> list[int]:
    """How long the message waits after each of so many tries."""
    found = []
    for _ in range(times):
        way.wait(0.3)
        state = way.state()
        found.append(state.due - state.tried)
        way.wait(found[-1] + 0.3, step=MINUTE)
    return found


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, [300, 450, 675, 1012, 1518, 2278, 3417, 3600, 3600]),
        ({"relay": RelaySettings(retry_first=10, retry_most=30)}, [10, 15, 22, 30, 30]),
        ({"view": firm(limits=RelayLimits(retry_first=20, retry_most=40))}, [20, 30, 40, 40]),
    ],
    ids=["default", "settings", "own"],
)
def test_times_between_tries(make: MakeWay, values: dict[str, Any], expected: list[int]) -> None:
    """Half as long again each time, up to a limit; a connection's own figures count before the settings."""
    way = make(**values)
    way.servers.answers["re.layed@firm.co.uk"] = BUSY
    way.send()
    found = waits(way, len(expected))
    assert all(abs(each - wanted) <= 1 for each, wanted in zip(found, expected, strict=True)), found


@pytest.mark.parametrize(
    ("values", "notice", "end"),
    [
        ({}, 4 * HOUR, 48 * HOUR),
        ({"relay": RelaySettings(delay_notice=1_000, give_up=2 * HOUR)}, 1_000, 2 * HOUR),
        ({"view": firm(limits=RelayLimits(delay_notice=2_000, give_up=3 * HOUR))}, 2_000, 3 * HOUR),
    ],
    ids=["default", "settings", "own"],
)
def test_late_and_given_up(make: MakeWay, values: dict[str, Any], notice: int, end: int) -> None:
    """The sender hears once that it is late, and in the end that it failed; tries are an hour apart at most."""
    way = make(**values)
    way.servers.answers["re.layed@firm.co.uk"] = BUSY
    way.send()
    way.wait(notice - 1, step=10)
    assert way.told() == []
    way.wait(HOUR + 10, step=10)
    (late,) = way.told()
    (fields,) = fields_of(late)
    assert (fields["Action"], fields["Status"]) == ("delayed", "4.2.1")
    assert fields["Will-Retry-Until"]
    way.wait(end - notice - HOUR - 30, step=30)
    assert way.told() == []
    assert way.waiting()
    way.wait(HOUR + 60, step=30)
    assert way.waiting() == []
    (failed,) = way.told()
    (fields,) = fields_of(failed)
    # RFC 3463 section 3.5: delivery time expired; the class says that nothing more will be tried.
    assert (fields["Action"], fields["Status"]) == ("failed", "5.4.7")
    assert "450 4.2.1 busy" in fields["Diagnostic-Code"]
    assert results(way).count(Result.EXPIRED) == 1


def test_another_servers_own_expiry_is_no_end(way: Way) -> None:
    """Its 4.4.7 is one more reason to wait, also in the trace."""
    way.servers.answers["re.layed@firm.co.uk"] = Outcome(code=451, status="4.4.7", text="451 4.4.7 too slow")
    way.send()
    way.wait(1)
    assert way.state().attempts == 1
    assert results(way)[-1] is Result.DEFERRED


def test_recipients_by_themselves(way: Way) -> None:
    """Taken, refused and busy: each is dealt with once, and only the last is tried again."""
    way.servers.answers = {"boss@firm.co.uk": NOBODY, "clerk@firm.co.uk": BUSY}
    way.send(AT_FIRM, BOSS, CLERK)
    way.wait()
    assert way.state().settled == (0, 1)
    (report,) = way.told()
    (fields,) = fields_of(report)
    assert (fields["Final-Recipient"].split(";")[1].strip(), fields["Status"]) == (BOSS, "5.1.1")
    assert FIRM_HOST in fields["Remote-MTA"]
    way.servers.answers.clear()
    way.wait(5 * MINUTE + 1, step=1)
    assert way.servers.got()[1:] == [["clerk@firm.co.uk"]]
    assert way.waiting() == []
    assert way.told() == []


@pytest.mark.parametrize(
    ("notify", "answer", "action"),
    [
        (None, NOBODY, "failed"),
        (None, TAKEN, ""),
        ({Notify.NEVER}, NOBODY, ""),
        ({Notify.NEVER}, TAKEN, ""),
        ({Notify.SUCCESS}, NOBODY, ""),
        ({Notify.SUCCESS}, TAKEN, "relayed"),
        ({Notify.DELAY}, NOBODY, ""),
        ({Notify.FAILURE}, NOBODY, "failed"),
    ],
)
def test_what_was_asked_for(way: Way, notify: set[Notify] | None, answer: Outcome, action: str) -> None:
    """The sender hears what it asked for (RFC 3461 section 4.1), and failures where it said nothing."""
    way.servers.answers["re.layed@firm.co.uk"] = answer
    way.send(wish=Wish(notify=frozenset(notify) if notify is not None else None))
    way.wait()
    assert way.waiting() == []
    assert [fields["Action"] for report in way.told() for fields in fields_of(report)] == ([action] if action else [])


@pytest.mark.parametrize("notify", [{Notify.NEVER}, {Notify.FAILURE}, {Notify.SUCCESS}])
def test_late_without_asking_for_it(way: Way, notify: set[Notify]) -> None:
    """Who does not want to hear of delays does not."""
    way.servers.answers["re.layed@firm.co.uk"] = BUSY
    way.send(wish=Wish(notify=frozenset(notify)))
    way.wait(6 * HOUR, step=60)
    assert way.told() == []


def test_a_server_that_reports_itself(way: Way) -> None:
    """It was told of the wish for success, so nothing is said twice."""
    way.servers.passes_reports_on = True
    way.send(wish=Wish(notify=frozenset({Notify.SUCCESS})))
    way.wait()
    assert way.waiting() == []
    assert way.told() == []


def test_a_list_reports_to_its_manager(make: MakeWay) -> None:
    """Who wrote to the list hears nothing of its members (RFC 3464 and community 8)."""
    managed = msgspec.structs.replace(CRIME_LIST, managers=(AccountId(identifier("olive.marsh")),))
    way = make(view=community(managed))
    way.servers.answers["re.layed@firm.co.uk"] = NOBODY
    way.send(LIST_ADDRESS, wish=Wish(notify=frozenset({Notify.SUCCESS, Notify.FAILURE})))
    way.wait()
    assert way.waiting() == []
    (report,) = way.told(OLIVE)
    (fields,) = fields_of(report)
    assert fields["Action"] == "failed"


def test_a_list_without_manager(way: Way) -> None:
    """Nobody is there to hear of it, least of all who wrote to it."""
    way.servers.answers["re.layed@firm.co.uk"] = NOBODY
    way.send(LIST_ADDRESS)
    way.wait()
    assert way.waiting() == []
    assert way.told() == []


def test_a_suspended_connection(way: Way) -> None:
    """Its mail waits, and is given up like all that waits too long."""
    way.worker.stop()
    way.send()
    way.connection(msgspec.structs.replace(FIRM_CONNECTION, state=ConnectionState.SUSPENDED))
    way.worker.start()
    way.wait(49 * HOUR, step=60)
    assert way.servers.calls == []
    assert way.waiting() == []
    late, failed = way.told()
    assert "suspended" in words_of(late)
    assert fields_of(failed)[0]["Status"] == "5.4.7"


def test_what_a_server_says_is_kept_short_and_of_nobody(way: Way, tmp_path: Path) -> None:
    """The queue is readable for whoever has the disk: why a message waits names nobody, however much is said."""
    said = f"450 4.2.1 <re.layed@firm.co.uk>: busy {'so busy ' * 50_000}"
    way.servers.answers["re.layed@firm.co.uk"] = Outcome(code=450, status="4.2.1", text=said)
    way.send()
    way.wait()
    reason = way.state().reason
    assert reason.startswith("450 4.2.1 (address) busy so busy")
    assert len(reason) < 500
    kept = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    assert b"so busy" in kept
    assert b"re.layed@" not in kept


TESTED = msgspec.structs.replace(FIRM_CONNECTION, state=ConnectionState.TESTING)


def test_a_connection_that_is_tested_again(way: Way) -> None:
    """What members sent it while it was live waits until it is live again."""
    way.worker.stop()
    way.send()
    way.connection(TESTED)
    way.worker.start()
    way.wait(HOUR, step=60)
    assert way.servers.calls == []
    assert "is being tested" in way.state().reason
    way.connection(FIRM_CONNECTION)
    way.wait(HOUR, step=60)
    assert way.waiting() == []
    assert len(way.servers.messages) == 1


def test_what_a_connection_in_testing_gets(make: MakeWay) -> None:
    """Its own mail, and what the service itself writes: reports and echoes."""
    way = make(view=firm(state=ConnectionState.TESTING))
    origin = ConnectionOrigin(connection=FIRM_CONNECTION.id)
    way.send(octets=LETTER.replace(JO_ADDRESS.encode(), AT_FIRM.encode()), sender=AT_FIRM, origin=origin)
    own_mail = way.house.acceptance.own_mail

    async def nothing() -> bytes:
        return b""

    head = LETTER.replace(JO_ADDRESS.encode(), f"echo@{SUFFIX}".encode())
    echo = result(Deferred.fromCoroutine(own_mail.write(Service.ECHO, AT_FIRM, head, nothing)))
    assert echo is not None
    result(way.spool.put(echo))
    way.wait()
    assert way.servers.got() == [["re.layed@firm.co.uk"]] * 2
    assert way.waiting() == []


def test_a_domain_that_is_no_longer_approved(way: Way) -> None:
    """The destination is asked again before each try: what may not leave is returned, and nobody is called."""
    way.servers.answers["re.layed@firm.co.uk"] = BUSY
    way.send()
    way.wait()
    way.house.community.view = community(msgspec.structs.replace(FIRM_DOMAIN, state=DomainState.SUSPENDED))
    way.wait(5 * MINUTE + 1, step=1)
    assert len(way.servers.calls) == 1
    assert way.waiting() == []
    (report,) = way.told()
    assert "another route" in words_of(report)


def test_an_envelope_that_cannot_be_opened(way: Way) -> None:
    """It waits, and the log and the queue say so; once an engineer gives it up it leaves, and others go meanwhile."""
    way.worker.stop()
    way.send()
    (queued,) = way.waiting()
    damaged = msgspec.structs.replace(queued.outgoing, envelope=queued.outgoing.envelope[:-1] + b"?")
    key, stored = queued.sequence.to_bytes(8, "big"), msgspec.msgpack.encode(damaged)
    way.queue._environment.write(lambda transaction: transaction.put(key, stored, db=way.queue._table("outgoing")))
    way.send()
    with logged() as texts:
        way.worker.start()
        way.wait()
    assert len(way.servers.messages) == 1
    assert any("cannot be opened" in text for text in texts)
    assert "cannot be read" in way.state().reason
    way.wait(50 * HOUR, step=60)
    assert len(way.waiting()) == 1
    way.change(removed="damaged", due=0)
    way.wait()
    assert way.waiting() == []


def test_a_body_that_cannot_be_read(way: Way) -> None:
    """It is tried again, with the reason; in the end the report returns nothing of it."""
    way.worker.stop()
    way.send(octets=b"From: " + JO_ADDRESS.encode() + b"\r\nSubject: x\r\n\r\n" + b"x" * 70 * 1400 + b"\r\n")
    way.house.forecast.foretell("open", Fate(error=Unavailable("the disk is away")))
    way.worker.start()
    way.wait()
    assert "cannot be read here" in way.state().reason
    assert way.servers.messages == []
    way.wait(5 * MINUTE + 1, step=1)
    assert len(way.servers.messages) == 1


def test_a_report_that_cannot_be_kept(way: Way) -> None:
    """Whoever has the message does not get it again; whoever failed is tried, and reported, later."""
    way.servers.answers["boss@firm.co.uk"] = NOBODY
    way.house.keys.lost[JO_MAILBOX] = Missing("no key now")
    way.send(AT_FIRM, BOSS)
    with logged():
        way.wait()
    assert way.state().settled == (0,)
    assert "report could not be kept" in way.state().reason or "no key" in way.state().reason
    assert way.told() == []
    way.house.keys.lost.clear()
    way.wait(5 * MINUTE + 1, step=1)
    assert way.servers.got() == [["re.layed@firm.co.uk", "boss@firm.co.uk"], ["boss@firm.co.uk"]]
    assert way.waiting() == []
    assert len(way.told()) == 1


def test_success_is_not_worth_a_second_copy(way: Way) -> None:
    """A report of success that cannot be kept is lost; the message is not sent again for it."""
    way.house.keys.lost[JO_MAILBOX] = Missing("no key now")
    way.send(wish=Wish(notify=frozenset({Notify.SUCCESS})))
    with logged():
        way.wait()
    assert way.waiting() == []
    assert len(way.servers.messages) == 1
