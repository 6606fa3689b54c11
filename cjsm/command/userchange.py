"""``cjsm user`` verbs for what is known of somebody: details, name, organisation, aliases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite
from cjsm.command.output import console, document
from cjsm.command.recoveredby import recovered_by
from cjsm.command.usershown import aliases
from cjsm.community import finding
from cjsm.community.acts import persons, renaming, transfers
from cjsm.community.acts.acting import By
from cjsm.community.acts.renaming import Name, OldAddress
from cjsm.community.address import Address
from cjsm.community.identifiers import AccountId
from cjsm.community.records import AccountKind
from cjsm.community.view import Change, View
from cjsm.suite import Suite

_DAY = 86_400
#: Options of `change` by field; the profile has the others of the same name.
_FIELDS = {
    "user_type": "Such as Solicitor, Officer, Clerk.",
    "address1": "First line of the street address.",
    "address2": "Second line of it.",
    "town": "",
    "postcode": "",
    "telephone": "",
    "mobile": "",
    "description": "What the person does, for those who look them up.",
    "business_type": "",
    "area": "The criminal justice area.",
}


def _details(function: Callable[..., None]) -> Callable[..., None]:
    for field, text in reversed(_FIELDS.items()):
        option = "--type" if field == "user_type" else f"--{field.replace('_', '-')}"
        function = click.option(option, field, help=text or None)(function)
    return function


@click.command()
@click.argument("name")
@_details
@click.option("--ordinary-email", help="The non-secure address, which nobody finds in the directory.")
@click.option("--ex-directory/--listed", default=None, help="Whether the directory shows the person to others.")
@acting.act_verb
def change(
    name: str,
    ordinary_email: str | None,
    ex_directory: bool | None,
    config: Path,
    as_json: bool,
    **values: str | None,
) -> None:
    """Change what the directory says of the user NAME; what is not given stays, an empty value takes it away.

    For another name see `cjsm user rename`, for a mailbox's capacity `cjsm quota set`.

    \b
    cjsm user change jane.smith@avon --telephone "0117 496 0110" --type Sergeant
    cjsm user change jane.smith@avon --ex-directory --description "" --as olive.marsh@avon
    """
    given = {field: value for field, value in values.items() if value is not None}
    suite = open_suite(config)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, name)).id
    changed = acting.act_if_any(
        suite,
        lambda view, by: persons.change(
            view, by, account, given, ordinary_email=ordinary_email, ex_directory=ex_directory
        ),
    )
    _report(suite, account, as_json, changed=changed)


@click.command()
@click.argument("name")
@click.option("--first", help="The first name from now on; else it stays.")
@click.option("--last", help="The last name from now on; else it stays.")
@click.option("--user-id", help="first.last@abbreviation; made of the names when it is not given.")
@click.option("--address", help="For a member whose mail is kept at the organisation: the new address, with suffix.")
@acting.act_verb
def rename(
    name: str,
    first: str | None,
    last: str | None,
    user_id: str | None,
    address: str | None,
    config: Path,
    as_json: bool,
) -> None:
    """Give the user NAME another name, and with it another user ID and address.

    The old address delivers for 90 days (keys.address_delivers), and is nobody else's for 270 (keys.address_reserved).
    Lists that have it get the new one. Mail, keys, passwords and devices stay; mail programs need the new user ID at
    their next sign-in. Tell the person: the service lets them know that it changed, and not to what.

    \b
    cjsm user rename jane.smith@avon --last Harding
    cjsm user rename jane.smith@avon --first Jane --last "O'Neil" --user-id jane.oneil-7@avon --as olive.marsh@avon
    """
    suite = open_suite(config)
    found = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
    wanted = Name(
        first=found.profile.first_name if first is None else first,
        last=found.profile.last_name if last is None else last,
        user_id=user_id,
        address=Address.parse(address) if address else None,
    )
    old = _old_address(suite)
    before = suite.stores.community.read_now(lambda view: finding.primary_address(view, found.id))
    acting.act(suite, lambda view, by: renaming.rename(view, by, found.id, wanted, old))
    _report(suite, found.id, as_json, old_user_id=found.user_id, old_address=before)


def _old_address(suite: Suite) -> OldAddress:
    keys = suite.settings.keys
    return OldAddress(keys.address_delivers * _DAY, keys.address_reserved * _DAY)


@click.command()
@click.argument("name")
@click.argument("organisation")
@click.option(
    "--old-address-delivers",
    is_flag=True,
    help="Where the address changes: mail to the old one still reaches the person for keys.address_delivers days.",
)
@acting.act_verb
def move(name: str, organisation: str, old_address_delivers: bool, config: Path, as_json: bool) -> None:
    """Put the user NAME into another ORGANISATION, with mail, passwords and devices.

    You must look after people in both. Roles over the old place are revoked first (`cjsm role revoke`), and between top
    organisations shared mailboxes left and lists given to others to manage: the answer says which. A member whose mail
    is kept at the organisation stays where its domain is.

    Where user IDs end in another abbreviation there, the person gets a new user ID and address. What comes to the old
    address is then refused, since it may be for the organisation that they left, unless you say --old-address-delivers.
    The mailbox begins a new generation of keys within the hour, or at once with `cjsm keys rotate-due`: other officers
    recover what comes from then on; what came before stays with those of before.

    \b
    cjsm user move jane.smith@avon avon-police/traffic
    cjsm user move jane.smith@avon north-police/crime --old-address-delivers --as una.above@desk
    """
    suite = open_suite(config)
    found = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
    kept = _old_address(suite)
    old = kept if old_address_delivers else OldAddress(0, kept.reserved)
    before = suite.stores.community.read_now(
        lambda view: (finding.primary_address(view, found.id), recovered_by(view, found.organisation))
    )

    def decide(view: View, by: By) -> Change:
        return transfers.move(view, by, found.id, finding.organisation_of(view, organisation).id, old)

    acting.act(suite, decide)
    after = suite.stores.community.read_now(
        lambda view: recovered_by(view, finding.organisation_of(view, organisation).id)
    )
    told = {"until_now_recovered_by": before[1]} if found.kind is AccountKind.HOSTED and before[1] != after else {}
    _report(suite, found.id, as_json, old_user_id=found.user_id, old_address=before[0], **told)


@click.group()
def alias() -> None:
    """Further addresses of somebody's mailbox."""


