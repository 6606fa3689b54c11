"""Messages on their way out: due in their turn, sent by one, gone with their last recipient."""

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel, capturedLogs
from zope.interface.verify import verifyObject

from cjsm.community.identifiers import BodyId, ConnectionId
from cjsm.store.interfaces import Attempted, IOutgoingQueue, Missing, Queued, QueueState, Unavailable
from cjsm.store.lmdb.outgoing import LmdbOutgoing
from cjsm.store.lmdb.spool import LmdbSpool

from ..support import Clock, alone, entry, going, identifier, open_spool, outgoing, result

ONE, TWO = (ConnectionId(identifier("connection", number)) for number in (1, 2))


@pytest.fixture
def clock() -> Clock:
    """The spool's time."""
    return Clock()


@pytest.fixture
def spool(tmp_path: Path, clock: Clock) -> Iterator[LmdbSpool]:
    """A spool that does its work at once."""
    opened = open_spool(tmp_path, clock=clock)
    yield opened
    result(opened.close())


def taken(queue: LmdbOutgoing, connection: ConnectionId = ONE, limit: int = 10) -> list[int]:
    """The sequences handed out."""
    return [queued.sequence for queued in result(queue.claim(connection, limit))]


def later(sequence: int, due: int, *settled: int, reason: str = "busy") -> Attempted:
    """What is written of a try that has to come again."""
    return Attempted(sequence=sequence, settled=settled, due=due, reason=reason)


def test_interface(spool: LmdbSpool) -> None:
    """It keeps to the contract."""
    assert verifyObject(IOutgoingQueue, spool.outgoing)


def test_each_destination_by_itself(spool: LmdbSpool) -> None:
    """What is put is due at once, for its own connection, with its body; nothing is handed out twice."""
    for number in (1, 2, 3):
        result(spool.put(going(outgoing(number, connection=number % 2 + 1))))
    assert set(result(spool.outgoing.destinations())) == {ONE, TWO}
    assert [queued.outgoing for queued in result(spool.outgoing.claim(TWO, 10))] == [outgoing(1, 2), outgoing(3, 2)]
    assert taken(spool.outgoing, TWO) == []
    assert taken(spool.outgoing, ONE) == [2]


def test_what_was_given_back_comes_again(spool: LmdbSpool) -> None:
    """Nothing is written of it."""
    result(spool.put(going(outgoing(1))))
    assert taken(spool.outgoing) == [1]
    spool.outgoing.give_back([1])
    assert taken(spool.outgoing) == [1]


def test_recipients_that_are_left_are_tried_again(spool: LmdbSpool, clock: Clock) -> None:
    """When it is due, and with what is known of it; the last one takes the message away."""
    result(spool.put(going(outgoing(1, recipients=3))))
    taken(spool.outgoing)
    result(spool.outgoing.record([later(1, 1060, 1)]))
    assert result(spool.outgoing.destinations()) == []
    assert taken(spool.outgoing) == []
    clock.now = 1060
    assert result(spool.outgoing.destinations()) == [ONE]
    (queued,) = result(spool.outgoing.claim(ONE, 1))
    assert queued.state == QueueState(attempts=1, tried=1000, due=1060, reason="busy", settled=(1,))
    result(spool.outgoing.record([later(1, 2000, 0, 2)]))
    assert result(spool.outgoing.listed(0, 10)) == []
    assert spool.named_bodies is not None


def test_mailboxes_and_connections_share_one_file(spool: LmdbSpool, tmp_path: Path) -> None:
    """A large body is released when the last that names it has left."""
    body = BodyId(identifier("body", 1))
    released: list[BodyId] = []
    spool._body_store.release = released.append  # type: ignore[method-assign,assignment]  # what it is told
    spool.outgoing._release = released.append
    hosted = msgspec.structs.replace(entry(1, body=None), body_id=body)
    batch = msgspec.structs.replace(alone(hosted), outgoing=(outgoing(1, body=None), outgoing(1, 2, body=None)))
    result(spool.put(batch))
    assert result(spool.named_bodies()) == {body}
    result(spool.done([(1, [hosted.deliveries[0].delivery_id])]))
    result(spool.outgoing.record([later(2, 0, 0)]))
    assert released == []
    result(spool.outgoing.record([later(3, 0, 0)]))
    assert released == [body]
    assert result(spool.named_bodies()) == frozenset()


def test_a_report_comes_with_what_it_reports(spool: LmdbSpool) -> None:
    """Both in one commit: the message leaves, and its sender's report is there."""
    heard: list[None] = []
    spool.on_arrival(lambda: heard.append(None))
    result(spool.put(going(outgoing(1))))
    heard.clear()
    result(spool.outgoing.record([later(1, 0, 0)], [alone(entry(7))]))
    assert heard == [None]
    assert [claimed.entry for claimed in result(spool.claim("worker", 10, 2000))] == [entry(7)]
    assert result(spool.outgoing.listed(0, 10)) == []


