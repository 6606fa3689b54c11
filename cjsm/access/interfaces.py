"""What a door receives after signing somebody in: one account, seen as the avatar that the door needs."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.cred.credentials import ICredentials
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface, implementer


class ILoginAttempt(ICredentials):
    """Marks :class:`LoginAttempt` for the portal."""


@implementer(ILoginAttempt)
class LoginAttempt:
    """A name and a secret as a client sent them, and where they came from.

    :ivar name: user ID, full address, or either with ``/shared-name``.
    :ivar secret: what was sent as password, never decoded by the door.
    :ivar protocol: ``smtp``, ``pop3``, ``ldap``, ``command``, ``act``, ``unlock``, or ``password`` to choose one.
    :ivar source: the client's IP address.
    :ivar wanted: whether the client still waits: what it asked for is not begun when it has gone.
    """

    __slots__ = ("name", "protocol", "secret", "source", "wanted")

    def __init__(
        self, name: str, secret: bytes, *, protocol: str, source: str, wanted: Callable[[], bool] = lambda: True
    ) -> None:
        self.name = name
        self.secret = secret
        self.protocol = protocol
        self.source = source
        self.wanted = wanted

    def __repr__(self) -> str:
        return f"<LoginAttempt {self.protocol} from {self.source}>"


class IAvatar(Interface):
    """What every avatar has."""

    account = Attribute("The AccountId.")
    pseudonym = Attribute("How logs name the account.")

    def still_valid() -> bool:
        """False once the account, its password or its device password changed: the session must end."""


class ISender(IAvatar):
    """Whoever mail is taken from."""

    def origin_for(reverse_path: str) -> Any:
        """Return the cjsm.community.admission.Origin that admission is asked with for mail from *reverse_path*."""


class ISubmitter(ISender):
    """Somebody who may submit mail."""


class IRelayer(ISender):
    """An organisation's own mail system; ``account`` is the id of its (first) connection."""


class IMaildrop(IAvatar):
    """A maildrop, leased for this session and fixed as it was at login."""

    messages: Sequence[Any] = Attribute("The messages, oldest first: each with ``octets`` and ``unique_id``.")

    def open(index: int) -> "Deferred[Any]":
        """Fires with an :class:`IMessageReader` of the message at *index*, counted from 0."""

    def delete(indexes: Sequence[int]) -> "Deferred[None]":
        """Remove these messages, all or none."""


class IMessageReader(Interface):
    """A message being read, verified piece by piece."""

    accepted = Attribute("When this service took the message, in seconds since the epoch.")

    def read() -> "Deferred[bytes]":
        """The next octets, at most 64 KiB; empty at the end."""

    def close() -> None:
        """Stop reading. Idempotent."""


class IPasswordChooser(IAvatar):
    """Somebody who may choose a password."""

    def choose(current: bytes, chosen: bytes, source: str) -> "Deferred[None]":
        """Replace the password; *current* is the secret that signed in, *source* the client's address.

        Fails with AccessRefused when that does not hold any more, AccessUnavailable when a store does not answer,
        BadPassword when *chosen* is not acceptable, CommunityError when the account may not.
        """


class IDirectoryReader(IAvatar):
    """Somebody who may search the directory; rights follow from the account's roles."""
