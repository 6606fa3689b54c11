"""Public keys of accounts, signed by the community: nobody who only writes the disk gets a mailbox's seed granted to a
key of their own.
"""

from collections.abc import Iterable, Mapping

from cjsm.community.identifiers import AccountId
from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import ForgedKey, NotAuthentic
from cjsm.vault.hybrid import PrivateKey, PublicKey
from cjsm.vault.secrets import Versions
from cjsm.vault.signing import SigningKey, Verifies
from cjsm.vault.slots import AccountKey


class SignedAccountKey(AccountKey, frozen=True, kw_only=True, array_like=True):
    """An account's public key with the community's signature; one from before keys were signed has none."""

    key_number: int = 0
    signature: bytes = b""


def _statement(key: AccountKey) -> bytes:
    return bound(b"cjsm account key", SUITE, key.use.value.encode(), key.account, key.epoch, key.public)


def sign_account_key(key: AccountKey, community: Versions[SigningKey]) -> SignedAccountKey:
    """Return *key* signed; whoever asks knows that it is the account's, because they made it or opened its seed."""
    return SignedAccountKey(
        suite=key.suite,
        account=key.account,
        epoch=key.epoch,
        public=key.public,
        use=key.use,
        key_number=community.number,
        signature=community.current.sign(_statement(key)),
    )


def check_account_key(key: SignedAccountKey, account: AccountId, community: Versions[Verifies]) -> PublicKey:
    """Return the public key to seal to. Either half of the *community* key will do.

    :raises NotAuthentic: when the community did not sign it for *account*; so too for one from before keys were signed,
        which the account's next change of password mends.
    """
    check_suite(key.suite)
    if key.account != account:
        raise NotAuthentic("the public key belongs to another account")
    if not key.signature:
        raise NotAuthentic("the account's public key is not signed")
    community.of(key.key_number).public.verify(key.signature, _statement(key))
    return PublicKey(key.public)


def vouched(
    keys: Iterable[SignedAccountKey], seeds: Mapping[int, bytes], community: Versions[SigningKey]
) -> tuple[SignedAccountKey, ...]:
    """Return *keys*, those that are not signed yet signed now, where their seeds are at hand.

    :param seeds: the account's mail seeds by epoch, as its own secret opened them.
    :raises ForgedKey: when a seed does not give its public key: an alarm.
    """
    return tuple(_vouched(key, seeds, community) for key in keys)


def _vouched(key: SignedAccountKey, seeds: Mapping[int, bytes], community: Versions[SigningKey]) -> SignedAccountKey:
    seed = seeds.get(key.epoch)
    if key.signature or seed is None:
        return key
    if PrivateKey(seed).public != key.public:
        raise ForgedKey("the account's seed does not give its public key")
    return sign_account_key(key, community)
