"""Notices inside the community: from one fixed sender, by the way of all mail that the service itself writes."""

from collections.abc import Callable, Sequence
from email.header import Header
from functools import reduce

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from cjsm.community import finding
from cjsm.community.admission import Service
from cjsm.community.identifiers import LENGTH, Entropy
from cjsm.configuration import CommunitySettings
from cjsm.mail import plaintext
from cjsm.mail.entries import joined
from cjsm.mail.ownmail import OwnMail
from cjsm.mail.turns import Turns
from cjsm.notices.notice import BadNotice, Notice, decode
from cjsm.notices.texts import words
from cjsm.store.interfaces import (
    Damaged,
    ICommunityStore,
    INoticeStore,
    ISpool,
    KeptNotice,
    Missing,
    SpoolBatch,
    Way,
)
from cjsm.vault.errors import VaultError

#: Notices in one commit of the spool.
_BATCH = 32
#: Commits in one run: others have their turn.
_RUN = 8


class NoticeMail:
    """Writes notices that wait, in the order of their numbers, and puts them in the spool with the last number.

    So a crash between the spool and the note of it sends none twice.

    :ivar names: the community's own; may be replaced.
    :param clock: seconds since the epoch.
    :param reactor: to give others a turn.
    """

    _log = Logger()

    def __init__(
        self,
        names: CommunitySettings,
        *,
        store: INoticeStore,
        community: ICommunityStore,
        spool: ISpool,
        own_mail: OwnMail,
        clock: Callable[[], float],
        entropy: Entropy,
        reactor: IReactorTime,
    ) -> None:
        self.names = names
        self._store = store
        self._community = community
        self._spool = spool
        self._own_mail = own_mail
        self._clock = clock
        self._entropy = entropy
        self._reactor = reactor

    def begin(self) -> "Deferred[None]":
        """Let new notices have numbers that the spool has not seen, whichever of the two stores was made anew."""
        return self._store.begin_after(self._spool.last_notice())

    def run(self) -> "Deferred[int]":
        """Send what waits, some at most; fires with how many went.

        :raises StoreError: when the spool takes nothing now; they wait.
        """
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> int:
        went = 0
        for _ in range(_RUN):
            waiting = self._store.inside(_BATCH)
            if not waiting:
                break
            went += await self._send(waiting)
        return went

    async def _send(self, waiting: Sequence[KeptNotice]) -> int:
        before, turns = self._spool.last_notice(), Turns(self._reactor)
        outcomes: list[tuple[int, Way, str]] = []
        batches: list[SpoolBatch] = []
        for kept in waiting:
            if kept.number <= before:
                outcomes.append((kept.number, Way.SENT, ""))
                continue
            await turns.next_one()
            batch, outcome = await self._written(kept)
            batches += [batch] if batch is not None else []
            outcomes.append((kept.number, *outcome))
        if batches:
            together = reduce(joined, batches)
            await self._spool.put(msgspec.structs.replace(together, notice=waiting[-1].number))
        await self._store.sent_inside(outcomes)
        return len(batches)

    async def _written(self, kept: KeptNotice) -> tuple[SpoolBatch | None, tuple[Way, str]]:
        """Return a notice for the spool, and what became of it.

        :raises StoreError: when that is to be tried again.
        """
        try:
            notice = decode(kept.notice)
            to = self._community.read_now(lambda view: finding.primary_address(view, kept.account))
            if not to:
                return None, (Way.NOBODY, "")
            batch = await self._own_mail.write(Service.NOTICE, to, self._letter(notice, to), plaintext.nothing)
        except (BadNotice, Missing, Damaged, VaultError) as error:
            self._log.error("notice {number} is not sent: {error}", number=kept.number, error=error)
            return None, (Way.GIVEN_UP, str(error))
        return batch, (Way.SENT, "") if batch is not None else (Way.NOBODY, "")

    def _letter(self, notice: Notice, to: str) -> bytes:
        said, names = words(notice), self.names
        return plaintext.letter(
            f"{said.text}\n{names.service_name} · {names.helpdesk_contact}\n",
            sender=plaintext.postmaster(names),
            to=to,
            subject=Header(said.subject, header_name="Subject").encode(linesep="\r\n"),
            moment=self._clock(),
            message_id=f"notice.{self._entropy(LENGTH).hex()}@{names.suffix}",
            fields=("Auto-Submitted: auto-generated", f"Content-Language: {notice.language}"),
        )
