"""A recovery officer's authority key: made with their own password, which alone opens it, and wrapped anew with it."""

from cjsm.access.keyring import AccountKeys
from cjsm.vault import device, passwords
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.hybrid import PrivateKey
from cjsm.vault.secrets import ServiceSecrets
from cjsm.vault.slots import KeyUse, Slot, SlotKind, open_slot, wrap_slot


def rewrapped(keys: AccountKeys, current: bytes, key: bytes, secrets: ServiceSecrets) -> tuple[Slot, ...]:
    """Return the slots of the authority key under a new password's *key*.

    Where *current* is not the password but a device or one-time password, they are lost: these never opened them. The
    officer is appointed anew then.
    """
    if not keys.authority_slots or device.parse(current) is not None:
        return ()
    return tuple(
        wrap(seed, key, keys, epoch, secrets) for epoch, seed in sorted(open_slots(keys, current, secrets).items())
    )


def wrap(seed: bytes, key: bytes, keys: AccountKeys, epoch: int, secrets: ServiceSecrets) -> Slot:
    """Return the slot of one epoch of the authority key under a password's *key*."""
    number = secrets.peppers.number
    kind, use = SlotKind.PASSWORD, KeyUse.AUTHORITY
    return wrap_slot(seed, key, account=keys.account, epoch=epoch, kind=kind, pepper=number, use=use)


def open_slots(keys: AccountKeys, password: bytes, secrets: ServiceSecrets) -> dict[int, bytes]:
    """Return the authority seeds by epoch that the chosen password opens; it was verified. Slow: one Argon2id.

    :raises NotAuthentic: when the password is another.
    """
    if keys.password_stretch is None or not keys.authority_slots:
        return {}
    key = passwords.stretch(keys.password_stretch, password, secrets.peppers)
    seeds = {slot.epoch: open_slot(slot, key) for slot in keys.authority_slots if slot.use is KeyUse.AUTHORITY}
    for public in keys.authority:
        if public.epoch in seeds and PrivateKey(seeds[public.epoch]).public != public.public:
            raise NotAuthentic("the authority key's seed does not give its public key")
    return seeds
