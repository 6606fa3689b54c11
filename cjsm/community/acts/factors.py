"""The second factor and recovery codes: turned on, used up, taken away."""

from cjsm.community.acts.acting import By, changed, entry_of
from cjsm.community.acts.credentials import KeyStep, two_people, unovertaken
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import BadValue, Conflict
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Credential
from cjsm.community.view import Change, View


def prepare(view: View, by: By, account: AccountId, keys: KeyStep) -> Change:
    """The new keys hold a second factor that is not in force: a code has to show first that the person has it."""
    found = unovertaken(view, account, keys)
    permission = require(may(view, by.actor, Action.OWN_SECRETS, found.organisation, account=account))
    if found.credential is not Credential.CHOSEN:
        raise Conflict("choose a password first", "see `cjsm user set-password --help`")
    if found.factor_since:
        raise Conflict("there is a second factor already", "take it away first: `cjsm factor remove`")
    entry = entry_of(view, by, "factor-prepare", "account", account, permission)
    return Change(put=(changed(found, keys=keys.written),), entry=entry)


def turn_on(view: View, by: By, account: AccountId, keys: KeyStep, recovery_codes: int) -> Change:
    """The second factor is in force. Sessions that began with the password alone end."""
    found = unovertaken(view, account, keys)
    permission = require(may(view, by.actor, Action.OWN_SECRETS, found.organisation, account=account))
    if found.factor_since:
        raise Conflict("there is a second factor already", "take it away first: `cjsm factor remove`")
    made = changed(
        found,
        keys=keys.written,
        factor_since=view.moment,
        recovery_codes=recovery_codes,
        password_version=found.password_version + 1,
        reset_by=b"",
        factor_removed_by=b"",
    )
    return Change(put=(made,), entry=entry_of(view, by, "factor-on", "account", account, permission))


def turn_off(view: View, by: By, account: AccountId, keys: KeyStep, recovery_codes: int) -> Change:
    """The person takes the own second factor away, having shown it once more."""
    found = unovertaken(view, account, keys)
    permission = require(may(view, by.actor, Action.OWN_SECRETS, found.organisation, account=account))
    made = changed(found, keys=keys.written, factor_since=0, recovery_codes=recovery_codes)
    return Change(put=(made,), entry=entry_of(view, by, "factor-off", "account", account, permission))


def take_away(view: View, by: By, account: AccountId, keys: KeyStep) -> Change:
    """An administrator takes a lost second factor away; needs a reason.

    Never the helpdesk, nor an administrator who gave the present one-time password: these are two people's acts.
    """
    found = unovertaken(view, account, keys)
    permission = require(may(view, by.actor, Action.REMOVE_FACTOR, found.organisation, account=account))
    if not by.reason:
        raise BadValue("taking a second factor away needs a reason", "give one with --reason")
    if not found.factor_since:
        raise Conflict("this user has no second factor")
    two_people(by, found.reset_by)
    made = changed(found, keys=keys.written, factor_since=0, factor_removed_by=by.actor or b"")
    return Change(put=(made,), entry=entry_of(view, by, "factor-remove", "account", account, permission))


def new_recovery_codes(view: View, by: By, account: AccountId, keys: KeyStep, recovery_codes: int) -> Change:
    """The person has new recovery codes, which the new keys hold; earlier ones are void."""
    found = unovertaken(view, account, keys)
    permission = require(may(view, by.actor, Action.OWN_SECRETS, found.organisation, account=account))
    made = changed(found, keys=keys.written, recovery_codes=recovery_codes)
    return Change(put=(made,), entry=entry_of(view, by, "recovery-codes-new", "account", account, permission))
