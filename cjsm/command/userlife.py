"""``cjsm user`` verbs for a user's life: reset, suspended, resumed, deleted, had back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.access.keylife import Reset
from cjsm.command import acting, telling
from cjsm.command.context import open_suite, wait
from cjsm.command.output import console, document
from cjsm.command.reasons import reason_option
from cjsm.community import finding, states
from cjsm.community.acts import lives
from cjsm.community.acts.lives import LifeStep
from cjsm.community.acts.recovery import is_officer
from cjsm.community.records import Account, AccountKind, Recovery
from cjsm.suite import Suite

_DAY = 86_400

_note = click.option("--note", default="", help="In your own words; kept with the user only, and erased with them.")


@click.command("reset-password")
@click.argument("name")
@reason_option
@acting.act_verb
def reset_password(name: str, reason: str, config: Path, as_json: bool) -> None:
    """Give the user NAME a new one-time password, after you made sure who they are. It is printed once.

    Their password and every device password end at once, and the sessions that these opened. Mail from now on is
    theirs as before. Mail until now stays closed: nobody, you included, can open it with a new password. Who still has
    a device password that works needs no reset and loses nothing: let them type it as the current password in
    `cjsm user set-password`. A second factor stays.

    \b
    cjsm user reset-password jane.smith@avon --reason forgotten
    cjsm user reset-password jane.smith@avon --reason compromised --as henry.desk@desk
    """
    suite = open_suite(config)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
    officer = suite.stores.community.read_now(lambda view: is_officer(view, account.id))
    made = wait(suite.key_life.reset(acting.by(suite, reason), account.id))
    closed = made.closed and _messages(suite, account) > 0
    if as_json:
        document(
            {
                "user_id": made.account.user_id,
                "one_time_password": made.one_time_password,
                "old_mail_closed": closed,
                "recovery": made.recovery if made.closed else None,
                "recoverable": made.recoverable,
                "officer_to_appoint_anew": officer,
                "recovery_codes_void": made.codes,
                **telling.told(suite, made.account),
            }
        )
        return
    console.print(f"one-time password  [bold]{made.one_time_password}[/]   (shown once; only to choose a password)")
    console.print(f"next               cjsm user set-password {made.account.user_id}")
    if made.closed:
        console.print(f"old mail           {_fate(made, closed)}")
    if made.codes:
        left = f"{made.codes} of before choose no password any more; once one is chosen, print new ones:"
        console.print(f"recovery codes     {left} cjsm user recovery-codes {made.account.user_id}")
    if officer:
        console.print(f"recovery officer   {ANEW}")
    telling.say(suite, made.account)


#: What is said where a recovery officer has a new password that the one of before was not there for.
ANEW = "approves nothing before they are appointed anew with their new password: cjsm recovery officer add"


def _messages(suite: Suite, account: Account) -> int:
    return wait(suite.stores.mail.usage(account.mailbox)).messages if account.mailbox is not None else 0


def _fate(made: Reset, closed: bool) -> str:
    if not closed:
        return "there is none"
    if made.recovery is Recovery.NONE:
        return "closed for good: their organisation has chosen that mail is never recovered"
    if not made.recoverable:
        return "closed for good: it came before there were recovery officers"
    return f"closed until two recovery officers open it: cjsm recovery request {made.account.user_id}"


@click.command()
@click.argument("name")
@reason_option
@_note
@acting.act_verb
def suspend(name: str, reason: str, note: str, config: Path, as_json: bool) -> None:
    """Keep the user NAME out. Mail is still delivered, and its senders are told that the mailbox is not in use.

    \b
    cjsm user suspend jane.smith@avon --reason absent --note "secondment until May"
    """
    _step(config, name, LifeStep.SUSPEND, reason, note, as_json)


@click.command()
@click.argument("name")
@acting.act_verb
def resume(name: str, config: Path, as_json: bool) -> None:
    """Let the user NAME in again, after `suspend`.

    \b
    cjsm user resume jane.smith@avon
    """
    _step(config, name, LifeStep.RESUME, "", "", as_json)


@click.command()
@click.argument("name")
@reason_option
@_note
@acting.act_verb
def delete(name: str, reason: str, note: str, config: Path, as_json: bool) -> None:
    """Delete the user NAME. Mail to them is refused; for 30 days (keys.undelete) `undelete` has them back.

    After that their keys are destroyed, and their mail with them: nobody opens it any more. Backups of the key store
    still can, for as long as you keep them.

    \b
    cjsm user delete jane.smith@avon --reason left
    """
    _step(config, name, LifeStep.DELETE, reason, note, as_json)


@click.command()
@click.argument("name")
@acting.act_verb
def undelete(name: str, config: Path, as_json: bool) -> None:
    """Have the user NAME back as they were, with password, devices, roles and mail.

    \b
    cjsm user undelete jane.smith@avon
    """
    _step(config, name, LifeStep.UNDELETE, "", "", as_json)


def _step(config: Path, name: str, step: LifeStep, reason: str, note: str, as_json: bool) -> None:
    suite = open_suite(config)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
    within = suite.settings.keys.undelete * _DAY
    acting.act(
        suite,
        lambda view, by: lives.change_life(view, by, account.id, step, note=note, undelete_within=within),
        reason,
    )
    told = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
    _report(told, suite, as_json)


def _report(account: Account, suite: Suite, as_json: bool) -> None:
    status = states.display_name(account)
    if as_json:
        document({"user_id": account.user_id, "status": status, **telling.told(suite, account)})
        return
    console.print(f"{account.user_id} is now: {status}")
    say: Callable[..., Any] = console.print
    if status == "Deleted":
        kept = "keys and mail" if account.kind is AccountKind.HOSTED else "the account"
        say(f"{suite.settings.keys.undelete} days from now {kept} will be destroyed; until then: cjsm user undelete")
    telling.say(suite, account)
