"""``cjsm user set-password``: people choose their own password."""

from pathlib import Path

import rich_click as click

from cjsm.command import acting, proving, secrets, userlife
from cjsm.command.context import open_suite, wait
from cjsm.command.output import console, document
from cjsm.community.acts.recovery import is_officer
from cjsm.vault import device


@click.command("set-password")
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
    wait(suite.enrolment.set_password(suite.by(account.id), account.id, current, chosen, code=code))
    officer = suite.stores.community.read_now(lambda view: is_officer(view, account.id))
    anew = officer and device.parse(current) is not None
    if as_json:
        document({"user_id": account.user_id, "password": "chosen", "officer_to_appoint_anew": anew})
        return
    console.print(f"{account.user_id} has a new password")
    if anew:
        console.print(f"recovery officer   {userlife.ANEW}")
