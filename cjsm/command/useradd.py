"""``cjsm user add``: one new user."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cjsm.command import acting, quota
from cjsm.command.context import open_suite, wait
from cjsm.command.output import console, document
from cjsm.community import finding
from cjsm.community.acts.credentials import PROTOCOLS
from cjsm.community.address import Address, name_from
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import Account, Profile
from cjsm.community.view import View
from cjsm.suite import Suite

if TYPE_CHECKING:
    from cjsm.access.enrolment import NewDevice


@click.command("add")
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
        if values["user_id"]:
            return found.id, values["user_id"].lower()
        name = name_from(profile.first_name, profile.last_name)
        return found.id, finding.free_user_id(view, name, finding.abbreviation_for(view, found.id))

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


def _device(suite: Suite, account: AccountId, one_time: str, name: str | None) -> "NewDevice | None":
    if not name:
        return None
    return wait(
        suite.enrolment.add_device(acting.by(suite), account, one_time.encode(), name=name, protocols=PROTOCOLS)
    )


def _say_added(account: Account, address: str, one_time: str, made: "NewDevice | None", as_json: bool) -> None:
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
