"""A source as a whole waits only when many different accounts fail from it (community §7)."""

from bisect import bisect_right
from collections.abc import Sequence

from twisted.internet.defer import Deferred

from cjsm.sources import SharedNetworks, source_of
from cjsm.store.interfaces import IActivity


class Throttle:
    """Counts the different accounts that failed from each source within a sliding window, for all processes together.

    A source is one address, as :func:`~cjsm.sources.source_of` has it: who is near an attacker does not wait with him.

    :ivar accounts: how many different failing accounts make a source wait.
    :ivar shared_accounts: the same for an address in one of the *shared* networks.
    :ivar window: seconds after which a failing account no longer counts.
    """

    def __init__(self, activity: IActivity, *, accounts: int = 50, window: int = 3_600) -> None:
        self.accounts = accounts
        self.window = window
        self.shared = SharedNetworks()
        self.shared_accounts = accounts
        self._activity = activity

    def failed(self, address: str, account: bytes, now: float) -> "Deferred[None]":
        """Remember that *account* failed from *address*; the same account counts once."""
        return self._activity.failed_from(source_of(address), account, int(now), self._most(address))

    def wait(self, address: str, now: float) -> int:
        """Return the seconds until *address* may try again; 0 when it may now."""
        return self.wait_after(self._activity.failing_from(source_of(address)), address, now)

    def wait_after(self, failing: Sequence[int], address: str, now: float) -> int:
        """The same, with the moments at which accounts failed from *address* known."""
        recent = failing[bisect_right(failing, now - self.window) :]
        most = self._most(address)
        if len(recent) < most:
            return 0
        return max(1, int(recent[-most] + self.window - now))

    def succeeded(self, address: str, account: bytes) -> "Deferred[None]":
        """*account* signed in from *address* after all: its failures were its owner's."""
        return self._activity.succeeded_from(source_of(address), account)

    def _most(self, address: str) -> int:
        return self.shared_accounts if address in self.shared else self.accounts
