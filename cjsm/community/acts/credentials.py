"""What people sign in with: the password they chose and their device passwords."""

from msgspec import Struct

from cjsm.community.acts.acting import By, changed, check_not_deleted, check_text, entry_of, existing
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import BadValue, Conflict, Exists, NotAllowed, NotFound, Overtaken
from cjsm.community.identifiers import AccountId, SecretId
from cjsm.community.records import Account, Credential, DevicePassword, Life
from cjsm.community.view import Change, View

_DEVICES = 20
PROTOCOLS = ("smtp", "pop3", "ldap")
#: What only the person can have shown, after whatever others did.
_OWN = frozenset({"password", "recovery"})


class KeyStep(Struct, frozen=True):
    """A new version of an account's keys: ``written``, made from the version ``read``."""

    read: int
    written: int


def unovertaken(view: View, account: AccountId, keys: KeyStep) -> Account:
    """Return the account.

    :raises Overtaken: when its keys are not those that *keys* was made from: the change in between would be lost.
    """
    found = existing(view, account)
    if found.keys != keys.read:
        raise Overtaken("this user's passwords were changed at the same moment", "try again")
    return found


def choose_password(
    view: View, by: By, account: AccountId, keys: KeyStep, *, using: str = "", recovery_codes: int | None = None
) -> Change:
    """The person chose a password, which the new keys hold. A new user is active, and a guarded one free, from now on.

    :param using: the kind of secret that allowed it, for the ledger.
    :param recovery_codes: how many are left, where one was used up.
    """
    found = unovertaken(view, account, keys)
    permission = require(may(view, by.actor, Action.CHOOSE_PASSWORD, found.organisation, account=account))
    check_not_deleted(found)
    life = Life.ACTIVE if found.life is Life.NEW else found.life
    own = {"reset_by": b"", "factor_removed_by": b""} if using in _OWN else {}
    made = changed(
        found,
        keys=keys.written,
        credential=Credential.CHOSEN,
        life=life,
        password_version=found.password_version + 1,
        password_since=view.moment,
        guard=None,
        recovery_codes=found.recovery_codes if recovery_codes is None else recovery_codes,
        **own,
    )
    told = {"using": using} if using else {}
    return Change(put=(made,), entry=entry_of(view, by, "password-chosen", "account", account, permission, **told))


def two_people(by: By, other: bytes) -> None:
    """Check that who acts is not the one who did the *other* of two acts that are two people's: a one-time password
    and the second factor taken away would together be the person.

    :raises NotAllowed: when it is.
    """
    if by.actor is not None and by.actor == other:
        raise NotAllowed(
            "who gives a one-time password and who takes the second factor away are two people",
            "let another administrator, or for a reset the helpdesk, do it",
        )


def renew_keys(view: View, by: By, account: AccountId, keys: KeyStep) -> Change:
    """The same secrets are kept in a newer way, after one of them signed the person in: nothing else changes."""
    found = unovertaken(view, account, keys)
    permission = require(may(view, by.actor, Action.CHOOSE_PASSWORD, found.organisation, account=account))
    made = changed(found, keys=keys.written)
    return Change(put=(made,), entry=entry_of(view, by, "keys-renewed", "account", account, permission))


def add_device_password(
    view: View,
    by: By,
    account: AccountId,
    password: DevicePassword,
    keys: KeyStep,
    recovery_codes: int | None = None,
) -> Change:
    """Add a named device password; the new keys hold its verifier and slot."""
    found = unovertaken(view, account, keys)
    permission = require(may(view, by.actor, Action.OWN_SECRETS, found.organisation, account=account))
    check_text(password.name, "a device's name")
    if not password.protocols or not set(password.protocols) <= set(PROTOCOLS):
        raise BadValue(f"a device password is for some of {', '.join(PROTOCOLS)}")
    if any(known.name == password.name for known in found.device_passwords):
        raise Exists(f"there is a device password {password.name!r} already", "revoke it or choose another name")
    if len(found.device_passwords) >= _DEVICES:
        raise Conflict(f"a user has at most {_DEVICES} device passwords", "revoke one that is not used any more")
    made = changed(
        found,
        keys=keys.written,
        device_passwords=(*found.device_passwords, password),
        recovery_codes=found.recovery_codes if recovery_codes is None else recovery_codes,
    )
    entry = entry_of(view, by, "device-add", "account", account, permission, device=password.id.hex())
    return Change(put=(made,), entry=entry)


def revoke_device_password(view: View, by: By, account: AccountId, secret: SecretId, keys: KeyStep) -> Change:
    """Take a device password away; the new keys no longer have it."""
    found = unovertaken(view, account, keys)
    permission = may(view, by.actor, Action.OWN_SECRETS, found.organisation, account=account)
    if not permission.allowed:
        permission = require(may(view, by.actor, Action.MANAGE_USERS, found.organisation))
    kept = tuple(known for known in found.device_passwords if known.id != secret)
    if len(kept) == len(found.device_passwords):
        raise NotFound("there is no such device password", "see `cjsm device list`")
    made = changed(found, keys=keys.written, device_passwords=kept)
    entry = entry_of(view, by, "device-revoke", "account", account, permission, device=secret.hex())
    return Change(put=(made,), entry=entry)
