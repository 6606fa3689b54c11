"""Whether a mailbox takes another message."""

import pytest

from cjsm.configuration import MailSettings
from cjsm.mail.interfaces import Refused
from cjsm.mail.limits import Capacity, too_large, too_many
from cjsm.store.interfaces import Unavailable

from .support import OLIVE, SAM, SAM_ADDRESS, House, refusal, result
from .weather import Fate

SETTINGS = MailSettings(quota=1_000, over_quota_grace=60)
FULL_NOW = (452, "4.2.2")
FULL = (552, "5.2.2")


def house_with(octets: int) -> House:
    """A house in whose spool about *octets* wait for Sam, exactly as many as :meth:`waiting` tells."""
    house = House()
    house.send(b"From: jo.ward@avon.cjsm.test\r\n\r\n" + b"x" * octets, SAM_ADDRESS)
    return house


def test_room_is_what_is_held_what_waits_and_what_comes() -> None:
    """To the octet."""
    house = house_with(10)
    waiting = house.spool.waiting(SAM)
    capacity = Capacity(house.mail, house.spool)
    result(capacity.check(SETTINGS, SAM, 0, 1_000 - waiting, 0))
    assert refusal(capacity.check(SETTINGS, SAM, 0, 1_001 - waiting, 0)) == FULL_NOW
    result(capacity.check(SETTINGS, OLIVE, 0, 1_000, 0))


def test_a_quota_of_ones_own_counts() -> None:
    """Instead of the default, larger or smaller."""
    house = House()
    capacity = Capacity(house.mail, house.spool)
    result(capacity.check(SETTINGS, SAM, 2_000, 2_000, 0))
    assert refusal(capacity.check(SETTINGS, SAM, 10, 11, 0)) == FULL_NOW


def test_a_full_mailbox_is_first_full_at_the_moment_and_then_full() -> None:
    """The grace begins at the first refusal, and anew once there was room."""
    house = House()
    capacity = Capacity(house.mail, house.spool)
    assert refusal(capacity.check(SETTINGS, SAM, 0, 1_001, 100)) == FULL_NOW
    assert refusal(capacity.check(SETTINGS, SAM, 0, 1_001, 159)) == FULL_NOW
    assert refusal(capacity.check(SETTINGS, SAM, 0, 1_001, 160)) == FULL
    assert refusal(capacity.check(SETTINGS, OLIVE, 0, 1_001, 160)) == FULL_NOW
    result(capacity.check(SETTINGS, SAM, 0, 1_000, 161))
    assert refusal(capacity.check(SETTINGS, SAM, 0, 1_001, 162)) == FULL_NOW


def test_the_grace_goes_on_after_a_restart() -> None:
    """And in other processes: since when a mailbox has been full is kept with it."""
    house = House()
    assert refusal(Capacity(house.mail, house.spool).check(SETTINGS, SAM, 0, 1_001, 100)) == FULL_NOW
    assert refusal(Capacity(house.mail, house.spool).check(SETTINGS, SAM, 0, 1_001, 160)) == FULL


def test_whoever_watches_hears_what_is_refused() -> None:
    """And nothing of what fits."""
    house = House()
    refused: list[object] = []
    capacity = Capacity(house.mail, house.spool, refused.append)
    result(capacity.check(SETTINGS, SAM, 0, 1_000, 0))
    assert refused == []
    assert refusal(capacity.check(SETTINGS, SAM, 0, 1_001, 0)) == FULL_NOW
    assert refused == [SAM]


def test_a_store_that_cannot_tell_is_no_refusal() -> None:
    """The door answers that it is not known."""
    house = House()
    house.forecast.foretell("filling", Fate(Unavailable("away")))
    with pytest.raises(Unavailable):
        result(Capacity(house.mail, house.spool).check(SETTINGS, SAM, 0, 1, 0))


@pytest.mark.parametrize(("made", "start"), [(too_large(7), "552 5.3.4"), (too_many(7), "452 4.5.3")])
def test_refusals_name_the_limit(made: Refused, start: str) -> None:
    """So that people know how much less to send."""
    assert str(made).startswith(start)
    assert "7" in made.text
