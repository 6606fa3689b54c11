"""The life of an account: suspended, resumed, deleted, had back; the table of its steps is :data:`STEPS`."""

from enum import StrEnum

from cjsm.community.acts.acting import By, changed, entry_of, existing
from cjsm.community.acts.destruction import check_still_there
from cjsm.community.acts.reasons import check_note, check_reason
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import Conflict
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Account, Credential, Life
from cjsm.community.sharing import lasting_readers
from cjsm.community.states import ADMINISTRATORS, others_working
from cjsm.community.view import Change, View


class LifeStep(StrEnum):
    """What can be done to an account's life; the value is the verb."""

    SUSPEND = "suspend"
    RESUME = "resume"
    DELETE = "delete"
    UNDELETE = "undelete"


#: From which lives each step leads, to which life (None: what the credential says), and the act's name in the ledger.
STEPS: dict[LifeStep, tuple[frozenset[Life], Life | None, str]] = {
    LifeStep.SUSPEND: (frozenset({Life.NEW, Life.ACTIVE}), Life.SUSPENDED, "user-suspended"),
    LifeStep.RESUME: (frozenset({Life.SUSPENDED}), None, "user-resumed"),
    LifeStep.DELETE: (frozenset({Life.NEW, Life.ACTIVE, Life.SUSPENDED}), Life.DELETED, "user-deleted"),
    LifeStep.UNDELETE: (frozenset({Life.DELETED}), None, "user-undeleted"),
}
_OUT = frozenset({LifeStep.SUSPEND, LifeStep.DELETE})


def change_life(
    view: View, by: By, account: AccountId, step: LifeStep, *, note: str = "", undelete_within: int | None = None
) -> Change:
    """Take *step*; suspending and deleting need a reason, and leave no place without an administrator.

    :param note: an administrator's own words, kept with the account and nowhere else.
    :param undelete_within: seconds for which a deleted account can be had back; None: as long as its keys are there.
    :raises Conflict: when the account's life does not allow the step.
    """
    found = existing(view, account)
    permission = require(may(view, by.actor, Action.MANAGE_USERS, found.organisation, account=account))
    since, to, act = STEPS[step]
    if found.life not in since:
        raise Conflict(f"a user who is {found.life} cannot be {_past(step)}", "see `cjsm user show`")
    if step in _OUT:
        check_reason(by.reason)
        _check_not_last(view, found)
    if step is LifeStep.DELETE:
        _check_not_last_reader(view, account)
        if any(held.recovery_officer for held in view.roles_of(account)):
            raise Conflict("this user is a recovery officer", "end that first: cjsm recovery officer remove")
    if step is LifeStep.UNDELETE:
        check_still_there(view, found, undelete_within)
    made = changed(
        found,
        life=to or (Life.ACTIVE if found.credential is Credential.CHOSEN else Life.NEW),
        state_reason=by.reason,
        state_note=check_note(note),
        state_since=view.moment,
    )
    return Change(put=(made,), entry=entry_of(view, by, act, "account", account, permission))


def _past(step: LifeStep) -> str:
    return {LifeStep.SUSPEND: "suspended", LifeStep.RESUME: "resumed", LifeStep.DELETE: "deleted"}.get(
        step, "undeleted"
    )


def _check_not_last(view: View, account: Account) -> None:
    for held in view.roles_of(account.id):
        if held.role in ADMINISTRATORS and not others_working(view, held):
            raise Conflict("nobody would be left to administer it", "appoint another administrator first")


def _check_not_last_reader(view: View, account: AccountId) -> None:
    for shared in view.shared_mailboxes_of(account):
        if lasting_readers(view, shared.members) == {account}:
            cure = "let somebody else join it first (cjsm shared join), or delete it too: cjsm shared delete"
            raise Conflict(f"nobody would be left to read {shared.slug}", cure)
