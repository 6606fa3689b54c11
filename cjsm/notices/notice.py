"""A notice: its kind, whom it is for, in which language, a date and a code. There is no place for anything else."""

from collections.abc import Container
from enum import StrEnum
from functools import cache

import msgspec
from msgspec import Struct

from cjsm.community.identifiers import AccountId
from cjsm.notices.glass import ACTS, OTHER


class Kind(StrEnum):
    """What a notice tells; its text is the file of that name in ``data/notices/<language>``."""

    PASSWORD_CHANGED = "password-changed"
    PASSWORD_RESET = "password-reset"
    PASSWORD_ENDING = "password-ending"
    LOCKED = "locked"
    GUARDED = "guarded"
    UNLOCKED = "unlocked"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    DELETED = "deleted"
    UNDELETED = "undeleted"
    INACTIVE = "inactive"
    NEAR_QUOTA = "near-quota"
    SHARED_NEAR_QUOTA = "shared-near-quota"
    SHARED_NEW_MAIL = "shared-new-mail"
    SHARED_DELETED = "shared-deleted"
    SHARED_UNDELETED = "shared-undeleted"
    DEVICE_MADE = "device-made"
    DEVICE_REVOKED = "device-revoked"
    FACTOR_ON = "factor-on"
    FACTOR_OFF = "factor-off"
    CODES_NEW = "codes-new"
    RECOVERY_REQUESTED = "recovery-requested"
    RECOVERY_TO_APPROVE = "recovery-to-approve"
    RECOVERY_OPENED = "recovery-opened"
    RECOVERY_REFUSED = "recovery-refused"
    DETAILS_CHANGED = "details-changed"
    RENAMED = "renamed"
    ROLE_GIVEN = "role-given"
    ROLE_TAKEN = "role-taken"
    TERMS_DUE = "terms-due"
    CONNECTION_FAILING = "connection-failing"
    CERTIFICATE_ENDING = "certificate-ending"
    ORGANISATION_SUSPENDED = "organisation-suspended"
    PLANNED_OUTAGE = "planned-outage"
    OUTAGE_CANCELLED = "outage-cancelled"
    BREAK_GLASS = "break-glass"


class Language(StrEnum):
    """Languages that there are texts in."""

    ENGLISH = "en"
    WELSH = "cy"


_NUMBERED: dict[Kind, range] = {
    Kind.PASSWORD_ENDING: range(0, 367),
    Kind.NEAR_QUOTA: range(70, 101),
    Kind.SHARED_NEAR_QUOTA: range(70, 101),
    Kind.CERTIFICATE_ENDING: range(0, 367),
    # Minutes.
    Kind.PLANNED_OUTAGE: range(1, 7 * 1_440 + 1),
}

_SHARED = {Kind.SHARED_NEAR_QUOTA, Kind.SHARED_NEW_MAIL, Kind.SHARED_DELETED, Kind.SHARED_UNDELETED}
#: What goes to ordinary addresses too; the rest is for who signs in anyway.
ORDINARY = frozenset(Kind) - _SHARED - {Kind.BREAK_GLASS}
#: What administrators send to many.
SYSTEM = (Kind.PLANNED_OUTAGE, Kind.OUTAGE_CANCELLED)

#: The last second of the year 9999: texts have four digits for a year.
_LATEST = 253_402_300_799


class BadNotice(Exception):
    """A notice that must not be: its date or code is none that its kind has."""


class Notice(Struct, frozen=True, kw_only=True):
    """See the module.

    :ivar date: a moment in whole seconds since the epoch: when it happened, or is going to.
    :ivar code: a number, or one of the acts in :mod:`cjsm.notices.glass`; see :func:`codes`. Empty for most kinds.
    :raises BadNotice: for a date or code that its kind has not.
    """

    kind: Kind
    account: AccountId
    date: int
    language: Language = Language.ENGLISH
    code: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.date <= _LATEST:
            raise BadNotice("a notice's date is in seconds since 1970")
        if self.code not in codes(self.kind):
            raise BadNotice(f"a notice of the kind {self.kind} has no such code")


@cache
def codes(kind: Kind) -> Container[str]:
    """Return the codes that notices of *kind* may have."""
    if kind is Kind.BREAK_GLASS:
        return ACTS | {OTHER}
    numbers = _NUMBERED.get(kind)
    return frozenset(str(number) for number in numbers) if numbers is not None else frozenset(("",))


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Notice)


def encode(notice: Notice) -> bytes:
    """Return *notice* as the store keeps it."""
    return _encoder.encode(notice)


def decode(stored: bytes) -> Notice:
    """Return the notice that :func:`encode` wrote.

    :raises BadNotice: for anything else.
    """
    try:
        return _decoder.decode(stored)
    except msgspec.MsgspecError as error:
        raise BadNotice("what is kept is no notice") from error
