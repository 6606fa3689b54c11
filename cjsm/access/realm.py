"""The realm: one account, seen as what each door needs."""

from collections.abc import Callable
from typing import Any

from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import Interface, implementer

from cjsm.access.choosing import PasswordChooser
from cjsm.access.delay import LoginDelay
from cjsm.access.enrolment import Enrolment
from cjsm.access.errors import AccessUnavailable, LoginTooSoon, MailboxClosed, MaildropInUse, NotOffered
from cjsm.access.interfaces import IDirectoryReader, IMaildrop, IPasswordChooser, ISubmitter
from cjsm.access.kdf import KdfPool
from cjsm.access.mailboxkeys import OpenedMailbox, OpenedSeeds
from cjsm.access.maildrop import Maildrop
from cjsm.access.signedin import SignedIn
from cjsm.community import sharing
from cjsm.community.acts.recovery import RECOVERED, reading_until, recovered_name
from cjsm.community.admission import AccountOrigin, Origin
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.records import AccountKind, RecoveryRequest
from cjsm.community.states import may_sign_in
from cjsm.community.view import View
from cjsm.store.interfaces import (
    Altered,
    Damaged,
    ICommunityStore,
    IKeyStore,
    IMailStore,
    LeaseTaken,
    MailboxList,
    StoreError,
)
from cjsm.vault import tags
from cjsm.vault.secrets import ServiceSecrets

#: More generations than one: what a sign-in cannot open is left out.
_SEVERAL = 2


class Session:
    """Whether what let somebody in still holds; asked at each command and every few seconds.

    :param shared: the shared mailbox that was opened, which must stay theirs to read.
    """

    _log = Logger()

    def __init__(self, community: ICommunityStore, signed_in: SignedIn, shared: MailboxId | None = None) -> None:
        self._community = community
        self._shared = shared
        self._account = signed_in.account
        self._secret = signed_in.secret
        self._seen = -1
        used = (known for known in self._account.device_passwords if known.id == self._secret)
        self._expires = shared is not None or any(known.expires is not None for known in used)

    def still_valid(self) -> bool:
        """Look at the community only when it changed since the last time, or time alone may end the session.

        A store that does not answer now says nothing about the account: it is asked again, soon.
        """
        try:
            return self._look()
        except StoreError as error:
            self._log.error("a session could not be looked at again: {error}", error=error)
            return True

    def _look(self) -> bool:
        number = self._community.number()
        if number == self._seen and not self._expires:
            return True
        if not self._community.read_now(self._holds):
            return False
        self._seen = number
        return True

    def _holds(self, view: View) -> bool:
        now = view.account(self._account.id)
        if now is None or not may_sign_in(view, now) or not self._still_shared(view):
            return False
        if self._secret is not None:
            return any(
                known.id == self._secret and (known.expires is None or known.expires > view.moment)
                for known in now.device_passwords
            )
        return now.password_version == self._account.password_version

    def _still_shared(self, view: View) -> bool:
        if self._shared is None:
            return True
        if view.kept_shared_mailbox(self._shared) is not None:
            return sharing.reads(view, self._account.id, self._shared)
        requests = (each for each in view.recovery_requests() if each.mailbox == self._shared)
        return any(each.beneficiary == self._account.id and reading_until(view, each) for each in requests)


class _Avatar:
    """What every avatar has."""

    def __init__(self, account: AccountId, pseudonym: str, session: Session) -> None:
        self.account = account
        self.pseudonym = pseudonym
        self.still_valid: Callable[[], bool] = session.still_valid


@implementer(ISubmitter)
class Submitter(_Avatar):
    """See :class:`ISubmitter`."""

    def origin_for(self, reverse_path: str) -> Origin:
        """See :class:`ISubmitter`."""
        return AccountOrigin(account=self.account)


@implementer(IDirectoryReader)
class DirectoryReader(_Avatar):
    """See :class:`IDirectoryReader`."""


Avatar = tuple[Any, Any, Callable[[], None]]


