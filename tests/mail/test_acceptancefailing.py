"""Messages that come in while something fails, and those that are given up: nothing stays of what was not accepted."""

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred

from cjsm.mail.acceptance import IncomingMessage
from cjsm.mail.interfaces import Refused
from cjsm.store.interfaces import Damaged, DiskFull, Unavailable

from .memory import File
from .support import (
    DESK,
    DESK_ADDRESS,
    HOP,
    JO,
    JO_ADDRESS,
    LETTER,
    SAM_ADDRESS,
    House,
    logged,
    refusal,
    result,
    spooled,
)
from .test_acceptance import LARGE, refusal_of
from .weather import Fate

MAYBE = Unavailable("the commit did not answer", maybe_committed=True)
AWAY = Unavailable("the disk is away")

# What fails


@pytest.mark.parametrize(
    ("error", "reply"), [(DiskFull("full"), (452, "4.3.1")), (AWAY, (451, "4.3.0")), (Damaged("odd"), (451, "4.3.0"))]
)
@pytest.mark.parametrize("call", ["create", "write", "finish", "put"])
def test_a_store_that_fails_is_told_at_commit(call: str, error: Exception, reply: tuple[int, str]) -> None:
    """Writing waits and never fails; nothing stays."""
    house = House()
    house.forecast.foretell(call, Fate(error))
    message = house.begun(SAM_ADDRESS)
    with logged() as texts:
        for at in range(0, len(LARGE), 70_000):
            written = message.write(LARGE[at : at + 70_000])
            if written is not None:
                assert result(written) is None
        assert refusal(message.commit()) == reply
    assert house.empty
    assert any(str(error) in text for text in texts)
    assert not any("Bail" in text or "jo.ward" in text for text in texts)


def test_a_store_that_cannot_be_asked_about_identity_is_no_verdict() -> None:
    """The message may come again, and the door is not failed in the middle of a text."""
    house = House()
    message = house.begun(SAM_ADDRESS)
    house.community.failure = AWAY
    assert message.write(LETTER) is None
    house.community.failure = None
    assert refusal(message.commit()) == (451, "4.3.0")
    assert house.empty


def test_below_the_disk_floor_mail_is_refused_and_comes_in_again_later() -> None:
    """A small message meets the floor at the spool."""
    house = House()
    house.forecast.foretell("put", Fate(DiskFull("below the floor")))
    assert refusal_of(house, LETTER) == (452, "4.3.1")
    assert house.empty
    house.send(LETTER)


def test_what_there_is_no_room_for_is_refused_before_it_is_sent() -> None:
    """At MAIL, with the size that was announced; what announces none meets the floor on its way."""
    house = House()
    house.spool.room = 1_000
    answer = house.acceptance.begin(JO, JO_ADDRESS, HOP, 1_001)
    assert refusal(answer) == (452, "4.3.1")
    result(house.acceptance.begin(JO, JO_ADDRESS, HOP, 1_000))
    result(house.acceptance.begin(JO, JO_ADDRESS, HOP, None))


@pytest.mark.parametrize("happens", [False, True])
@pytest.mark.parametrize("times", [1, 2])
def test_a_spool_that_does_not_know_is_asked_again(times: int, happens: bool) -> None:
    """Until it does; the message is there once."""
    house = House()
    house.forecast.foretell("put", *[Fate(MAYBE, happens=happens)] * times)
    message = house.begun(SAM_ADDRESS)
    message.write(LARGE)
    answer = message.commit()
    assert not answer.called
    house.clock.pump([0.1, 1.0])
    assert result(answer) == message.queue_id
    assert house.forecast.calls.count("put") == times + 1
    assert spooled(house)[0].endswith(LARGE)


@pytest.mark.parametrize("second", [DiskFull("full"), AWAY])
def test_one_that_did_not_know_and_then_cannot_is_asked_again_too(second: Exception) -> None:
    """What was not taken the second time may be there since the first."""
    house = House()
    house.forecast.foretell("put", Fate(MAYBE, happens=True), Fate(second))
    message = house.begun(SAM_ADDRESS)
    message.write(LARGE)
    answer = message.commit()
    house.clock.pump([0.1, 1.0])
    assert result(answer) == message.queue_id
    assert spooled(house)[0].endswith(LARGE)


