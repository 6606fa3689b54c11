"""As whom a command acts: a user who shows their password, or the operator of the server."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import rich_click as click

from cjsm.access.recovering import Officer
from cjsm.command import secrets
from cjsm.community import finding
from cjsm.community.acts.acting import By
from cjsm.suite import Suite

F = TypeVar("F", bound=Callable[..., Any])

_as = click.option(
    "--as",
    "as_user",
    metavar="USER",
    help="Act as this user, with the roles they have; asks for their password. Else the operator of the server acts.",
)


def options(function: F) -> F:
    """Add ``--as`` and ``--password-stdin``; the command passes what they give on to :func:`by`."""
    return _as(secrets.password_stdin(function))


def by(suite: Suite, given: Mapping[str, Any], reason: str = "") -> By:
    """Return a fresh act of whom ``--as`` names, after asking for their password; else of the operator.

    :raises AccessRefused: when it is not their password.
    """
    name = given.get("as_user")
    if name is None:
        return suite.enrolment.by(reason=reason)
    return suite.enrolment.by(officer(suite, name, bool(given.get("password_stdin"))).account, reason)


def officer(suite: Suite, name: str, from_stdin: bool) -> Officer:
    """Return who showed their own password, and the authority key that it opened.

    :raises AccessRefused: when it is not their password.
    """
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, name))
    (password,) = secrets.ask(f"Password of {account.user_id}", from_stdin=from_stdin)
    return suite.recovering.officer(account.id, password)
