"""``cjsm directory import``: profiles of people from a file, and members whose mail is kept at their organisation."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import as_caller, check_free, open_suite_for_files
from cjsm.command.directoryrows import Planned, Planner, told
from cjsm.command.importedrows import batches, commit_each, decided, octets_of, tell_problems, write_keys
from cjsm.command.output import Refused, console, document, errors, progressing
from cjsm.community.authority import Action
from cjsm.directory import schema
from cjsm.directory.forms import csvfile, encodings, ldifreading
from cjsm.directory.forms.csvfile import RESULTS, USER_ID, CsvWriter
from cjsm.directory.forms.rows import FormError, Problem, Source
from cjsm.store.backup import Counted, writing
from cjsm.suite import Suite

_RESULTS = ("made", "changed", "unchanged", "left out", "refused")


@click.command("import")
@click.argument("source", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option(
    "--format", "form", type=click.Choice(("csv", "ldif")), help="Else what the FILE's ending says, else csv."
)
@click.option(
    "--encoding", type=click.Choice(list(encodings.NAMES)), help="Else by the file's mark, UTF-8, Windows-1252."
)
@click.option("--organisation", help="Of new members whose row names none: its path.")
@click.option("--clear", is_flag=True, help="An empty cell takes the value away; else it leaves what there is.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--results",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write each row there with what became of it, and the one-time passwords of new members.",
)
@acting.verb
def import_(
    source: Path,
    form: str | None,
    encoding: str | None,
    organisation: str | None,
    clear: bool,
    dry_run: bool,
    results: Path | None,
    config: Path,
    as_json: bool,
) -> None:
    """Update people's details from FILE, and add members whose mail is kept at their organisation.

    FILE is CSV with any of the 15 columns, Secure Email among them (comma, semicolon or tab), or LDIF, both as
    `cjsm directory export` writes them. People are known by Secure Email: who is there gets the row's details, who is
    not becomes a relayed member of the row's Organisation (its path), in a domain of that organisation's own mail
    system. Mailboxes here are made with `cjsm user add`; Account Status and Organisation of who is there are not
    changed. Each row is done in whole or not at all, with an entry in the ledger, a hundred in a commit. What is wrong
    is told by line and column, and everything else is done. Run again, it does what is left; ends with 1 where a row
    was refused.

    \b
    cjsm directory import people.csv --dry-run
    cjsm directory import people.csv --results done.csv --as olive.marsh@avon
    cjsm directory import firm.ldif --organisation smith-and-jones --results done.csv --json
    """
    suite = open_suite_for_files(config)
    suite.stores.community.read_now(acting.sight(suite, Action.MANAGE_USERS))
    read = _read(suite, source, form, encoding)
    planner = Planner(suite.enrolment, lambda: acting.by(suite), clear=clear, organisation=organisation)
    if results is not None:
        _check_free(results)
    done: list[Planned] = []
    with (
        progressing("rows looked at" if dry_run else "rows imported", len(read.rows), octets=False) as advance,
        _written(None if dry_run else results) as keep,
    ):
        for rows in batches(read.rows):
            planned = suite.stores.community.read_now(partial(planner.plan_all, rows=rows))
            if dry_run:
                suite.stores.community.read_now(partial(decided, planned=planned, suite=suite))
            else:
                _do(suite, planned, keep, has_results=results is not None)
            done += planned
            advance(len(rows))
    _report(source, read, done, None if dry_run else results, dry_run=dry_run, as_json=as_json)
    if any(each.result == "refused" for each in done):
        sys.exit(1)


def _check_free(results: Path) -> None:
    """Refuse a name for results that is taken, or that an import was broken off with."""
    check_free(results, "name another file for the results")
    part = results.with_name(results.name + ".part")
    with as_caller():
        if part.exists():
            cure = "it has one-time passwords that are nowhere else: keep it, and name another file"
            raise Refused(f"{part} is what an import left that was interrupted", cure)


def _read(suite: Suite, source: Path, form: str | None, encoding: str | None) -> Source:
    settings = suite.settings.imports
    octets = octets_of(source, settings)
    kind = form or ("ldif" if source.suffix.lower() in (".ldif", ".ldf") else "csv")
    limits = {"most_rows": settings.directory_rows, "cell_characters": settings.directory_cell}
    try:
        if kind == "csv":
            return csvfile.read(octets, encoding=encoding, **limits)
        suffix = suite.settings.community.suffix
        return ldifreading.read(octets, schema.load(), suffix, encoding=encoding, **limits)
    except FormError as error:
        raise Refused(f"{source}: {error}", error.cure) from None


Keep = Callable[[Sequence[Planned]], None]


@contextmanager
def _written(results: Path | None) -> Iterator[Keep]:
    """Yield what writes rows to the results; whatever ends the import, what was done until then is in them."""
    if results is None:
        yield lambda planned: None
        return
    place = writing(results, as_caller)
    file, writer = place.__enter__(), CsvWriter(more=RESULTS)
    file.write(writer.begin())
    try:
        yield lambda planned: _keep(file, writer, planned)
    finally:
        place.__exit__(None, None, None)


def _keep(file: Counted, writer: CsvWriter, planned: Sequence[Planned]) -> None:
    """Write rows, on stable storage: a one-time password is known nowhere else."""
    for each in planned:
        user_id = each.user_id or each.row.values.get(USER_ID, "")
        more = (user_id, each.one_time_password, each.result, each.in_words())
        file.write(writer.row({**each.row.values, **dict(zip(RESULTS, more, strict=True))}))
    file.flush()
    os.fsync(file.fileno())


def _do(suite: Suite, planned: Sequence[Planned], keep: Keep, *, has_results: bool) -> None:
    """Do what is planned of some rows, in one commit; what is refused is refused by itself."""
    for each in planned:
        if each.account is not None and not has_results:
            cure = "name a file for it with --results, which nobody else may read"
            each.refuse(Problem("", "a new member gets a one-time password, and there is no place for it", cure))
    suite.stores.community.read_now(lambda view: decided(view, planned, suite))
    write_keys(suite, planned)
    keep(planned)
    late = commit_each(suite, planned)
    if late:
        keep(late)


def _report(
    source: Path, read: Source, done: Sequence[Planned], results: Path | None, *, dry_run: bool, as_json: bool
) -> None:
    counted = Counter(each.result for each in done)
    counted["left out"] += read.left_out
    counts = {name.replace(" ", "_"): counted[name] for name in _RESULTS}
    if as_json:
        told_of = [told(each) for each in done if each.result != "unchanged" or each.notes]
        facts: dict[str, Any] = {"file": str(source), "form": read.form, "encoding": read.encoding, "dry_run": dry_run}
        facts |= {**counts, "results": str(results) if results is not None else None, "notes": list(read.notes)}
        document({**facts, "lines": told_of})
        return
    console.print(f"{source}: {read.form}, read as {read.encoding}", markup=False)
    would = "would be " if dry_run else ""
    console.print(", ".join(f"{counted[name]:,} {would if name != 'left out' else ''}{name}" for name in _RESULTS))
    for note in read.notes:
        errors.print(f"note: {note}", markup=False, soft_wrap=True)
    tell_problems(done)
    if results is not None:
        console.print(f"each row, and the one-time passwords of new members: {results}", markup=False)
