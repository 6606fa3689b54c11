"""How much may come in how fast: per account, network and connection, and in all. Only ever answers "later".

Every limit is a bucket that is full at first and fills again evenly, so that a burst passes and a flood does not. Of a
bucket one number is kept: the moment at which it is full again (generic cell rate algorithm, ITU-T I.371 appendix I).
So a question costs the same however much was asked, and a limit may change at any moment.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from twisted.logger import Logger

from cjsm.community.verdicts import AccountOrigin, ConnectionOrigin, Origin
from cjsm.configuration import RatesSettings
from cjsm.mail.interfaces import Refused
from cjsm.sources import SharedNetworks, source_of

_MINUTE = 60
_HOUR = 3_600
_DAY = 86_400
#: Seconds in which one origin's refusals are one event of the log.
_WINDOW = 60.0
#: Seconds that a wait must have to be one: moments are added up, and floating point is not exact.
_NOTHING = 0.001


class What(StrEnum):
    """What is limited, in the words that the sender hears."""

    ACCOUNT = "messages from this account"
    SOURCE = "messages from your network"
    CONNECTION = "messages from this connection"
    ALL = "messages at the moment"
    RECIPIENTS = "recipients from this account"
    REFUSED = "recipients that do not exist here"


class Limit(NamedTuple):
    """One bucket: what of whom is limited, to how many in how many seconds (0: no limit)."""

    what: What
    whose: bytes
    most: int
    period: int


class _Told(NamedTuple):
    """When an origin was last spoken of, and its refusals since."""

    moment: float
    since: int


class Buckets:
    """Buckets by name; those not asked for longest are forgotten, which makes them full.

    :param most: buckets remembered.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._full_at: OrderedDict[tuple[What, bytes, int], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, limit: Limit, now: float) -> float:
        """Return the seconds until *limit* has room for one more, 0 for now; nothing is taken."""
        wait = self._lacks(limit, now) + limit.period / limit.most - limit.period
        return wait if wait > _NOTHING else 0.0

    def take(self, limit: Limit, now: float) -> None:
        """Take one from *limit*."""
        key = (limit.what, limit.whose, limit.period)
        self._full_at[key] = now + self._lacks(limit, now) + limit.period / limit.most
        self._full_at.move_to_end(key)
        while len(self._full_at) > self.most:
            self._full_at.popitem(last=False)

    def _lacks(self, limit: Limit, now: float) -> float:
        """Return the seconds until the bucket is full.

        A clock that was put back keeps nobody waiting for longer than the period.
        """
        key = (limit.what, limit.whose, limit.period)
        full_at = self._full_at.get(key, now)
        if full_at > now + limit.period:
            full_at = self._full_at[key] = now + limit.period
        return max(full_at - now, 0.0)


