"""Tells people in good time that their password ends, where the policy lets passwords end (community §7)."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime, formataddr

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cjsm.community import finding
from cjsm.community.admission import Service
from cjsm.community.identifiers import LENGTH, Entropy, OrganisationId
from cjsm.community.records import Account, Credential, Job, Life
from cjsm.community.view import View
from cjsm.configuration import Settings
from cjsm.mail import plaintext
from cjsm.mail.ownmail import OwnMail
from cjsm.policies import DAY, Policy
from cjsm.store.interfaces import ICommunityStore, ISpool, StoreError

#: Somebody whose password ends: user ID, address, and when.
_Due = tuple[str, str, int]


class PasswordWarnings:
    """A job that writes each warning once, on the day it is due or when the service runs again.

    :ivar settings: may be replaced, and so may ``policy``.
    :param clock: seconds since the epoch.
    """

    _log = Logger()

    name = "password-warnings"
    every = DAY // 4

    def __init__(
        self,
        settings: Settings,
        policy: Policy,
        *,
        community: ICommunityStore,
        spool: ISpool,
        own_mail: OwnMail,
        clock: Callable[[], float],
        entropy: Entropy = os.urandom,
    ) -> None:
        self.settings = settings
        self.policy = policy
        self._community = community
        self._spool = spool
        self._own_mail = own_mail
        self._clock = clock
        self._entropy = entropy

    def run(self, job: Job) -> "Deferred[str]":
        """See :class:`~cjsm.jobs.schedule.Kind`."""
        return Deferred.fromCoroutine(self._run(job))

    async def _run(self, job: Job) -> str:
        if not self.policy.expires:
            return "no password ends"
        now, warned = int(self._clock()), 0
        before = job.last_run if job.last_run is not None else now - self.every
        organisations = await self._community.read(lambda view: [found.id for found in view.organisations()])
        for organisation in organisations:
            for due in await self._community.read(self._due_in(organisation, before, now)):
                warned += await self._warn(due, now)
        return f"{warned} people warned"

    def _due_in(self, organisation: OrganisationId, before: int, now: int) -> Callable[[View], list[_Due]]:
        """Return what looks for the people of *organisation* to whom a warning became due after *before*."""

        def look(view: View) -> list[_Due]:
            return [
                (account.user_id, finding.primary_address(view, account.id), end)
                for account in view.accounts_in(organisation)
                if (end := self._end(account)) is not None and self._is_due(account, before, now)
            ]

        return look

    def _end(self, account: Account) -> int | None:
        chosen = account.life is Life.ACTIVE and account.credential is Credential.CHOSEN
        return self.policy.ends(account.password_since or account.created) if chosen else None

    def _is_due(self, account: Account, before: int, now: int) -> bool:
        since = account.password_since or account.created
        due = self.policy.warned_since(since, now)
        return due is not None and due != self.policy.warned_since(since, before)

    async def _warn(self, due: _Due, now: int) -> int:
        user_id, address, end = due
        try:
            batch = await self._own_mail.write(
                Service.NOTICE, address, self._text(user_id, address, end, now), plaintext.nothing
            )
            if batch is None:
                return 0
            await self._spool.put(batch)
        except StoreError as error:
            self._log.error("a warning that a password ends was not written: {error}", error=error)
            return 0
        return 1

    def _text(self, user_id: str, address: str, end: int, now: int) -> bytes:
        community = self.settings.community
        sender = formataddr((community.service_name, f"postmaster@{community.suffix}"))
        days = -((now - end) // DAY)
        head = (
            f"From: {sender}\r\nTo: <{address}>\r\nSubject: Your password ends in {_days(days)}\r\n"
            f"Date: {format_datetime(datetime.fromtimestamp(now, UTC))}\r\n"
            f"Message-ID: <notice.{self._entropy(LENGTH).hex()}@{community.suffix}>\r\n"
            f"Auto-Submitted: auto-generated\r\n{plaintext.HEAD}"
        )
        words = (
            f"The password of {user_id} ends on {datetime.fromtimestamp(end, UTC):%d %B %Y at %H:%M} UTC,\n"
            f"in {_days(days)}. Choose another before that; all your mail stays readable.\n"
            "Device passwords in your mail programs and telephones go on as they are.\n\n"
            f"If you do not know how, ask {community.helpdesk_contact}.\n"
            "This message never asks for a password, and has no link to follow.\n"
        )
        return head.encode() + plaintext.lines(words)


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
