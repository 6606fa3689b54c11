"""``cjsm user``: the people and functions of the community."""

import time
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm import policies
from cjsm.access.enrolment import NewDevice
from cjsm.access.lockout import SECOND_FACTOR, is_closed
from cjsm.command import acting, factor, proving, quota, secrets, userchange, userimport, userlife, userlock
from cjsm.command.context import open_suite, wait
from cjsm.command.output import console, document, facts, table, watched, when
from cjsm.community import finding, states
from cjsm.community.acts import profiles
from cjsm.community.acts.credentials import PROTOCOLS
from cjsm.community.acts.recovery import is_officer
from cjsm.community.address import Address, name_from
from cjsm.community.authority import Action, may
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import Account, AccountKind, Credential, Profile
from cjsm.community.view import View
from cjsm.suite import Suite
from cjsm.vault import device, tags


@click.group()
def user() -> None:
    """Add and look at users, reset, suspend and delete them, and let them choose their passwords."""


@user.command("add")
@click.argument("organisation")
@click.option("--first", required=True, help="First name.")
@click.option("--last", required=True, help="Last name.")
@click.option("--user-id", help="first.last@abbreviation; made from the names when it is not given.")
@click.option("--address", help="For a member whose mail is kept at the organisation: its address, with suffix.")
@click.option("--device", help="Also make a device password of this name.")
@click.option(
    "--quota", type=quota.capacity, metavar="SIZE", help="Capacity, such as 750M; else the setting mail.quota."
)
@click.option("--telephone", default="")
@click.option("--mobile", default="")
@click.option("--description", default="")
@click.option("--type", "user_type", default="", help="Such as Solicitor, Officer, Clerk.")
@acting.act_verb
def add(organisation: str, config: Path, as_json: bool, **values: Any) -> None:
    """Add somebody to ORGANISATION and print the one-time password, once.

    \b
    cjsm user add avon-police/crime --first Jane --last Smith --device laptop
    cjsm user add firm --first Jo --last Law --address jo@firm.co.uk.cjsm.test
    cjsm user add avon-police/crime --first Tom --last Harding --as olive.marsh@avon
    """
    if values["device"]:
        acting.forbid("a device password is for the user alone to make, once they have chosen a password")
    suite = open_suite(config)
    profile = Profile(
        first_name=values["first"],
        last_name=values["last"],
        telephone=values["telephone"],
        mobile=values["mobile"],
        description=values["description"],
        user_type=values["user_type"],
    )

    def place(view: View) -> tuple[OrganisationId, str]:
        found = finding.organisation_of(view, organisation)
        name = name_from(profile.first_name, profile.last_name)
        given = values["user_id"]
        made = given or finding.free_user_id(view, name, finding.abbreviation_for(view, found.id))
        return found.id, made.lower()

    identifier, user_id = suite.stores.community.read_now(place)
    by = acting.by(suite)
    if values["address"]:
        address = Address.parse(values["address"])
        enrolled = wait(suite.enrolment.add_relayed(by, identifier, user_id, profile, address))
    else:
        octets = quota.check(suite, identifier, values["quota"])
        enrolled = wait(suite.enrolment.add_hosted(by, identifier, user_id, profile, octets))
    made = _device(suite, enrolled.account.id, enrolled.one_time_password, values["device"])
    _say_added(enrolled.account, enrolled.address, enrolled.one_time_password, made, as_json)


def _device(suite: Suite, account: AccountId, one_time: str, name: str | None) -> NewDevice | None:
    if not name:
        return None
    return wait(
        suite.enrolment.add_device(acting.by(suite), account, one_time.encode(), name=name, protocols=PROTOCOLS)
    )


def _say_added(account: Account, address: str, one_time: str, made: NewDevice | None, as_json: bool) -> None:
    if as_json:
        document(
            {
                "user_id": account.user_id,
                "address": address,
                "one_time_password": one_time,
                "device_password": made.secret if made else None,
            }
        )
        return
    console.print(f"user ID            {account.user_id}\naddress            {address}")
    console.print(f"one-time password  [bold]{one_time}[/]   (shown once; only to choose a password)")
    if made:
        console.print(f"device password    [bold]{made.secret}[/]   (shown once; for {made.password.name})")
    console.print(f"next               cjsm user set-password {account.user_id}")


@user.command("set-password")
@click.argument("name")
@acting.own_verb
def set_password(name: str, config: Path, as_json: bool) -> None:
    """Let the user NAME choose a password, after the current or one-time one, a device password or a recovery code.

    With --password-stdin the first line is the current password, the second the new one, and the third a code where
    there is a second factor.

    \b
    cjsm user set-password jane.smith@avon
    """
    suite = open_suite(config)
    current, chosen = secrets.ask("Current or one-time password", "New password")
    account = proving.to_choose(suite, name, current)
    code = secrets.ask_code(account, current)
    wait(suite.enrolment.set_password(suite.enrolment.by(account.id), account.id, current, chosen, code=code))
    officer = suite.stores.community.read_now(lambda view: is_officer(view, account.id))
    anew = officer and device.parse(current) is not None
    if as_json:
        document({"user_id": account.user_id, "password": "chosen", "officer_to_appoint_anew": anew})
        return
    console.print(f"{account.user_id} has a new password")
    if anew:
        console.print(f"recovery officer   {userlife.ANEW}")