@alias.command("add")
@click.argument("name")
@click.argument("address")
@acting.act_verb
def alias_add(name: str, address: str, config: Path, as_json: bool) -> None:
    """Let mail to ADDRESS, in the organisation's domain here, reach the user NAME too; they may send from it.

    \b
    cjsm user alias add jane.smith@avon custody.sergeant@avon.cjsm.test
    """
    suite = open_suite(config)
    found = suite.stores.community.read_now(lambda view: finding.account_of(view, name)).id
    most, wanted = suite.settings.keys.aliases, Address.parse(address)
    acting.act(suite, lambda view, by: renaming.add_alias(view, by, found, wanted, most))
    _report(suite, found, as_json)


@alias.command("remove")
@click.argument("name")
@click.argument("address")
@acting.act_verb
def alias_remove(name: str, address: str, config: Path, as_json: bool) -> None:
    """Take the alias ADDRESS from the user NAME. It is nobody's for 270 days (keys.address_reserved).

    \b
    cjsm user alias remove jane.smith@avon custody.sergeant@avon.cjsm.test
    """
    suite = open_suite(config)
    found = suite.stores.community.read_now(lambda view: finding.account_of(view, name)).id
    reserved, gone = suite.settings.keys.address_reserved * _DAY, Address.parse(address)
    acting.act(suite, lambda view, by: renaming.remove_alias(view, by, found, gone, reserved))
    _report(suite, found, as_json)


def _report(suite: Suite, account: AccountId, as_json: bool, **more: Any) -> None:
    def look(view: View) -> dict[str, Any]:
        found = view.account(account)
        assert found is not None, "nobody removes an account at once"
        return {
            "user_id": found.user_id,
            "address": finding.primary_address(view, account),
            "aliases": aliases(view, account),
            "name": f"{found.profile.first_name} {found.profile.last_name}",
            "organisation": finding.path_of(view, found.organisation),
        }

    told = suite.stores.community.read_now(look) | more
    if as_json:
        document(told)
        return
    console.print(f"{told['user_id']}  {told['name']}  {told['organisation']}  <{told['address']}>", markup=False)
    if more.get("changed") is False:
        console.print("nothing changed: it was so already")
    if more.get("old_address", told["address"]) != told["address"]:
        delivers = suite.stores.community.read_now(lambda view: view.address(more["old_address"]) is not None)
        fate = "goes on delivering" if delivers else "takes no mail any more (--old-address-delivers would let it)"
        console.print(f"the old address {more['old_address']} {fate}: see `cjsm user show {told['user_id']}`")
        signs_in = "the old one signs in as long as that" if delivers else "mail programs sign in with it from now on"
        console.print(f"tell the person the new user ID: {signs_in}")
    if "until_now_recovered_by" in more:
        former = " and ".join(more["until_now_recovered_by"] or ["nobody"])
        console.print(f"what came until now is recovered by {former}")
