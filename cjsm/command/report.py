"""``cjsm report``: who and what needs somebody's attention, by organisation."""

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click

from cjsm.command import acting, reportmail, reportpeople
from cjsm.command.context import as_caller, check_free, open_suite_for_files
from cjsm.command.output import console, document, shown, table
from cjsm.community.authority import Action
from cjsm.community.identifiers import OrganisationId
from cjsm.directory.forms.csvfile import CsvWriter
from cjsm.store.backup import writing
from cjsm.suite import Suite

#: Rows that people are shown; programs and files get all.
_SHOWN = 500

Rows = Iterator[dict[str, Any]]
_DAYS = click.IntRange(1, 3_660)


@click.group()
def report() -> None:
    """Who and what needs attention: of the organisations that you administer."""


def _asked(function: Callable[..., None]) -> Callable[..., None]:
    """Give a report what all have."""
    where = click.option("--organisation", help="Only this organisation and those below it.")
    file = click.option(
        "--csv", "to", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this new file, for you alone."
    )
    return where(file(acting.verb(function)))


def _tell(
    config: Path,
    organisation: str | None,
    to: Path | None,
    columns: Sequence[str],
    made: Callable[[Suite, list[OrganisationId]], Rows],
    *,
    as_json: bool,
) -> None:
    """Make a report and say it: as one JSON array, as CSV, or as a table; none of them is in memory whole."""
    suite = open_suite_for_files(config)
    places = acting.places(suite, Action.REPORTS, organisation)
    rows = made(suite, places)
    if to is not None:
        count = _write(rows, columns, to)
        if as_json:
            document({"file": str(to), "rows": count})
        else:
            console.print(f"{count:,} rows: {to}", markup=False)
    elif as_json:
        _print_array(rows)
    else:
        _print_table(rows, columns)


def _write(rows: Rows, columns: Sequence[str], to: Path) -> int:
    check_free(to)
    writer, count = CsvWriter(titles=columns), 0
    with writing(to, as_caller) as file:
        file.write(writer.begin())
        for row in rows:
            cells = {column: "" if row[column] is None else shown(row[column]) for column in columns}
            file.write(writer.row(cells))
            count += 1
    return count


def _print_array(rows: Rows) -> None:
    out, between = sys.stdout.buffer, b"[\n  "
    for row in rows:
        out.write(between + msgspec.json.encode(row))
        between = b",\n  "
    out.write(b"\n]\n" if between != b"[\n  " else b"[]\n")
    out.flush()


def _print_table(rows: Rows, columns: Sequence[str]) -> None:
    first = list(islice(rows, _SHOWN))
    if not first:
        console.print("nothing to report")
        return
    # Before the table: the progress of what makes the rows is off the terminal at their end.
    more = sum(1 for _ in rows)
    table([[shown(row[column]) for column in columns] for row in first], *(each.replace("_", " ") for each in columns))
    if more:
        console.print(f"and {more:,} more: see all with --csv FILE or --json")


@report.command()
@click.option("--days", type=_DAYS, help="For so many days; else the setting access.inactive_warned, or 150.")
@_asked
def inactive(days: int | None, organisation: str | None, to: Path | None, config: Path, as_json: bool) -> None:
    """List people with a mailbox here who did not sign in for long: they are warned, then suspended.

    \b
    cjsm report inactive
    cjsm report inactive --days 60 --organisation avon-police --as olive.marsh@avon
    cjsm report inactive --csv inactive.csv
    """

    def made(suite: Suite, places: list[OrganisationId]) -> Rows:
        return reportpeople.inactive(suite, places, days or suite.settings.access.inactive_warned or 150)

    _tell(config, organisation, to, reportpeople.INACTIVE, made, as_json=as_json)


@report.command()
@_asked
def never(organisation: str | None, to: Path | None, config: Path, as_json: bool) -> None:
    """List people with a mailbox here who never signed in, and whether their one-time password still could be used.

    \b
    cjsm report never
    cjsm report never --organisation avon-police --as olive.marsh@avon
    """
    _tell(config, organisation, to, reportpeople.NEVER, reportpeople.never, as_json=as_json)


@report.command()
@_asked
def locked(organisation: str | None, to: Path | None, config: Path, as_json: bool) -> None:
    """List who is locked, by an administrator or by wrong passwords, and until when.

    \b
    cjsm report locked
    cjsm report locked --json --as olive.marsh@avon
    """
    _tell(config, organisation, to, reportpeople.LOCKED, reportpeople.locked, as_json=as_json)


@report.command("without-factor")
@click.option("--administrators", is_flag=True, help="Only who has a role.")
@_asked
def without_factor(
    administrators: bool, organisation: str | None, to: Path | None, config: Path, as_json: bool
) -> None:
    """List who has no second factor, with their roles.

    \b
    cjsm report without-factor --administrators
    cjsm report without-factor --organisation avon-police --csv without.csv
    """

    def made(suite: Suite, places: list[OrganisationId]) -> Rows:
        return reportpeople.without_factor(suite, places, administrators=administrators)

    _tell(config, organisation, to, reportpeople.WITHOUT_FACTOR, made, as_json=as_json)


@report.command("near-quota")
@click.option("--percent", type=click.IntRange(1, 1_000), default=90, show_default=True, help="From so full on.")
@_asked
def near_quota(percent: int, organisation: str | None, to: Path | None, config: Path, as_json: bool) -> None:
    """List mailboxes, shared ones too, that are full or nearly so; what waits for them counts.

    \b
    cjsm report near-quota
    cjsm report near-quota --percent 70 --as olive.marsh@avon
    """

    def made(suite: Suite, places: list[OrganisationId]) -> Rows:
        return reportmail.near_quota(suite, places, percent)

    _tell(config, organisation, to, reportmail.NEAR_QUOTA, made, as_json=as_json)


@report.command()
@click.option("--days", type=_DAYS, default=30, show_default=True, help="Of the last so many days.")
@_asked
def traffic(days: int, organisation: str | None, to: Path | None, config: Path, as_json: bool) -> None:
    """Count the messages that each organisation sent and got, and their octets, from the message trace.

    A message counts once for who sent it, and once for each address that it was for; what an organisation's own server
    sent and got is with the organisation of the connection.

    \b
    cjsm report traffic
    cjsm report traffic --days 7 --organisation avon-police --as olive.marsh@avon
    """

    def made(suite: Suite, places: list[OrganisationId]) -> Rows:
        return reportmail.traffic(suite, places, days)

    _tell(config, organisation, to, reportmail.TRAFFIC, made, as_json=as_json)


@report.command("tls-failures")
@click.option("--days", type=_DAYS, default=7, show_default=True, help="Of the last so many days.")
@_asked
def tls_failures(days: int, organisation: str | None, to: Path | None, config: Path, as_json: bool) -> None:
    """List connections to which mail could not be sent safely: encryption or certificate were not as they must be.

    \b
    cjsm report tls-failures
    cjsm report tls-failures --days 1 --json
    """

    def made(suite: Suite, places: list[OrganisationId]) -> Rows:
        return reportmail.tls_failures(suite, places, days)

    _tell(config, organisation, to, reportmail.TLS_FAILURES, made, as_json=as_json)
