"""Where clients come from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.sources import SharedNetworks, network_of, source_of


@pytest.mark.parametrize(
    ("address", "source", "network"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/64"),
        ("unix", "unix", "unix"),
        ("", "", ""),
    ],
)
def test_sources_and_networks(address: str, source: str, network: str) -> None:
    """However an address is written; what is none is its own."""
    assert source_of(address) == source
    assert network_of(address) == network


@given(st.one_of(st.text(), st.ip_addresses().map(str)))
def test_of_anything(address: str) -> None:
    """Whatever the transport calls its peer has a source and a network, and is in no list that is empty."""
    assert isinstance(source_of(address), str)
    assert isinstance(network_of(address), str)
    assert address not in SharedNetworks()


def test_shared_networks() -> None:
    """IPv4 in either form, IPv6, and nothing else."""
    shared = SharedNetworks(["192.0.2.0/24", "2001:db8::/32"])
    for address in ("192.0.2.1", "::ffff:192.0.2.255", "2001:db8:1::1"):
        assert address in shared
    for address in ("192.0.3.1", "2001:db9::1", "unix", ""):
        assert address not in shared
    with pytest.raises(ValueError, match=r"192\.0\.2\.1/24"):
        SharedNetworks(["192.0.2.1/24"])
