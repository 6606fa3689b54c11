"""``cjsm organisation``: the tree of organisations."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich_click as click
from rich.markup import escape
from rich.tree import Tree

from cjsm.command import acting
from cjsm.command.context import open_suite
from cjsm.command.organisationmerge import merge
from cjsm.command.output import Refused, console, document, facts, when
from cjsm.command.reasons import REASON
from cjsm.command.recoveredby import recovered_by
from cjsm.community import finding, states
from cjsm.community.acts import moving, organisations
from cjsm.community.acts.acting import By
from cjsm.community.address import check_slug
from cjsm.community.authority import Action
from cjsm.community.identifiers import LENGTH, OrganisationId
from cjsm.community.records import Organisation, OrganisationState, Recovery
from cjsm.community.view import Change, View
from cjsm.suite import Suite


@click.group()
def organisation() -> None:
    """Add, change, move, merge, suspend and delete organisations, and look at them."""


organisation.add_command(merge)


@organisation.command("add")
@click.argument("path")
@click.option("--name", required=True, help="The full name, as the directory shows it.")
@click.option("--abbreviation", help="One short word: hosted addresses become first.last@ABBREVIATION.suffix.")
@click.option("--recovery", type=click.Choice([choice.value for choice in Recovery]), default="two-person")
@click.option("--business-type", default="", help="Such as Police, Solicitors, Court.")
@click.option("--area", default="", help="The criminal justice area.")
@click.option("--protected", is_flag=True, help="A refuge or witness service: not in the directory.")
@acting.act_verb
def add(path: str, config: Path, as_json: bool, **values: Any) -> None:
    """Add the organisation at PATH, below those that PATH names before it.

    \b
    cjsm organisation add avon-police --name "Avon Police" --abbreviation avon
    cjsm organisation add avon-police/crime --name "Crime"
    cjsm organisation add avon-police/airport --name "Airport" --as olive.marsh@avon
    """
    suite = open_suite(config)
    above, _, slug = path.strip("/").lower().rpartition("/")
    check_slug(slug)
    if not above and not values["abbreviation"]:
        raise Refused(
            "a top organisation needs an abbreviation, which its hosted addresses end in",
            f"give one with --abbreviation, such as --abbreviation {slug.partition('-')[0]}",
        )
    parent = suite.stores.community.read_now(lambda view: finding.organisation_of(view, above).id) if above else None
    made = Organisation(
        id=OrganisationId(os.urandom(LENGTH)),
        parent=parent,
        slug=slug,
        name=values["name"],
        abbreviation=values["abbreviation"].lower() if values["abbreviation"] else None,
        recovery=Recovery(values["recovery"]),
        business_type=values["business_type"],
        area=values["area"],
        protected=values["protected"],
        ex_directory=values["protected"],
    )
    acting.act(suite, lambda view, by: organisations.add(view, by, made))
    facts(suite.stores.community.read_now(lambda view: _told(view, made.id)), as_json=as_json)


@organisation.command("show")
@click.argument("path")
@acting.verb
def show(path: str, config: Path, as_json: bool) -> None:
    """Show the organisation at PATH.

    \b
    cjsm organisation show avon-police/crime
    """
    suite = open_suite(config)
    found = _look_up(suite, path)
    acting.require(suite, Action.SEE_ORGANISATIONS, found)
    facts(suite.stores.community.read_now(lambda view: _told(view, found)), as_json=as_json)


@organisation.command("move")
@click.argument("path")
@click.argument("to", metavar="PARENT")
@acting.act_verb
def move(path: str, to: str, config: Path, as_json: bool) -> None:
    """Put the organisation at PATH below PARENT ("/" is the top), with everybody and everything below it.

    People keep user IDs, addresses, passwords and mail. Who is above administers them from now on, and whose officers
    recover their mail changes for what comes from now on: mailboxes begin new generations of keys for that by
    themselves within hours, or at once with `cjsm keys rotate-due`. What came before stays with the officers of before,
    whose keys alone open it: the answer names them.

    \b
    cjsm organisation move avon-police/crime north-region
    cjsm organisation move avon-police/airport /
    """
    suite = open_suite(config)

    def decide(view: View, by: By) -> Change:
        parent = finding.organisation_of(view, to).id if to.strip("/") else None
        return moving.move(view, by, finding.organisation_of(view, path).id, parent)

    identifier = _look_up(suite, path)
    before = suite.stores.community.read_now(lambda view: recovered_by(view, identifier))
    acting.act(suite, decide)
    told = suite.stores.community.read_now(lambda view: _told(view, identifier))
    if told["recovered_by"] != before:
        # Nobody's authority key is at hand to seal what there is to others.
        told["until_now_recovered_by"] = before
    facts(told, as_json=as_json)


@organisation.command("change")
@click.argument("path")
@click.option("--name", help="Another full name; the short one stays.")
@click.option("--abbreviation", help="Where it has none of its own yet: for the addresses of people who come.")
@click.option("--recovery", type=click.Choice([choice.value for choice in Recovery]))
@click.option("--business-type", help="Such as Police, Solicitors, Court.")
@click.option("--area", help="The criminal justice area.")
@click.option("--protected/--not-protected", default=None, help="A refuge or witness service.")
@click.option("--ex-directory/--listed", default=None, help="Whether others' directory shows it and its people.")
@acting.act_verb
def change(path: str, config: Path, as_json: bool, **values: Any) -> None:
    """Change the organisation at PATH; what is not given stays.

    With another choice of recovery, mailboxes begin new generations of keys within hours, or at once with `cjsm keys
    rotate-due`; what came before stays as it was sealed.

    \b
    cjsm organisation change avon-police --name "Avon and Somerset Police"
    cjsm organisation change avon-police/refuge --protected --ex-directory --recovery none
    """
    suite = open_suite(config)
    found = _look_up(suite, path)
    if values["recovery"]:
        values["recovery"] = Recovery(values["recovery"])
    if values["abbreviation"]:
        values["abbreviation"] = values["abbreviation"].lower()
    acting.act(suite, lambda view, by: organisations.change(view, by, found, **values))
    facts(suite.stores.community.read_now(lambda view: _told(view, found)), as_json=as_json)


@organisation.command("suspend")
@click.argument("path")
@REASON
@acting.act_verb
def suspend(path: str, reason: str, config: Path, as_json: bool) -> None:
    """Suspend the organisation at PATH with all below it: only its administrators sign in, mail to it is refused.

    \b
    cjsm organisation suspend smith-and-jones --reason terms
    """
    _set_state(config, path, OrganisationState.SUSPENDED, reason, as_json)


@organisation.command("resume")
@click.argument("path")
@acting.act_verb
def resume(path: str, config: Path, as_json: bool) -> None:
    """Let the organisation at PATH work again, after `suspend`.

    \b
    cjsm organisation resume smith-and-jones
    """
    _set_state(config, path, OrganisationState.ACTIVE, "", as_json, OrganisationState.SUSPENDED)


@organisation.command("delete")
@click.argument("path")
@REASON
@acting.act_verb
def delete(path: str, reason: str, config: Path, as_json: bool) -> None:
    """Delete the organisation at PATH, which must be empty; its short name and abbreviation stay taken.

    \b
    cjsm organisation delete avon-police/airport --reason requested
    """
    _set_state(config, path, OrganisationState.DELETED, reason, as_json)


@organisation.command("undelete")
@click.argument("path")
@acting.act_verb
def undelete(path: str, config: Path, as_json: bool) -> None:
    """Have the organisation at PATH back, empty as it was.

    \b
    cjsm organisation undelete avon-police/airport
    """
    _set_state(config, path, OrganisationState.ACTIVE, "", as_json, OrganisationState.DELETED)


def _set_state(
    config: Path,
    path: str,
    state: OrganisationState,
    reason: str,
    as_json: bool,
    since: OrganisationState | None = None,
) -> None:
    suite = open_suite(config)
    found = _look_up(suite, path)

    acting.act(suite, lambda view, by: organisations.set_state(view, by, found, state, since=since), reason)
    facts(suite.stores.community.read_now(lambda view: _told(view, found)), as_json=as_json)


def _look_up(suite: Suite, path: str) -> OrganisationId:
    return suite.stores.community.read_now(lambda view: finding.organisation_of(view, path).id)


@organisation.command("list")
@acting.verb
def list_(config: Path, as_json: bool) -> None:
    """List every organisation as a tree; with --as those that are that user's to see.

    \b
    cjsm organisation list
    cjsm organisation list --json
    cjsm organisation list --as olive.marsh@avon
    """
    suite = open_suite(config)
    sight = acting.sight(suite, Action.SEE_ORGANISATIONS)
    if as_json:

        def look(view: View) -> list[dict[str, Any]]:
            sees = sight(view)
            return [_told(view, organisation.id) for organisation in view.organisations() if sees(organisation.id)]

        document(sorted(suite.stores.community.read_now(look), key=lambda told: str(told["path"])))
        return
    tree = Tree(suite.settings.community.suffix)
    suite.stores.community.read_now(lambda view: _grow(view, tree, None, sight(view)))
    console.print(tree)


def _grow(view: View, tree: Tree, parent: OrganisationId | None, sees: Callable[[OrganisationId | None], bool]) -> None:
    for child in view.children(parent):
        if not sees(child.id):
            # Those below may be seen.
            _grow(view, tree, child.id, sees)
            continue
        users = sum(1 for _ in view.accounts_in(child.id))
        short = f" @{child.abbreviation}" if child.abbreviation else ""
        people = "1 user" if users == 1 else f"{users} users"
        name = child.slug if parent is None or sees(parent) else finding.path_of(view, child.id)
        line = f"[bold]{name}[/]{short}  {escape(child.name)}  ({people}, {child.state})"
        _grow(view, tree.add(line), child.id, sees)


def _told(view: View, identifier: OrganisationId) -> dict[str, Any]:
    found = next(states.chain(view, identifier))
    return {
        "path": finding.path_of(view, identifier),
        "name": found.name,
        "abbreviation": found.abbreviation,
        "state": found.state,
        "state_in_force": states.organisation_state(view, identifier),
        "reason": found.state_reason,
        "merging": when(found.merging),
        "recovery": found.recovery,
        "recovered_by": recovered_by(view, identifier),
        "business_type": found.business_type,
        "area": found.area,
        "protected": found.protected,
        "ex_directory": found.ex_directory,
        "users": sum(1 for _ in view.accounts_in(identifier)),
        "sub_organisations": [child.slug for child in view.children(identifier)],
    }
