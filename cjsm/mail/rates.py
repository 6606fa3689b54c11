"""How much may come in how fast: per account, network and connection, and in all. Only ever answers "later"."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from twisted.logger import Logger

from cjsm.buckets import DAY, HOUR, MINUTE, Buckets, Limit, as_said
from cjsm.community.verdicts import AccountOrigin, ConnectionOrigin, Origin
from cjsm.configuration import RatesSettings
from cjsm.mail.interfaces import Refused
from cjsm.sources import SharedNetworks, source_of

#: Seconds in which one origin's refusals are one event of the log.
_WINDOW = 60.0


class What(StrEnum):
    """What is limited, in the words that the sender hears."""

    ACCOUNT = "messages from this account"
    SOURCE = "messages from your network"
    CONNECTION = "messages from this connection"
    ALL = "messages at the moment"
    RECIPIENTS = "recipients from this account"
    REFUSED = "recipients that do not exist here"


class _Told(NamedTuple):
    """When an origin was last spoken of, and its refusals since."""

    moment: float
    since: int


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
        self._told: OrderedDict[tuple[str, bytes], _Told] = OrderedDict()

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
                limits.append(Limit(What.ACCOUNT, account, settings.account_messages_per_minute, MINUTE))
                limits.append(Limit(What.ACCOUNT, account, settings.account_messages_per_day, DAY))
                limits.append(self._of_source(source))
            case ConnectionOrigin(connection):
                most = settings.connection_messages_per_minute if per_minute is None else per_minute
                limits.append(Limit(What.CONNECTION, connection, most, MINUTE))
            case _:
                return
        limits.append(Limit(What.ALL, b"", settings.messages_per_minute, MINUTE))
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
            Limit(What.RECIPIENTS, account, settings.account_recipients_per_minute, MINUTE),
            Limit(What.RECIPIENTS, account, settings.account_recipients_per_day, DAY),
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
                limit = Limit(What.REFUSED, connection, most, MINUTE)
            case _:
                return
        self._ask([limit], now, 450)

    def _of_refused(self, account: bytes) -> Limit:
        return Limit(What.REFUSED, account, self.settings.account_refused_recipients_per_hour, HOUR)

    def _of_source(self, source: str) -> Limit:
        settings = self.settings
        shared = source in self._shared
        most = settings.listed_network_messages_per_minute if shared else settings.source_messages_per_minute
        return Limit(What.SOURCE, source_of(source).encode(), most if source else 0, MINUTE)

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
            raise Refused(code, status, f"too many {limit.what}: try again in {as_said(seconds)}")

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
