"""A source as a whole waits only when many different accounts fail from it (community §7)."""

from collections import OrderedDict

from cjsm.sources import SharedNetworks, source_of

#: Sources remembered at most; the one that failed longest ago goes first.
_REMEMBERED_SOURCES = 10_000


class Throttle:
    """Counts the different accounts that failed from each source within a sliding window.

    A source is one address, as :func:`~cjsm.sources.source_of` has it: who is near an attacker does not wait with him.

    :ivar accounts: how many different failing accounts make a source wait.
    :ivar shared_accounts: the same for an address in one of the *shared* networks.
    :ivar window: seconds after which a failing account no longer counts.
    """

    def __init__(self, *, accounts: int = 50, window: int = 3_600) -> None:
        self.accounts = accounts
        self.window = window
        self.shared = SharedNetworks()
        self.shared_accounts = accounts
        self._failed: OrderedDict[str, OrderedDict[bytes, float]] = OrderedDict()

    def failed(self, address: str, account: bytes, now: float) -> None:
        """Remember that *account* failed from *address*; the same account counts once."""
        source = source_of(address)
        failing = self._failed.setdefault(source, OrderedDict())
        self._failed.move_to_end(source)
        failing[account] = now
        failing.move_to_end(account)
        if len(failing) > self._most(address):
            failing.popitem(last=False)
        if len(self._failed) > _REMEMBERED_SOURCES:
            self._failed.popitem(last=False)

    def wait(self, address: str, now: float) -> int:
        """Return the seconds until *address* may try again; 0 when it may now."""
        source = source_of(address)
        failing = self._failed.get(source)
        while failing and next(iter(failing.values())) <= now - self.window:
            failing.popitem(last=False)
        if not failing:
            self._failed.pop(source, None)
            return 0
        if len(failing) < self._most(address):
            return 0
        return max(1, int(next(iter(failing.values())) + self.window - now))

    def succeeded(self, address: str, account: bytes) -> None:
        """*account* signed in from *address* after all: its failures were its owner's."""
        failing = self._failed.get(source_of(address))
        if failing is not None:
            failing.pop(account, None)

    def _most(self, address: str) -> int:
        return self.shared_accounts if address in self.shared else self.accounts
