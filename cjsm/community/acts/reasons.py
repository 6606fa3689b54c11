"""Why an act was done: a code from this list goes into the ledger, free text never (community §6)."""

from enum import StrEnum

from cjsm.community.errors import BadValue

_LONGEST_NOTE = 1_000


class Reason(StrEnum):
    """The codes; :data:`MEANINGS` says what each stands for."""

    LEFT = "left"
    ABSENT = "absent"
    INACTIVE = "inactive"
    FORGOTTEN = "forgotten"
    LOST_DEVICE = "lost-device"
    COMPROMISED = "compromised"
    MISUSE = "misuse"
    TERMS = "terms"
    DUPLICATE = "duplicate"
    REQUESTED = "requested"
    OTHER = "other"


MEANINGS = {
    Reason.LEFT: "left the organisation",
    Reason.ABSENT: "away for a long time",
    Reason.INACTIVE: "did not sign in for a long time",
    Reason.FORGOTTEN: "forgot the password",
    Reason.LOST_DEVICE: "lost a device or its password",
    Reason.COMPROMISED: "somebody else may know the password",
    Reason.MISUSE: "used the service for what it is not for",
    Reason.TERMS: "did not accept the terms",
    Reason.DUPLICATE: "is here twice",
    Reason.REQUESTED: "asked for it",
    Reason.OTHER: "another reason",
}


def check_reason(reason: str) -> Reason:
    """Return the *reason* of an act that needs one.

    :raises BadValue: when there is none, or one that is not in the list.
    """
    try:
        return Reason(reason)
    except ValueError:
        cure = f"give one of {', '.join(Reason)} with --reason"
        raise BadValue("suspending, deleting and resetting need a reason from the list", cure) from None


def check_note(note: str) -> str:
    """Return an administrator's own words, which may have lines and be empty.

    :raises BadValue: when they are too long or hold control characters.
    """
    if len(note) > _LONGEST_NOTE or (note and not note.replace("\n", "").isprintable()):
        raise BadValue(f"a note has at most {_LONGEST_NOTE} printable characters")
    return note
