"""As whom a command acts: a user who shows their password, or did so to ``cjsm login``, or the server's operator."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import rich_click as click

from cjsm.access.errors import AccessRefused
from cjsm.access.recovering import Officer
from cjsm.command import agent, secrets
from cjsm.command.agent import Kept
from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.community.acts.acting import By
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Account
from cjsm.suite import Suite

F = TypeVar("F", bound=Callable[..., Any])

_SIGNED_IN = "cjsm.signed-in"


def _look(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Ask the agent while the command is still its caller's: opening the stores makes it the service's user."""
    if value is not None:
        with suppress(PermissionError):
            # --config is read first.
            context.meta[_SIGNED_IN] = agent.ask(agent.place(context.params["config"]))
    return value


def as_option(*, required: bool = False) -> Callable[[F], F]:
    """Return ``--as``; the commands that need an officer require it."""
    told = "Act as this user, with the roles they have; asks for their password, unless `cjsm login` did. "
    return click.option(
        "--as",
        "as_user",
        metavar="USER",
        required=required,
        callback=_look,
        help=told + ("" if required else "Else the operator of the server acts."),
    )


def options(function: F) -> F:
    """Add ``--as`` and ``--password-stdin``; the command passes what they give on to :func:`by`."""
    return as_option()(secrets.password_stdin(function))


def by(suite: Suite, given: Mapping[str, Any], reason: str = "") -> By:
    """Return a fresh act of whom ``--as`` names, who is signed in or shows their password; else of the operator.

    :raises AccessRefused: when it is not their password.
    """
    name = given.get("as_user")
    if name is None:
        return suite.enrolment.by(reason=reason)
    return suite.enrolment.by(officer(suite, name, bool(given.get("password_stdin"))).account, reason)


def officer(suite: Suite, name: str, from_stdin: bool) -> Officer:
    """Return who acts, and the authority key that their password opened: just now, or at ``cjsm login``.

    :raises AccessRefused: when it is not their password.
    """
    context = click.get_current_context(silent=True)
    kept: Kept | None = context.meta.get(_SIGNED_IN) if context is not None else None
    account = _account(suite, name)
    if kept is not None and kept.account == account.id and not from_stdin:
        if kept.password_version != account.password_version:
            raise AccessRefused
        return Officer(AccountId(kept.account), kept.seeds)
    return ask_officer(suite, name, from_stdin)


def ask_officer(suite: Suite, name: str, from_stdin: bool) -> Officer:
    """Return who showed their own password, a code too where they have a second factor, and the authority key that
    it opened.

    :raises AccessRefused: when it is not their password, or not a code of their authenticator.
    """
    account = _account(suite, name)
    (password,) = secrets.ask(f"Password of {account.user_id}", from_stdin=from_stdin)
    shown = suite.recovering.officer(account.id, password)
    if account.factor_since:
        (code,) = secrets.ask("Code of the authenticator", from_stdin=from_stdin)
        wait(suite.factors.prove(account.id, code))
    return shown


def _account(suite: Suite, name: str) -> Account:
    return suite.stores.community.read_now(lambda view: finding.account_of(view, name))
