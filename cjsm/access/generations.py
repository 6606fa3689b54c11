"""New generations of a mailbox's keys, made of public keys alone: everybody may be away."""

import hashlib
from collections.abc import Mapping

import msgspec

from cjsm.access import keyring
from cjsm.access.keyring import AccountKeys, MailboxKeys
from cjsm.access.mailboxkeys import newest_of, read_mailbox_keys
from cjsm.access.recoveryseals import RecoverySeals
from cjsm.community.acts.keys import MailboxStep, keys_of, mailbox_of
from cjsm.community.errors import Conflict, NotFound
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.records import Account, Life, MailboxRight, SharedMailbox
from cjsm.community.view import View
from cjsm.store.interfaces import ICommunityStore, IKeyStore
from cjsm.vault.accountkeys import SignedAccountKey, check_account_key
from cjsm.vault.mailboxes import GenerationKey, Grant, check_generation, grant, new_generation
from cjsm.vault.secrets import ServiceSecrets

#: Public keys that take the place of those that the key store has: of accounts that begin a new epoch in the same act.
Fresh = Mapping[AccountId, SignedAccountKey]


def readers(owner: Account | SharedMailbox) -> tuple[AccountId, ...]:
    """Return who reads a mailbox: its owner, or the members of a shared one that have the right."""
    if isinstance(owner, Account):
        return (owner.id,)
    return tuple(member.account for member in owner.members if MailboxRight.READ in member.rights)


class Generations:
    """Begins new generations: writes the keys, and leaves it to an act to name them."""

    def __init__(self, community: ICommunityStore, keys: IKeyStore, secrets: ServiceSecrets) -> None:
        self._community = community
        self._keys = keys
        self._secrets = secrets
        self.seals = RecoverySeals(community, keys, secrets)

    def newest_key(self, account: AccountId) -> SignedAccountKey:
        """Return the public mail key of an account's newest epoch.

        :raises Conflict: when the account has none, or has one that nobody vouches for yet.
        """
        found = self._community.read_now(lambda view: view.account(account))
        if found is None or not found.keys or found.life is Life.DELETED:
            raise Conflict("this user has no keys")
        record = keyring.decode(self._keys.get_now(account, found.keys), AccountKeys)
        if not record.epochs:
            raise Conflict(f"{found.user_id} has no mailbox here, and so no key to read with")
        newest = record.epochs[-1]
        if not newest.signature:
            cure = f"let {found.user_id} choose a password anew: cjsm user set-password {found.user_id}"
            raise Conflict(f"the key of {found.user_id} is from before keys were signed", cure)
        check_account_key(newest, account, self._secrets.community_public)
        return newest

    async def begin(self, mailbox: MailboxId, fresh: Fresh | None = None) -> MailboxStep:
        """Write the keys of *mailbox* with a new generation, which its readers are granted.

        :param fresh: keys of readers that begin a new epoch with the same act.
        :return: the step that the act has to name.
        :raises Conflict: when none of its readers has a key that could be granted anything.
        :raises NotAuthentic: when keys are not what the community signed.
        """
        owner, record, _ = self.read(mailbox)
        return await self.write(owner, self.with_next(record, readers(owner), fresh or {}))

    def with_next(self, record: MailboxKeys, members: tuple[AccountId, ...], fresh: Fresh) -> MailboxKeys:
        """Return *record*, which was checked, with a new generation that *members* are granted; see :meth:`begin`."""
        number = record.generations[-1].generation + 1
        seed, key = new_generation(record.mailbox, number, self._secrets.community)
        granted = self.granted(members, seed, key, fresh)
        if members and not granted:
            raise Conflict("nobody who reads this mailbox has a key that mail could be sealed to")
        return msgspec.structs.replace(
            record,
            generations=(*record.generations, key),
            grants=(*record.grants, *granted),
            recovery=(*record.recovery, *self.seals.wraps(record.mailbox, seed, key)),
        )

    def read(self, mailbox: MailboxId) -> tuple[Account | SharedMailbox, MailboxKeys, GenerationKey]:
        """Return whose mailbox it is, its keys, and the newest generation, checked.

        :raises NotFound: when it is nobody's, or its keys are destroyed.
        """

        def look(view: View) -> Account | SharedMailbox:
            return mailbox_of(view, mailbox)

        owner = self._community.read_now(look)
        version, generation, _ = keys_of(owner)
        if not version:
            raise NotFound("the keys of this mailbox are destroyed", "nothing brings them back but a backup of them")
        record = read_mailbox_keys(self._keys, mailbox, version)
        newest = newest_of(record, generation)
        check_generation(newest, mailbox, self._secrets.community_public)
        return owner, record, newest

    async def write(self, owner: Account | SharedMailbox, record: MailboxKeys) -> MailboxStep:
        """Write *record*, made from what the owner names, as the next version; return the step to it."""
        newest = record.generations[-1]
        version = self._keys.latest(record.mailbox) + 1
        await self._keys.put(record.mailbox, version, keyring.encode(record))
        digest = hashlib.sha256(newest.public).hexdigest()
        return MailboxStep(record.mailbox, keys_of(owner)[0], version, newest.generation, digest)

    def granted(
        self, members: tuple[AccountId, ...], seed: bytes, key: GenerationKey, fresh: Fresh
    ) -> tuple[Grant, ...]:
        """Return grants of generation *key* to the newest key of each of *members*.

        :raises Conflict: when there is only one, who has no key that could be granted anything.
        """
        made = []
        for member in members:
            try:
                newest = fresh.get(member) or self.newest_key(member)
            except Conflict:
                # Of several readers one may be deleted, or have a key nobody vouches for: the others read on.
                if len(members) == 1:
                    raise
                continue
            to = check_account_key(newest, member, self._secrets.community_public)
            made.append(grant(seed, key, member, newest.epoch, to))
        return tuple(made)
