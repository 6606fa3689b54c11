"""Sources wait when many different accounts fail from them."""

import pytest

from cjsm.access import throttle
from cjsm.access.throttle import Throttle
from cjsm.sources import SharedNetworks


def test_waits_and_goes_on() -> None:
    """The third different account makes the source wait until the oldest failure no longer counts."""
    one = Throttle(accounts=3, window=100)
    for moment, account in enumerate((b"a", b"b", b"b", b"b")):
        one.failed("net", account, moment)
        assert one.wait("net", moment) == 0
    one.failed("net", b"c", 10)
    assert one.wait("net", 10) == 90
    assert one.wait("other", 10) == 0
    assert one.wait("net", 100) == 0


def test_success_takes_an_account_back() -> None:
    """Who signs in after all is not counted any more."""
    one = Throttle(accounts=2, window=100)
    one.failed("net", b"a", 0)
    one.failed("net", b"b", 0)
    one.succeeded("net", b"a")
    one.succeeded("other", b"a")
    assert one.wait("net", 1) == 0


def test_wait_is_at_least_a_second() -> None:
    """Nobody is told to come back in 0 seconds."""
    one = Throttle(accounts=1, window=100)
    one.failed("net", b"a", 0.5)
    assert one.wait("net", 100) == 1


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources beyond the bound are forgotten, the one that failed longest ago first; accounts of one source too."""
    monkeypatch.setattr(throttle, "_REMEMBERED_SOURCES", 3)
    one = Throttle(accounts=1, window=100)
    for name in "abcad":
        one.failed(name, b"x", 0)
    assert [name for name in "abcd" if one.wait(name, 0)] == ["a", "c", "d"]
    for number in range(1_000):
        one.failed("a", number.to_bytes(2, "big"), 0)
    assert len(one._failed["a"]) == 1


def test_a_source_is_one_address() -> None:
    """Neighbours do not wait with an attacker; one who has a whole /64 is one source."""
    one = Throttle(accounts=1, window=100)
    one.failed("192.0.2.7", b"a", 0)
    one.failed("2001:db8::1", b"a", 0)
    assert one.wait("::ffff:192.0.2.7", 1) == 99
    assert one.wait("192.0.2.8", 1) == 0
    assert one.wait("2001:db8::2", 1) == 99


def test_shared_networks_have_their_own_figure() -> None:
    """A force behind one address has more people who mistype."""
    one = Throttle(accounts=1, window=100)
    one.shared, one.shared_accounts = SharedNetworks(["192.0.2.0/24"]), 2
    one.failed("192.0.2.7", b"a", 0)
    assert one.wait("192.0.2.7", 1) == 0
    one.failed("192.0.2.7", b"b", 0)
    assert one.wait("192.0.2.7", 1) == 99
