"""``cjsm organisation merge``: one organisation becomes part of another, and is no more."""

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting, mergeshown
from cjsm.command.context import open_suite, wait
from cjsm.command.ledgersince import entries_after, entries_since
from cjsm.command.output import Refused, console, document, progressing, watched
from cjsm.command.reasons import reason_option
from cjsm.command.recoveredby import recovered_by
from cjsm.community import finding
from cjsm.community.acts import mergechecks, merging
from cjsm.community.acts.acting import By
from cjsm.community.acts.merging import Merge
from cjsm.community.acts.organisations import existing_organisation
from cjsm.community.acts.renaming import OldAddress
from cjsm.community.acts.together import Act
from cjsm.community.errors import CommunityError, NotFound
from cjsm.community.records import LedgerEntry, Organisation
from cjsm.community.view import Change, View
from cjsm.suite import Suite

_DAY = 86_400
#: People, lists and other things that come up in one commit.
_AT_ONCE = 100


@click.command("merge")
@click.argument("path", metavar="FROM")
@click.argument("to", metavar="INTO")
@reason_option
@click.option(
    "--rename",
    "names",
    multiple=True,
    metavar="WHAT=SHORT-NAME",
    help="Another short name, where one is taken: WHAT is a list's or shared mailbox's address, or a path. Repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Say what would become of everybody, or what keeps it, and do nothing.")
@acting.verb
def merge(path: str, to: str, reason: str, names: tuple[str, ...], dry_run: bool, config: Path, as_json: bool) -> None:
    """Make the organisation at FROM a part of the one at INTO. FROM is no more then.

    People, lists, shared mailboxes, sub-organisations, connections and domains come to INTO. Where addresses end in
    another abbreviation there, people get new user IDs and addresses, lists and shared mailboxes new addresses: those
    of before deliver for 90 days (keys.address_delivers), and lists that have them get the new ones. Who is in a
    sub-organisation keeps everything, as with `organisation move`. Passwords and mail stay.

    Roles over FROM end with it: nobody gets one over INTO by this; the answer names whose. Recovery officers stay such
    for mail of before, which was sealed to them; mail from then on is for those of INTO, within hours, or at once with
    `cjsm keys rotate-due`.

    Whatever would stop it is told before anything is begun, all of it, with what to do about each. It takes several
    commits. Broken off, run the same again: it goes on where it was.

    \b
    cjsm organisation merge smith-and-jones harding-law --reason requested --dry-run
    cjsm organisation merge smith-and-jones harding-law --reason requested --as una.above@desk
    cjsm organisation merge avon-police/crime avon-police/traffic --reason other --rename all@crime.cjsm.test=all-crime
    """
    suite = open_suite(config)
    asked = suite.stores.community.read_now(lambda view: _asked(view, suite, path, to, names))
    going = _Going(suite, asked, reason)
    begun, before = suite.stores.community.read_now(going.look)
    told: dict[str, Any] = {"from": path.strip("/"), "into": to.strip("/"), "dry_run": dry_run, "merged": False}
    obstacles = suite.stores.community.read_now(going.obstacles)
    if obstacles:
        if as_json:
            told["obstacles"] = [{"problem": f"{each}", "cure": each.cure} for each in obstacles]
            document(told)
        else:
            mergeshown.show_obstacles(obstacles)
        sys.exit(1)
    told |= going.rehearse() if dry_run else going.go(begun)
    told["obstacles"] = []
    if not begun and before != told["recovered_by"]:
        told["until_now_recovered_by"] = before
    if as_json:
        document(told)
        return
    done = "would be part" if dry_run else "is part"
    console.print(
        f"{told['from']} {done} of {told['into']}" + (": nothing was changed" if dry_run else ""), markup=False
    )
    mergeshown.show(told)


def _asked(view: View, suite: Suite, path: str, to: str, names: tuple[str, ...]) -> Merge:
    into = finding.organisation_of(view, to)
    given = dict(_named(each) for each in names)
    slug = given.pop(path.strip("/").lower(), None)
    found = _found(view, path, into, slug)
    places = (path.strip("/").lower(), finding.path_of(view, found.id))
    keys = suite.settings.keys
    return Merge(
        organisation=found.id,
        into=into.id,
        old=OldAddress(keys.address_delivers * _DAY, keys.address_reserved * _DAY),
        slug=slug,
        names={_inside(what, places): name for what, name in given.items()},
        most=_AT_ONCE,
    )


