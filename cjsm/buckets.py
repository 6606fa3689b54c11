"""Limits on how much in how much time. No clock: moments are arguments.

Every limit is a bucket that is full at first and fills again evenly, so that a burst passes and a flood does not. Of a
bucket one number is kept: the moment at which it is full again (generic cell rate algorithm, ITU-T I.371 appendix I).
So a question costs the same however much was asked, and a limit may change at any moment.
"""

from collections import OrderedDict
from typing import NamedTuple

MINUTE = 60
HOUR = 3_600
DAY = 86_400
#: Seconds that a wait must have to be one: moments are added up, and floating point is not exact.
_NOTHING = 0.001


class Limit(NamedTuple):
    """One bucket: what of whom is limited, to how many in how many seconds (0: no limit)."""

    what: str
    whose: bytes
    most: int
    period: int


class Buckets:
    """Buckets by name; those not asked for longest are forgotten, which makes them full.

    :param most: buckets remembered.
    :param debts: when more is taken than is there, what is missing is made up for before there is anything again; at
        most another bucket's worth.
    """

    def __init__(self, most: int, *, debts: bool = False) -> None:
        self.most = most
        self._emptiest = 2 if debts else 1
        self._full_at: OrderedDict[tuple[str, bytes, int], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, limit: Limit, now: float) -> float:
        """Return the seconds until *limit* has room for one more, 0 for now; nothing is taken."""
        wait = self._lacks(limit, now) + limit.period / limit.most - limit.period
        return wait if wait > _NOTHING else 0.0

    def take(self, limit: Limit, now: float, count: int = 1) -> None:
        """Take *count* from *limit*."""
        key = (limit.what, limit.whose, limit.period)
        self._full_at[key] = now + self._lacks(limit, now) + count * limit.period / limit.most
        self._full_at.move_to_end(key)
        while len(self._full_at) > self.most:
            self._full_at.popitem(last=False)

    def _lacks(self, limit: Limit, now: float) -> float:
        """Return the seconds until the bucket is full.

        A clock that was put back keeps nobody waiting for longer than a bucket takes to fill.
        """
        key = (limit.what, limit.whose, limit.period)
        full_at = self._full_at.get(key, now)
        latest = now + self._emptiest * limit.period
        if full_at > latest:
            full_at = self._full_at[key] = latest
        return max(full_at - now, 0.0)


def as_said(seconds: float) -> str:
    """Return *seconds* as people say them, rounded up."""
    for unit, length in (("hour", HOUR), ("minute", MINUTE)):
        if seconds > 2 * length:
            return f"{-int(-seconds // length)} {unit}s"
    whole = max(1, -int(-seconds // 1))
    return f"{whole} second{'' if whole == 1 else 's'}"
