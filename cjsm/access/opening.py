"""The mail keys that a secret opens: one slot for each epoch it reaches."""

from cjsm.access.keyring import AccountKeys, SystemSecretKeys
from cjsm.vault import device, passwords
from cjsm.vault.secrets import ServiceSecrets
from cjsm.vault.slots import open_slot


def open_password_slots(keys: AccountKeys, secret: bytes, secrets: ServiceSecrets) -> dict[int, bytes]:
    """Return the mail seeds by epoch that a chosen password opens. Slow: one Argon2id.

    :raises NotAuthentic: when the password is another.
    """
    if keys.password_stretch is None or not keys.password_slots:
        return {}
    key = passwords.stretch(keys.password_stretch, secret, secrets.peppers)
    return {slot.epoch: open_slot(slot, key) for slot in keys.password_slots}


def open_system_slots(
    known: SystemSecretKeys, secret: device.SystemSecret, secrets: ServiceSecrets
) -> dict[int, bytes]:
    """Return the mail seeds by epoch that a system-made secret opens.

    :raises NotAuthentic: when the secret is another.
    """
    return {slot.epoch: open_slot(slot, device.key(secret, slot.pepper, secrets.peppers)) for slot in known.slots}
