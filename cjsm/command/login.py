"""``cjsm login`` and ``cjsm logout``: act as yourself for a while without typing the password each time."""

import time
from pathlib import Path

import rich_click as click

from cjsm import configuration
from cjsm.command import acting, agent, proving
from cjsm.command.agent import Kept
from cjsm.command.context import config_option, open_suite
from cjsm.command.output import Refused, console, document, json_option, reported, when
from cjsm.community.acts.acting import existing


@click.command()
@click.argument("user")
@acting.own_verb
def login(user: str, config: Path, as_json: bool) -> None:
    """Sign in as USER for 15 minutes (keys.login): then --as USER asks for no password. Asks for it once, now.

    What the password opened is kept in the memory of a process of yours, which answers your system user only and ends
    by itself; nothing is written to disk. Whoever has your system user, and root, can act as USER meanwhile.

    One is signed in at a time: whoever was before is signed out.

    \b
    cjsm login olive.marsh@avon
    cjsm user suspend jane.smith@avon --reason absent --as olive.marsh@avon
    cjsm logout
    """
    settings = configuration.load(config)
    path = agent.place(config)
    before = agent.ask(path)
    # Started first: opening the stores gives up what the caller may do, and the agent is the caller's.
    process = agent.begin(path)
    kept = None
    try:
        suite = open_suite(config)
        signed_in = proving.ask_officer(suite, user)
        account = suite.stores.community.read_now(lambda view: existing(view, signed_in.account))
        kept = Kept(
            account=signed_in.account,
            password_version=account.password_version,
            seeds=dict(signed_in.seeds),
            until=time.time() + settings.keys.login,
        )
    finally:
        listens = agent.hand_over(process, kept)
    if not listens or kept is None:
        raise Refused("the agent did not start", f"look at who may write to {path.parent}")
    until = when(int(kept.until))
    recovery = bool(kept.seeds)
    ended = proving.signed_in(suite, before) if before is not None and before.account != kept.account else None
    if as_json:
        document({"user_id": account.user_id, "until": until, "recovery_officer": recovery, "signed_out": ended})
    else:
        if ended is not None:
            console.print(f"{ended} is signed out: one is signed in at a time")
        console.print(f"signed in as {account.user_id} until {until}; end it with: cjsm logout")


@click.command()
@config_option
@json_option
@reported
def logout(config: Path, as_json: bool) -> None:
    """End what `cjsm login` began.

    \b
    cjsm logout
    """
    ended = agent.end(agent.place(config))
    if as_json:
        document({"ended": ended})
    else:
        console.print("signed out" if ended else "nobody was signed in")
