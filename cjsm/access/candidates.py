"""What the checker knows of an attempt on its way: whom the name means, who is let in, and what the secret fits."""

import msgspec

from cjsm.access.interfaces import LoginAttempt
from cjsm.access.keyring import AccountKeys, SystemSecretKeys
from cjsm.access.protocols import UNLOCKS
from cjsm.community.address import LoginName
from cjsm.community.identifiers import AccountId, SecretId
from cjsm.community.records import Account, OwnerKind
from cjsm.community.states import may_sign_in
from cjsm.community.view import View
from cjsm.vault.device import SystemSecret


class Candidate:
    """What a login name points to; an unknown name has a subject to count failures under, but no account.

    ``shown`` is the secret of the attempt, where it has the shape of a system-made one.
    """

    __slots__ = ("account", "keys", "shared_name", "shown", "subject")

    def __init__(
        self, subject: bytes, shared_name: str | None, account: Account | None = None, keys: AccountKeys | None = None
    ) -> None:
        self.subject = subject
        self.shared_name = shared_name
        self.account = account
        self.keys = keys
        self.shown: SystemSecret | None = None


class Matched:
    """A secret that fits: which one, the mail keys that it opened, and what is kept of a device password.

    ``chosen``: the person's own password; ``stretched``: it was not remembered.
    """

    __slots__ = ("chosen", "device", "mail_keys", "one_time", "stretched")

    def __init__(
        self,
        *,
        device: SystemSecretKeys | None = None,
        mail_keys: dict[int, bytes] | None = None,
        one_time: bool = False,
        chosen: bool = False,
        stretched: bool = False,
    ) -> None:
        self.device = device
        self.mail_keys = mail_keys or {}
        self.one_time = one_time
        self.chosen = chosen
        self.stretched = stretched

    @property
    def secret(self) -> SecretId | None:
        """Which device password it is, if one."""
        return self.device.id if self.device is not None else None


def guarded(candidate: Candidate, attempt: LoginAttempt) -> Account | None:
    """Return whom a guard keeps out: not whoever is about to end it, for whom only the own network's count matters."""
    return None if attempt.protocol == UNLOCKS else candidate.account


def found(view: View, login: LoginName, attempt: LoginAttempt) -> tuple[Account | None, bool]:
    """Return the account that a login name means, by user ID or address, of now or before, and whether its states let
    somebody in.
    """
    account = _account(view, login)
    return account, account is not None and _admits(view, account, attempt)


def still_admitted(view: View, identifier: AccountId, attempt: LoginAttempt) -> bool:
    """Whether the states of an account let somebody in now."""
    account = view.account(identifier)
    return account is not None and _admits(view, account, attempt)


def _account(view: View, login: LoginName) -> Account | None:
    account = None if login.is_address else view.account_of_user_id(login.user)
    if account is not None:
        return account
    # A user ID of before signs in as long as the address that it was made into delivers: mail programs have it.
    record = view.address(login.user if login.is_address else f"{login.user}.{view.suffix}")
    if record is None or record.owner_kind is not OwnerKind.ACCOUNT:
        return None
    return view.account(AccountId(record.owner))


def _admits(view: View, account: Account, attempt: LoginAttempt) -> bool:
    if attempt.protocol == UNLOCKS:
        account = msgspec.structs.replace(account, locked=False)
    return may_sign_in(view, account)
