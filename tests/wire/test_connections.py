"""Connection counts: by source, by account, in all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.sources import SharedNetworks
from cjsm.wire.connections import Admission, ConnectionLimits, Refusal


def limits(in_all: int = 100) -> ConnectionLimits:
    shared = SharedNetworks(["10.0.0.0/8"])
    return ConnectionLimits(per_source=2, per_account=1, in_all=in_all, shared=shared, per_shared=4)


def admitted(counts: ConnectionLimits, source: str) -> Admission:
    place = counts.admit(source)
    assert isinstance(place, Admission)
    return place


def test_a_source_gets_so_many_places_and_others_still_get_theirs() -> None:
    """One address cannot take every place, and gets a new one when an old one is given back."""
    counts = limits()
    first = admitted(counts, "192.0.2.1")
    admitted(counts, "192.0.2.1")
    assert counts.admit("192.0.2.1") is Refusal.SOURCE
    admitted(counts, "192.0.2.2")
    first.release()
    admitted(counts, "192.0.2.1")


def test_listed_networks_get_more() -> None:
    """Many people behind one address of a listed network can connect."""
    counts = limits()
    for _ in range(4):
        admitted(counts, "::ffff:10.1.2.3")
    assert counts.admit("10.1.2.3") is Refusal.SOURCE


def test_an_ipv6_source_is_its_network() -> None:
    """Changing the last half of an IPv6 address does not help."""
    counts = limits()
    admitted(counts, "2001:db8::1")
    admitted(counts, "2001:db8::2")
    assert counts.admit("2001:db8::3") is Refusal.SOURCE
    admitted(counts, "2001:db8:0:1::1")
    admitted(counts, "fe80::1%eth0")


def test_signing_in_moves_the_place_to_the_account() -> None:
    """Somebody signed in no longer counts for the source, but for the account."""
    counts = limits()
    one, two = admitted(counts, "192.0.2.1"), admitted(counts, "192.0.2.1")
    assert one.sign_in("alex") is None
    admitted(counts, "192.0.2.1")
    assert two.sign_in("alex") is Refusal.ACCOUNT
    one.release()
    assert two.sign_in("alex") is None
    with pytest.raises(ValueError, match="once"):
        two.sign_in("sam")


def test_all_places_taken() -> None:
    """There is a limit over everybody."""
    counts = limits(in_all=1)
    place = admitted(counts, "192.0.2.1")
    assert counts.admit("192.0.2.2") is Refusal.ALL
    place.release()
    admitted(counts, "192.0.2.2")


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["in", "sign", "out"]))))
def test_releasing_twice_counts_once(steps: list[tuple[int, str]]) -> None:
    """However places are taken, signed in and given back, the count is that of those held."""
    counts = ConnectionLimits(per_source=3, per_account=2, in_all=5)
    held: dict[int, Admission] = {}
    gone: list[Admission] = []
    for number, step in steps:
        if step == "in" and number not in held:
            place = counts.admit(f"192.0.2.{number % 2}")
            if isinstance(place, Admission):
                held[number] = place
        elif step == "sign" and number in held and held[number]._account is None:
            held[number].sign_in(number % 2)
        elif step == "out" and number in held:
            gone.append(held.pop(number))
            gone[-1].release()
        for place in gone:
            place.release()
        assert counts.connected == len(held) <= 5
    for place in held.values():
        place.release()
    assert (counts.connected, counts._by_source, counts._by_account) == (0, {}, {})