@pytest.mark.parametrize("last", [MAYBE, DiskFull("full"), AWAY, ValueError("odd")])
@pytest.mark.parametrize("happened", [False, True])
def test_a_body_is_kept_while_the_spool_may_name_it(last: Exception, happened: bool) -> None:
    """Where it stays unknown whether the entry is there, the client hears "later" and the body waits for a sweep."""
    house = House()
    house.forecast.foretell("put", Fate(MAYBE, happens=happened), Fate(MAYBE), Fate(last))
    message = house.begun(SAM_ADDRESS)
    message.write(LARGE)
    answer = message.commit()
    house.clock.pump([0.1, 1.0])
    if isinstance(last, ValueError):
        with pytest.raises(ValueError, match="odd"):
            result(answer)
    else:
        assert refusal(answer)[0] in (451, 452)
    result(message.abort())
    if happened:
        assert spooled(house)[0].endswith(LARGE)
    assert len(house.platter.files) == 1
    house.clock.advance(10)
    named = result(house.spool.named_bodies())
    result(house.bodies.sweep(named.__contains__, int(house.clock.seconds())))
    assert set(house.platter.files) == named


def test_an_error_nobody_thought_of_leaves_nothing() -> None:
    """It reaches the door, which answers for it."""
    house = House()
    house.forecast.foretell("finish", Fate(ValueError("odd")))
    message = house.begun(SAM_ADDRESS)
    message.write(LARGE)
    with pytest.raises(ValueError, match="odd"):
        result(message.commit())
    assert house.empty


def test_a_body_that_cannot_be_taken_away_is_logged() -> None:
    """A job sweeps it."""
    house = House()
    house.forecast.foretell("abort", Fate(AWAY))
    message = house.begun(SAM_ADDRESS)
    message.write(LARGE)
    with logged() as texts:
        result(message.abort())
    assert any("a job will" in text for text in texts)


# Giving up

PHASES: list[Callable[[IncomingMessage], object]] = [
    lambda message: None,
    lambda message: message.write(b"From: jo"),
    lambda message: message.write(LETTER),
    lambda message: message.write(LARGE),
    lambda message: message.write(b"bad\r\n"),
    lambda message: message.write(LARGE + b"x" * 400_000),
]


@pytest.mark.parametrize("phase", PHASES)
def test_an_aborted_message_leaves_nothing(phase: Callable[[IncomingMessage], object]) -> None:
    """In every phase, said once or twice; afterwards nothing comes of it."""
    house = House()
    message = house.begun(SAM_ADDRESS)
    phase(message)
    result(message.abort())
    result(message.abort())
    assert house.empty
    assert message.write(LARGE) is None
    assert refusal(message.commit()) == (451, "4.3.0")
    assert house.empty


@pytest.mark.parametrize("call", ["create", "write"])
@pytest.mark.parametrize("error", [None, AWAY])
def test_giving_up_while_the_disk_is_busy(call: str, error: Exception | None) -> None:
    """What is under way ends first, then everything goes."""
    house = House()
    message = house.begun(SAM_ADDRESS)
    until: Deferred[None] = Deferred()
    house.forecast.foretell(call, Fate(error, until=until))
    waiting = message.write(LARGE)
    assert waiting is not None
    gone = message.abort()
    assert not gone.called
    until.callback(None)
    result(gone)
    assert waiting.called
    assert house.empty


def test_a_client_that_leaves_during_commit_takes_nothing_apart() -> None:
    """From commit on the message is the commit's own."""
    house = House()
    message = house.begun(SAM_ADDRESS)
    message.write(LARGE)
    held = house.forecast.hold("put")
    answer = message.commit()
    result(message.abort())
    held.callback(None)
    assert result(answer) == message.queue_id
    assert spooled(house)[0].endswith(LARGE)


def test_a_message_is_committed_once() -> None:
    """Whatever a door does."""
    house = House()
    message = house.begun(SAM_ADDRESS)
    message.write(LETTER)
    result(message.commit())
    assert refusal(message.commit()) == (451, "4.3.0")
    result(message.abort())
    assert len(house.platter.entries) == 1


def test_messages_do_not_mix() -> None:
    """Two at a time, piece by piece."""
    house = House()
    one, other = house.begun(SAM_ADDRESS), house.begun(DESK_ADDRESS)
    for octets in (LETTER, b"x" * 70_000, b"y" * 70_000):
        one.write(octets)
        other.write(octets.swapcase() if octets is not LETTER else octets)
    result(other.commit())
    assert spooled(house, DESK)[0].endswith(b"X" * 70_000 + b"Y" * 70_000)
    result(one.abort())
    assert len(house.platter.files) == 1
    assert one.queue_id != other.queue_id
    assert isinstance(house.platter.files[house.entry().body_id], File)


def test_a_refusal_before_commit_says_the_first_thing_wrong() -> None:
    """What follows changes nothing."""
    house = House()
    message = house.begun(SAM_ADDRESS)
    message.write(b"bad line\r\n\r\n")
    message.write(b"x" * 500_000)
    with pytest.raises(Refused, match=r"550 5\.6\.0"):
        result(message.commit())
