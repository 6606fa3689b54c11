"""What the rooms refuse, as replies: one table for signing in, one function for the rest."""

from cjsm.access.errors import (
    AccessError,
    AccessRefused,
    AccessUnavailable,
    DevicePasswordNeeded,
    MustChoosePassword,
    NotOffered,
    PasswordExpired,
    TryLater,
)
from cjsm.mail.interfaces import Refused
from cjsm.smtp.grammar import Reply, reply

_CODES: dict[type[AccessError], tuple[int, str]] = {
    AccessRefused: (535, "5.7.8"),
    MustChoosePassword: (535, "5.7.8"),
    PasswordExpired: (535, "5.7.8"),
    DevicePasswordNeeded: (535, "5.7.8"),
    NotOffered: (535, "5.7.1"),
    TryLater: (454, "4.7.0"),
    AccessUnavailable: (454, "4.7.0"),
}


def signing_in(error: AccessError) -> tuple[Reply, bool]:
    """Return the reply to a sign-in that failed, and whether it counts as a failed one."""
    code, status = _CODES.get(type(error), (454, "4.7.0"))
    return reply(code, status, str(error)), code == 535


def of_message(refused: Refused) -> Reply:
    """Return the reply to a sender, recipient or message that was refused."""
    return reply(refused.code, refused.status, refused.text)
