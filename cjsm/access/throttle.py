"""A source as a whole waits only when many different accounts fail from it (community §7)."""

import ipaddress
from collections import OrderedDict

#: Sources remembered at most; the one that failed longest ago goes first.
_REMEMBERED_SOURCES = 10_000


def network(source: str) -> str:
    """Return the source network that failures are counted under: /24 for IPv4, /64 for IPv6.

    What is not an address (a Unix socket, a test) is its own network.
    """
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    prefix = 24 if address.version == 4 else 64
    return str(ipaddress.ip_network((address, prefix), strict=False))


class Throttle:
    """Counts the different accounts that failed from each source network within a sliding window.

    :param accounts: how many different failing accounts make a source wait.
    :param window: seconds after which a failing account no longer counts.
    """

    def __init__(self, accounts: int, window: int) -> None:
        self._accounts = accounts
        self._window = window
        self._failed: OrderedDict[str, OrderedDict[bytes, float]] = OrderedDict()

    def failed(self, network: str, account: bytes, now: float) -> None:
        """Remember that *account* failed from *network*; the same account counts once."""
        failing = self._failed.setdefault(network, OrderedDict())
        self._failed.move_to_end(network)
        failing[account] = now
        failing.move_to_end(account)
        if len(failing) > self._accounts:
            failing.popitem(last=False)
        if len(self._failed) > _REMEMBERED_SOURCES:
            self._failed.popitem(last=False)

    def wait(self, network: str, now: float) -> int:
        """Return the seconds until *network* may try again; 0 when it may now."""
        failing = self._failed.get(network)
        while failing and next(iter(failing.values())) <= now - self._window:
            failing.popitem(last=False)
        if not failing:
            self._failed.pop(network, None)
            return 0
        if len(failing) < self._accounts:
            return 0
        return max(1, int(next(iter(failing.values())) + self._window - now))

    def succeeded(self, network: str, account: bytes) -> None:
        """*account* signed in from *network* after all: its failures were its owner's."""
        failing = self._failed.get(network)
        if failing is not None:
            failing.pop(account, None)
