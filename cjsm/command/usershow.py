"""``cjsm user show``: all that is known of somebody."""

import time
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm import policies
from cjsm.access.lockout import SECOND_FACTOR, is_closed
from cjsm.command import acting
from cjsm.command.context import open_suite, wait
from cjsm.command.output import facts, when
from cjsm.command.usershown import aliases, told
from cjsm.community import finding, states
from cjsm.community.acts import profiles
from cjsm.community.acts.credentials import PROTOCOLS
from cjsm.community.authority import Action, may
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Account, Credential
from cjsm.community.view import View
from cjsm.suite import Suite
from cjsm.vault import tags


@click.command("show")
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
    shown = suite.stores.community.read_now(lambda view: told(view, account))
    used = dict(suite.stores.activity.last_used(account.id))
    shown |= suite.stores.community.read_now(lambda view: _details(view, account, acting.actor(suite)))
    shown |= _password(suite, account)
    shown["name_in_logs"] = tags.pseudonym(suite.secrets.cache.current, account.id)
    shown["last_used"] = {protocol: when(used.get(protocol)) for protocol in PROTOCOLS}
    if account.mailbox is not None:
        usage = wait(suite.stores.mail.usage(account.mailbox))
        shown["messages"], shown["octets"] = usage.messages, usage.octets
        shown["waiting_octets"] = suite.stores.spool.waiting(account.mailbox)
    facts(shown, as_json=as_json)


def _details(view: View, account: Account, actor: AccountId | None) -> dict[str, Any]:
    """What the directory says beside the name; the ordinary address is for who looks after the person, and for them."""
    profile = {field: getattr(account.profile, field) for field in profiles.LONGEST if field not in profiles.NEEDED}
    shown = {
        "aliases": aliases(view, account.id),
        "ex_directory": account.ex_directory,
        "details": {field: value for field, value in profile.items() if value},
    }
    own = actor is not None and actor == account.id
    if own or may(view, actor, Action.MANAGE_USERS, account.organisation).allowed:
        shown["ordinary_email"] = account.profile.ordinary_email or None
    return shown


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