@implementer(IRealm)
class Realm:
    """Makes avatars of :class:`SignedIn`.

    :param delay: how often a maildrop may be opened.
    :param enrolment: what lets people choose passwords, with slow work done in *kdf*.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        community: ICommunityStore,
        keys: IKeyStore,
        mail: IMailStore,
        secrets: ServiceSecrets,
        enrolment: Enrolment,
        kdf: KdfPool,
        delay: LoginDelay | None = None,
    ) -> None:
        self._community = community
        self._keys = keys
        self._mail = mail
        self._secrets = secrets
        self._enrolment = enrolment
        self._kdf = kdf
        self._delay = delay or LoginDelay()
        self._seeds = OpenedSeeds(secrets.cache.current)

    def requestAvatar(  # type: ignore[override]  # the checker gives more than bytes
        self, avatarId: SignedIn, mind: object, *interfaces: type[Interface]
    ) -> "Deferred[Avatar]":
        """Fire with (interface, avatar, logout).

        :raises NotOffered: when the account has nothing behind this door.
        :raises MaildropInUse: while another session has the maildrop.
        :raises LoginTooSoon: when it was opened a moment ago.
        """
        if IMaildrop in interfaces:
            return Deferred.fromCoroutine(self._maildrop(avatarId))
        pseudonym = tags.pseudonym(self._secrets.cache.current, avatarId.account.id)
        session = Session(self._community, avatarId)
        if IPasswordChooser in interfaces:
            chooser = PasswordChooser(
                avatarId.account.id, pseudonym, session.still_valid, enrolment=self._enrolment, kdf=self._kdf
            )
            return succeed((IPasswordChooser, chooser, _nothing))
        if IDirectoryReader in interfaces:
            reader = DirectoryReader(avatarId.account.id, pseudonym, session)
            return succeed((IDirectoryReader, reader, _nothing))
        if ISubmitter in interfaces:
            if avatarId.account.kind is AccountKind.RELAYED:
                raise NotOffered("your mail is sent by your organisation's own server")
            return succeed((ISubmitter, Submitter(avatarId.account.id, pseudonym, session), _nothing))
        raise NotImplementedError(f"no avatar for {interfaces}")

    async def _maildrop(self, signed_in: SignedIn) -> Avatar:
        account, shared = signed_in.account, signed_in.shared_name is not None
        mailbox, generations = self._community.read_now(lambda view: _mailbox_of(view, signed_in))
        try:
            lease = await self._mail.lease(mailbox, account.id)
        except LeaseTaken as error:
            raise MaildropInUse from error
        except StoreError as error:
            raise AccessUnavailable from error
        try:
            listing = await self._listed(mailbox, account.id if shared else None)
        except Damaged as error:
            lease.release()
            self._log.critical("mailbox {mailbox} is not what it was: {error}", mailbox=mailbox.hex(), error=error)
            raise MailboxClosed from error
        except StoreError as error:
            lease.release()
            self._log.error("mailbox {mailbox} cannot be listed: {error}", mailbox=mailbox.hex(), error=error)
            raise AccessUnavailable from error
        except BaseException:
            lease.release()
            raise
        try:
            self._delay.enter(mailbox + account.id)
        except LoginTooSoon:
            lease.release()
            raise
        keys = OpenedMailbox(
            self._community,
            self._keys,
            self._secrets,
            self._seeds,
            mailbox=mailbox,
            member=account.id,
            mail_keys=signed_in.mail_keys,
        )
        drop = Maildrop(
            account=account.id,
            pseudonym=tags.pseudonym(self._secrets.cache.current, account.id),
            valid=Session(self._community, signed_in, mailbox if shared else None).still_valid,
            mailbox=mailbox,
            listing=listing if generations <= 1 else _without_closed(listing, keys),
            lease=lease,
            mail=self._mail,
            keys=keys,
            acceptance=self._secrets.acceptance_public,
            shared=shared,
        )
        return IMaildrop, drop, drop.release

    async def _listed(self, mailbox: MailboxId, member: AccountId | None) -> MailboxList:
        """Return the rows; of a mailbox that was altered those that are there: each message proves itself still.

        The mail store tells of it.
        """
        try:
            return await self._mail.list(mailbox, member)
        except Altered:
            return await self._mail.list(mailbox, member, as_it_is=True)


def _without_closed(listing: MailboxList, keys: OpenedMailbox) -> MailboxList:
    """Leave out what this sign-in cannot open: a mail program that is refused one message often takes no other."""
    opens = keys.generations()
    return MailboxList(rows=tuple(row for row in listing.rows if row.generation in opens), head=listing.head)


def _mailbox_of(view: View, signed_in: SignedIn) -> tuple[MailboxId, int]:
    """Return the mailbox that a sign-in opens, the person's own or the shared one named behind ``/``, and its newest
    generation.
    """
    account = signed_in.account
    if signed_in.shared_name is None:
        if account.mailbox is None:
            raise NotOffered("your mail is kept at your organisation, not here")
        newest = view.account(account.id) or account
        return account.mailbox, newest.mailbox_generation
    found = sharing.named(view, account, signed_in.shared_name)
    if found is not None:
        return found.id, found.generation
    request = _recovered(view, account.id, signed_in.shared_name)
    if request is not None:
        # What was not approved is left out, whatever the mailbox's newest generation is.
        return request.mailbox, _SEVERAL
    raise NotOffered("there is no shared mailbox of that name for you")


def _recovered(view: View, account: AccountId, name: str) -> RecoveryRequest | None:
    """Return the request under which somebody else's mail is open to *account* for a time, under that name."""
    if not name.startswith(RECOVERED):
        return None
    for request in view.recovery_requests():
        if request.beneficiary == account and name == recovered_name(request) and reading_until(view, request):
            return request
    return None


def _nothing() -> None:
    """Nothing to give back at the end of this session."""
