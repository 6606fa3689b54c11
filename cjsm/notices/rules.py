"""Which acts lead to which notices: one table, asked with each entry of the ledger and with nothing else.

Whoever adds an act that its person should hear of adds it here, and not to the act.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from cjsm.community.acts import transfers
from cjsm.community.acts.recovery import officers
from cjsm.community.identifiers import AccountId, MailboxId, OrganisationId, RequestId
from cjsm.community.records import LedgerEntry, Role
from cjsm.community.states import ADMINISTRATORS
from cjsm.community.view import View
from cjsm.notices.glass import area
from cjsm.notices.notice import SYSTEM, Kind

_HOUR = 3_600
#: The act by which an administrator sends a system notice; see :mod:`cjsm.community.acts.notices`.
SENT = "notice-send"


class Due(Struct, frozen=True, kw_only=True):
    """Somebody to be told something.

    :ivar once: what tells it from what was told before, see :class:`cjsm.store.interfaces.NewNotice`.
    """

    kind: Kind
    account: AccountId
    date: int
    code: str = ""
    once: tuple[bytes, int] | None = None


class ToMany(Struct, frozen=True, kw_only=True):
    """Everybody in an organisation and below it, or in the whole community (None), to be told something."""

    kind: Kind
    organisation: OrganisationId | None
    date: int
    code: str


#: What the person hears whose account the entry is about.
_TOLD_OWNER = {
    "password-chosen": Kind.PASSWORD_CHANGED,
    "password-reset": Kind.PASSWORD_RESET,
    "user-lock": Kind.LOCKED,
    "user-guard": Kind.GUARDED,
    "user-unlock": Kind.UNLOCKED,
    "user-suspended": Kind.SUSPENDED,
    "user-resumed": Kind.RESUMED,
    "user-deleted": Kind.DELETED,
    "user-undeleted": Kind.UNDELETED,
    "user-inactive": Kind.INACTIVE,
    "user-edit": Kind.DETAILS_CHANGED,
    "user-rename": Kind.RENAMED,
    "device-add": Kind.DEVICE_MADE,
    "device-revoke": Kind.DEVICE_REVOKED,
    "factor-on": Kind.FACTOR_ON,
    "factor-off": Kind.FACTOR_OFF,
    "factor-remove": Kind.FACTOR_OFF,
    "recovery-codes-new": Kind.CODES_NEW,
    "recovery-request": Kind.RECOVERY_REQUESTED,
    "recovery-open": Kind.RECOVERY_OPENED,
    "recovery-refuse": Kind.RECOVERY_REFUSED,
    "role-grant": Kind.ROLE_GIVEN,
    "role-revoke": Kind.ROLE_TAKEN,
}


#: What every member hears of a shared mailbox that the entry is about.
_TOLD_MEMBERS = {"shared-deleted": Kind.SHARED_DELETED, "shared-undeleted": Kind.SHARED_UNDELETED}


def notices_of(view: View, entry: LedgerEntry) -> Iterator[Due]:
    """Yield who is to be told what of *entry*; what goes to many is left to :func:`to_many`."""
    kind = _TOLD_OWNER.get(entry.act) or _moved(entry)
    if kind is not None and entry.subject_kind == "account":
        yield Due(kind=kind, account=AccountId(entry.subject), date=_date(entry))
    yield from _members(view, entry)
    for told, accounts in ((Kind.RECOVERY_TO_APPROVE, _approvers), (Kind.ORGANISATION_SUSPENDED, _administrators)):
        yield from (Due(kind=told, account=account, date=entry.moment) for account in accounts(view, entry))
    if dict(entry.details).get("break-glass") == "yes":
        yield from _break_glass(view, entry)


def _moved(entry: LedgerEntry) -> Kind | None:
    """Who has another user ID and address in another place hears of it where mail to that of before still comes."""
    return Kind.RENAMED if entry.act == transfers.ACT and "delivers" in dict(entry.details) else None


def _members(view: View, entry: LedgerEntry) -> Iterator[Due]:
    kind = _TOLD_MEMBERS.get(entry.act)
    if kind is None or entry.subject_kind != "shared-mailbox":
        return
    found = view.kept_shared_mailbox(MailboxId(entry.subject))
    for member in found.members if found is not None else ():
        yield Due(kind=kind, account=member.account, date=entry.moment)


def _date(entry: LedgerEntry) -> int:
    """Return the moment that the notice names: an inactive account's is when it is going to be suspended."""
    told = dict(entry.details).get("until", "") if entry.act == "user-inactive" else ""
    return int(told) if told.isdecimal() and len(told) < 12 else entry.moment


def to_many(entry: LedgerEntry) -> ToMany | None:
    """Return what *entry* tells many; None where it does not."""
    if entry.act != SENT:
        return None
    told = dict(entry.details)
    kind = next((each for each in SYSTEM if each.value == told.get("notice")), None)
    if kind is None or not told.get("date", "").isdecimal():
        return None
    place = OrganisationId(entry.subject) if entry.subject else None
    return ToMany(kind=kind, organisation=place, date=int(told["date"]), code=told.get("code", ""))


def _approvers(view: View, entry: LedgerEntry) -> Iterable[AccountId]:
    """The officers who can take the next step of a request for recovery."""
    if entry.act not in ("recovery-request", "recovery-counter-sign"):
        return ()
    try:
        found = view.recovery_request(RequestId(bytes.fromhex(dict(entry.details).get("request", ""))))
    except ValueError:
        return ()
    if found is None:
        return ()
    first = entry.act == "recovery-request"
    asked = officers(view, found.counter_signer if first else found.organisation)
    return [each for each in asked if each not in (entry.actor, found.beneficiary)]


def _administrators(view: View, entry: LedgerEntry) -> Iterable[AccountId]:
    if entry.act != "organisation-suspended" or entry.subject_kind != "organisation":
        return ()
    return administrators(view, OrganisationId(entry.subject))


def administrators(view: View, organisation: OrganisationId) -> list[AccountId]:
    """Return who administers just that organisation; where nobody does, who does so above it."""
    place: OrganisationId | None = organisation
    while True:
        found = {each.account for each in view.roles_over(place) if each.role in ADMINISTRATORS}
        if found or place is None:
            return sorted(found)
        above = view.organisation(place)
        place = above.parent if above is not None else None


def _break_glass(view: View, entry: LedgerEntry) -> Iterator[Due]:
    """Every community administrator hears of it, of each area once an hour: somebody may do something to hundreds."""
    code = area(entry.act)
    for held in view.roles_over(None):
        if held.role is Role.COMMUNITY_ADMINISTRATOR:
            once = (b"glass" + held.account + code.encode(), entry.moment // _HOUR)
            yield Due(kind=Kind.BREAK_GLASS, account=held.account, date=entry.moment, code=code, once=once)
