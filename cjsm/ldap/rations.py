"""How many entries an account is given in an hour and a day: enough for every letter, too few to list everybody."""

from functools import lru_cache

from msgspec import Struct

from cjsm.buckets import DAY, HOUR, Buckets, Limit, as_said
from cjsm.community.identifiers import AccountId

_REMEMBERED = 100_000
_TOGETHER = 100
_WHAT = "entries"


class TooMany(Exception):
    """An account has been given as many entries as it may be for now."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"very many entries were looked up from this account: try again in {as_said(seconds)}")


class Ration(Struct, frozen=True):
    """Entries in an hour and in a day; 0 for no limit."""

    per_hour: int
    per_day: int

    @property
    def at_a_time(self) -> int:
        """Entries that are counted together."""
        return _counted_together(self.per_hour, self.per_day)


@lru_cache(16)
def _counted_together(per_hour: int, per_day: int) -> int:
    limits = (most // 10 for most in (per_hour, per_day) if most)
    return max(1, min((_TOGETHER, *limits)))


class Rations:
    """The counts of all accounts.

    A search costs some microseconds, and so would counting each entry: they are counted a hundred at a time.
    """

    def __init__(self) -> None:
        self._buckets = Buckets(_REMEMBERED, debts=True)
        self._uncounted: dict[AccountId, int] = {}
        self._waits_until: dict[AccountId, float] = {}

    def check(self, account: AccountId, now: float) -> None:
        """Ask before a search.

        :raises TooMany: when *account* has to wait.
        """
        until = self._waits_until.get(account)
        if until is None:
            return
        if now < until:
            raise TooMany(until - now)
        del self._waits_until[account]

    def given(self, account: AccountId, ration: Ration, count: int, now: float) -> None:
        """Count entries that *account* was given."""
        uncounted = self._uncounted.get(account, 0) + count
        if uncounted < ration.at_a_time:
            self._uncounted[account] = uncounted
            return
        self._uncounted.pop(account, None)
        waits = [0.0]
        for most, period in ((ration.per_hour, HOUR), (ration.per_day, DAY)):
            if most:
                limit = Limit(_WHAT, account, most, period)
                self._buckets.take(limit, now, uncounted)
                waits.append(self._buckets.wait(limit, now))
        if max(waits):
            self._remember(account, now + max(waits))

    def _remember(self, account: AccountId, until: float) -> None:
        if len(self._uncounted) + len(self._waits_until) > _REMEMBERED:
            self._uncounted.clear()
            self._waits_until.clear()
        self._waits_until[account] = until