@user.command("show")
@click.argument("name")
@acting.verb
def show(name: str, config: Path, as_json: bool) -> None:
    """Show the user NAME: a user ID or an address.

    \b
    cjsm user show jane.smith@avon
    cjsm user show jane.smith@avon.cjsm.test --json
    """
    suite = open_suite(config)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
    acting.require_or_own(suite, Action.FIND_USERS, account)
    told = suite.stores.community.read_now(lambda view: _told(view, account))
    used = dict(suite.stores.activity.last_used(account.id))
    told |= suite.stores.community.read_now(lambda view: _details(view, account, acting.actor(suite)))
    told |= _password(suite, account)
    told["name_in_logs"] = tags.pseudonym(suite.secrets.cache.current, account.id)
    told["last_used"] = {protocol: when(used.get(protocol)) for protocol in PROTOCOLS}
    if account.mailbox is not None:
        usage = wait(suite.stores.mail.usage(account.mailbox))
        told["messages"], told["octets"] = usage.messages, usage.octets
        told["waiting_octets"] = suite.stores.spool.waiting(account.mailbox)
    facts(told, as_json=as_json)


def _details(view: View, account: Account, actor: AccountId | None) -> dict[str, Any]:
    """What the directory says beside the name; the ordinary address is for who looks after the person, and for them."""
    profile = {field: getattr(account.profile, field) for field in profiles.LONGEST if field not in profiles.NEEDED}
    told = {
        "aliases": userchange.aliases(view, account.id),
        "ex_directory": account.ex_directory,
        "details": {field: value for field, value in profile.items() if value},
    }
    own = actor is not None and actor == account.id
    if own or may(view, actor, Action.MANAGE_USERS, account.organisation).allowed:
        told["ordinary_email"] = account.profile.ordinary_email or None
    return told


def _password(suite: Suite, account: Account) -> dict[str, Any]:
    """What is known of somebody's own password and of wrong ones."""
    access, now = suite.settings.access, time.time()
    policy = policies.load(access.policy)
    end = policy.ends(account.password_since or account.created)
    return {
        "password_chosen": when(account.password_since),
        "password_ends": when(end) if account.credential is Credential.CHOSEN else None,
        "guarded_since": when(account.guard.since) if account.guard and states.is_guarded(account, now) else None,
        "closed_networks": [
            network
            for network, failures in suite.stores.activity.failing(account.id)
            if network != SECOND_FACTOR and is_closed(failures, policy, access, now)
        ],
    }


@user.command("list")
@click.option("--organisation", help="Only this organisation and those below it.")
@acting.verb
def list_(organisation: str | None, config: Path, as_json: bool) -> None:
    """List users; with --as those whom that user administers or helps.

    \b
    cjsm user list
    cjsm user list --organisation avon-police
    cjsm user list --as olive.marsh@avon
    """
    suite = open_suite(config)
    places = acting.places(suite, Action.FIND_USERS, organisation)

    def look(view: View) -> list[dict[str, Any]]:
        people = (account for place in places for account in view.accounts_in(place))
        return [_told(view, account) for account in watched(people, "users")]

    found = sorted(suite.stores.community.read_now(look), key=lambda told: str(told["user_id"]))
    if as_json:
        document(found)
        return
    columns = ("user_id", "address", "organisation", "kind", "status")
    table([[str(told[column]) for column in columns] for told in found], *(c.replace("_", " ") for c in columns))


def _told(view: View, account: Account) -> dict[str, Any]:
    return {
        "user_id": account.user_id,
        "address": finding.primary_address(view, account.id),
        "name": f"{account.profile.first_name} {account.profile.last_name}",
        "organisation": finding.path_of(view, account.organisation),
        "kind": account.kind,
        "status": states.display_name(account, view.moment),
        "reason": account.state_reason or None,
        "note": account.state_note or None,
        "since": when(account.state_since),
        "roles": [
            f"{held.role} of {finding.path_of(view, held.organisation) or 'the community'}"
            for held in view.roles_of(account.id)
        ],
        "second_factor": when(account.factor_since),
        "recovery_codes": account.recovery_codes,
        "device_passwords": [known.name for known in account.device_passwords],
        "quota": account.quota if account.kind is AccountKind.HOSTED else None,
    }


for command in (
    userimport.import_,
    userchange.change,
    userchange.rename,
    userchange.move,
    userchange.alias,
    userlife.reset_password,
    userlife.suspend,
    userlife.resume,
    userlife.delete,
    userlife.undelete,
    userlock.lock,
    userlock.unlock,
    factor.recovery_codes,
):
    user.add_command(command)
