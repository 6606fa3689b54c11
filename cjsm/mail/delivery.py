"""From the spool into mailboxes: hosted mail exactly once, however often a step has to be taken again.

Three things go on beside each other: entries are claimed while there is room for more, mailboxes are written one
transaction at a time each and take turns, and what became of entries is told to the spool in batches.
"""

from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from cjsm.community.identifiers import DeliveryId, MailboxId
from cjsm.configuration import MailSettings
from cjsm.mail.entries import queue_id
from cjsm.mail.traced import Answer
from cjsm.mail.tracing import Tracer
from cjsm.store.interfaces import (
    Claimed,
    Damaged,
    Delivery,
    IMailStore,
    ISpool,
    Quarantined,
    SpoolBatch,
    SpoolEntry,
    StoreError,
    Unavailable,
)

#: Seconds between looks at a spool that nobody announced anything of: what was deferred comes due.
_LOOK = 0.25
#: Seconds from one claim to the next while mail keeps coming: what comes meanwhile is written together.
_GATHERING = 0.1
#: Seconds that a claim holds.
_CLAIM = 600
#: Entries in one claim, and deliveries in one transaction of a mailbox, so that nobody waits long for a turn.
_GULP = 64
#: Sealed octets held in memory before nothing more is claimed.
_HELD = 16 * 1024 * 1024


class _Entry(Struct):
    """A claimed entry: what is still to be delivered, what was, and the last thing that went wrong."""

    claimed: Claimed
    waiting: set[DeliveryId]
    made: list[DeliveryId]
    problem: str = ""

    @property
    def octets(self) -> int:
        return len(self.claimed.entry.body or b"")


class _Part(Struct, frozen=True):
    """One delivery of one claimed entry."""

    entry: _Entry
    delivery: Delivery


