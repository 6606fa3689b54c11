"""Notices to ordinary addresses: a queue of their own, one host, and letters that hold fixed texts only."""

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from cjsm.community.address import has_suffix
from cjsm.community.identifiers import LENGTH, Entropy
from cjsm.configuration import CommunitySettings, NoticeSettings
from cjsm.notices.interfaces import CannotCarry, Host, ICarrier, IOrdinaryAddresses
from cjsm.notices.letter import is_plain, letter
from cjsm.notices.notice import BadNotice, decode
from cjsm.store.interfaces import INoticeStore, KeptNotice, Way

#: Letters in one run: others have their turn.
_RUN = 20
OFF = "notices to ordinary addresses are off"


class OrdinarySender:
    """Sends what is due, one letter at a time. A crash between a letter and its note sends that letter again.

    :ivar settings: may be replaced, and so may ``community``, the community's own names.
    :param clock: seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self,
        settings: NoticeSettings,
        community: CommunitySettings,
        *,
        store: INoticeStore,
        addresses: IOrdinaryAddresses,
        carrier: ICarrier,
        clock: Callable[[], float],
        entropy: Entropy,
    ) -> None:
        self.settings = settings
        self.community = community
        self._store = store
        self._addresses = addresses
        self._carrier = carrier
        self._clock = clock
        self._entropy = entropy
        self._not_before = 0.0
        self._stopped = False
        self._carrying: Deferred[None] | None = None

    def run(self) -> "Deferred[int]":
        """Send what is due, some letters at most; fires with how many went."""
        return Deferred.fromCoroutine(self._run())

    def stop(self) -> None:
        """Begin no letter any more, and break off the one that is on its way: it is sent again another time."""
        self._stopped = True
        if self._carrying is not None:
            self._carrying.cancel()

    async def _run(self) -> int:
        now, went = int(self._clock()), 0
        if now < self._not_before:
            return 0
        try:
            for kept in self._store.ordinary(now, _RUN):
                if self._stopped or now < self._not_before:
                    break
                went += await self._send(kept)
        finally:
            self._carrier.rest()
        return went

    async def _send(self, kept: KeptNotice) -> bool:
        try:
            written = self._written(kept)
        except _Never as never:
            await self._store.sent_ordinary(kept.number, never.way, str(never))
            return False
        to, octets = written
        self._carrying = self._carrier.carry(self._host(), self.settings.sender, to, octets)
        try:
            await self._carrying
        except CannotCarry as error:
            await self._not_sent(kept, error)
            return False
        except CancelledError:
            return False
        finally:
            self._carrying = None
        await self._store.sent_ordinary(kept.number, Way.SENT)
        return True

    def _written(self, kept: KeptNotice) -> tuple[str, bytes]:
        """Return the address and the letter.

        :raises _Never: when there is none to be sent.
        """
        if not self.settings.host:
            raise _Never(Way.GIVEN_UP, OFF)
        to = self._addresses.ordinary_address(kept.account)
        if not to:
            raise _Never(Way.NOBODY, "")
        if not is_plain(to) or has_suffix(to.rpartition("@")[2].lower(), self.community.suffix):
            raise _Never(Way.NOBODY, "the ordinary address is none that mail can go to")
        try:
            notice = decode(kept.notice)
        except BadNotice as error:
            raise _Never(Way.GIVEN_UP, str(error)) from error
        return to, letter(
            notice,
            service_name=self.community.service_name,
            sender=self.settings.sender,
            to=to,
            now=self._clock(),
            identifier=self._entropy(LENGTH).hex(),
        )

    def _host(self) -> Host:
        settings = self.settings
        return Host(
            host=settings.host,
            port=settings.port,
            name=settings.tls_name or settings.host,
            pins=frozenset(settings.tls_pins),
            public=settings.tls_trust == "public",
        )

    async def _not_sent(self, kept: KeptNotice, error: CannotCarry) -> None:
        now = int(self._clock())
        if error.for_good or now - kept.made >= self.settings.give_up:
            self._log.warn("notice {number} is given up: {error}", number=kept.number, error=error)
            await self._store.sent_ordinary(kept.number, Way.GIVEN_UP, str(error))
            return
        wait = min(self.settings.retry_first * 2 ** min(kept.attempts, 16), self.settings.retry_most)
        await self._store.sent_ordinary(kept.number, Way.WAITING, str(error), now + wait)
        # What kept this one keeps the others: the host is not asked for each of them.
        self._not_before = now + self.settings.retry_first


class _Never(Exception):
    """A notice that goes nowhere; the text says why."""

    def __init__(self, way: Way, why: str) -> None:
        super().__init__(why)
        self.way = way
