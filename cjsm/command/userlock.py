"""``cjsm user lock`` and ``unlock``."""

from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting, secrets
from cjsm.command.context import config_option, open_suite, wait
from cjsm.command.output import Refused, console, document, json_option, reported
from cjsm.community import finding, states
from cjsm.community.acts import accounts
from cjsm.community.identifiers import AccountId
from cjsm.suite import Suite


@click.command("lock")
@click.argument("name")
@click.option("--reason", default="", help="Why; kept in the ledger.")
@acting.options
@config_option
@json_option
@reported
def lock(name: str, reason: str, config: Path, as_json: bool, **who: Any) -> None:
    """Lock the user NAME: nobody signs in, sessions end within seconds, mail still comes.

    Whoever has a second factor can unlock the own account; to keep a person out, suspend.

    \b
    cjsm user lock jane.smith@avon --reason "laptop stolen"
    """
    suite = open_suite(config)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
    by = acting.by(suite, who, reason)
    change = suite.stores.community.commit(
        by.act_id, lambda view: accounts.set_locked(view, by, account.id, locked=True)
    )
    wait(change)
    _say(suite, account.id, as_json)


@click.command("unlock")
@click.argument("name")
@click.option("--self", "by_self", is_flag=True, help="The user's own act, with password and a code.")
@acting.options
@config_option
@json_option
@reported
def unlock(name: str, by_self: bool, config: Path, as_json: bool, **who: Any) -> None:
    """Unlock the user NAME, whom guesses or somebody locked; the account returns to what it was.

    Networks that were closed after wrong passwords open again. With --self the user types password and a code of the
    second factor, or a recovery code.

    \b
    cjsm user unlock jane.smith@avon
    cjsm user unlock jane.smith@avon --as henry.desk@avon
    cjsm user unlock jane.smith@avon --self
    """
    suite = open_suite(config)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
    if by_self and who["as_user"]:
        raise Refused("--self is the user's own act", "leave --as away")
    if by_self:
        current, code = secrets.ask("Password", "Code or recovery code", from_stdin=who["password_stdin"])
        wait(suite.factors.unlock_self(suite.enrolment.by(account.id), account.id, current, code))
    else:
        wait(suite.factors.unlock(acting.by(suite, who), account.id))
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
