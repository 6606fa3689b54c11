"""How many entries an account is given in an hour and a day: enough for every letter, too few to list everybody."""

from msgspec import Struct

from cjsm.buckets import DAY, HOUR, Buckets, Limit, as_said
from cjsm.community.identifiers import AccountId

_REMEMBERED = 100_000
_WHAT = "entries"


class TooMany(Exception):
    """An account has been given as many entries as it may be for now."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"very many entries were looked up from this account: try again in {as_said(seconds)}")


class Ration(Struct, frozen=True):
    """Entries in an hour and in a day; 0 for no limit."""

    per_hour: int
    per_day: int


class Rations:
    """The counts of all accounts."""

    def __init__(self) -> None:
        self._buckets = Buckets(_REMEMBERED, debts=True)

    def check(self, account: AccountId, ration: Ration, now: float) -> None:
        """Ask before a search.

        :raises TooMany: when *account* has to wait.
        """
        wait = max((self._buckets.wait(limit, now) for limit in _limits(account, ration)), default=0.0)
        if wait:
            raise TooMany(wait)

    def given(self, account: AccountId, ration: Ration, count: int, now: float) -> None:
        """Count entries that *account* was given."""
        for limit in _limits(account, ration) if count else ():
            self._buckets.take(limit, now, count)


def _limits(account: AccountId, ration: Ration) -> list[Limit]:
    most = ((ration.per_hour, HOUR), (ration.per_day, DAY))
    return [Limit(_WHAT, account, count, period) for count, period in most if count]
