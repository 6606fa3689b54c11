"""What happens to keys by itself: mailboxes begin new generations, and those that nothing is sealed to any more end."""

from collections.abc import Callable, Iterable
from functools import partial

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cjsm.access.generations import Generations, readers
from cjsm.access.keyring import UnreadableKeys
from cjsm.community.acts import keys as acts
from cjsm.community.acts.acting import By
from cjsm.community.acts.keys import keys_of
from cjsm.community.acts.recovery import parties
from cjsm.community.errors import CommunityError
from cjsm.community.identifiers import LENGTH, ActId, Entropy, MailboxId, OrganisationId
from cjsm.community.records import Account, Job, Life, SharedMailbox
from cjsm.community.states import chain
from cjsm.community.view import Change, View
from cjsm.configuration import KeySettings
from cjsm.store.interfaces import ICommunityStore, IMailStore, ISpool, StoreError
from cjsm.vault.errors import VaultError

_HOUR = 3_600
_DAY = 86_400

#: What is wrong with one mailbox, and keeps nobody else's from being looked at.
_ONE_MAILBOX = (CommunityError, StoreError, VaultError, UnreadableKeys)

Owner = Account | SharedMailbox


async def owners(community: ICommunityStore, wanted: Callable[[View, Owner], bool]) -> list[MailboxId]:
    """Return the mailboxes whose owners' records are *wanted*, an organisation in a slice."""
    found: list[MailboxId] = []
    organisations = await community.read(lambda view: [each.id for each in view.organisations()])
    for organisation in organisations:
        found += await community.read(partial(_owners_in, organisation=organisation, wanted=wanted))
    return found


def _owners_in(view: View, organisation: OrganisationId, wanted: Callable[[View, Owner], bool]) -> list[MailboxId]:
    accounts = (
        each.mailbox
        for each in view.accounts_in(organisation)
        if each.mailbox is not None and each.life is not Life.DELETED and wanted(view, each)
    )
    shared = (each.id for each in view.shared_mailboxes_in(organisation) if wanted(view, each))
    return [*accounts, *shared]


class Rotation:
    """Begins new generations where the newest is older than the settings say, or than the keys of those who recover it.

    So mail is sealed for recovery soon after officers were appointed, no longer to one who was dismissed, and after an
    organisation was moved for those who are above it now.

    :ivar settings: may be replaced.
    """

    name = "rotation"
    every = _HOUR
    _log = Logger()

    def __init__(
        self,
        generations: Generations,
        settings: KeySettings,
        *,
        community: ICommunityStore,
        clock: Callable[[], float],
        entropy: Entropy,
    ) -> None:
        self._generations = generations
        self._community = community
        self._clock = clock
        self._entropy = entropy
        self.settings = settings

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> str:
        done = failed = 0
        for mailbox in await self.due():
            if done == self.settings.rotations:
                break
            if await self.rotate(mailbox):
                done += 1
            else:
                failed += 1
        return f"{done} mailboxes rotated" + (f", {failed} could not be" if failed else "")

    async def due(self) -> list[MailboxId]:
        """Return the mailboxes that should begin a new generation now."""
        return await owners(self._community, self._is_due)

    async def rotate(self, mailbox: MailboxId) -> bool:
        """Begin one; return whether it was done. What keeps one from it is logged."""
        try:
            await self._rotate(mailbox)
        except _ONE_MAILBOX as error:
            self._log.warn("mailbox {mailbox} is not rotated: {error}", mailbox=mailbox.hex(), error=error)
            return False
        return True

    def _is_due(self, view: View, owner: Owner) -> bool:
        return keys_of(owner)[2] < self.due_before(view, owner) and bool(readers(owner))

    def due_before(self, view: View, owner: Owner) -> int:
        """Return the moment from which the newest generation of a mailbox must be, so that it need not be rotated."""
        aged = int(self._clock()) - self.settings.rotate_after * _DAY if self.settings.rotate_after else 0
        recovery = parties(view, owner.organisation)
        if recovery is None:
            return aged
        moved = (found.moved for found in chain(view, owner.organisation))
        return max(aged, *(authority.since + 1 for authority in recovery), *(each + 1 for each in moved if each))

    async def _rotate(self, mailbox: MailboxId) -> None:
        step = await self._generations.begin(mailbox)
        by = By(act_id=ActId(self._entropy(LENGTH)))

        def decide(view: View) -> Change:
            return acts.rotate_by_itself(view, by, step, self.due_before(view, acts.mailbox_of(view, mailbox)))

        await self._community.commit(by.act_id, decide)


class EmptyGenerations:
    """Destroys the keys of generations that neither the mailbox nor the spool names any more.

    What was accepted while a generation was the newest is in the spool within minutes; it is waited for days.

    :ivar settings: may be replaced.
    """

    name = "empty-generations"
    every = _DAY
    _log = Logger()

    def __init__(
        self,
        generations: Generations,
        settings: KeySettings,
        *,
        community: ICommunityStore,
        mail: IMailStore,
        spool: ISpool,
        clock: Callable[[], float],
        entropy: Entropy,
    ) -> None:
        self._generations = generations
        self._community = community
        self._mail = mail
        self._spool = spool
        self._clock = clock
        self._entropy = entropy
        self.settings = settings

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> str:
        before = int(self._clock()) - self.settings.generation_kept * _DAY

        def wanted(view: View, owner: Owner) -> bool:
            _, generation, rotated = keys_of(owner)
            return generation > 1 and rotated < before

        candidates = await owners(self._community, wanted)
        # The spool first: what is delivered meanwhile is found in the mailbox, which is looked at afterwards.
        waiting: dict[MailboxId, set[int]] = {}
        for mailbox, generation in await self._spool.named_generations():
            waiting.setdefault(mailbox, set()).add(generation)
        gone = 0
        for mailbox in candidates:
            try:
                gone += await self._drop(mailbox, waiting.get(mailbox, set()))
            except _ONE_MAILBOX as error:
                self._log.warn("generations of {mailbox} stay: {error}", mailbox=mailbox.hex(), error=error)
        return f"{gone} generations destroyed"

    async def _drop(self, mailbox: MailboxId, waiting: Iterable[int]) -> int:
        owner, record, newest = self._generations.read(mailbox)
        if len(record.generations) == 1:
            return 0
        listed = await self._mail.list(mailbox)
        deleted = await self._mail.deleted(mailbox)
        named = {newest.generation, *waiting}
        named |= {row.generation for row in listed.rows} | {each.row.generation for each in deleted}
        gone = tuple(each.generation for each in record.generations if each.generation not in named)
        if not gone:
            return 0
        kept = msgspec.structs.replace(
            record,
            generations=tuple(each for each in record.generations if each.generation not in gone),
            grants=tuple(each for each in record.grants if each.generation not in gone),
            recovery=tuple(each for each in record.recovery if each.generation not in gone),
        )
        step = await self._generations.write(owner, kept)
        by = By(act_id=ActId(self._entropy(LENGTH)))
        await self._community.commit(by.act_id, lambda view: acts.drop_generations(view, by, step, gone))
        return len(gone)
