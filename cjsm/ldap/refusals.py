"""What other rooms refuse, as result codes: one table for the door."""

from collections.abc import Mapping
from types import MappingProxyType

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
from cjsm.community.errors import CommunityError, Overtaken
from cjsm.directory.following import NotReady
from cjsm.directory.names import BadName
from cjsm.directory.query import NoSuchEntry, TermTooShort
from cjsm.directory.search import NO_SUCH_ATTRIBUTE, Unsortable
from cjsm.ldap.grammar.codes import ResultCode
from cjsm.ldap.rations import TooMany
from cjsm.vault.errors import BadPassword

_CODES: Mapping[type[Exception], ResultCode] = MappingProxyType(
    {
        AccessRefused: ResultCode.INVALID_CREDENTIALS,
        MustChoosePassword: ResultCode.INVALID_CREDENTIALS,
        PasswordExpired: ResultCode.INVALID_CREDENTIALS,
        DevicePasswordNeeded: ResultCode.INVALID_CREDENTIALS,
        NotOffered: ResultCode.INVALID_CREDENTIALS,
        TryLater: ResultCode.BUSY,
        AccessUnavailable: ResultCode.UNAVAILABLE,
        NotReady: ResultCode.UNAVAILABLE,
        BadName: ResultCode.INVALID_DN_SYNTAX,
        NoSuchEntry: ResultCode.NO_SUCH_OBJECT,
        TermTooShort: ResultCode.ADMIN_LIMIT_EXCEEDED,
        TooMany: ResultCode.ADMIN_LIMIT_EXCEEDED,
    }
)

#: What :func:`code` knows.
REFUSALS = (AccessError, NotReady, BadName, NoSuchEntry, TermTooShort, TooMany)


def code(refusal: Exception) -> ResultCode:
    """Return the result code of one of :data:`REFUSALS`."""
    return _CODES.get(type(refusal), ResultCode.INVALID_CREDENTIALS)


def sorting(refusal: Unsortable) -> ResultCode:
    """Return the result of a sort that cannot be done (RFC 2891 §1.2)."""
    missing = refusal.reason == NO_SUCH_ATTRIBUTE
    return ResultCode.NO_SUCH_ATTRIBUTE if missing else ResultCode.INAPPROPRIATE_MATCHING


#: What :func:`choosing` knows.
NOT_CHOSEN = (AccessError, NotReady, BadPassword, CommunityError)


def choosing(refusal: Exception) -> ResultCode:
    """Return the result code of one of :data:`NOT_CHOSEN`: why a password was not taken (RFC 3062)."""
    match refusal:
        case BadPassword():
            return ResultCode.CONSTRAINT_VIOLATION
        case Overtaken():
            return ResultCode.BUSY
        case CommunityError():
            return ResultCode.UNWILLING_TO_PERFORM
        case _:
            return code(refusal)


def matched(refusal: Exception) -> str:
    """Return the name that goes with *refusal*: of the nearest entry there is (RFC 4511 §4.1.9)."""
    return refusal.matched if isinstance(refusal, NoSuchEntry) else ""