def _named(written: str) -> tuple[str, str]:
    what, equals, name = written.lower().rpartition("=")
    if not equals:
        raise Refused(f"{written!r} names nothing", "write it like --rename all@crime.cjsm.test=all-crime")
    return what.strip("/"), name


def _inside(what: str, places: tuple[str, ...]) -> str:
    """Return what a name is given to as a merge has it: sub-organisations without the path of what is above them."""
    place = next((each for each in places if what.startswith(f"{each}/")), None)
    return what.removeprefix(f"{place}/") if place is not None else what


def _found(view: View, path: str, into: Organisation, slug: str | None) -> Organisation:
    """Return the organisation at *path*, or what was there before a merge that was begun put it below *into*."""
    try:
        return finding.organisation_of(view, path)
    except NotFound:
        found = view.organisation_below(into.id, slug or path.strip("/").lower().rpartition("/")[2])
        if found is None or not merging.is_begun(found, into.id):
            raise
        return found


class _Going:
    """A merge, by whoever acts."""

    def __init__(self, suite: Suite, merge: Merge, reason: str) -> None:
        self._suite = suite
        self._community = suite.stores.community
        self._merge = merge
        self._reason = reason

    def look(self, view: View) -> tuple[int, list[str] | None]:
        """Return since when it is under way (0: it is not), and who recovers mail of the organisation.

        :raises NotAllowed: when whoever acts may not merge these two.
        """
        merging.permitted(view, acting.by(self._suite, self._reason), self._merge)
        found = existing_organisation(view, self._merge.organisation)
        begun = found.merging if merging.is_begun(found, self._merge.into) else 0
        return begun, recovered_by(view, found.id)

    def obstacles(self, view: View) -> list[CommunityError]:
        """Return what keeps it from being merged; nothing when it is over."""
        found = existing_organisation(view, self._merge.organisation)
        if merging.is_over(found, self._merge.into):
            return []
        return list(mergechecks.obstacles(view, acting.by(self._suite, self._reason), self._merge))

    def go(self, begun: int) -> dict[str, Any]:
        """Do what is left to do; return what became of everybody, since it began."""
        left, newest = self._community.read_now(self._people), self._community.last_entry()
        with progressing("people", left, octets=False) as advance:
            while self._commit():
                now = self._community.read_now(self._people)
                advance(left - now)
                left = now
        entries = entries_since(self._community, begun) if begun else entries_after(self._community, newest)
        done = list(watched(entries, "entries of the ledger"))
        return self._community.read_now(lambda view: self._told(view, done)) | {"merged": True}

    def _people(self, view: View) -> int:
        return sum(1 for _ in view.accounts_in(self._merge.organisation))

    def _commit(self) -> int:
        by = acting.by(self._suite, self._reason)
        try:
            return wait(self._community.commit_each(by.act_id, lambda view: self._acts(view, by)))
        except CommunityError as error:
            cure = f"{error.cure}; then run this again: it goes on where it was".removeprefix("; then ")
            raise Refused(f"{error}", cure) from error

    def _acts(self, view: View, by: By) -> Iterator[Act]:
        return merging.acts(view, by, self._merge, os.urandom)

    def rehearse(self) -> dict[str, Any]:
        """Try all of it in a transaction that is given up; return what would become of everybody."""
        by = acting.by(self._suite, self._reason)
        entries: list[LedgerEntry] = []
        views: list[View] = []
        result: dict[str, Any] = {}

        def look(view: View) -> Change:
            views[:] = [view]
            return Change()

        def noted(act: Act, view: View) -> Change:
            change = act(view)
            entries.extend(entry for entry in (change.entry, *change.further) if entry is not None)
            return change

        def tell(view: View) -> Change:
            result.update(self._told(view, entries))
            return Change()

        def decide(view: View) -> Iterator[Act]:
            known = -1
            while known != len(entries):
                known = len(entries)
                # Each commit's acts are asked for in a view of what those before it left.
                yield look
                for act in self._acts(views[0], by):
                    yield partial(noted, act)
            yield tell

        wait(self._community.commit_each(by.act_id, decide, keep=False))
        return result

    def _told(self, view: View, entries: list[LedgerEntry]) -> dict[str, Any]:
        return mergeshown.told(view, self._merge, entries) | {"recovered_by": recovered_by(view, self._merge.into)}
