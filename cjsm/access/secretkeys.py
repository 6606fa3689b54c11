"""What is kept of a secret: verifiers, and slots that open the mail key; made when somebody chooses or is given one."""

from collections.abc import Mapping

import msgspec

from cjsm.access import officerkeys
from cjsm.access.keyring import AccountKeys, SystemSecretKeys
from cjsm.access.opening import open_system_slots
from cjsm.community.identifiers import AccountId, SecretId
from cjsm.configuration import AccessSettings
from cjsm.vault import device, passwords
from cjsm.vault.accountkeys import vouched
from cjsm.vault.device import SecretKind, SystemSecret
from cjsm.vault.secrets import ServiceSecrets
from cjsm.vault.slots import Slot, SlotKind, wrap_slot


def with_password(
    keys: AccountKeys,
    current: bytes,
    secret: bytes,
    mail_keys: Mapping[int, bytes],
    settings: AccessSettings,
    secrets: ServiceSecrets,
) -> AccountKeys:
    """Return *keys* with *secret* as the chosen password. Slow: one bcrypt, one Argon2id.

    :param current: what opened them: an authority key is wrapped again where that is the password of before.
    :param mail_keys: the seeds by epoch that it opens.
    :raises BadPassword: when it is no password at all.
    """
    peppers = secrets.peppers
    hashed = passwords.hash_password(secret, peppers, cost=settings.bcrypt_cost)
    stretch = passwords.new_stretch(peppers, memory=settings.argon2_memory, iterations=settings.argon2_iterations)
    key = passwords.stretch(stretch, secret, peppers)
    slots = slots_of(keys.account, mail_keys, key, SlotKind.PASSWORD, secrets)
    return msgspec.structs.replace(
        keys,
        epochs=vouched(keys.epochs, mail_keys, secrets.community),
        password=hashed,
        password_stretch=stretch,
        password_slots=slots,
        authority_slots=officerkeys.rewrapped(keys, current, key, secrets),
    )


def is_dated(keys: AccountKeys, settings: AccessSettings, secrets: ServiceSecrets) -> bool:
    """Whether the chosen password is kept in a weaker way than the settings ask for, or under an older pepper."""
    if keys.password is None:
        return False
    stretch, newest = keys.password_stretch, secrets.peppers.number
    return (
        keys.password.pepper < newest
        or passwords.cost_of(keys.password) < settings.bcrypt_cost
        or stretch is None
        or stretch.pepper < newest
        or (stretch.memory, stretch.iterations) < (settings.argon2_memory, settings.argon2_iterations)
    )


def new_system_secret(
    account: AccountId,
    kind: SecretKind,
    identifier: SecretId,
    mail_keys: Mapping[int, bytes],
    expires: int | None,
    secrets: ServiceSecrets,
) -> tuple[SystemSecretKeys, str]:
    """Return what is kept of a fresh system-made secret, and the secret as it is shown, once."""
    typed = device.make(kind)
    secret = device.parse(typed.encode())
    if secret is None:
        raise AssertionError("a fresh secret has its own shape")
    return _kept(account, secret, identifier, mail_keys, expires, secrets), typed


def renewed(
    known: SystemSecretKeys, secret: SystemSecret, account: AccountId, secrets: ServiceSecrets
) -> SystemSecretKeys:
    """Return what is kept of *secret*, which fits *known*, under the current pepper."""
    opened = open_system_slots(known, secret, secrets)
    return _kept(account, secret, known.id, opened, known.expires, secrets)


def _kept(
    account: AccountId,
    secret: SystemSecret,
    identifier: SecretId,
    mail_keys: Mapping[int, bytes],
    expires: int | None,
    secrets: ServiceSecrets,
) -> SystemSecretKeys:
    peppers = secrets.peppers
    key = device.key(secret, peppers.number, peppers)
    slots = slots_of(account, mail_keys, key, SlotKind[secret.kind.name], secrets, identifier)
    return SystemSecretKeys(id=identifier, verifier=device.verifier(secret, peppers), slots=slots, expires=expires)


def slots_of(
    account: AccountId,
    mail_keys: Mapping[int, bytes],
    key: bytes,
    kind: SlotKind,
    secrets: ServiceSecrets,
    secret: bytes = b"",
) -> tuple[Slot, ...]:
    """Return a slot for each epoch's seed in *mail_keys*, wrapped under *key*, which the current pepper went into."""
    pepper = secrets.peppers.number
    return tuple(
        wrap_slot(seed, key, account=account, epoch=epoch, kind=kind, pepper=pepper, secret=secret)
        for epoch, seed in sorted(mail_keys.items())
    )
