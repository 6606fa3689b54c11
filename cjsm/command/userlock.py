"""``cjsm user lock`` and ``unlock``."""

from pathlib import Path

import rich_click as click

from cjsm.command import secrets
from cjsm.command.context import act, config_option, open_suite, wait
from cjsm.command.output import console, document, json_option, reported
from cjsm.community import finding, states
from cjsm.community.acts import accounts
from cjsm.community.identifiers import AccountId
from cjsm.suite import Suite


@click.command("lock")
@click.argument("name")
@click.option("--reason", default="", help="Why; kept in the ledger.")
@config_option
@json_option
@reported
def lock(name: str, reason: str, config: Path, as_json: bool) -> None:
    """Lock the user NAME: nobody signs in, sessions end within seconds, mail still comes.

    Whoever has a second factor can unlock the own account; to keep a person out, suspend.

    \b
    cjsm user lock jane.smith@avon --reason "laptop stolen"
    """
    suite = open_suite(config)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
    act(suite, lambda view, by: accounts.set_locked(view, by, account.id, locked=True), reason)
    _say(suite, account.id, as_json)


@click.command("unlock")
@click.argument("name")
@click.option("--self", "by_self", is_flag=True, help="The user's own act, with password and a code.")
@secrets.password_stdin
@config_option
@json_option
@reported
def unlock(name: str, by_self: bool, password_stdin: bool, config: Path, as_json: bool) -> None:
    """Unlock the user NAME, whom guesses or somebody locked; the account returns to what it was.

    Networks that were closed after wrong passwords open again. With --self the user types password and a code of the
    second factor, or a recovery code.

    \b
    cjsm user unlock jane.smith@avon
    cjsm user unlock jane.smith@avon --self
    """
    suite = open_suite(config)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
    if by_self:
        current, code = secrets.ask("Password", "Code or recovery code", from_stdin=password_stdin)
        wait(suite.factors.unlock_self(suite.enrolment.by(account.id), account.id, current, code))
    else:
        wait(suite.factors.unlock(suite.enrolment.by(), account.id))
    _say(suite, account.id, as_json)


def _say(suite: Suite, account: AccountId, as_json: bool) -> None:
    found = suite.stores.community.read_now(lambda view: view.account(account))
    if found is None:
        return
    status = states.display_name(found)
    if as_json:
        document({"user_id": found.user_id, "status": status})
    else:
        console.print(f"{found.user_id} is {status}")
