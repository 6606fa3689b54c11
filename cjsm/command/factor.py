"""``cjsm factor``: the second factor, and recovery codes."""

from pathlib import Path

import rich_click as click

from cjsm.command import acting, proving, secrets, telling
from cjsm.command.context import open_suite, wait
from cjsm.command.output import console, document
from cjsm.community import finding
from cjsm.community.records import Account

_NAME = click.argument("name")


@click.group()
def factor() -> None:
    """A second factor: an authenticator on a telephone, beside the password."""


@factor.command("add")
@_NAME
@acting.own_verb
def add(name: str, config: Path, as_json: bool) -> None:
    """Begin a second factor for the user NAME, who types the own password: print what the authenticator needs, once.

    It is in force when `cjsm factor confirm` has seen a code of it.

    \b
    cjsm factor add jane.smith@avon
    """
    suite = open_suite(config)
    (current,) = secrets.ask("Password")
    account = proving.own(suite, name, current)
    made = wait(suite.factors.prepare(suite.by(account.id), account.id, current))
    if as_json:
        document({"user_id": account.user_id, "secret": made.typed, "address": made.address})
        return
    console.print(
        f"secret    [bold]{made.typed}[/]   (shown once; typed into the authenticator, or as the address below)"
    )
    console.print(f"address   {made.address}", soft_wrap=True)
    console.print(f"next      cjsm factor confirm {account.user_id}")


@factor.command("confirm")
@_NAME
@acting.own_verb
def confirm(name: str, config: Path, as_json: bool) -> None:
    """Turn the second factor of the user NAME on, with the password and a code of it; print recovery codes, once.

    With --password-stdin the first line is the password, the second the code. Sessions that began with the password
    end: mail programs need device passwords from now on.

    \b
    cjsm factor confirm jane.smith@avon
    """
    suite = open_suite(config)
    current, code = secrets.ask("Password", "Code")
    account = proving.own(suite, name, current)
    codes = wait(suite.factors.confirm(suite.by(account.id), account.id, current, code))
    _say_codes(account, codes, as_json)
    if not as_json and not account.device_passwords:
        console.print(f"next      cjsm device add {account.user_id} NAME   (mail programs need device passwords now)")


@factor.command("remove")
@_NAME
@click.option(
    "--lost", is_flag=True, help="Somebody else's act, for a lost second factor: needs --reason, asks nothing."
)
@click.option("--reason", default="", help="Why, with --lost.")
@acting.act_verb
def remove(name: str, lost: bool, reason: str, config: Path, as_json: bool) -> None:
    """Take the second factor of the user NAME away: with the password and a code or recovery code, or as --lost.

    \b
    cjsm factor remove jane.smith@avon
    cjsm factor remove jane.smith@avon --lost --reason "telephone stolen, identity checked" --as olive.marsh@avon
    """
    suite = open_suite(config)
    if lost:
        account = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
        wait(suite.factors.take_away(acting.by(suite, reason), account.id))
    else:
        acting.forbid("without --lost it is the user's own act")
        current, code = secrets.ask("Password", "Code or recovery code")
        account = proving.own(suite, name, current)
        wait(suite.factors.remove(suite.by(account.id), account.id, current, code))
    if as_json:
        told = telling.told(suite, account) if lost else {}
        document({"user_id": account.user_id, "second_factor": None} | told)
        return
    console.print(f"{account.user_id} has no second factor any more")
    if lost:
        telling.say(suite, account)


@click.command("recovery-codes")
@_NAME
@acting.own_verb
def recovery_codes(name: str, config: Path, as_json: bool) -> None:
    """Make new recovery codes for the user NAME and print them, once; earlier ones are void.

    Each is good for one use: in place of a lost password (`cjsm user set-password`), which keeps all mail readable, or
    of a code of the second factor. With --password-stdin the second line is a code, where there is a second factor.

    \b
    cjsm user recovery-codes jane.smith@avon
    """
    suite = open_suite(config)
    (current,) = secrets.ask("Password")
    account = proving.own(suite, name, current)
    code = secrets.ask_code(account, current)
    codes = wait(suite.factors.new_codes(suite.by(account.id), account.id, current, code))
    _say_codes(account, codes, as_json)


def _say_codes(account: Account, codes: list[str], as_json: bool) -> None:
    if as_json:
        document({"user_id": account.user_id, "recovery_codes": codes})
        return
    console.print("recovery codes, shown once; each is good for one use. Keep them on paper, away from the telephone:")
    for code in codes:
        console.print(f"  [bold]{code}[/]")
