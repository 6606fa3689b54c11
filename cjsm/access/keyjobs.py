"""What happens to keys by itself: mailboxes begin new generations, and those that nothing is sealed to any more end."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec
from twisted.internet.defer import Deferred

from cjsm.access.generations import Generations, readers
from cjsm.access.keyring import UnreadableKeys
from cjsm.community.acts import keys as acts
from cjsm.community.acts.acting import By
from cjsm.community.acts.keys import MailboxStep, keys_of
from cjsm.community.acts.recovery import parties
from cjsm.community.errors import CommunityError
from cjsm.community.identifiers import Entropy, MailboxId, OrganisationId
from cjsm.community.records import Account, Job, SharedMailbox
from cjsm.community.states import chain, takes_mail
from cjsm.community.view import Change, View
from cjsm.configuration import KeySettings
from cjsm.jobs.batches import Batches
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
        if each.mailbox is not None and takes_mail(each) and wanted(view, each)
    )
    shared = (each.id for each in view.shared_mailboxes_in(organisation) if wanted(view, each))
    return [*accounts, *shared]


class Rotation:
    """Begins new generations where the newest is older than the settings say, or than the keys of those who recover it.

    So mail is sealed for recovery soon after officers were appointed, no longer to one who was dismissed, and after an
    organisation, a person or a shared mailbox was moved for those who are above it now; and as the organisation chose
    soon after it chose.

    :ivar settings: may be replaced.
    """

    name = "rotation"
    every = _HOUR

    def __init__(
        self,
        generations: Generations,
        settings: KeySettings,
        *,
        community: ICommunityStore,
        clock: Callable[[], float],
        entropy: Entropy,
    ) -> None:
        self._community = community
        self._clock = clock
        self._batches = Batches(
            community, entropy, prepare=generations.begin, decide=self._decide, keeps_one=_ONE_MAILBOX
        )
        self.settings = settings

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run(job))

    async def _run(self, job: Job) -> str:
        done, failed = await self.rotate(await self.due(), job, most=self.settings.rotations)
        return f"{done} mailboxes rotated" + (f", {failed} could not be" if failed else "")

    async def due(self) -> list[MailboxId]:
        """Return the mailboxes that should begin a new generation now."""
        return await owners(self._community, self._is_due)

    async def rotate(
        self,
        mailboxes: Sequence[MailboxId],
        job: Job | None = None,
        *,
        most: int | None = None,
        watch: Callable[[int], object] = lambda looked_at: None,
    ) -> tuple[int, int]:
        """Begin new generations; see :meth:`~cjsm.jobs.batches.Batches.go`. What keeps one from it is logged."""
        return await self._batches.go(mailboxes, job, most=most, watch=watch)

    def _decide(self, view: View, by: By, steps: Sequence[MailboxStep]) -> Change:
        return acts.rotate_by_itself(view, by, steps, self.due_before)

    def _is_due(self, view: View, owner: Owner) -> bool:
        return keys_of(owner)[2] < self.due_before(view, owner) and bool(readers(owner))

    def due_before(self, view: View, owner: Owner) -> int:
        """Return the moment from which the newest generation of a mailbox must be, so that it need not be rotated."""
        aged = int(self._clock()) - self.settings.rotate_after * _DAY if self.settings.rotate_after else 0
        above = tuple(chain(view, owner.organisation))
        # Whoever moves to where nothing is recovered leaves the officers of before as well.
        changed = [*(found.recovery_since for found in above[:1]), *(found.moved for found in above), owner.moved]
        changed += [authority.since for authority in parties(view, owner.organisation) or ()]
        return max([aged, *(each + 1 for each in changed if each)])


class EmptyGenerations:
    """Destroys the keys of generations that neither the mailbox nor the spool names any more.

    What was accepted while a generation was the newest is in the spool within minutes; it is waited for days.

    :ivar settings: may be replaced.
    """

    name = "empty-generations"
    every = _DAY

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
        self._batches = Batches(
            community, entropy, prepare=self._without_empty, decide=acts.drop_generations, keeps_one=_ONE_MAILBOX
        )
        #: What the spool names, as it was before mailboxes were looked at.
        self._waiting: Mapping[MailboxId, set[int]] = {}
        self.settings = settings

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run(job))

    async def _run(self, job: Job) -> str:
        before = int(self._clock()) - self.settings.generation_kept * _DAY

        def wanted(view: View, owner: Owner) -> bool:
            _, generation, rotated = keys_of(owner)
            return generation > 1 and rotated < before

        candidates = await owners(self._community, wanted)
        # The spool first: what is delivered meanwhile is found in the mailbox, which is looked at afterwards.
        waiting: dict[MailboxId, set[int]] = {}
        for mailbox, generation in await self._spool.named_generations():
            waiting.setdefault(mailbox, set()).add(generation)
        self._waiting = waiting
        done, failed = await self._batches.go(candidates, job, resumes=False)
        return f"empty generations of {done} mailboxes destroyed" + (f", {failed} were left out" if failed else "")

    async def _without_empty(self, mailbox: MailboxId) -> tuple[MailboxStep, tuple[int, ...]] | None:
        """Write the keys of a mailbox without generations that nothing names; None where there are none."""
        owner, record, newest = self._generations.read(mailbox)
        if len(record.generations) == 1:
            return None
        listed = await self._mail.list(mailbox)
        deleted = await self._mail.deleted(mailbox)
        named = {newest.generation, *self._waiting.get(mailbox, set())}
        named |= {row.generation for row in listed.rows} | {each.row.generation for each in deleted}
        gone = tuple(each.generation for each in record.generations if each.generation not in named)
        if not gone:
            return None
        kept = msgspec.structs.replace(
            record,
            generations=tuple(each for each in record.generations if each.generation not in gone),
            grants=tuple(each for each in record.grants if each.generation not in gone),
            recovery=tuple(each for each in record.recovery if each.generation not in gone),
        )
        return await self._generations.write(owner, kept), gone
