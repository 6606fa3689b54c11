"""Keys begun anew by somebody else than their owner: a reset, and a rotation.

As everywhere, keys are written first, then the act that names them; what no act names is swept.
"""

import msgspec
from msgspec import Struct

from cjsm.access import keyring
from cjsm.access.enrolment import Enrolment
from cjsm.access.generations import Generations
from cjsm.access.keychanges import anew
from cjsm.access.keyring import AccountKeys
from cjsm.community.acts import keys as acts
from cjsm.community.acts.acting import By
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.acts.keys import MailboxStep
from cjsm.community.errors import NotFound
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.records import Account, MailboxRight, Recovery
from cjsm.community.view import View
from cjsm.store.interfaces import ICommunityStore, IKeyStore
from cjsm.vault.accountkeys import SignedAccountKey, sign_account_key
from cjsm.vault.secrets import ServiceSecrets
from cjsm.vault.slots import new_account_key


class Reset(Struct, frozen=True, kw_only=True):
    """A person who begins anew. The one-time password is shown once and kept nowhere.

    :ivar closed: there may be mail that only recovery opens again.
    :ivar recoverable: two officers can open at least some of it again.
    :ivar codes: recovery codes of before that are left: each opens mail of before only, so it chooses no password.
    :ivar recovery: the choice of the person's organisation about that.
    """

    account: Account
    one_time_password: str
    closed: bool
    recoverable: bool
    recovery: Recovery
    codes: int = 0

    def __repr__(self) -> str:
        return f"<Reset {self.account.user_id}>"


class KeyLife:
    """Resets people and rotates mailboxes."""

    def __init__(
        self, enrolment: Enrolment, *, community: ICommunityStore, keys: IKeyStore, secrets: ServiceSecrets
    ) -> None:
        self._enrolment = enrolment
        self._community = community
        self._keys = keys
        self._secrets = secrets
        self.generations = Generations(community, keys, secrets)

    async def reset(self, by: By, account: AccountId) -> Reset:
        """Give somebody a one-time password; a new epoch and new generations make new mail theirs, old mail is closed.

        Every password and device password is forgotten. What else the account has, a second factor above all, stays.

        :raises CommunityError: when *by* may not, or gives no reason.
        """
        return await anew(lambda: self._reset(by, account))

    async def _reset(self, by: By, account: AccountId) -> Reset:
        found = self._account(account)
        same = KeyStep(found.keys, found.keys)
        # Asked before keys are made, and again inside the commit.
        self._community.read_now(lambda view: acts.reset_password(view, by, account, same, ()))
        record = keyring.decode(self._keys.get_now(account, found.keys), AccountKeys)
        seeds, fresh = self._next_epoch(record)
        one_time, typed = self._enrolment.new_keys.one_time(account, seeds)
        following = msgspec.structs.replace(
            record,
            epochs=(*record.epochs, *fresh.values()),
            password=None,
            password_stretch=None,
            password_slots=(),
            one_time=one_time,
            devices=(),
            authority_slots=(),
            former=record.chosen,
        )
        version = self._keys.latest(account) + 1
        await self._keys.put(account, version, keyring.encode(following))
        steps = [await self.generations.begin(mailbox, fresh) for mailbox in self._read_by(account)] if fresh else []
        step = KeyStep(found.keys, version)
        await self._community.commit(by.act_id, lambda view: acts.reset_password(view, by, account, step, tuple(steps)))
        told = self._told(account, typed, closed=bool(fresh))
        return msgspec.structs.replace(told, codes=len(record.recovery) if fresh else 0)

    def _next_epoch(self, record: AccountKeys) -> tuple[dict[int, bytes], dict[AccountId, SignedAccountKey]]:
        """Return the seed by epoch and the signed public key by account; both empty where there are no mail keys."""
        if not record.epochs:
            return {}, {}
        epoch = record.epochs[-1].epoch + 1
        seed, unsigned = new_account_key(record.account, epoch)
        return {epoch: seed}, {record.account: sign_account_key(unsigned, self._secrets.community)}

    def _read_by(self, account: AccountId) -> list[MailboxId]:
        """Return the mailboxes that *account* reads: the person's own, and shared ones."""

        def look(view: View) -> list[MailboxId]:
            found = view.account(account)
            own = [found.mailbox] if found is not None and found.mailbox is not None else []
            shared = [
                each.id
                for each in view.shared_mailboxes_of(account)
                if any(one.account == account and MailboxRight.READ in one.rights for one in each.members)
            ]
            return own + shared

        return self._community.read_now(look)

    def _account(self, account: AccountId) -> Account:
        found = self._community.read_now(lambda view: view.account(account))
        if found is None:
            raise NotFound("there is no such user")
        return found

    def _told(self, account: AccountId, typed: str, *, closed: bool) -> Reset:
        def look(view: View) -> Reset:
            found = view.account(account)
            organisation = view.organisation(found.organisation) if found is not None else None
            if found is None or organisation is None:
                raise NotFound("there is no such user")
            return Reset(
                account=found,
                one_time_password=typed,
                closed=closed,
                recoverable=False,
                recovery=organisation.recovery,
            )

        made = self._community.read_now(look)
        mailbox = made.account.mailbox
        sealed = bool(self.generations.read(mailbox)[1].recovery[:-1]) if mailbox is not None else False
        return msgspec.structs.replace(made, recoverable=closed and sealed)

    async def rotate(self, by: By, mailbox: MailboxId) -> MailboxStep:
        """Begin a new generation of a mailbox's keys; what came before stays readable to whoever reads it now.

        :raises CommunityError: when *by* may not.
        """

        async def act() -> MailboxStep:
            owner, _, newest = self.generations.read(mailbox)
            version = acts.keys_of(owner)[0]
            same = MailboxStep(mailbox, version, version, newest.generation, "")
            self._community.read_now(lambda view: acts.rotate(view, by, same))
            step = await self.generations.begin(mailbox)
            await self._community.commit(by.act_id, lambda view: acts.rotate(view, by, step))
            return step

        return await anew(act)
