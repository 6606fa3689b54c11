"""Locked by guesses, and unlocked by oneself; :func:`cjsm.community.acts.accounts.set_locked` is others' act."""

from cjsm.community.acts.acting import By, changed, entry_of, existing
from cjsm.community.acts.credentials import KeyStep, unovertaken
from cjsm.community.authority import Action, Permission, may, require
from cjsm.community.errors import Conflict
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Guard
from cjsm.community.states import is_guarded
from cjsm.community.view import Change, View

#: Nobody asks for it, so nobody's right is asked.
_OWN_RULE = Permission(True, "the service's own rule")


def guard(view: View, by: By, account: AccountId, until: int | None) -> Change:
    """Too many different wrong passwords came from networks that the account never used: those are closed to it.

    :param until: when it opens again by itself; None for when somebody unlocks it.
    """
    found = existing(view, account)
    if is_guarded(found, view.moment):
        raise Conflict("the account is guarded already")
    made = changed(found, guard=Guard(since=view.moment, until=until))
    return Change(put=(made,), entry=entry_of(view, by, "user-guard", "account", account, _OWN_RULE, who="service"))


def end_guard(view: View, by: By, account: AccountId) -> Change:
    """The guard's time is over: whoever looks at the account sees so from now on.

    :raises Conflict: when it is not.
    """
    found = existing(view, account)
    if found.guard is None or is_guarded(found, view.moment):
        raise Conflict("there is no guard whose time is over")
    made = changed(found, guard=None)
    return Change(put=(made,), entry=entry_of(view, by, "user-unguard", "account", account, _OWN_RULE, who="service"))


def unlock_self(view: View, by: By, account: AccountId, keys: KeyStep, recovery_codes: int) -> Change:
    """The person unlocks the own account, after password and second factor; everything else is as it was.

    :param keys: a step that changes nothing, unless a recovery code was used up.
    """
    found = unovertaken(view, account, keys)
    permission = require(may(view, by.actor, Action.UNLOCK_SELF, found.organisation, account=account))
    if not found.factor_since:
        raise Conflict("only somebody with a second factor can unlock the own account", "ask your helpdesk")
    made = changed(found, keys=keys.written, recovery_codes=recovery_codes, locked=False, guard=None)
    entry = entry_of(view, by, "user-unlock", "account", account, permission, using="second factor")
    return Change(put=(made,), entry=entry)
