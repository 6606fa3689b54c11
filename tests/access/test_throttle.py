"""Sources wait when many different accounts fail from them."""

from cjsm.access.throttle import Throttle
from cjsm.sources import SharedNetworks

from .support import House, now


def who(letter: str) -> bytes:
    return letter.encode() * 16


def test_waits_and_goes_on(house: House) -> None:
    """The third different account makes the source wait until the oldest failure no longer counts."""
    one = Throttle(house.activity, accounts=3, window=100)
    for moment, letter in enumerate("abbb"):
        now(one.failed("net", who(letter), moment))
        assert one.wait("net", moment) == 0
    now(one.failed("net", who("c"), 10))
    assert one.wait("net", 10) == 90
    assert one.wait("other", 10) == 0
    assert one.wait("net", 100) == 0


def test_success_takes_an_account_back(house: House) -> None:
    """Who signs in after all is not counted any more."""
    one = Throttle(house.activity, accounts=2, window=100)
    now(one.failed("net", who("a"), 0))
    now(one.failed("net", who("b"), 0))
    assert one.wait("net", 1) == 99
    now(one.succeeded("net", who("a")))
    now(one.succeeded("other", who("a")))
    assert one.wait("net", 1) == 0


def test_wait_is_at_least_a_second(house: House) -> None:
    """Nobody is told to come back in 0 seconds."""
    one = Throttle(house.activity, accounts=1, window=100)
    now(one.failed("net", who("a"), 0.5))
    assert one.wait("net", 99.9) == 1


def test_no_more_is_kept_than_counts(house: House) -> None:
    """However many accounts fail from one source."""
    one = Throttle(house.activity, accounts=2, window=100)
    for number in range(50):
        now(one.failed("a", number.to_bytes(16, "big"), 0))
    assert len(house.activity.failing_from("a")) == 2


def test_a_source_is_one_address(house: House) -> None:
    """Neighbours do not wait with an attacker; one who has a whole /64 is one source."""
    one = Throttle(house.activity, accounts=1, window=100)
    now(one.failed("192.0.2.7", who("a"), 0))
    now(one.failed("2001:db8::1", who("a"), 0))
    assert one.wait("::ffff:192.0.2.7", 1) == 99
    assert one.wait("192.0.2.8", 1) == 0
    assert one.wait("2001:db8::2", 1) == 99


def test_shared_networks_have_their_own_figure(house: House) -> None:
    """A force behind one address has more people who mistype."""
    one = Throttle(house.activity, accounts=1, window=100)
    one.shared, one.shared_accounts = SharedNetworks(["192.0.2.0/24"]), 2
    now(one.failed("192.0.2.7", who("a"), 0))
    assert one.wait("192.0.2.7", 1) == 0
    now(one.failed("192.0.2.7", who("b"), 0))
    assert one.wait("192.0.2.7", 1) == 99


def test_a_restart_forgets_nothing(house: House) -> None:
    """A source that waits goes on waiting after the service was started again."""
    now(Throttle(house.activity, accounts=1, window=100).failed("net", who("a"), 0))
    house.close()
    house.open()
    assert Throttle(house.activity, accounts=1, window=100).wait("net", 1) == 99
