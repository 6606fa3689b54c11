"""The keys of mailboxes: the public one that acceptance seals to, the private ones that a signed-in member opens."""

from collections import OrderedDict
from collections.abc import Mapping

from zope.interface import implementer

from cjsm.access import keyring
from cjsm.access.keyring import MailboxKeys
from cjsm.community.acts.keys import keys_of
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.view import View
from cjsm.mail.interfaces import IMailboxKeys
from cjsm.store.interfaces import ICommunityStore, IKeyStore, Missing
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.hybrid import PrivateKey, PublicKey
from cjsm.vault.mailboxes import GenerationKey, check_generation, open_grant
from cjsm.vault.secrets import ServiceSecrets

_REMEMBERED = 10_000


def keys_named(view: View, mailbox: MailboxId) -> tuple[int, int]:
    """Return the version of a mailbox's key record and its newest generation (0: not told) as the community names them.

    :raises Missing: for a mailbox that nobody has.
    """
    owner = view.account_of_mailbox(mailbox) or view.shared_mailbox(mailbox)
    if owner is None:
        raise Missing("there is no such mailbox")
    return keys_of(owner)[:2]


@implementer(IMailboxKeys)
class CurrentKeys:
    """The newest public key of each mailbox, verified once and remembered while the community names it."""

    def __init__(self, community: ICommunityStore, keys: IKeyStore, secrets: ServiceSecrets) -> None:
        self._community = community
        self._keys = keys
        self._secrets = secrets
        self._known: OrderedDict[MailboxId, tuple[int, int, PublicKey]] = OrderedDict()

    def current(self, mailbox: MailboxId) -> tuple[int, PublicKey]:
        """Return (generation, public key).

        :raises Missing: when the mailbox has no keys.
        :raises VaultError: when the community did not sign them.
        """
        version, generation = self._community.read_now(lambda view: keys_named(view, mailbox))
        known = self._known.get(mailbox)
        if known is None or known[0] != version:
            record = read_mailbox_keys(self._keys, mailbox, version)
            newest = newest_of(record, generation)
            public = check_generation(newest, mailbox, self._secrets.community_public)
            known = self._known[mailbox] = (version, newest.generation, public)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known[1], known[2]


def newest_of(record: MailboxKeys, named: int) -> GenerationKey:
    """Return the newest generation of *record*.

    :param named: the newest as the community names it; 0 where it is older than naming it.
    :raises NotAuthentic: when it is another one: an earlier state was put back, and who left since could read again.
    """
    newest = record.generations[-1]
    if named and newest.generation != named:
        raise NotAuthentic("the mailbox's newest generation is not the one that the community names")
    return newest


def read_mailbox_keys(keys: IKeyStore, mailbox: MailboxId, version: int) -> MailboxKeys:
    """Return one version of a mailbox's keys.

    :raises Missing: when there is none.
    """
    record = keyring.decode(keys.get_now(mailbox, version), MailboxKeys)
    if record.mailbox != mailbox or not record.generations:
        raise keyring.UnreadableKeys("the key record belongs to another mailbox")
    return record


class OpenedMailbox:
    """The private keys of one mailbox for one member, each opened when the first message needs it."""

    def __init__(
        self,
        community: ICommunityStore,
        keys: IKeyStore,
        secrets: ServiceSecrets,
        *,
        mailbox: MailboxId,
        member: AccountId,
        mail_keys: Mapping[int, bytes],
    ) -> None:
        self._community = community
        self._keys = keys
        self._secrets = secrets
        self._mailbox = mailbox
        self._member = member
        self._mail_keys = dict(mail_keys)
        self._opened: dict[int, PrivateKey] = {}

    def private_key(self, generation: int) -> PrivateKey:
        """Return the private key of *generation*.

        :raises Missing: when this member was not granted it, or cannot open the grant.
        :raises NotAuthentic: when keys were changed.
        """
        opened = self._opened.get(generation)
        if opened is None:
            opened = self._opened[generation] = self._open(generation)
        return opened

    def generations(self) -> frozenset[int]:
        """Return the generations that this member can open, going by who was granted what."""
        granted = self._record().grants
        return frozenset(
            each.generation for each in granted if each.member == self._member and each.epoch in self._mail_keys
        )

    def forget(self) -> None:
        """Forget every key; nothing more opens."""
        self._opened.clear()
        self._mail_keys.clear()

    def _open(self, generation: int) -> PrivateKey:
        record = self._record()
        key = next((known for known in record.generations if known.generation == generation), None)
        if key is None:
            raise Missing(f"there is no generation {generation} of this mailbox")
        check_generation(key, self._mailbox, self._secrets.community_public)
        for granted in record.grants:
            seed = self._mail_keys.get(granted.epoch)
            if granted.member == self._member and granted.generation == generation and seed is not None:
                return open_grant(granted, key, PrivateKey(seed))
        raise Missing("this message is closed to the password used")

    def _record(self) -> MailboxKeys:
        version, _ = self._community.read_now(lambda view: keys_named(view, self._mailbox))
        return read_mailbox_keys(self._keys, self._mailbox, version)
