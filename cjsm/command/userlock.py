"""``cjsm user lock`` and ``unlock``."""

from pathlib import Path

import rich_click as click

from cjsm.access.protocols import UNLOCKS
from cjsm.command import acting, proving, secrets, telling
from cjsm.command.context import open_suite, wait
from cjsm.command.output import console, document
from cjsm.community import finding, states
from cjsm.community.acts import accounts
from cjsm.community.identifiers import AccountId
from cjsm.suite import Suite


@click.command("lock")
@click.argument("name")
@click.option("--reason", default="", help="Why; kept in the ledger.")
@acting.act_verb
def lock(name: str, reason: str, config: Path, as_json: bool) -> None:
    """Lock the user NAME: nobody signs in, sessions end within seconds, mail still comes.

    Whoever has a second factor can unlock the own account; to keep a person out, suspend.

    \b
    cjsm user lock jane.smith@avon --reason "laptop stolen"
    """
    suite = open_suite(config)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
    acting.act(suite, lambda view, by: accounts.set_locked(view, by, account.id, locked=True), reason)
    _say(suite, account.id, as_json, others=True)


@click.command("unlock")
@click.argument("name")
@click.option("--self", "by_self", is_flag=True, help="The user's own act, with password and a code.")
@acting.act_verb
def unlock(name: str, by_self: bool, config: Path, as_json: bool) -> None:
    """Unlock the user NAME, whom guesses or somebody locked; the account returns to what it was.

    Networks that were closed after wrong passwords open again. With --self the user types password and a code of the
    second factor, or a recovery code.

    \b
    cjsm user unlock jane.smith@avon
    cjsm user unlock jane.smith@avon --as henry.desk@avon
    cjsm user unlock jane.smith@avon --self
    """
    suite = open_suite(config)
    if by_self:
        acting.forbid("--self is the user's own act")
        current, code = secrets.ask("Password", "Code or recovery code")
        account = proving.own(suite, name, current, UNLOCKS)
        wait(suite.factors.unlock_self(suite.by(account.id), account.id, current, code))
    else:
        account = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
        wait(suite.factors.unlock(acting.by(suite), account.id))
    _say(suite, account.id, as_json, others=not by_self)


def _say(suite: Suite, account: AccountId, as_json: bool, *, others: bool) -> None:
    """Tell how the account is now, and whether its person is told where *others* did it."""
    found = suite.stores.community.read_now(lambda view: view.account(account))
    if found is None:
        return
    status = states.display_name(found)
    if as_json:
        document({"user_id": found.user_id, "status": status} | (telling.told(suite, found) if others else {}))
        return
    console.print(f"{found.user_id} is {status}")
    if others:
        telling.say(suite, found)