def test_in_doubt_it_stays_taken(spool: LmdbSpool) -> None:
    """A try that may not have been written is not made again, and its report is there once when it is written again."""
    result(spool.put(going(outgoing(1))))
    assert taken(spool.outgoing) == [1]
    write = spool._environment.write

    def doubtful(act: object) -> object:
        write(act)  # type: ignore[arg-type]  # passed through
        raise Unavailable("no answer", maybe_committed=True)

    spool._environment.write = doubtful  # type: ignore[method-assign,assignment]  # the fault
    with pytest.raises(Unavailable):
        result(spool.outgoing.record([later(1, 0, 0)], [alone(entry(7))]))
    spool._environment.write = write  # type: ignore[method-assign]  # well again
    assert taken(spool.outgoing) == []
    result(spool.outgoing.record([later(1, 0, 0)], [alone(entry(7))]))
    assert len(result(spool.claim("worker", 10, 2000))) == 1


def test_engineers(spool: LmdbSpool, clock: Clock) -> None:
    """What is held is not due until it is released, whatever becomes of a try that was under way."""
    result(spool.put(going(outgoing(1))))
    taken(spool.outgoing)
    held = result(spool.outgoing.change(1, lambda state: msgspec.structs.replace(state, held=True)))
    assert held.held
    result(spool.outgoing.record([later(1, 1060)]))
    clock.now = 9_000
    assert taken(spool.outgoing) == []
    result(spool.outgoing.change(1, lambda state: msgspec.structs.replace(state, held=False, due=9_000)))
    assert taken(spool.outgoing) == [1]
    with pytest.raises(Missing):
        result(spool.outgoing.change(2, lambda state: state))
    with pytest.raises(Missing):
        result(spool.outgoing.found(2))


def test_looking(spool: LmdbSpool) -> None:
    """In order, page by page, without bodies, of one connection or all."""
    for number in (1, 2, 3):
        result(spool.put(going(outgoing(number, connection=number % 2 + 1))))
    first = result(spool.outgoing.listed(0, 2))
    assert [queued.sequence for queued in first] == [1, 2]
    assert all(queued.outgoing.body is None for queued in first)
    assert [queued.sequence for queued in result(spool.outgoing.listed(2, 2))] == [3]
    assert [queued.sequence for queued in result(spool.outgoing.listed(0, 9, ONE))] == [2]
    assert isinstance(result(spool.outgoing.found(2)), Queued)


def test_it_survives_a_restart(tmp_path: Path) -> None:
    """What was taken by a process that died is handed out to the next."""
    before = open_spool(tmp_path)
    result(before.put(going(outgoing(1), outgoing(2))))
    assert taken(before.outgoing, limit=1) == [1]
    result(before.close())
    after = open_spool(tmp_path)
    assert taken(after.outgoing) == [1, 2]
    result(after.close())


def test_a_damaged_message_keeps_nobody_elses(spool: LmdbSpool) -> None:
    """It stays, and is told of once, although it is looked at four times a second."""
    result(spool.put(going(outgoing(1), outgoing(2))))
    key = (1).to_bytes(8, "big")
    spool._environment.write(lambda txn: txn.put(key, b"\xc1", db=spool._table("outgoing")))
    with capturedLogs() as logged:
        assert taken(spool.outgoing) == [2]
        assert taken(spool.outgoing) == []
    assert [event["log_level"] for event in logged] == [LogLevel.critical]


@given(st.integers(0, 10_000))
def test_any_acts_in_any_order(seed: int) -> None:
    """Each message leaves with its last recipient, once, and is never handed out while somebody has it."""
    import tempfile

    luck = random.Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        clock = Clock()
        spool = open_spool(Path(directory), clock=clock)
        left = {}
        held: set[int] = set()
        for step in range(30):
            clock.now += luck.randint(0, 50)
            if luck.random() < 0.4:
                sequence = result(spool.put(going(outgoing(step + 1, luck.randint(1, 2), recipients=2))))
                left[sequence] = {0, 1}
            for sequence in taken(spool.outgoing, luck.choice((ONE, TWO)), luck.randint(1, 3)):
                assert sequence not in held
                assert left[sequence]
                held.add(sequence)
            if held and luck.random() < 0.7:
                sequence = held.pop()
                settled = {index for index in left[sequence] if luck.random() < 0.5}
                left[sequence] -= settled
                result(spool.outgoing.record([later(sequence, int(clock.now) + luck.randint(0, 90), *settled)]))
        remaining = {sequence for sequence, recipients in left.items() if recipients}
        assert {queued.sequence for queued in result(spool.outgoing.listed(0, 1_000))} == remaining
        result(spool.close())
