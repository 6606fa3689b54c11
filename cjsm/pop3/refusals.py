"""What a POP3 client is told when something could not be done: one table for each thing that can fail."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from cjsm.access.errors import (
    AccessError,
    AccessRefused,
    AccessUnavailable,
    DevicePasswordNeeded,
    LoginTooSoon,
    MailboxClosed,
    MaildropInUse,
    MustChoosePassword,
    NotOffered,
    PasswordExpired,
    TryLater,
)
from cjsm.pop3.grammar import Code
from cjsm.pop3.texts import Sayable, Text, Words, recognised, words
from cjsm.store.interfaces import Damaged, Missing, Unavailable
from cjsm.vault.errors import VaultError


class Refusal(Struct, frozen=True):
    """A negative reply.

    :ivar counts: True where it counts as a failed attempt to sign in.
    """

    text: Sayable
    code: Code
    counts: bool = False


_SIGNING_IN: Mapping[type[AccessError], tuple[Code, bool]] = MappingProxyType(
    {
        AccessRefused: (Code.AUTH, True),
        MustChoosePassword: (Code.AUTH, False),
        PasswordExpired: (Code.AUTH, False),
        DevicePasswordNeeded: (Code.AUTH, True),
        TryLater: (Code.SYS_TEMP, True),
        MaildropInUse: (Code.IN_USE, False),
        LoginTooSoon: (Code.LOGIN_DELAY, False),
        AccessUnavailable: (Code.SYS_TEMP, False),
        MailboxClosed: (Code.SYS_PERM, False),
        NotOffered: (Code.SYS_PERM, False),
    }
)

_UNREADABLE = Refusal(Words(Text.UNREADABLE), Code.SYS_TEMP)
_DAMAGED = Refusal(Words(Text.DAMAGED), Code.SYS_PERM)
_NOT_REMOVED = Refusal(Words(Text.NOT_REMOVED), Code.SYS_TEMP)
_MAYBE_REMOVED = Refusal(Words(Text.MAYBE_REMOVED), Code.SYS_TEMP)


def signing_in(error: AccessError) -> Refusal:
    """Return what to answer when signing in failed; the text is the error's own."""
    code, counts = _SIGNING_IN.get(type(error), (Code.SYS_TEMP, False))
    return Refusal(_told(error), code, counts)


def _told(error: AccessError) -> Sayable:
    match error:
        case TryLater():
            return words(Text.TRY_LATER, seconds=error.seconds)
        case LoginTooSoon():
            return words(Text.TOO_SOON, seconds=error.seconds)
        case _:
            return recognised(str(error))


def reading(error: Exception) -> Refusal | None:
    """Return what to answer when a message could not be opened, or None for what nobody expects."""
    if isinstance(error, Unavailable):
        return _UNREADABLE
    return _DAMAGED if isinstance(error, Damaged | Missing | VaultError) else None


def removing(error: Exception) -> Refusal:
    """Return what to answer when the marked messages could not be removed: true whatever happened."""
    certain = isinstance(error, Unavailable) and not error.maybe_committed
    return _NOT_REMOVED if certain else _MAYBE_REMOVED
