"""``cjsm user``: the people and functions of the community."""

from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite
from cjsm.command.groups import Group
from cjsm.command.output import document, table, watched
from cjsm.command.usershown import told
from cjsm.community.authority import Action
from cjsm.community.view import View


@click.group(cls=Group)
def user() -> None:
    """Add and look at users, reset, suspend and delete them, and let them choose their passwords."""


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
        return [told(view, account) for account in watched(people, "users")]

    found = sorted(suite.stores.community.read_now(look), key=lambda each: str(each["user_id"]))
    if as_json:
        document(found)
        return
    columns = ("user_id", "address", "organisation", "kind", "status")
    table([[str(each[column]) for column in columns] for each in found], *(c.replace("_", " ") for c in columns))


user.elsewhere(
    "factor",
    recovery_codes="Make new recovery codes for the user NAME and print them, once; earlier ones are void.",
)
user.elsewhere("useradd", add="Add somebody to ORGANISATION and print the one-time password, once.")
user.elsewhere(
    "userchange",
    alias="Further addresses of somebody's mailbox.",
    change="Change what the directory says of the user NAME; what is not given stays, an empty value takes it away.",
    move="Put the user NAME into another ORGANISATION, with mail, passwords and devices.",
    rename="Give the user NAME another name, and with it another user ID and address.",
)
user.elsewhere(
    "userimport",
    import_="Make the people of FILE: mailboxes here, and members whose mail is kept at their organisation.",
)
user.elsewhere(
    "userlife",
    delete="Delete the user NAME. Mail to them is refused; for 30 days (keys.undelete) `undelete` has them back.",
    reset_password="Give the user NAME a new one-time password, after you made sure who they are. It is printed once.",
    resume="Let the user NAME in again, after `suspend`.",
    suspend="Keep the user NAME out. Mail is still delivered, and its senders are told that the mailbox is not in use.",
    undelete="Have the user NAME back as they were, with password, devices, roles and mail.",
)
user.elsewhere(
    "userlock",
    lock="Lock the user NAME: nobody signs in, sessions end within seconds, mail still comes.",
    unlock="Unlock the user NAME, whom guesses or somebody locked; the account returns to what it was.",
)
user.elsewhere(
    "userpassword",
    set_password=(
        "Let the user NAME choose a password, after the current or one-time one, a device password or a recovery code."
    ),
)
user.elsewhere("usershow", show="Show the user NAME: a user ID or an address.")
