"""Where clients come from: what counts as one source, what as one network, and which networks many people share."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

#: Addresses that are remembered as read: every sign-in asks several times what one is.
_REMEMBERED = 16_384


def is_address(text: str) -> bool:
    """Whether *text* is an IP address, not a name."""
    return _read(text) is not None


@lru_cache(_REMEMBERED)
def source_of(address: str) -> str:
    """Return what one client's connections and failures are counted under: its IPv4 address, or its IPv6 /64.

    What is not an address (a Unix socket, a test) is its own source.
    """
    read = _read(address)
    if isinstance(read, IPv6Address):
        return str(ip_network((read, 64), strict=False))
    return str(read) if read is not None else address


@lru_cache(_REMEMBERED)
def network_of(address: str) -> str:
    """Return the network that an account is known in, or guessed at from: /24 for IPv4, /64 for IPv6."""
    read = _read(address)
    if isinstance(read, IPv4Address):
        return str(ip_network((read, 24), strict=False))
    return source_of(address)


class SharedNetworks:
    """Networks from which many people come through one address.

    :param networks: in CIDR form.
    :raises ValueError: for one that is no network.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = tuple(ip_network(network) for network in networks)
        self._has = lru_cache(_REMEMBERED)(self._contains)

    def __contains__(self, address: object) -> bool:
        return bool(self._networks) and self._has(str(address))

    def _contains(self, address: str) -> bool:
        read = _read(address)
        return read is not None and any(read in network for network in self._networks)


def _read(address: str) -> IPv4Address | IPv6Address | None:
    try:
        read = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return read.ipv4_mapped or read if isinstance(read, IPv6Address) else read
