"""Capacity of mailboxes: who may give how much (community §8)."""

from msgspec import Struct

from cjsm.community.acts.acting import By, changed, check_owner_not_deleted, entry_of
from cjsm.community.acts.keys import mailbox_of
from cjsm.community.authority import Action, Permission, may, require
from cjsm.community.errors import BadValue
from cjsm.community.identifiers import AccountId, MailboxId, OrganisationId
from cjsm.community.records import Account
from cjsm.community.view import Change, View

#: Stands for the setting ``mail.quota``, whatever it is.
DEFAULT = 0


class QuotaLimits(Struct, frozen=True):
    """The most octets that an organisation's administrator gives, and that anybody does."""

    organisation: int
    largest: int


def require_quota(
    view: View, actor: AccountId | None, organisation: OrganisationId, octets: int, limits: QuotaLimits
) -> Permission:
    """Ask whether *actor* may give a mailbox of *organisation* so much.

    :raises NotAllowed: when not.
    :raises BadValue: when nobody may.
    """
    permission = require(may(view, actor, Action.SET_QUOTA, organisation))
    if octets < 0 or octets > limits.largest:
        raise BadValue(f"a mailbox has at most {limits.largest:,} octets", "raise mail.quota_largest")
    if octets > limits.organisation:
        permission = may(view, actor, Action.SET_LARGE_QUOTA, organisation)
        if not permission.allowed:
            cure = "ask a community administrator for more: `cjsm role list`"
            reason = f"only a community administrator gives more than {limits.organisation:,} octets"
            permission = Permission(False, reason, cure=cure)
    return require(permission)


def set_quota(view: View, by: By, mailbox: MailboxId, octets: int, limits: QuotaLimits) -> Change:
    """Give a mailbox another capacity, also one that is less than what is in it: then it takes nothing for now.

    A change without an entry where it has that already.
    """
    owner = mailbox_of(view, mailbox)
    permission = require_quota(view, by.actor, owner.organisation, octets, limits)
    if owner.quota == octets:
        return Change()
    told = {"octets": str(octets), "before": str(owner.quota)}
    check_owner_not_deleted(view, owner)
    kind = "account" if isinstance(owner, Account) else "shared-mailbox"
    entry = entry_of(view, by, "quota-set", kind, owner.id, permission, **told)
    return Change(put=(changed(owner, quota=octets),), entry=entry)