class Rates:
    """Asked for each message once its sender is admitted, and for each recipient before anything is said of it.

    What the service itself makes (reports, notices, lists, echo) is never held back here.

    :ivar settings: replaced by :meth:`renew`.
    :param name: how the log calls an account or connection: a pseudonym.
    :param shared: networks from which many people come through one address.
    """

    _log = Logger()

    def __init__(
        self, settings: RatesSettings, *, name: Callable[[bytes], str], shared: SharedNetworks | None = None
    ) -> None:
        self.settings = settings
        self._name = name
        self._shared = shared or SharedNetworks()
        self._buckets = Buckets(settings.remembered)
        self._told: OrderedDict[tuple[What, bytes], _Told] = OrderedDict()

    def renew(self, settings: RatesSettings, shared: SharedNetworks) -> None:
        """Take new limits; what was counted stays."""
        self.settings, self._shared = settings, shared
        self._buckets.most = settings.remembered

    def message(self, origin: Origin, source: str, now: float, *, per_minute: int | None = None) -> None:
        """Count a message that begins.

        :param source: the client's address; empty where there is none.
        :param now: seconds since the epoch, or of any clock that goes evenly.
        :param per_minute: a connection's own figure (``RelayLimits.messages_per_minute``), where it has one.
        :raises Refused: 451, saying when to try again; then nothing was counted.
        """
        settings = self.settings
        limits: list[Limit] = []
        match origin:
            case AccountOrigin(account):
                limits.append(Limit(What.ACCOUNT, account, settings.account_messages_per_minute, _MINUTE))
                limits.append(Limit(What.ACCOUNT, account, settings.account_messages_per_day, _DAY))
                limits.append(self._of_source(source))
            case ConnectionOrigin(connection):
                most = settings.connection_messages_per_minute if per_minute is None else per_minute
                limits.append(Limit(What.CONNECTION, connection, most, _MINUTE))
            case _:
                return
        limits.append(Limit(What.ALL, b"", settings.messages_per_minute, _MINUTE))
        self._ask(limits, now, 451)

    def recipient(self, origin: Origin, now: float) -> None:
        """Count a recipient that is asked for, before anything is said of it.

        An account that asked for too many that were refused hears the same of every recipient: there is nothing more
        to learn by trying names.

        :raises Refused: 450, saying when to try again; then nothing was counted.
        """
        if not isinstance(origin, AccountOrigin):
            return
        settings, account = self.settings, origin.account
        self._check([self._of_refused(account)], now, 450)
        limits = [
            Limit(What.RECIPIENTS, account, settings.account_recipients_per_minute, _MINUTE),
            Limit(What.RECIPIENTS, account, settings.account_recipients_per_day, _DAY),
        ]
        self._ask(limits, now, 450)

    def refused_recipient(self, origin: Origin, now: float) -> None:
        """Count a recipient that admission refused for good, before the sender hears why (community §5, rule 3).

        Of a connection only such recipients wait: an organisation's good mail does not suffer from a bad list.

        :raises Refused: 450 to answer instead, when there were too many.
        """
        match origin:
            case AccountOrigin(account):
                limit = self._of_refused(account)
            case ConnectionOrigin(connection):
                most = self.settings.connection_refused_recipients_per_minute
                limit = Limit(What.REFUSED, connection, most, _MINUTE)
            case _:
                return
        self._ask([limit], now, 450)

    def _of_refused(self, account: bytes) -> Limit:
        return Limit(What.REFUSED, account, self.settings.account_refused_recipients_per_hour, _HOUR)

    def _of_source(self, source: str) -> Limit:
        settings = self.settings
        shared = source in self._shared
        most = settings.listed_network_messages_per_minute if shared else settings.source_messages_per_minute
        return Limit(What.SOURCE, source_of(source).encode(), most if source else 0, _MINUTE)

    def _ask(self, limits: Sequence[Limit], now: float, code: int) -> None:
        """Take one of each of *limits*, or of none."""
        self._check(limits, now, code)
        for limit in limits:
            if limit.most:
                self._buckets.take(limit, now)

    def _check(self, limits: Sequence[Limit], now: float, code: int) -> None:
        waits = ((self._buckets.wait(limit, now), limit) for limit in limits if limit.most)
        seconds, limit = max(waits, key=lambda each: each[0], default=(0.0, None))
        if seconds and limit is not None:
            self._tell(limit, now)
            status = "4.3.2" if limit.what is What.ALL else "4.7.0"
            raise Refused(code, status, f"too many {limit.what}: try again in {_time(seconds)}")

    def _tell(self, limit: Limit, now: float) -> None:
        """Log that *limit* was reached: one event for each origin and window, however often it is asked."""
        key = (limit.what, limit.whose)
        told = self._told.get(key)
        if told is not None and 0 <= now - told.moment < _WINDOW:
            self._told[key] = _Told(told.moment, told.since + 1)
            return
        self._log.warn(
            "rate limit of {whose} reached: {most} {what} in {period} seconds; {more} more were refused before",
            whose=self._name(limit.whose) if limit.whose else "all",
            most=limit.most,
            what=limit.what,
            period=limit.period,
            more=told.since if told is not None else 0,
        )
        self._told[key] = _Told(now, 0)
        self._told.move_to_end(key)
        while len(self._told) > self.settings.remembered:
            self._told.popitem(last=False)


def _time(seconds: float) -> str:
    """Return *seconds* as people say them, rounded up."""
    for unit, length in (("hour", _HOUR), ("minute", _MINUTE)):
        if seconds > 2 * length:
            return f"{-int(-seconds // length)} {unit}s"
    whole = max(1, -int(-seconds // 1))
    return f"{whole} second{'' if whole == 1 else 's'}"
