"""People who do not sign in: warned, then suspended; never somebody whose mail is kept elsewhere (community §6).

The service's own acts. Whoever was warned is told by the entry of the warning, which says until when they have time.
"""

import msgspec

from cjsm.community import states
from cjsm.community.acts.acting import By, changed, entry_of
from cjsm.community.acts.keys import ITSELF
from cjsm.community.acts.reasons import Reason
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Account, AccountKind, Life
from cjsm.community.states import ADMINISTRATORS
from cjsm.community.view import Change, View

#: What the entry of a warning is called; what hears of acts tells the person.
WARNED = "user-inactive"


class Patience(msgspec.Struct, frozen=True):
    """After how many seconds without signing in somebody is warned, and suspended; the latter 0 for never."""

    warned: int
    suspended: int

    @property
    def left(self) -> int:
        """Seconds that somebody has at least after the warning."""
        return max(self.suspended - self.warned, 0)


def last_sign(account: Account, used: int) -> int:
    """Return the last moment at which somebody is known to have been there, or to have been given the account.

    :param used: when they signed in last; 0 for never.
    """
    return max(used, account.created, account.password_since, account.state_since)


def warning_due(account: Account, used: int, patience: Patience, now: int) -> bool:
    """Whether somebody is to be warned."""
    last = last_sign(account, used)
    late = bool(patience.warned) and now - last >= patience.warned
    return late and _counts(account) and account.inactive_warned <= last


def suspension_due(view: View, account: Account, used: int, patience: Patience, now: int) -> bool:
    """Whether somebody is to be suspended: warned long enough ago, and not the last to administer a place."""
    if not patience.suspended or not _counts(account):
        return False
    last, warned = last_sign(account, used), account.inactive_warned
    late = now - last >= patience.suspended and warned > last and now - warned >= patience.left
    return late and not _is_last_administrator(view, account)


def _counts(account: Account) -> bool:
    return account.kind is AccountKind.HOSTED and account.life in (Life.NEW, Life.ACTIVE)


def _is_last_administrator(view: View, account: Account) -> bool:
    return any(
        held.role in ADMINISTRATORS and not states.others_working(view, held) for held in view.roles_of(account.id)
    )


def warn(view: View, by: By, account: AccountId, used: int, patience: Patience) -> Change:
    """Warn somebody, if that is still due: the entry has until when they have time."""
    found = view.account(account)
    if found is None or not warning_due(found, used, patience, view.moment):
        return Change()
    until = max(last_sign(found, used) + patience.suspended, view.moment + patience.left)
    entry = entry_of(view, by, WARNED, "account", account, ITSELF, until=str(until))
    return Change(put=(changed(found, inactive_warned=view.moment),), entry=entry)


def suspend(view: View, by: By, account: AccountId, used: int, patience: Patience) -> Change:
    """Suspend somebody for not signing in, if that is still due."""
    found = view.account(account)
    if found is None or not suspension_due(view, found, used, patience, view.moment):
        return Change()
    made = changed(found, life=Life.SUSPENDED, state_reason=Reason.INACTIVE, state_note="", state_since=view.moment)
    by = msgspec.structs.replace(by, reason=Reason.INACTIVE.value)
    return Change(put=(made,), entry=entry_of(view, by, "user-suspended", "account", account, ITSELF, job="inactivity"))
