"""Each day's checkpoint of the ledger goes to where nobody who rewrites the ledger can reach it.

All of the ledger is verified first. Then the checkpoint is written to the log, kept by its date, and mailed to the
administrators of every organisation, inside the community: each of them can tell later whether anything was changed.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cjsm.community import finding, states
from cjsm.community.admission import Service
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import Job
from cjsm.community.view import View
from cjsm.configuration import Settings
from cjsm.jobs import ledgertree
from cjsm.jobs.ledgerkeys import LedgerKeys
from cjsm.jobs.ledgertree import Verification
from cjsm.ledger import tiles
from cjsm.ledger.checkpoints import Checkpoint
from cjsm.ledger.errors import LedgerBroken
from cjsm.mail import plaintext
from cjsm.mail.ownmail import OwnMail
from cjsm.store.interfaces import ICommunityStore, ILedgerFiles, ISpool, StoreError
from cjsm.vault.errors import VaultError

_DAY = 86_400
#: How the job's result begins where the ledger is not what it was.
FOUND = "found: "


class DailyCheckpoint:
    """A job; see the module.

    :ivar settings: may be replaced.
    :param clock: seconds since the epoch.
    :param aside: does what reads files in a thread for that.
    :param turn: gives everybody else on the reactor thread a turn.
    """

    _log = Logger()

    name = "ledger-checkpoint"
    every = _DAY

    def __init__(
        self,
        settings: Settings,
        keys: LedgerKeys,
        *,
        community: ICommunityStore,
        files: ILedgerFiles,
        spool: ISpool,
        own_mail: OwnMail,
        clock: Callable[[], float],
        aside: "Callable[[Callable[[], int]], Deferred[int]]",
        turn: "Callable[[], Deferred[None]]",
    ) -> None:
        self.settings = settings
        self._keys = keys
        self._community = community
        self._files = files
        self._spool = spool
        self._own_mail = own_mail
        self._clock = clock
        self._aside = aside
        self._turn = turn

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> str:
        octets = self._files.read(tiles.CHECKPOINT)
        checkpoint = ledgertree.signed(self._files, self._keys)
        if octets is None or checkpoint is None:
            return "nothing is signed yet"
        # Another may have been signed between the two.
        checkpoint = self._keys.checked(octets)
        problem = await self._verified(checkpoint)
        now = datetime.fromtimestamp(int(self._clock()), UTC)
        await self._files.write([(f"checkpoints/{now:%Y-%m-%d}", octets)])
        note = octets.decode()
        self._log.info("today's checkpoint of the ledger: {size} entries: {note!r}", size=checkpoint.size, note=note)
        told = 0
        if self.settings.ledger.checkpoint_mail:
            for account, address in await self._administrators():
                told += await self._mail(address, self._text(address, account, checkpoint, note, problem, now))
        found = f"{FOUND}{problem}" if problem else f"{checkpoint.size:,} entries verified"
        return f"{found}, mailed to {told} administrators"

    async def _verified(self, checkpoint: Checkpoint) -> str:
        """Return what is wrong with the ledger, or nothing."""
        try:
            steps = Verification(checkpoint, self._community, self._files).steps()
            while await self._aside(lambda: next(steps, 0)):
                pass
        except LedgerBroken as error:
            self._log.critical("the ledger: {problem}; {cure}", problem=str(error), cure=error.cure)
            return str(error)
        return ""

    async def _administrators(self) -> Sequence[tuple[AccountId, str]]:
        """Return everybody who administers anything and gets mail, with the address."""
        found: dict[AccountId, str] = {}
        places: list[OrganisationId | None] = [None]
        places += await self._community.read(lambda view: [each.id for each in view.organisations()])
        for place in places:
            found |= await self._community.read(partial(_administrators_of, place=place))
            await self._turn()
        return list(found.items())

    async def _mail(self, address: str, head: bytes) -> int:
        try:
            batch = await self._own_mail.write(Service.NOTICE, address, head, plaintext.nothing)
            if batch is None:
                return 0
            await self._spool.put(batch)
        except (StoreError, VaultError) as error:
            # An administrator whose keys are not in order keeps it from nobody else.
            self._log.error("a checkpoint was not mailed: {error}", error=error)
            return 0
        return 1

    def _text(
        self, address: str, account: AccountId, checkpoint: Checkpoint, note: str, problem: str, now: datetime
    ) -> bytes:
        community = self.settings.community
        told = hashlib.sha256(account + checkpoint.root + f"{now:%Y-%m-%d}".encode()).hexdigest()[:32]
        return plaintext.letter(
            _words(checkpoint, note, problem),
            sender=plaintext.postmaster(community),
            to=address,
            subject=f"Checkpoint of the ledger, {now:%d %B %Y}",
            moment=now.timestamp(),
            message_id=f"checkpoint.{told}@{community.suffix}",
            fields=("Auto-Submitted: auto-generated",),
        )


def _words(checkpoint: Checkpoint, note: str, problem: str) -> str:
    found = (
        f"ATTENTION: today's check of the ledger found this: {problem}.\nAsk who runs the service what happened.\n\n"
        if problem
        else ""
    )
    return (
        f"{found}Every administrative act in this community is in its ledger. These lines stand for all\n"
        f"{checkpoint.size:,} entries that it has today. Keep this message: whoever changes, removes or\n"
        "reorders an entry cannot make the ledger fit them again. To compare, save this message\n"
        "and have it checked with: cjsm audit verify --checkpoint FILE\n\n"
        f"{note}"
    )


def _administrators_of(view: View, place: OrganisationId | None) -> dict[AccountId, str]:
    found: dict[AccountId, str] = {}
    for held in view.roles_over(place):
        account = view.account(held.account)
        if held.role in states.ADMINISTRATORS and account is not None and states.takes_mail(account):
            address = finding.primary_address(view, account.id)
            found |= {account.id: address} if address else {}
    return found
