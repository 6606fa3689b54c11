"""Destroying what deleted accounts and shared mailboxes were, once nobody may have them back: grants, slots, verifiers,
mail and last uses.

The entry comes first and names what goes; the record goes last. A crash in between is taken up by the next run, and a
key store put back from an older backup is gone through again for what the ledger says was destroyed.
"""

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cjsm.community.acts import destruction as acts
from cjsm.community.acts.acting import By
from cjsm.community.acts.destruction import Ending
from cjsm.community.errors import CommunityError
from cjsm.community.identifiers import LENGTH, AccountId, ActId, Entropy, MailboxId, OrganisationId
from cjsm.community.records import Account, Job, LedgerEntry
from cjsm.community.view import View
from cjsm.configuration import KeySettings
from cjsm.ledger.entries import decode_entry, tells_of
from cjsm.store.interfaces import IActivity, ICommunityStore, IKeyStore, IMailStore, StoreError

_HOUR = 3_600
_DAY = 86_400
#: Entries of the ledger that are looked at in one slice.
_SLICE = 500


class Destruction:
    """Destroys accounts and shared mailboxes that were deleted longer ago than they can be had back.

    :ivar settings: may be replaced.
    """

    _log = Logger()

    name = "destruction"
    every = _HOUR

    def __init__(
        self,
        settings: KeySettings,
        *,
        community: ICommunityStore,
        keys: IKeyStore,
        mail: IMailStore,
        activity: IActivity,
        clock: Callable[[], float],
        entropy: Entropy,
    ) -> None:
        self._community = community
        self._keys = keys
        self._mail = mail
        self._activity = activity
        self._clock = clock
        self._entropy = entropy
        self._seen = 0
        self.settings = settings

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> str:
        again = await self._replay()
        before = int(self._clock()) - self.settings.undelete * _DAY
        gone: list[Ending] = []
        failed = 0
        for owner in await self._due(before):
            try:
                await self._end(owner, before)
            except CommunityError:
                # Undeleted at this moment, or another process has begun it.
                continue
            except StoreError as error:
                # One that cannot be destroyed now keeps nobody else's from being.
                self._log.error("{who} could not be destroyed: {error}", who=owner.id.hex(), error=error)
                failed += 1
            else:
                gone.append(owner)
        if gone or again:
            await self._keys.compact()
        for owner in gone:
            await self._finish(owner.id)
        people = sum(isinstance(owner, Account) for owner in gone)
        shared = len(gone) - people
        told = f"{people} users destroyed" + (f", {shared} shared mailboxes" if shared else "")
        told += f", {again} again after a restore" if again else ""
        return told + (f", {failed} could not be" if failed else "")

    async def _end(self, owner: Ending, before: int) -> None:
        if owner.keys:
            by = By.fresh(self._entropy)
            await self._community.commit(by.act_id, partial(acts.begin, by=by, owner=owner.id, before=before))
        await self._destroy(owner.id, acts.mailbox_of(owner))

    async def _due(self, before: int) -> list[Ending]:
        found: list[Ending] = []
        organisations = await self._community.read(lambda view: [each.id for each in view.organisations()])
        for organisation in organisations:
            found += await self._community.read(partial(_due_in, organisation=organisation, before=before))
        return found

    async def _destroy(self, owner: bytes, mailbox: MailboxId | None) -> None:
        """Destroy keys and mail; *owner* is an account's identifier, or a shared mailbox's own."""
        if mailbox is not None:
            await self._keys.destroy(mailbox)
            await self._mail.destroy(mailbox)
        if owner != mailbox:
            await self._keys.destroy(owner)
            await self._activity.destroy(AccountId(owner))

    async def _finish(self, owner: bytes) -> None:
        reserved = self.settings.address_reserved * _DAY
        found = self._community.read_now(lambda view: acts.ending(view, owner))
        if found is not None and not found.keys:
            act_id = ActId(self._entropy(LENGTH))
            await self._community.commit(act_id, lambda view: acts.finish(view, owner, reserved))

    async def _replay(self) -> int:
        """Destroy again what a restored key store brought back; return how many there were."""
        again = 0
        while entries := await self._community.entries(self._seen, _SLICE):
            for number, encoded in entries:
                if tells_of(encoded, acts.ACT) or tells_of(encoded, acts.SHARED_ACT):
                    again += await self._destroyed_again(decode_entry(encoded))
                self._seen = number
        return again

    async def _destroyed_again(self, entry: LedgerEntry) -> bool:
        owner, mailbox = entry.subject, dict(entry.details).get(acts.MAILBOX)
        if not self._brought_back(owner):
            return False
        await self._destroy(owner, MailboxId(bytes.fromhex(mailbox)) if mailbox else None)
        return True

    def _brought_back(self, owner: bytes) -> bool:
        """Whether the key store has keys of what was destroyed; an unfinished one is taken up elsewhere."""
        known = self._community.read_now(lambda view: acts.ending(view, owner))
        return known is None and self._keys.latest(owner) > 0


def _due_in(view: View, organisation: OrganisationId, before: int) -> list[Ending]:
    every: tuple[Ending, ...] = (*view.accounts_in(organisation), *view.kept_shared_mailboxes_in(organisation))
    return [each for each in every if acts.due(each, before)]
