"""People who showed who they are, and what their secret opened."""

from collections.abc import Mapping

from msgspec import Struct

from cjsm.community.identifiers import AccountId, SecretId
from cjsm.community.records import Account


class SignedIn:
    """A successful sign-in: the avatar id that the realm makes avatars of.

    :ivar account: the account as it was at that moment.
    :ivar secret: the device password used, or None for the person's own.
    :ivar mail_keys: the account's mail seeds by epoch, opened where mail is read only.
    :ivar shared_name: what followed ``/`` in the login name, or None.
    """

    __slots__ = ("account", "mail_keys", "secret", "shared_name")

    def __init__(
        self, account: Account, secret: SecretId | None, mail_keys: dict[int, bytes], shared_name: str | None
    ) -> None:
        self.account = account
        self.secret = secret
        self.mail_keys = mail_keys
        self.shared_name = shared_name

    def __repr__(self) -> str:
        return f"<SignedIn {self.account.id.hex()}>"


class Officer(Struct, frozen=True):
    """Somebody who showed their own password: the authority seeds by epoch that it opened, perhaps none yet."""

    account: AccountId
    seeds: Mapping[int, bytes]

    def __repr__(self) -> str:
        return f"<Officer {self.account.hex()}>"


class Opener(Struct, frozen=True):
    """A reader, with a working secret, who opens old mail to others."""

    account: AccountId
    secret: bytes

    def __repr__(self) -> str:
        return f"<Opener {self.account.hex()}>"
