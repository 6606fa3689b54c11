"""How often one maildrop may be opened (LOGIN-DELAY, RFC 2449 §6.5)."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from cjsm.access.errors import LoginTooSoon


class LoginDelay:
    """Remembers who signed in a moment ago, no longer than the delay lasts, in this process only.

    :ivar seconds: from one login to the next; 0 for no delay. May be changed at any time.
    :param clock: seconds that only ever go forward.
    """

    def __init__(self, seconds: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._entered: OrderedDict[bytes, float] = OrderedDict()

    def enter(self, maildrop: bytes) -> None:
        """*maildrop* is opened now.

        :raises LoginTooSoon: when it was opened a moment ago; this does not make the wait longer.
        """
        now = self._clock()
        while self._entered and next(iter(self._entered.values())) + self.seconds <= now:
            self._entered.popitem(last=False)
        if maildrop in self._entered:
            raise LoginTooSoon(math.ceil(self._entered[maildrop] + self.seconds - now))
        if self.seconds:
            self._entered[maildrop] = now
