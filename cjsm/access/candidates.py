"""What the checker knows of an attempt on its way: whom the name means, and what the secret fits."""

from cjsm.access.keyring import AccountKeys, SystemSecretKeys
from cjsm.community.identifiers import SecretId
from cjsm.community.records import Account
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
