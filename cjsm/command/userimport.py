"""``cjsm user import``: many new people from a file, each with a user ID and a one-time password."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import rich_click as click

from cjsm.command import acting, importresults
from cjsm.command.context import open_suite_for_files
from cjsm.command.directoryrows import Planned
from cjsm.command.importedrows import batches, commit_each, decided, octets_of, tell_problems, write_keys
from cjsm.command.importresults import ResultFile
from cjsm.command.output import Refused, console, document, progressing
from cjsm.command.userrows import MADE, TABLE, THERE, UserPlanner, told
from cjsm.community import finding
from cjsm.community.authority import Action
from cjsm.community.errors import NotFound
from cjsm.community.view import View
from cjsm.directory.forms import encodings
from cjsm.directory.forms.rows import FormError, Row, Source
from cjsm.suite import Suite

_REFUSED = "refused"


@click.command("import")
@click.argument("source", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--organisation", help="Of those whose row names none: its path.")
@click.option(
    "--encoding", type=click.Choice(list(encodings.NAMES)), help="Else by the file's mark, UTF-8, Windows-1252."
)
@click.option("--dry-run", is_flag=True, help="Say what would become of each row, and do nothing.")
@click.option(
    "--results",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where each row goes with its user ID and one-time password; else beside FILE, as NAME.results.csv.",
)
@acting.verb
def import_(
    source: Path,
    organisation: str | None,
    encoding: str | None,
    dry_run: bool,
    results: Path | None,
    config: Path,
    as_json: bool,
) -> None:
    """Make the people of FILE: mailboxes here, and members whose mail is kept at their organisation.

    FILE is CSV with the columns Type (M for a mailbox, S for a server), Firstname, Lastname and Ordinary Email, and any
    other of the directory's 15 (comma, semicolon or tab). S needs Secure Email, in a domain of the organisation's own
    mail system; Organisation is a path. At most 500 rows (imports.users). Each row is made in whole or not at all, a
    hundred in a commit; what is wrong is told by line and column, and the others are made. The results have the
    one-time passwords, are for you alone, and never take another file's place.

    A person is known by the ordinary email, in one top organisation: run again, those who are there stay as they are. A
    user ID that another person has gets -2, -3 … behind the last name. Broken off, run it again with the same results:
    they then have the passwords of all who were made.

    \b
    cjsm user import people.csv --organisation avon-police/crime --dry-run
    cjsm user import people.csv --organisation avon-police/crime --as olive.marsh@avon
    cjsm user import people.csv --results /root/passwords.csv --json
    """
    suite = open_suite_for_files(config)
    suite.stores.community.read_now(acting.sight(suite, Action.MANAGE_USERS))
    read = _read(suite, source, encoding)
    quota = suite.settings.mail.quota
    planner = UserPlanner(suite.enrolment, lambda: acting.by(suite), read.rows, organisation=organisation, quota=quota)
    place = results or importresults.default(source)
    begun = time.monotonic()
    with _results(suite, None if dry_run else place) as kept:
        done = _go(suite, planner, read.rows, kept)
        if kept is not None:
            kept.finish(done)
    _report(source, read, done, kept, seconds=time.monotonic() - begun, as_json=as_json)
    if any(each.result == _REFUSED for each in done):
        sys.exit(1)


def _read(suite: Suite, source: Path, encoding: str | None) -> Source:
    settings = suite.settings.imports
    octets = octets_of(source, settings)
    try:
        return TABLE.read(octets, most_rows=settings.users, cell_characters=settings.directory_cell, encoding=encoding)
    except FormError as error:
        raise Refused(f"{source}: {error}", error.cure) from None


@contextmanager
def _results(suite: Suite, place: Path | None) -> Iterator[ResultFile | None]:
    """Yield the file of the results, begun; None where nothing is done."""
    if place is None:
        yield None
        return
    settings = suite.settings.imports
    file = ResultFile(
        place,
        most_octets=settings.directory_octets,
        most_rows=10 * settings.users,
        cell_characters=settings.directory_cell,
    )
    file.begin(partial(_is_theirs, suite))
    try:
        yield file
    finally:
        file.close()


def _is_theirs(suite: Suite, user_id: str, one_time_password: str) -> bool:
    """Whether somebody was made with a one-time password, and has not chosen another since."""
    try:
        account = suite.stores.community.read_now(lambda view: finding.account_of(view, user_id))
    except NotFound:
        return False
    return suite.enrolment.new_keys.is_one_time(account, one_time_password)


def _go(suite: Suite, planner: UserPlanner, rows: Sequence[Row], kept: ResultFile | None) -> list[Planned]:
    done: list[Planned] = []
    what = "rows looked at" if kept is None else "people made"
    with progressing(what, len(rows), octets=False) as advance:
        for batch in batches(rows):
            planned = suite.stores.community.read_now(partial(_planned, planner=planner, rows=batch, suite=suite))
            if kept is not None:
                _make(suite, [each for each in planned if each.decide is not None], kept)
            done += planned
            advance(len(batch))
    return done


def _planned(view: View, planner: UserPlanner, rows: Sequence[Row], suite: Suite) -> list[Planned]:
    planned = planner.plan_all(view, rows)
    decided(view, planned, suite)
    return planned


def _make(suite: Suite, fresh: Sequence[Planned], kept: ResultFile) -> None:
    """Make people in one commit: their keys are written first, and their passwords ahead in the results."""
    if not fresh:
        return
    write_keys(suite, fresh)
    kept.ahead(fresh)
    for late in commit_each(suite, fresh):
        late.one_time_password = ""


def _report(
    source: Path, read: Source, done: Sequence[Planned], kept: ResultFile | None, *, seconds: float, as_json: bool
) -> None:
    counted = Counter(each.result for each in done)
    results = str(kept.path) if kept is not None else None
    if as_json:
        facts = {"file": str(source), "encoding": read.encoding, "dry_run": kept is None}
        counts = {name.replace(" ", "_"): counted[name] for name in (MADE, THERE, _REFUSED)}
        before = {"made_before": len(kept.kept) if kept is not None else 0}
        document({**facts, **counts, **before, "results": results, "rows": [told(each) for each in done]})
        return
    console.print(f"{source}: read as {read.encoding}", markup=False)
    would = "would be " if kept is None else ""
    console.print(
        f"{counted[MADE]:,} {would}made, {counted[THERE]:,} {THERE}, {counted[_REFUSED]:,} {would}refused"
        + (f" ({seconds:.1f} s)" if kept is not None else "")
    )
    tell_problems(done)
    if kept is not None:
        if kept.kept:
            console.print(
                f"{len(kept.kept):,} were made by the import that was broken off; they are in the results too"
            )
        if counted[MADE] or kept.kept:
            console.print(f"user IDs and one-time passwords: {results} (for you alone; give them on, then remove it)")
        else:
            what = "what is wrong with each row" if counted[_REFUSED] else "what is there already"
            console.print(f"nobody was made; {what}: {results}", markup=False)
