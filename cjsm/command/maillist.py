"""``cjsm list``: addresses that reach several people."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite
from cjsm.command.output import Refused, console, document, facts, progressing, table
from cjsm.community import finding
from cjsm.community.acts import lists
from cjsm.community.acts.acting import By
from cjsm.community.address import Address, BadAddress
from cjsm.community.authority import Action, may_manage_members, may_see_members, require, within
from cjsm.community.errors import CommunityError
from cjsm.community.identifiers import LENGTH, AccountId, ListId
from cjsm.community.records import MailList, WhoMayPost
from cjsm.community.view import Change, View
from cjsm.suite import Suite

_DAY = 86_400
#: Rows of a file whose faults are told.
_TOLD = 20
_POSTING = click.option(
    "--who-may-post",
    type=click.Choice([each.value for each in WhoMayPost]),
    help="Its members, its top organisation with all below it, or the whole community. Managers always may.",
)
_LISTED = click.option("--ex-directory/--listed", default=None, help="Whether the directory shows it to others.")
_FILE = click.option(
    "--from",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with an address on each line, beside those given.",
)


@click.group("list")
def list_() -> None:
    """Distribution lists: one address, several people, of any organisation; lists can be members of lists."""


@list_.command("add")
@click.argument("organisation")
@click.argument("slug", metavar="SHORT-NAME")
@click.option("--name", required=True, help="The full name, as the directory shows it.")
@click.option("--manager", "managers", multiple=True, help="Who changes the members and hears of bounces. Repeatable.")
@_POSTING
@_LISTED
@acting.act_verb
def add(organisation: str, slug: str, name: str, config: Path, as_json: bool, **values: Any) -> None:
    """Add a list to ORGANISATION; its address is SHORT-NAME@ the organisation's abbreviation.

    \b
    cjsm list add avon-police all-crime --name "All of crime" --manager jane.smith@avon
    cjsm list add avon-police/crime news --name News --who-may-post members --ex-directory
    """
    suite = open_suite(config)
    identifier = ListId(os.urandom(LENGTH))

    def decide(view: View, by: By) -> Change:
        place = finding.organisation_of(view, organisation).id
        made = MailList(
            id=identifier,
            organisation=place,
            slug=slug.lower(),
            name=name,
            managers=tuple(finding.account_of(view, manager).id for manager in values["managers"]),
            who_may_post=WhoMayPost(values["who_may_post"] or WhoMayPost.ORGANISATION),
            ex_directory=bool(values["ex_directory"]),
        )
        domain = f"{finding.abbreviation_for(view, place)}.{view.suffix}"
        return lists.add(view, by, made, Address.parse(f"{slug.lower()}@{domain}"))

    acting.act(suite, decide)
    _report(suite, identifier, as_json)


@list_.command("change")
@click.argument("address")
@click.option("--name", help="Another full name.")
@_POSTING
@_LISTED
@acting.act_verb
def change(
    address: str,
    name: str | None,
    who_may_post: str | None,
    ex_directory: bool | None,
    config: Path,
    as_json: bool,
) -> None:
    """Change the list ADDRESS; what is not given stays.

    \b
    cjsm list change all-crime@avon.cjsm.test --who-may-post community
    cjsm list change all-crime@avon.cjsm.test --name "Everybody in crime" --listed
    """
    suite = open_suite(config)
    found = _look_up(suite, address)
    posting = WhoMayPost(who_may_post) if who_may_post else None
    acting.act(
        suite,
        lambda view, by: lists.change(view, by, found, name=name, who_may_post=posting, ex_directory=ex_directory),
    )
    _report(suite, found, as_json)


@list_.command("join")
@click.argument("address")
@click.argument("members", nargs=-1, metavar="MEMBER...")
@_FILE
@acting.act_verb
def join(address: str, members: tuple[str, ...], file: Path | None, config: Path, as_json: bool) -> None:
    """Let each MEMBER join the list ADDRESS: addresses of people, shared mailboxes, lists, or of a connected domain.

    Who is a member already stays one. Where one of them cannot be a member nobody joins, and each is told with its
    line. More than a hundred are written a hundred at a time: broken off, the same command goes on. --dry-run looks at
    all and shows the first hundred.

    \b
    cjsm list join all-crime@avon.cjsm.test jane.smith@avon.cjsm.test jo@firm.co.uk.cjsm.test
    cjsm list join all-crime@avon.cjsm.test --from members.txt
    """
    suite = open_suite(config)
    found = _look_up(suite, address)
    who = acting.actor(suite)
    named = _named(members, file)

    def look(view: View) -> list[Address]:
        known = lists.existing_list(view, found)
        require(may_manage_members(view, who, known))
        return _joining(view, known, named)

    fresh = suite.stores.community.read_now(look)
    _act_in_parts(suite, "joining", fresh, lambda members, view, by: lists.join(view, by, found, members))
    _changed(suite, found, "joined", len(fresh), as_json)


def _joining(view: View, found: MailList, named: Sequence[tuple[str, str]]) -> list[Address]:
    """Return who is to join; refuse with every fault of what was *named*."""
    fresh: dict[str, None] = {}
    faults = []
    for where, text in named:
        try:
            member = lists.checked_member(view, found, Address.parse(text))
        except CommunityError as error:
            faults.append(f"{where}: {error}")
            continue
        if member not in found.members:
            fresh[member] = None
    if faults:
        more = f" … and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
        raise Refused("; ".join(faults[:_TOLD]) + more, "correct or leave these out: nobody joined")
    return [Address.parse(member) for member in fresh]


@list_.command("leave")
@click.argument("address")
@click.argument("members", nargs=-1, metavar="MEMBER...")
@_FILE
@acting.act_verb
def leave(address: str, members: tuple[str, ...], file: Path | None, config: Path, as_json: bool) -> None:
    """Take each MEMBER off the list ADDRESS. People may take off their own address with --as.

    Where one of them is no member nobody leaves. More than a hundred are written a hundred at a time; --dry-run looks
    at all and shows the first hundred.

    \b
    cjsm list leave all-crime@avon.cjsm.test jane.smith@avon.cjsm.test
    cjsm list leave all-crime@avon.cjsm.test jane.smith@avon.cjsm.test --as jane.smith@avon
    """
    suite = open_suite(config)
    found = _look_up(suite, address)
    leaving = list(dict.fromkeys(_address(where, text) for where, text in _named(members, file)))
    by = acting.by(suite)

    def look(view: View) -> None:
        for part in _parts(leaving):
            lists.leave(view, by, found, part)

    suite.stores.community.read_now(look)
    _act_in_parts(suite, "leaving", leaving, lambda members, view, by: lists.leave(view, by, found, members))
    _changed(suite, found, "left", len(leaving), as_json)


@list_.command("appoint")
@click.argument("address")
@click.argument("user")
@acting.act_verb
def appoint(address: str, user: str, config: Path, as_json: bool) -> None:
    """Let USER manage the members of the list ADDRESS, and hear of its bounces.

    \b
    cjsm list appoint all-crime@avon.cjsm.test jane.smith@avon
    """
    suite = open_suite(config)
    found, account = _look_up(suite, address), _account(suite, user)
    acting.act(suite, lambda view, by: lists.appoint(view, by, found, account))
    _report(suite, found, as_json)


@list_.command("dismiss")
@click.argument("address")
@click.argument("user")
@acting.act_verb
def dismiss(address: str, user: str, config: Path, as_json: bool) -> None:
    """Let USER manage the list ADDRESS no longer.

    \b
    cjsm list dismiss all-crime@avon.cjsm.test jane.smith@avon
    """
    suite = open_suite(config)
    found, account = _look_up(suite, address), _account(suite, user)
    acting.act(suite, lambda view, by: lists.dismiss(view, by, found, account))
    _report(suite, found, as_json)


@list_.command("delete")
@click.argument("address")
@click.option("--reason", default="", help="Kept in the ledger.")
@acting.act_verb
def delete(address: str, reason: str, config: Path, as_json: bool) -> None:
    """Delete the list ADDRESS. Mail to it is refused, and nobody else gets the address for keys.address_reserved days.

    \b
    cjsm list delete all-crime@avon.cjsm.test
    """
    suite = open_suite(config)
    found = _look_up(suite, address)
    reserved = suite.settings.keys.address_reserved * _DAY
    acting.act(suite, lambda view, by: lists.delete(view, by, found, reserved), reason)
    if as_json:
        document({"address": address.lower(), "list": "deleted"})
    else:
        console.print(f"{address.lower()} is no list any more")


@list_.command("show")
@click.argument("address")
@acting.verb
def show(address: str, config: Path, as_json: bool) -> None:
    """Show the list ADDRESS with its members and managers.

    \b
    cjsm list show all-crime@avon.cjsm.test
    """
    suite = open_suite(config)
    who = acting.actor(suite)

    def look(view: View) -> ListId:
        found = finding.list_of(view, address)
        require(may_see_members(view, who, found))
        return found.id

    _report(suite, suite.stores.community.read_now(look), as_json)


@list_.command("list")
@click.option("--organisation", help="Only those of this organisation, a slug path.")
@acting.verb
def list_lists(organisation: str | None, config: Path, as_json: bool) -> None:
    """List the distribution lists; with --as those whose members that user may see.

    \b
    cjsm list list
    cjsm list list --organisation avon-police/crime
    """
    suite = open_suite(config)
    who = acting.actor(suite)

    def look(view: View) -> list[dict[str, Any]]:
        places = [finding.organisation_of(view, organisation)] if organisation else view.organisations()
        every = [each for where in places for each in view.lists_in(where.id)]
        seen = [each for each in every if may_see_members(view, who, each).allowed]
        if not seen:
            within(view, who, Action.FIND_USERS)
        return sorted((_told(view, each) for each in seen), key=lambda told: str(told["address"]))

    found = suite.stores.community.read_now(look)
    if as_json:
        document(found)
    else:
        rows = [[told["address"], told["name"], told["organisation"], str(len(told["members"]))] for told in found]
        table(rows, "address", "name", "organisation", "members")


def _look_up(suite: Suite, address: str) -> ListId:
    return suite.stores.community.read_now(lambda view: finding.list_of(view, address).id)


def _account(suite: Suite, user: str) -> AccountId:
    return suite.stores.community.read_now(lambda view: finding.account_of(view, user).id)


def _named(members: tuple[str, ...], file: Path | None) -> list[tuple[str, str]]:
    """Return what is named, each with where: the word itself, or its line in the file."""
    named = [(member, member) for member in members]
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise Refused(f"{file} is not text", "save it as UTF-8, an address on each line") from None
        named += [(f"line {number}", line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not named:
        raise Refused("no member is named", "name some, or a file of them with --from")
    return named


def _parts(members: Sequence[Address]) -> Iterator[Sequence[Address]]:
    """Yield them as one commit takes them."""
    return (members[start : start + acting.AT_ONCE] for start in range(0, len(members), acting.AT_ONCE))


def _act_in_parts(
    suite: Suite, what: str, members: Sequence[Address], decide: Callable[[Sequence[Address], View, By], Change]
) -> None:
    with progressing(what, len(members), octets=False) as advance:
        for part in _parts(members):
            acting.act(suite, partial(decide, part))
            advance(len(part))


def _address(where: str, text: str) -> Address:
    try:
        return Address.parse(text)
    except BadAddress as error:
        raise Refused(f"{where}: {error}", "correct it: nobody left") from None


def _told(view: View, found: MailList) -> dict[str, Any]:
    managers = [view.account(each) for each in found.managers]
    return {
        "address": finding.primary_address(view, found.id),
        "name": found.name,
        "organisation": finding.path_of(view, found.organisation),
        "who_may_post": found.who_may_post,
        "ex_directory": found.ex_directory,
        "managers": [each.user_id for each in managers if each is not None],
        "members": list(found.members),
    }


def _report(suite: Suite, identifier: ListId, as_json: bool) -> None:
    told = suite.stores.community.read_now(lambda view: _told(view, lists.existing_list(view, identifier)))
    facts(told, as_json=as_json)


def _changed(suite: Suite, identifier: ListId, what: str, many: int, as_json: bool) -> None:
    found = suite.stores.community.read_now(lambda view: lists.existing_list(view, identifier))
    if as_json:
        document({what: many, "members": len(found.members)})
    else:
        console.print(f"{many} {what}; the list has {len(found.members)} members")
