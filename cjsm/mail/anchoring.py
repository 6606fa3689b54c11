"""Heads of mailboxes' lists go to the ledger, and a mailbox that is not what it was is noted there."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cjsm.community.acts import heads as acts
from cjsm.community.identifiers import LENGTH, ActId, Entropy, MailboxId
from cjsm.community.records import LedgerEntry
from cjsm.configuration import LedgerSettings
from cjsm.store.interfaces import IAnchors, ILedgerHeads, Noticed


class HeadAnchoring:
    """See the module. The owner of delivery calls :meth:`run` every minute.

    :param remembered: where heads are remembered as they change.
    :param clock: seconds since the epoch.
    :ivar settings: may be replaced.
    """

    _log = Logger()

    def __init__(
        self,
        settings: LedgerSettings,
        *,
        remembered: IAnchors,
        ledger: ILedgerHeads,
        clock: Callable[[], float],
        entropy: Entropy,
    ) -> None:
        self.settings = settings
        self._remembered = remembered
        self._ledger = ledger
        self._clock = clock
        self._entropy = entropy

    def run(self) -> "Deferred[int]":
        """Anchor what changed since the last time, some in each entry; fires with how many mailboxes that were.

        A crash after any step leaves what is done again: a head that is anchored already makes no entry.
        """
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> int:
        done = 0
        while heads := await self._remembered.unanchored(self.settings.anchor_batch):
            anchoring = await self._ledger.anchor_heads(heads, self._entry)
            for mailbox, problem in anchoring.refused:
                self.noticed(mailbox, problem)
            await self._remembered.settled(heads)
            done += anchoring.changed
            if len(heads) < self.settings.anchor_batch:
                break
        return done

    def _entry(self, moment: int, root: bytes, changed: int) -> LedgerEntry:
        return acts.anchored(ActId(self._entropy(LENGTH)), moment, root, changed)

    def noticed(self, mailbox: MailboxId, problem: str) -> None:
        """Note that *mailbox* is not what it must be; once, until an act explains it. Never waits and never fails."""
        Deferred.fromCoroutine(self._notice(mailbox, problem)).addErrback(
            lambda failure: self._log.failure(
                "mailbox {mailbox} is not what it was, and the ledger takes no entry of that: {problem}",
                failure=failure,
                mailbox=mailbox.hex(),
                problem=problem,
            )
        )

    async def _notice(self, mailbox: MailboxId, problem: str) -> None:
        if self._ledger.is_noticed(mailbox):
            return
        act_id, moment = ActId(self._entropy(LENGTH)), int(self._clock())
        found = Noticed(mailbox=mailbox, problem=problem, moment=moment)
        if await self._ledger.notice(act_id, found, acts.noticed(act_id, moment, mailbox, problem)):
            self._log.error(
                "mailbox {mailbox} is not what was written to it, messages may be missing: {problem}; its owner reads "
                "what is there: see `cjsm mailbox verify`, then restore or accept it",
                mailbox=mailbox.hex(),
                problem=problem,
            )
