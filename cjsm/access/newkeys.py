"""The first keys of new accounts: made of randomness and public keys, and written before the act that names them."""

from collections.abc import Callable

from msgspec import Struct

from cjsm.access import keyring
from cjsm.access.keyring import AccountKeys, MailboxKeys, SystemSecretKeys
from cjsm.access.recoveryseals import RecoverySeals
from cjsm.access.secretkeys import new_system_secret
from cjsm.community.identifiers import LENGTH, AccountId, Entropy, MailboxId, OrganisationId, SecretId
from cjsm.community.records import Account
from cjsm.configuration import AccessSettings
from cjsm.store.interfaces import ICommunityStore, IKeyStore
from cjsm.vault import device
from cjsm.vault.accountkeys import sign_account_key
from cjsm.vault.device import SecretKind
from cjsm.vault.errors import WrongSecret
from cjsm.vault.hybrid import PublicKey
from cjsm.vault.mailboxes import grant, new_generation
from cjsm.vault.secrets import ServiceSecrets
from cjsm.vault.slots import new_account_key

#: A key record for :meth:`~cjsm.store.interfaces.IKeyStore.put_all`.
KeyRecord = tuple[bytes, int, bytes]


class FirstKeys(Struct, frozen=True):
    """The key records of a new account, as its record names them, and its one-time password, kept nowhere."""

    records: tuple[KeyRecord, ...]
    one_time_password: str

    def __repr__(self) -> str:
        return f"<FirstKeys, {len(self.records)} records>"


class NewKeys:
    """:param clock: seconds since the epoch."""

    def __init__(
        self,
        settings: AccessSettings,
        community: ICommunityStore,
        keys: IKeyStore,
        secrets: ServiceSecrets,
        *,
        entropy: Entropy,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._secrets = secrets
        self._entropy = entropy
        self._clock = clock
        self._seals = RecoverySeals(community, keys, secrets)

    def one_time(self, account: AccountId, mail_keys: dict[int, bytes]) -> tuple[SystemSecretKeys, str]:
        """Return what a fresh one-time password is kept as, and the password; it opens *mail_keys*, seeds by epoch."""
        expires = int(self._clock()) + self._settings.one_time_password_life
        identifier = SecretId(self._entropy(LENGTH))
        return new_system_secret(account, SecretKind.ONE_TIME, identifier, mail_keys, expires, self._secrets)

    def of(self, account: Account) -> FirstKeys:
        """Return the keys of a new account, hosted or relayed."""
        if account.mailbox is None:
            return self.of_relayed(account.id)
        return self._of_hosted(account.id, account.mailbox, account.organisation)

    def of_relayed(self, account: AccountId) -> FirstKeys:
        """Return those of a member whose mail is kept elsewhere: a one-time password alone."""
        one_time, typed = self.one_time(account, {})
        record = keyring.encode(AccountKeys(account=account, one_time=one_time))
        return FirstKeys(((account, 1, record),), typed)

    def _of_hosted(self, account: AccountId, mailbox: MailboxId, organisation: OrganisationId) -> FirstKeys:
        seed, unsigned = new_account_key(account, 1)
        public = sign_account_key(unsigned, self._secrets.community)
        one_time, typed = self.one_time(account, {1: seed})
        mail_seed, generation = new_generation(mailbox, 1, self._secrets.community)
        granted = grant(mail_seed, generation, account, 1, PublicKey(public.public))
        recovery = self._seals.wraps_for(organisation, mail_seed, generation)
        person = AccountKeys(account=account, epochs=(public,), one_time=one_time)
        mail = MailboxKeys(mailbox=mailbox, generations=(generation,), grants=(granted,), recovery=recovery)
        return FirstKeys(((account, 1, keyring.encode(person)), (mailbox, 1, keyring.encode(mail))), typed)

    def is_one_time(self, account: Account, typed: str) -> bool:
        """Whether *typed* is the one-time password of the account, chosen another since or not known any more."""
        secret = device.parse(typed.encode())
        record = keyring.decode(self._keys.get_now(account.id, account.keys), AccountKeys) if account.keys else None
        if secret is None or record is None or record.one_time is None:
            return False
        try:
            device.verify(record.one_time.verifier, secret, self._secrets.peppers)
        except WrongSecret:
            return False
        return True
