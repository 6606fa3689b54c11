"""``cjsm role``: who may do what, and where."""

import os
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite
from cjsm.command.output import Refused, console, document, table
from cjsm.community import finding
from cjsm.community.acts import roles
from cjsm.community.acts.acting import By
from cjsm.community.authority import Action
from cjsm.community.identifiers import LENGTH, RoleAssignmentId
from cjsm.community.records import Account, Role, RoleAssignment
from cjsm.community.view import Change, View

_ROLE = click.Choice([role.value for role in Role])
_WHERE = click.option("--organisation", help="Slug path; the whole community when it is not given.")


@click.group()
def role() -> None:
    """Give and take roles; they cover an organisation and everything below it."""


@role.command("grant")
@click.argument("user")
@click.argument("role_name", metavar="ROLE", type=_ROLE)
@_WHERE
@acting.act_verb
def grant(user: str, role_name: str, organisation: str | None, config: Path, as_json: bool) -> None:
    """Give USER the ROLE.

    \b
    cjsm role grant jane.smith@avon organisation-administrator --organisation avon-police
    cjsm role grant sam.help@desk helpdesk
    cjsm role grant tom.harding@avon organisation-administrator --organisation avon-police --as olive.marsh@avon
    """
    suite = open_suite(config)
    identifier = RoleAssignmentId(os.urandom(LENGTH))

    def assignment(view: View) -> RoleAssignment:
        where = finding.organisation_of(view, organisation).id if organisation else None
        account = finding.account_of(view, user)
        return RoleAssignment(id=identifier, account=account.id, role=Role(role_name), organisation=where)

    acting.act(suite, lambda view, by: roles.grant(view, by, assignment(view)))
    _report(suite.stores.community.read_now(lambda view: _roles(view, finding.account_of(view, user))), as_json)


@role.command("revoke")
@click.argument("user")
@click.argument("role_name", metavar="ROLE", type=_ROLE)
@_WHERE
@acting.act_verb
def revoke(user: str, role_name: str, organisation: str | None, config: Path, as_json: bool) -> None:
    """Take the ROLE from USER.

    \b
    cjsm role revoke jane.smith@avon organisation-administrator --organisation avon-police
    """
    suite = open_suite(config)

    def held(view: View) -> RoleAssignment:
        where = finding.organisation_of(view, organisation).id if organisation else None
        account = finding.account_of(view, user)
        for found in view.roles_of(account.id):
            if (found.role, found.organisation) == (Role(role_name), where):
                return found
        raise Refused(f"{account.user_id} does not have that role there", f"see `cjsm role list --user {user}`")

    def decide(view: View, by: By) -> Change:
        found = held(view)
        return roles.revoke(view, by, found.account, found.id)

    acting.act(suite, decide)
    _report(suite.stores.community.read_now(lambda view: _roles(view, finding.account_of(view, user))), as_json)


@role.command("list")
@click.option("--user", help="Only this user's roles.")
@acting.verb
def list_(user: str | None, config: Path, as_json: bool) -> None:
    """List who has which role where.

    \b
    cjsm role list
    cjsm role list --user jane.smith@avon
    """
    suite = open_suite(config)
    community = suite.stores.community
    if user:
        account = community.read_now(lambda view: finding.account_of(view, user))
        acting.require_or_own(suite, Action.FIND_USERS, account)
        _report(community.read_now(lambda view: _roles(view, account)), as_json)
        return
    sight = acting.sight(suite, Action.FIND_USERS)

    def look(view: View) -> list[dict[str, Any]]:
        sees = sight(view)
        return [told for account in view.accounts() if sees(account.organisation) for told in _roles(view, account)]

    _report(community.read_now(look), as_json)


def _roles(view: View, account: Account) -> list[dict[str, Any]]:
    return [
        {
            "user_id": account.user_id,
            "role": held.role,
            "organisation": finding.path_of(view, held.organisation) or None,
        }
        for held in view.roles_of(account.id)
    ]


def _report(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        document(found)
    elif not found:
        console.print("no roles")
    else:
        rows = [[told["user_id"], told["role"], told["organisation"] or "the whole community"] for told in found]
        table(rows, "user", "role", "over")
