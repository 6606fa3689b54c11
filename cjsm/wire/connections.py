"""How many clients may be connected: by source while unknown, by account once signed in, and in all."""

from collections import Counter
from collections.abc import Hashable
from enum import Enum
from typing import Any

from cjsm.sources import SharedNetworks, source_of


class Refusal(Enum):
    """Why a connection is not taken."""

    SOURCE = "too many connections from your address"
    ACCOUNT = "too many connections of this account"
    ALL = "too many connections"


class Admission:
    """One connection's place. :meth:`release` it exactly when the connection has ended."""

    def __init__(self, limits: "ConnectionLimits", source: str) -> None:
        self._limits = limits
        self._source: str | None = source
        self._account: Hashable | None = None
        self._held = True

    def sign_in(self, account: Hashable, *, most: int | None = None) -> Refusal | None:
        """Count this connection for *account* from now on, no longer for its source; a refusal changes nothing.

        :param most: connections of this account, where the limit is not that of people's accounts.
        """
        if not self._held or self._account is not None:
            raise ValueError("an admission signs in once, while it is held")
        if self._limits._by_account[account] >= (most or self._limits.per_account):
            return Refusal.ACCOUNT
        self._limits._by_account[account] += 1
        self._account = account
        self._leave_source()
        return None

    def release(self) -> None:
        """Give the place back. Idempotent."""
        if not self._held:
            return
        self._held = False
        self._limits.connected -= 1
        self._leave_source()
        if self._account is not None:
            _decrease(self._limits._by_account, self._account)

    def _leave_source(self) -> None:
        if self._source is not None:
            _decrease(self._limits._by_source, self._source)
            self._source = None


class ConnectionLimits:
    """The counts, one instance for all doors of a process.

    :param per_source: connections of one source that has not signed in. An IPv6 source is its /64.
    :param per_account: connections signed in as one account.
    :param in_all: connections of any kind.
    :param shared: networks from which many people come through one address.
    :param per_shared: connections not signed in of one address in a shared network.
    :ivar connected: how many are connected now.
    """

    def __init__(
        self,
        *,
        per_source: int,
        per_account: int,
        in_all: int,
        shared: SharedNetworks | None = None,
        per_shared: int = 500,
    ) -> None:
        self.per_source = per_source
        self.per_account = per_account
        self.in_all = in_all
        self.shared = shared or SharedNetworks()
        self.per_shared = per_shared
        self.connected = 0
        self._by_source: Counter[Hashable] = Counter()
        self._by_account: Counter[Hashable] = Counter()

    @property
    def signed_in(self) -> int:
        """Connections that are somebody's."""
        return self._by_account.total()

    def admit(self, source: str) -> Admission | Refusal:
        """Count a new connection from *source*, an IP address, or refuse it."""
        if self.connected >= self.in_all:
            return Refusal.ALL
        key = source_of(source)
        most = self.per_shared if source in self.shared else self.per_source
        if self._by_source[key] >= most:
            return Refusal.SOURCE
        self._by_source[key] += 1
        self.connected += 1
        return Admission(self, key)


def _decrease(counts: Counter[Hashable], key: Hashable) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


def arrived(transport: Any) -> str:
    """Return the address of a new connection's peer; small answers leave at once from now on."""
    no_delay = getattr(transport, "setTcpNoDelay", None)
    if no_delay is not None:
        # A client waits for each answer: Nagle's algorithm would hold every second small one back.
        no_delay(True)
    return str(getattr(transport.getPeer(), "host", ""))
