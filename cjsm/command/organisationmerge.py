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
from cjsm.command.reasons import REASON
from cjsm.command.recoveredby import recovered_by
from cjsm.community import finding
from cjsm.community.acts import mergechecks, merging
from cjsm.community.acts.acting import By
from cjsm.community.acts.merging import Merge
from cjsm.community.acts.organisations import existing_organisation
from cjsm.community.acts.renaming import OldAddress
from cjsm.community.acts.together import Act
from cjsm.community.errors import CommunityError, Conflict, NotFound
from cjsm.community.records import LedgerEntry, Organisation
from cjsm.community.view import Change, View
from cjsm.suite import Suite

_DAY = 86_400


@click.command("merge")
@click.argument("path", metavar="FROM")
@click.argument("to", metavar="INTO")
@REASON
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
    told: dict[str, Any] = {"from": path.strip("/"), "into": to.strip("/"), "dry_run": dry_run, "merged": False}
    obstacles = wait(suite.stores.community.read(going.obstacles))
    if obstacles:
        if as_json:
            told["obstacles"] = [{"problem": f"{each}", "cure": each.cure} for each in obstacles]
            document(told)
        else:
            mergeshown.show_obstacles(obstacles)
        sys.exit(1)
    told |= going.rehearse() if dry_run else going.go()
    told["obstacles"] = []
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
    inside = ((_inside(view, what, places), name) for what, name in given.items())
    keys = suite.settings.keys
    return Merge(
        organisation=found.id,
        into=into.id,
        old=OldAddress(keys.address_delivers * _DAY, keys.address_reserved * _DAY),
        slug=slug,
        names=dict(inside),
        most=acting.AT_ONCE,
    )


def _named(written: str) -> tuple[str, str]:
    what, equals, name = written.lower().rpartition("=")
    if not equals:
        raise Refused(f"{written!r} names nothing", "write it like --rename all@crime.cjsm.test=all-crime")
    return what.strip("/"), name


def _inside(view: View, what: str, places: tuple[str, ...]) -> str:
    """Return what a name is given to as a merge has it: a sub-organisation by its short name, others by their address
    of now.
    """
    if "@" in what:
        record = view.reserved_address(what)
        return finding.primary_address(view, record.owner) if record is not None else what
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
    """A merge, by whoever acts.

    :raises NotAllowed: when they may not merge these two.
    """

    def __init__(self, suite: Suite, merge: Merge, reason: str) -> None:
        self._suite = suite
        self._community = suite.stores.community
        self._merge = merge
        self._reason = reason
        # Asks for a password, which no view waits for.
        self._by = acting.by(suite, reason)
        found, self._before = self._community.read_now(self._look)
        #: Since when it is under way; 0 where it is not.
        self._begun = found.merging if merging.is_begun(found, merge.into) else 0
        self._over = merging.is_over(found, merge.into)

    def _look(self, view: View) -> tuple[Organisation, list[str] | None]:
        merging.permitted(view, self._by, self._merge)
        return existing_organisation(view, self._merge.organisation), recovered_by(view, self._merge.organisation)

    def obstacles(self, view: View) -> list[CommunityError]:
        """Return what keeps it from being merged; nothing when it is over."""
        return [] if self._over else list(mergechecks.obstacles(view, self._by, self._merge))

    def go(self) -> dict[str, Any]:
        """Do what is left to do; return what became of everybody, since it began."""
        left, newest = self._community.read_now(self._people), self._community.last_entry()
        under_way = bool(self._begun)
        with progressing("people", left, octets=False) as advance:
            while self._commit(under_way=under_way):
                under_way = True
                now = self._community.read_now(self._people)
                advance(left - now)
                left = now
        done = [*self._earlier(), *(() if self._begun else entries_after(self._community, newest))]
        return self._community.read_now(lambda view: self._told(view, done)) | {"merged": True}

    def _earlier(self) -> list[LedgerEntry]:
        """Return what the ledger has since the merge was begun, where it was before now."""
        since = entries_since(self._community, self._begun) if self._begun else ()
        return list(watched(since, "entries of the ledger"))

    def _people(self, view: View) -> int:
        return sum(1 for _ in view.accounts_in(self._merge.organisation))

    def _commit(self, *, under_way: bool) -> int:
        by = acting.by(self._suite, self._reason)

        def decide(view: View) -> Iterator[Act]:
            found = existing_organisation(view, self._merge.organisation)
            if under_way and not merging.is_begun(found, self._merge.into):
                raise Conflict("somebody moved it away meanwhile", "see `cjsm organisation list`")
            # Since they were told somebody may have done something.
            obstacle = None if under_way else next(mergechecks.obstacles(view, by, self._merge), None)
            if obstacle is not None:
                raise obstacle
            return self._acts(view, by)

        try:
            return wait(self._community.commit_each(by.act_id, decide))
        except CommunityError as error:
            cure = f"{error.cure}; then run this again: it goes on where it was".removeprefix("; then ")
            raise Refused(f"{error}", cure) from error

    def _acts(self, view: View, by: By) -> Iterator[Act]:
        return merging.acts(view, by, self._merge, os.urandom)

    def rehearse(self) -> dict[str, Any]:
        """Try all of it in a transaction that is given up; return what would become of everybody."""
        entries = self._earlier()
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
                for act in self._acts(views[0], self._by):
                    yield partial(noted, act)
            yield tell

        wait(self._community.commit_each(self._by.act_id, decide, keep=False))
        return result | {"merged": self._over}

    def _told(self, view: View, entries: list[LedgerEntry]) -> dict[str, Any]:
        told = mergeshown.told(view, self._merge, entries) | {"recovered_by": recovered_by(view, self._merge.into)}
        if not self._begun and self._before != told["recovered_by"]:
            told["until_now_recovered_by"] = self._before
        return told
