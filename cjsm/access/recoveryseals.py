"""What recovery needs of each new generation: its seed, sealed to the owner organisation's officers, and that to the
counter-signer's. Made of public keys alone.
"""

from cjsm.access import keyring
from cjsm.access.keyring import AuthorityKeys, UnreadableKeys
from cjsm.community.acts.keys import mailbox_of
from cjsm.community.acts.recovery import parties
from cjsm.community.identifiers import MailboxId, OrganisationId
from cjsm.community.records import RecoveryAuthority
from cjsm.store.interfaces import ICommunityStore, IKeyStore
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.hybrid import PublicKey
from cjsm.vault.mailboxes import GenerationKey
from cjsm.vault.officers import check_recovery_key
from cjsm.vault.recovery import RecoveryWrap, wrap_for_recovery
from cjsm.vault.secrets import ServiceSecrets


def read_authority(keys: IKeyStore, authority: RecoveryAuthority) -> AuthorityKeys:
    """Return the keys of a recovery authority, as the community names them.

    :raises NotAuthentic: when its newest key is not the one that is named: an earlier state was put back.
    """
    record = keyring.decode(keys.get_now(authority.id, authority.keys), AuthorityKeys)
    if record.organisation != authority.id or not record.keys:
        raise UnreadableKeys("the key record belongs to another recovery authority")
    if record.keys[-1].number != authority.number:
        raise NotAuthentic("the newest recovery key is not the one that the community names")
    return record


class RecoverySeals:
    """Seals seeds for recovery, where there is any."""

    def __init__(self, community: ICommunityStore, keys: IKeyStore, secrets: ServiceSecrets) -> None:
        self._community = community
        self._keys = keys
        self._secrets = secrets

    def wraps(self, mailbox: MailboxId, seed: bytes, key: GenerationKey) -> tuple[RecoveryWrap, ...]:
        """Return the *seed* of a new generation of a mailbox for recovery; nothing where there is none."""
        organisation = self._community.read_now(lambda view: mailbox_of(view, mailbox).organisation)
        return self.wraps_for(organisation, seed, key)

    def wraps_for(self, organisation: OrganisationId, seed: bytes, key: GenerationKey) -> tuple[RecoveryWrap, ...]:
        """Return the same for a mailbox that *organisation* owns.

        :raises NotAuthentic: when a recovery key is not one that the community signed.
        """
        found = self._community.read_now(lambda view: parties(view, organisation))
        if found is None:
            return ()
        own, counter = found
        wrap = wrap_for_recovery(
            seed,
            key,
            organisation=own.id,
            key_number=own.number,
            to=self._public(own),
            counter_signer=counter.id,
            counter_number=counter.number,
            counter_to=self._public(counter),
        )
        return (wrap,)

    def _public(self, authority: RecoveryAuthority) -> PublicKey:
        newest = read_authority(self._keys, authority).keys[-1]
        return check_recovery_key(newest, authority.id, self._secrets.community_public)
