"""Roles: granted and revoked."""

import msgspec

from cjsm.community.acts.acting import By, changed, entry_of, existing
from cjsm.community.acts.organisations import kept_organisation
from cjsm.community.authority import Permission, may_grant, require
from cjsm.community.errors import BadValue, Conflict, Exists, NotFound
from cjsm.community.identifiers import AccountId, RoleAssignmentId
from cjsm.community.records import Role, RoleAssignment
from cjsm.community.states import ADMINISTRATORS, others_working
from cjsm.community.view import Change, View


def grant(view: View, by: By, assignment: RoleAssignment) -> Change:
    """Give an account a role over an organisation and all below."""
    account = existing(view, assignment.account)
    permission = require(may_grant(view, by.actor, assignment.role, assignment.organisation))
    if assignment.organisation is not None:
        kept_organisation(view, assignment.organisation)
    if assignment.organisation is None and assignment.role in (
        Role.ORGANISATION_ADMINISTRATOR,
        Role.MAILBOX_USER,
    ):
        raise BadValue(f"{assignment.role} is a role over an organisation", "name one")
    same = (assignment.role, assignment.organisation)
    if any((found.role, found.organisation) == same for found in view.roles_of(account.id)):
        raise Exists("this user has that role there already")
    made = msgspec.structs.replace(assignment, created=view.moment)
    entry = entry_of(view, by, "role-grant", "account", account.id, permission, role=made.role.value)
    return Change(put=(made, changed(account)), entry=entry)


def revoke(view: View, by: By, account: AccountId, identifier: RoleAssignmentId) -> Change:
    """Take a role away; an organisation that has an administrator keeps at least one, and so does the community."""
    found = next((held for held in view.roles_of(account) if held.id == identifier), None)
    if found is None:
        raise NotFound("this user does not have that role", "see `cjsm role list`")
    permission = require(may_grant(view, by.actor, found.role, found.organisation))
    if found.recovery_officer:
        raise Conflict("this user is a recovery officer there", "end that first: cjsm recovery officer remove")
    if found.role in ADMINISTRATORS and not others_working(view, found):
        raise Conflict("nobody would be left to administer it", "appoint another administrator first")
    return ended(view, by, found, permission)


def ended(view: View, by: By, held: RoleAssignment, permission: Permission, **told: str) -> Change:
    """Return the change that takes *held* away.

    :param told: more for the ledger.
    """
    entry = entry_of(view, by, "role-revoke", "account", held.account, permission, role=held.role.value, **told)
    return Change(put=(changed(existing(view, held.account)),), removed=(held,), entry=entry)
