"""From the spool into mailboxes: hosted mail exactly once, however often a step has to be taken again."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from msgspec import Struct
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from cjsm.community.identifiers import DeliveryId, MailboxId
from cjsm.configuration import MailSettings
from cjsm.store.interfaces import Claimed, Delivery, IMailStore, ISpool

#: Seconds between looks at a spool that nobody announced anything of: other processes put there too.
_LOOK = 0.25
#: Seconds that a claim holds.
_CLAIM = 600


class _Part(Struct, frozen=True):
    """One delivery of one claimed entry."""

    claimed: Claimed
    delivery: Delivery


class DeliveryWorker:
    """Takes batches from the spool and writes each mailbox's part in one transaction.

    :param reactor: for pauses.
    :param clock: seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self,
        settings: MailSettings,
        *,
        spool: ISpool,
        mail: IMailStore,
        reactor: IReactorTime,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._mail = mail
        self._reactor = reactor
        self._clock = clock
        self._mailboxes = DeferredSemaphore(settings.delivery_workers)
        self._running = False
        self._busy: Deferred[None] | None = None
        self._again = False
        self._pause: IDelayedCall | None = None

    def start(self) -> None:
        """Begin; the process owns the spool's delivery."""
        self._running = True
        self._spool.on_arrival(self.wake)
        self.wake()

    def stop(self) -> "Deferred[None]":
        """Fire when the batch under way is done; nothing more is taken."""
        self._running = False
        if self._pause is not None and self._pause.active():
            self._pause.cancel()
        if self._busy is None:
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._busy.chainDeferred(ended)
        return ended

    def wake(self) -> None:
        """Look at the spool now, or as soon as the batch under way is done."""
        if not self._running:
            return
        if self._busy is not None:
            self._again = True
            return
        if self._pause is not None and self._pause.active():
            self._pause.cancel()
        self._busy = Deferred()
        Deferred.fromCoroutine(self._round()).addBoth(self._ended)

    def _ended(self, result: "bool | Failure") -> None:
        if isinstance(result, Failure):
            self._log.failure("delivery stopped short and will go on", failure=result)
        busy, self._busy = self._busy, None
        again, self._again = self._again, False
        if self._running:
            if again or result is True:
                self._pause = self._reactor.callLater(0, self.wake)
            else:
                self._pause = self._reactor.callLater(_LOOK, self.wake)
        if busy is not None:
            busy.callback(None)

    async def _round(self) -> bool:
        """Deliver one batch; return whether it was a full one, so that more may wait."""
        until = int(self._clock()) + _CLAIM
        claimed = await self._spool.claim("delivery", self._settings.delivery_batch, until)
        if not claimed:
            return False
        by_mailbox: defaultdict[MailboxId, list[_Part]] = defaultdict(list)
        for entry in claimed:
            for mailbox, part in _parts(entry):
                by_mailbox[mailbox].append(part)
        low_water = self._spool.low_water()
        outcomes = [
            self._mailboxes.run(self._deliver, mailbox, parts, low_water) for mailbox, parts in by_mailbox.items()
        ]
        results = await DeferredList(outcomes)
        made = {delivery_id for _, delivered in results for delivery_id in delivered}
        await self._report(claimed, made)
        return len(claimed) >= self._settings.delivery_batch

    def _deliver(self, mailbox: MailboxId, parts: Sequence[_Part], low_water: int) -> "Deferred[Sequence[DeliveryId]]":
        """Fire with the deliveries that are in the mailbox now; what failed is missing there."""
        return Deferred.fromCoroutine(self._write(mailbox, parts, low_water))

    async def _write(self, mailbox: MailboxId, parts: Sequence[_Part], low_water: int) -> Sequence[DeliveryId]:
        deliveries = [part.delivery for part in parts]
        try:
            await self._mail.deliver(mailbox, deliveries, low_water)
        except Exception as error:
            self._log.error("delivery to {mailbox} failed: {error}", mailbox=mailbox.hex(), error=error)
            if len(parts) == 1:
                return ()
            # One entry that cannot be delivered must not hold up its neighbours.
            made: list[DeliveryId] = []
            for part in parts:
                made += await self._write(mailbox, [part], low_water)
            return made
        return [delivery.delivery_id for delivery in deliveries]

    async def _report(self, claimed: Sequence[Claimed], made: set[DeliveryId]) -> None:
        progress = []
        for entry in claimed:
            delivered = [delivery for delivery in entry.remaining if delivery in made]
            if delivered or not entry.remaining:
                progress.append((entry.sequence, delivered))
            if len(delivered) < len(entry.remaining):
                wait = min(self._settings.retry_first * 2**entry.attempts, self._settings.retry_most)
                await self._spool.defer(entry.sequence, int(self._clock()) + wait, "a mailbox could not be written")
        if progress:
            await self._spool.done(progress)


def _parts(claimed: Claimed) -> list[tuple[MailboxId, _Part]]:
    entry = claimed.entry
    remaining = set(claimed.remaining)
    return [
        (
            wanted.mailbox,
            _Part(
                claimed,
                Delivery(
                    delivery_id=wanted.delivery_id,
                    spool_sequence=claimed.sequence,
                    generation=wanted.generation,
                    octets=wanted.octets,
                    body_id=entry.body_id,
                    sealed_octets=entry.sealed_octets,
                    wrap=wanted.wrap,
                    summary=entry.summary,
                    body=entry.body,
                ),
            ),
        )
        for wanted in entry.deliveries
        if wanted.delivery_id in remaining
    ]
