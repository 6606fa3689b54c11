"""As whom a command acts: a user who shows their password, or did so to ``cjsm login``, or the server's operator.

A verb that changes something, or shows what not everybody may see, is made with :data:`verb`. Whatever it does then,
it does as the same one: :func:`act`, :func:`by`, :func:`require` and :func:`sight` ask here who that is, and what they
may is for :func:`cjsm.community.authority.may` to say.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from typing import Any, TypeVar, cast

import rich_click as click

from cjsm.access.signedin import Officer
from cjsm.command import agent, proving, rehearsing, secrets
from cjsm.command.context import config_option, dry_run_option, wait
from cjsm.command.output import Refused, json_option, reported
from cjsm.community import authority, finding
from cjsm.community.acts.acting import By
from cjsm.community.acts.moving import subtree
from cjsm.community.authority import Action, may
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import Account, Organisation
from cjsm.community.view import Change, View
from cjsm.store.rehearsed import Rehearsed
from cjsm.suite import Suite

F = TypeVar("F", bound=Callable[..., Any])

#: Rows of a file, members of a list, or things that a merge brings up, which one commit takes: others act in between.
AT_ONCE = 100

_NAME, _SIGNED_IN, _OFFICER = "cjsm.as", "cjsm.signed-in", "cjsm.officer"


def _look(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Ask the agent while the command is still its caller's: opening the stores makes it the service's user."""
    context.meta[_NAME] = value
    if value is not None:
        with suppress(PermissionError):
            # --config is read first.
            context.meta[_SIGNED_IN] = agent.ask(agent.place(context.params["config"]))


def _verb(function: F, *, required: bool) -> F:
    told = "Act as this user, with the roles they have; asks for their password, unless `cjsm login` did. "
    acts_as = click.option(
        "--as",
        "as_user",
        metavar="USER",
        required=required,
        expose_value=False,
        callback=_look,
        help=told + ("" if required else "Else the operator of the server acts."),
    )
    return acts_as(own_verb(function))


def verb(function: F) -> F:
    """A verb that somebody answers for: with ``--as``, ``--password-stdin``, ``--config`` and ``--json``.

    *function* gets the latter two, as ``config`` and ``as_json``; its errors are told with their cure.
    """
    return _verb(function, required=False)


def act_verb(function: F) -> F:
    """A verb that is one act: with ``--dry-run`` too."""
    return verb(dry_run_option(_rehearsing(function)))


def _rehearsing(function: F) -> F:
    @wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except Rehearsed as rehearsed:
            rehearsing.report(rehearsed, as_json=bool(options.get("as_json")))

    return cast("F", run)


def verb_of_people(function: F) -> F:
    """The same for what the operator of the server cannot do: it requires ``--as``."""
    return _verb(function, required=True)


def own_verb(function: F) -> F:
    """A verb for a person's own act: whose it is shows the own password; ``--as`` has no place there."""
    return cast("F", secrets.password_stdin(config_option(json_option(reported(function)))))


def _meta() -> dict[str, Any]:
    context = click.get_current_context(silent=True)
    return context.meta if context is not None else {}


def named() -> str | None:
    """Return whom ``--as`` names."""
    name: str | None = _meta().get(_NAME)
    return name


def forbid(why: str) -> None:
    """Refuse ``--as`` beside an option that makes the act a person's own."""
    if named() is not None:
        raise Refused(why, "leave --as away")


def actor(suite: Suite) -> AccountId | None:
    """Return who acts: whom ``--as`` names, who is signed in or shows their password, once; or None, the operator.

    :raises AccessError: when it is not their password, not a code of theirs, or they may not sign in.
    """
    return officer(suite).account if named() is not None else None


def officer(suite: Suite) -> Officer:
    """Return whom ``--as`` names, with the authority key that their password opened: now, or at ``cjsm login``.

    :raises AccessError: see :func:`actor`.
    """
    meta = _meta()
    name = named()
    if name is None:
        raise Refused("the operator of the server cannot do this", "say who does with --as USER")
    if _OFFICER not in meta:
        meta[_OFFICER] = proving.officer(suite, name, meta.get(_SIGNED_IN))
    found: Officer = meta[_OFFICER]
    return found


def by(suite: Suite, reason: str = "") -> By:
    """Return a fresh act of whoever acts: see :func:`actor`."""
    return suite.by(actor(suite), reason)


def act(suite: Suite, decide: Callable[[View, By], Change], reason: str = "") -> None:
    """Commit one administrative act of whoever acts: see :func:`actor`."""
    acting = by(suite, reason)
    wait(suite.stores.community.commit(acting.act_id, lambda view: decide(view, acting)))


def act_if_any(suite: Suite, decide: Callable[[View, By], Change]) -> bool:
    """Commit an act unless everything is so already; return whether it was not."""
    acting = by(suite)
    changes = suite.stores.community.read_now(lambda view: decide(view, acting)) != Change()
    if changes:
        act(suite, decide)
    return changes


def require(
    suite: Suite, action: Action, organisation: OrganisationId | None = None, account: AccountId | None = None
) -> None:
    """Ask whether whoever acts may do *action*, where no act is committed for it, or before what cannot be undone.

    :raises NotAllowed: with the reason.
    """
    who = actor(suite)
    suite.stores.community.read_now(
        lambda view: authority.require(may(view, who, action, organisation, account=account))
    )


def require_or_own(suite: Suite, action: Action, account: Account) -> None:
    """Ask whether whoever acts may do *action* to *account*, or is the one whose it is.

    :raises NotAllowed: with the reason.
    """
    if actor(suite) == account.id:
        require(suite, Action.OWN_SETTINGS, account.organisation, account.id)
    else:
        require(suite, action, account.organisation)


def places(suite: Suite, action: Action, organisation: str | None = None) -> list[OrganisationId]:
    """Return the organisations in which whoever acts may do *action*: of those at a path and below it, or of all.

    Looks at what their roles cover, not at the whole community.

    :raises NotAllowed: when there is none.
    """
    who = actor(suite)
    sees_in = sight(suite, action, organisation)

    def look(view: View) -> list[OrganisationId]:
        sees = sees_in(view)
        below: Iterable[Organisation] = view.organisations()
        held: list[OrganisationId | None] = [None]
        if who is not None:
            held = [each.organisation for each in view.roles_of(who)]
        if organisation is not None:
            held = [finding.organisation_of(view, organisation).id]
        if None not in held:
            below = [found for top in held if top is not None for found in subtree(view, top)]
        found = dict.fromkeys(each.id for each in below if sees(each.id))
        return sorted(found, key=lambda place: finding.path_of(view, place))

    return suite.stores.community.read_now(look)


def sight(
    suite: Suite, action: Action, organisation: str | None = None
) -> Callable[[View], Callable[[OrganisationId | None], bool]]:
    """Return what tells in a view for which organisations whoever acts may do *action*: a list shows those only.

    :param organisation: the path of one that is asked for by name, where it has to be one of those.
    :raises NotAllowed: when there is none; without a path only from what is returned.
    """
    who = actor(suite)
    if organisation is not None:
        place = suite.stores.community.read_now(lambda view: finding.organisation_of(view, organisation).id)
        require(suite, action, place)
    return lambda view: authority.within(view, who, action)
