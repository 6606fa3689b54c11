"""The keys of mailboxes: the public one that acceptance seals to, the private ones that a signed-in member opens."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import TypeAlias

from zope.interface import implementer

from cjsm.access import keyring
from cjsm.access.keyring import MailboxKeys
from cjsm.community import finding
from cjsm.community.acts.keys import keys_of
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.view import View
from cjsm.mail.interfaces import IMailboxKeys
from cjsm.store.interfaces import ICommunityStore, IKeyStore, Missing
from cjsm.vault import unlock
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.hybrid import PrivateKey, PublicKey
from cjsm.vault.mailboxes import GenerationKey, check_generation, open_grant, verify_generation
from cjsm.vault.secrets import ServiceSecrets

_REMEMBERED = 10_000
#: Opened grants: everybody of a large community who comes every few minutes; some 400 octets each.
_REMEMBERED_SEEDS = 100_000


def keys_named(view: View, mailbox: MailboxId) -> tuple[int, int]:
    """Return the version of a mailbox's key record and its newest generation (0: not told) as the community names them.

    :raises Missing: for a mailbox that nobody has.
    """
    owner = finding.owner_of(view, mailbox)
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


#: A grant: mailbox, version of its keys, generation, member, epoch of the member's mail key.
_Place: TypeAlias = tuple[MailboxId, int, int, AccountId, int]


class OpenedSeeds:
    """Seeds that grants gave, so that a client that polls does not pay for opening the same grant each time.

    Each is sealed under the mail key that opened its grant, and counts only while the community names the keys it came
    from. Whoever reads this process's memory can do no more with it than with the grant on the disk.

    :param cache_key: this process's own.
    :param most: how many are kept; the one that was used longest ago goes first.
    """

    def __init__(self, cache_key: bytes, most: int = _REMEMBERED_SEEDS) -> None:
        self._cache_key = cache_key
        self._most = most
        self._sealed: OrderedDict[_Place, bytes] = OrderedDict()

    def recall(self, place: _Place, mail_key: bytes) -> bytes | None:
        """Return the seed that *mail_key* opened there before, if that is remembered."""
        sealed = self._sealed.get(place)
        if sealed is None:
            return None
        try:
            seed = unlock.open_seed(self._cache_key, mail_key, place[0], place[2], sealed)
        except NotAuthentic:
            # Another key than the one that opened the grant: let the grant itself refuse it.
            return None
        self._sealed.move_to_end(place)
        return seed

    def remember(self, place: _Place, mail_key: bytes, seed: bytes) -> None:
        """Keep a *seed* whose grant *mail_key* opened, and which gave the public key that the community signed."""
        self._sealed[place] = unlock.seal_seed(self._cache_key, mail_key, place[0], place[2], seed)
        self._sealed.move_to_end(place)
        if len(self._sealed) > self._most:
            self._sealed.popitem(last=False)


class OpenedMailbox:
    """The private keys of one mailbox for one member, each opened when the first message needs it."""

    def __init__(
        self,
        community: ICommunityStore,
        keys: IKeyStore,
        secrets: ServiceSecrets,
        seeds: OpenedSeeds,
        *,
        mailbox: MailboxId,
        member: AccountId,
        mail_keys: Mapping[int, bytes],
    ) -> None:
        self._community = community
        self._keys = keys
        self._secrets = secrets
        self._seeds = seeds
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
        version = self._version()
        for epoch, mail_key in self._mail_keys.items():
            seed = self._seeds.recall((self._mailbox, version, generation, self._member, epoch), mail_key)
            if seed is not None:
                return PrivateKey(seed)
        return self._open_granted(generation, version)

    def _open_granted(self, generation: int, version: int) -> PrivateKey:
        record = read_mailbox_keys(self._keys, self._mailbox, version)
        key = next((known for known in record.generations if known.generation == generation), None)
        if key is None:
            raise Missing(f"there is no generation {generation} of this mailbox")
        verify_generation(key, self._mailbox, self._secrets.community_public)
        for granted in record.grants:
            mail_key = self._mail_keys.get(granted.epoch)
            if granted.member == self._member and granted.generation == generation and mail_key is not None:
                opened = open_grant(granted, key, PrivateKey(mail_key))
                place = (self._mailbox, version, generation, self._member, granted.epoch)
                self._seeds.remember(place, mail_key, opened.seed)
                return opened
        raise Missing("this message is closed to the password used")

    def _record(self) -> MailboxKeys:
        return read_mailbox_keys(self._keys, self._mailbox, self._version())

    def _version(self) -> int:
        version, _ = self._community.read_now(lambda view: keys_named(view, self._mailbox))
        return version