class DeliveryWorker:
    """Delivers while it is started. One for each spool: its process owns the spool's delivery.

    :param reports: makes what the sender of an entry hears of deliveries, where he asked for it.
    :param delivered: hears to which mailboxes something was delivered, before the spool forgets it; what a crash keeps
        from being noted is told again.
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
        reports: Callable[[SpoolEntry, Sequence[DeliveryId]], Coroutine[Any, Any, Sequence[SpoolBatch]]],
        tracer: Tracer,
        reactor: IReactorTime,
        clock: Callable[[], float],
        delivered: Callable[[Collection[MailboxId]], "Deferred[Any]"] = lambda mailboxes: succeed(None),
    ) -> None:
        self.settings = settings
        self._tracer = tracer
        self._reports = reports
        self._delivered = delivered
        self._spool = spool
        self._mail = mail
        self._reactor = reactor
        self._clock = clock
        self._running = False
        self._arrived = False
        self._look: IDelayedCall | None = None
        self._next_claim = 0.0
        self._claiming = False
        self._recording = False
        self._held = 0
        self._entries = 0
        self._queues: dict[MailboxId, deque[_Part]] = {}
        self._turns: deque[MailboxId] = deque()
        self._writing: set[MailboxId] = set()
        self._settled: list[_Entry] = []
        self._pause: Deferred[None] | None = None
        self._stopped: list[Deferred[None]] = []

    def start(self) -> None:
        """Begin."""
        self._running = True
        self._spool.on_arrival(self.wake)
        self._look_again()

    def stop(self) -> "Deferred[None]":
        """Fire when what is under way is done and told; nothing more is begun."""
        self._running = False
        if self._look is not None and self._look.active():
            self._look.cancel()
        if self._pause is not None:
            self._pause.cancel()
        self._queues.clear()
        self._turns.clear()
        if self._idle():
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopped.append(stopped)
        return stopped

    def wake(self) -> None:
        """Something may have arrived: it is claimed now, or, after another claim, with what comes within a moment."""
        if not self._running or self._look is None:
            return
        rest = self._next_claim - self._reactor.seconds()
        if rest <= 0:
            self._claim_now()
        elif self._look.getTime() > self._next_claim:
            self._look.reset(rest)

    def _look_again(self) -> None:
        self._look = self._reactor.callLater(_LOOK, self._look_again)
        self._claim_now()

    def _claim_now(self) -> None:
        self._arrived = True
        self._go_on()

    def _idle(self) -> bool:
        return not (self._claiming or self._recording or self._writing)

    def _go_on(self) -> None:
        """Begin whatever can begin now; called whenever something ended."""
        while self._running and self._turns and len(self._writing) < self.settings.delivery_workers:
            self._write_next()
        room = self._entries < self.settings.delivery_batch and self._held < _HELD
        if self._running and self._arrived and room and not self._claiming:
            self._claiming, self._arrived = True, False
            self._begin(self._claim(), self._claim_ended)
        if self._settled and not self._recording:
            self._recording = True
            self._begin(self._record(), self._record_ended)
        if not self._running and self._idle():
            stopped, self._stopped = self._stopped, []
            for waiter in stopped:
                waiter.callback(None)

    def _begin(self, work: Coroutine[Deferred[Any], Any, None], ended: Callable[[], None]) -> None:
        def after(result: object) -> None:
            if isinstance(result, Failure) and result.check(StoreError):
                self._log.error("delivery has to wait: {error}", error=result.value)
            elif isinstance(result, Failure):
                self._log.failure("a step of delivery failed and will be taken again", failure=result)
            ended()
            self._go_on()

        Deferred.fromCoroutine(work).addBoth(after)

    # Claiming

    def _claim_ended(self) -> None:
        self._claiming = False

    async def _claim(self) -> None:
        until = int(self._clock()) + _CLAIM
        claimed = await self._spool.claim("delivery", _GULP, until)
        self._arrived |= len(claimed) == _GULP
        if claimed:
            self._next_claim = self._reactor.seconds() + _GATHERING
        if not self._running:
            return
        for each in claimed:
            self._take(each)

    def _take(self, claimed: Claimed) -> None:
        entry = _Entry(claimed, set(claimed.remaining), [])
        self._entries += 1
        self._held += entry.octets
        for mailbox, delivery in deliveries_of(claimed):
            queue = self._queues.get(mailbox)
            if queue is None:
                queue = self._queues[mailbox] = deque()
                if mailbox not in self._writing:
                    self._turns.append(mailbox)
            queue.append(_Part(entry, delivery))
        if not entry.waiting:
            self._settle(entry)

    # Writing

    def _write_next(self) -> None:
        mailbox = self._turns.popleft()
        queue = self._queues[mailbox]
        parts = [queue.popleft() for _ in range(min(_GULP, len(queue)))]
        if not queue:
            del self._queues[mailbox]
        self._writing.add(mailbox)
        self._begin(self._write(mailbox, parts), lambda: self._write_ended(mailbox, parts))

    def _write_ended(self, mailbox: MailboxId, parts: Sequence[_Part]) -> None:
        self._writing.discard(mailbox)
        if mailbox in self._queues:
            self._turns.append(mailbox)
        for part in parts:
            part.entry.waiting.discard(part.delivery.delivery_id)
            if not part.entry.waiting:
                self._settle(part.entry)

    async def _write(self, mailbox: MailboxId, parts: Sequence[_Part]) -> None:
        try:
            await self._mail.deliver(mailbox, [part.delivery for part in parts], self._spool.low_water())
        except Exception as error:  # noqa: BLE001 - whatever it was, delivery to the others goes on
            await self._not_written(mailbox, parts, error)
            return
        for part in parts:
            part.entry.made.append(part.delivery.delivery_id)

    async def _not_written(self, mailbox: MailboxId, parts: Sequence[_Part], error: Exception) -> None:
        if len(parts) > 1 and not isinstance(error, (Unavailable, Quarantined)):
            # The mailbox may be in order: one message that cannot be delivered must not hold up its neighbours.
            for part in parts:
                await self._write(mailbox, [part])
            return
        log = self._log.critical if isinstance(error, Damaged) else self._log.error
        log("delivery to {mailbox} failed: {error}", mailbox=mailbox.hex(), error=error)
        for part in parts:
            part.entry.problem = f"a mailbox could not be written: {error}"

    # Telling the spool

    def _settle(self, entry: _Entry) -> None:
        self._entries -= 1
        self._held -= entry.octets
        self._settled.append(entry)

    def _record_ended(self) -> None:
        self._recording = False

    async def _record(self) -> None:
        settled, self._settled = self._settled, []
        made = [(entry.claimed.sequence, entry.made) for entry in settled if entry.made or not entry.claimed.remaining]
        try:
            if made:
                await self._delivered(_mailboxes_of(settled))
                await self._spool.done(made, await self._heard_of(settled))
            self._trace(settled)
            for entry in settled:
                if entry.problem:
                    await self._spool.defer(entry.claimed.sequence, self._next_try(entry.claimed), entry.problem)
        except StoreError as error:
            self._log.error("the spool could not be told of deliveries: {error}", error=error)
            # A worker that stops may forget them: delivering again changes nothing.
            if self._running:
                self._settled[:0] = settled
                await self._wait()

    def _trace(self, settled: Sequence[_Entry]) -> None:
        for each in settled:
            called = queue_id(each.claimed.entry.id)
            self._tracer.delivered(called, *each.made)
            for late in set(each.claimed.remaining).difference(each.made) if each.problem else ():
                self._tracer.deferred(called, delivery=late, answer=Answer(code=450, words=each.problem))

    async def _heard_of(self, settled: Sequence[_Entry]) -> list[SpoolBatch]:
        """Return what senders hear of deliveries, for the commit that notes them."""
        heard: list[SpoolBatch] = []
        for each in settled:
            if each.claimed.entry.reports and each.made:
                heard += await self._reports(each.claimed.entry, each.made)
        return heard

    def _next_try(self, claimed: Claimed) -> int:
        wait = self.settings.retry_first * 2 ** min(claimed.attempts, 16)
        return int(self._clock() + min(wait, self.settings.retry_most))

    async def _wait(self) -> None:
        self._pause = deferLater(self._reactor, self.settings.retry_first)
        try:
            await self._pause
        except CancelledError:
            return


def _mailboxes_of(settled: Sequence[_Entry]) -> Collection[MailboxId]:
    """Return the mailboxes that something of *settled* was delivered to."""
    made = {each for entry in settled for each in entry.made}
    deliveries = (each for entry in settled for each in entry.claimed.entry.deliveries)
    return {each.mailbox for each in deliveries if each.delivery_id in made}


def deliveries_of(claimed: Claimed) -> list[tuple[MailboxId, Delivery]]:
    """Return what is still to be delivered of an entry."""
    entry = claimed.entry
    remaining = set(claimed.remaining)
    return [
        (
            wanted.mailbox,
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
        )
        for wanted in entry.deliveries
        if wanted.delivery_id in remaining
    ]
